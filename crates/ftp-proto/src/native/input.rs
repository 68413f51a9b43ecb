//! What the shell tells: bytes moved, outcomes of the disk, ends of the connection.

use std::time::Instant;

use super::Native;
use super::deadlines::Expired;
use super::queue::Task;
use super::reply;
use crate::session::{Channel, Fault, FileId, Input, JobId, Outcome};
use crate::wire::Code;

/// Why a message that was begun is given up.
pub(super) const UNFINISHED: &str = "the message was not finished";

impl Native {
    /// Takes what the shell tells; says how many bytes moved.
    pub(super) fn take_input(&mut self, input: Input, now: Instant) -> u64 {
        match input {
            Input::Payload { channel, len } if channel == Channel::CONTROL => {
                self.take_payload(len);
                return len;
            }
            Input::Sent { channel, len } if channel == Channel::CONTROL => {
                self.fx.took(len);
                return len;
            }
            Input::Eof { channel } if channel == Channel::CONTROL => self.take_eof(),
            Input::Lost { channel, why } if channel == Channel::CONTROL => {
                self.take_loss(&why, now);
            }
            Input::Done { job, outcome } => self.take_outcome(job, outcome),
            Input::Fault { file, fault } => self.take_fault(file, fault),
            Input::Deadline => self.expire(now),
            Input::Times(times) => self.deadlines.retime(times),
            Input::Drain => self.phase.draining = true,
            Input::Login(outcome) => self.take_login(outcome),
            Input::Secured {
                channel,
                user: Some(user),
            } if channel == Channel::CONTROL => self.admit(user),
            // The control channel is open from the start, and this dialect has no other. Of a cut the loss tells enough.
            Input::Opened { .. }
            | Input::Payload { .. }
            | Input::Sent { .. }
            | Input::Eof { .. }
            | Input::Lost { .. }
            | Input::Secured { .. }
            | Input::Listening { .. }
            | Input::OpenFailed { .. }
            | Input::Closed { .. }
            | Input::Cut { .. } => {}
        }
        0
    }

    /// Reads no more. A message that is not complete never will be, and this is why.
    pub(super) fn stop_reading(&mut self, code: Code, why: &str) {
        self.phase.ending = true;
        self.reader.body = None;
        self.reader.held = None;
        if let Some(open) = self.reader.open.take()
            && let Some(entry) = self.queue.unanswered_mut(open.seq)
        {
            entry.fail(open.seq, reply::error(code, why), &mut self.fx);
        }
    }

    fn take_outcome(&mut self, job: JobId, outcome: Outcome) {
        let Some(seq) = self.fx.done(job) else {
            return;
        };
        if let Some(entry) = self.queue.unanswered_mut(seq) {
            entry.done(seq, outcome, &mut self.fx);
            if matches!(&entry.task, Task::Download(download) if download.is_streaming()) {
                self.streams.insert(seq);
            }
        }
    }

    fn take_fault(&mut self, file: FileId, fault: Fault) {
        let error = reply::fault(fault);
        match self.queue.unanswered_mut(file.0) {
            Some(entry) => entry.fail(file.0, error, &mut self.fx),
            None => self.departures.fail_one(file.0, error.code.as_str()),
        }
    }

    /// The peer sends no more. A frame that is held back and lacks nothing is still asked.
    fn take_eof(&mut self) {
        match &self.reader.held {
            Some(frame) if frame.fin && frame.len == 0 => self.phase.ending = true,
            Some(_) | None => self.stop_reading(Code::Aborted, UNFINISHED),
        }
    }

    fn take_loss(&mut self, why: &str, now: Instant) {
        self.stop_reading(Code::Aborted, why);
        if !self.phase.closed {
            self.phase.closed = true;
            self.fx.close(false, why);
        }
        self.mute(Code::Aborted, why, now);
    }

    fn expire(&mut self, now: Instant) {
        let why = match self.deadlines.expired(now) {
            None => return,
            Some(Expired::Hello) if !self.phase.greeted => "no `hello` came in time",
            Some(Expired::Hello) => "nobody logged in in time",
            Some(Expired::Idle) => "nothing was asked for too long",
            Some(Expired::Stall) => "too few bytes moved for too long",
        };
        self.cut(Code::Timeout, why, now);
    }
}
