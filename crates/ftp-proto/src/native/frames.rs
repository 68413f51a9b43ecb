//! What the peer sends: frame by frame into requests, and their payload to where it belongs.

use std::time::Instant;

use super::Native;
use super::input::UNFINISHED;
use super::login::Passage;
use super::queue::{Entry, Task};
use super::reader::{self, Body, Found, Frame, Open};
use super::reply::{self, Answer};
use crate::wire::{Code, ErrorBody, ReplyHead};

impl Native {
    /// Takes protocol text: one header, or payload of a `ping`. Says how many bytes it used.
    pub(super) fn read(&mut self, bytes: &[u8], now: Instant) -> usize {
        if let (Some(open), Some(body)) = (&self.reader.open, &self.reader.body) {
            let len = usize::try_from(body.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            if let Some(entry) = self.queue.unanswered_mut(open.seq)
                && let Task::Ping(payload) = &mut entry.task
            {
                payload.extend_from_slice(bytes.get(..len).unwrap_or_default());
            }
            self.take_payload(len as u64);
            return len;
        }
        match reader::find(bytes, self.fx.config.limits.header_bytes) {
            Found::NeedMore => 0,
            Found::Broken(why) => {
                self.break_off(&why, now);
                bytes.len()
            }
            Found::Frame(frame, used) => {
                self.take_frame(frame, now);
                // An upload takes its payload only once it has begun.
                self.start_ready();
                used
            }
        }
    }

    /// Bytes of the current frame's payload went where they belong.
    pub(super) fn take_payload(&mut self, len: u64) {
        let (Some(open), Some(body)) = (&mut self.reader.open, &mut self.reader.body) else {
            return;
        };
        let len = len.min(body.left);
        body.left -= len;
        let (done, fin) = (body.left == 0, body.fin);
        match self
            .queue
            .unanswered_mut(open.seq)
            .map(|entry| &mut entry.task)
        {
            Some(Task::Upload(upload)) => upload.took(len),
            Some(Task::Ping(_)) => {}
            Some(Task::Download(_) | Task::Verb(_) | Task::Login(_) | Task::Told) | None => {
                open.swallowed += len;
            }
        }
        if done {
            self.reader.body = None;
            self.end_frame(fin);
        }
    }

    /// Goes on with a frame that had to wait, if it need not any longer.
    pub(super) fn take_held(&mut self, now: Instant) -> bool {
        let Some(frame) = self.reader.held.take() else {
            return false;
        };
        self.take_frame(frame, now);
        self.reader.held.is_none()
    }

    fn take_frame(&mut self, frame: Frame, now: Instant) {
        let verb = frame.verb();
        match &self.reader.open {
            _ if verb == Some("abort") && self.phase.greeted => self.abort(&frame, now),
            Some(open) if open.id == frame.id && verb.is_none() => {
                let seq = open.seq;
                self.go_on(seq, frame);
            }
            Some(open) => {
                let why = format!("a frame of {} within the message {}", frame.id, open.id);
                self.break_off(&why, now);
            }
            None if frame.head.is_ok() && verb.is_none() => {
                let why = format!("a frame of {}, of which no message is open", frame.id);
                self.break_off(&why, now);
            }
            None => self.begin(frame, now),
        }
    }

    /// The first frame of a request.
    fn begin(&mut self, frame: Frame, now: Instant) {
        if self.queue.find(frame.id).is_some() {
            let why = format!("the id {} is taken by a request under way", frame.id);
            return self.break_off(&why, now);
        }
        if self.phase.draining {
            let why = reply::error(Code::ShuttingDown, "the server is stopping");
            return self.refuse_all(frame.id, why, now);
        }
        if !self.phase.greeted && frame.verb().is_some_and(|verb| verb != "hello") {
            let why = reply::error(Code::HelloRequired, "the first request is `hello`");
            return self.refuse_all(frame.id, why, now);
        }
        let under_way = self.queue.len().max(self.departures.len());
        let passage = self.passage(&frame);
        let full = under_way >= self.fx.config.limits.pipeline || !self.fx.has_room();
        if full || passage == Passage::Wait {
            self.reader.held = Some(frame);
            return;
        }
        let Frame { id, fin, len, head } = frame;
        let made = match head {
            _ if passage == Passage::Closed => {
                let why = "nobody has logged in on this connection";
                Err(reply::error(Code::LoginRequired, why))
            }
            Ok(head) => self.make(*head),
            Err(why) => Err(reply::error(Code::BadRequest, why)),
        };
        let entry = match made {
            Ok((task, answer)) => Entry {
                id,
                began: now,
                task,
                answer,
            },
            Err(error) if error.code == Code::UnsupportedVersion => {
                return self.refuse_all(id, error, now);
            }
            Err(error) => Entry::told(id, now, Answer::error(error)),
        };
        let asks = matches!(entry.task, Task::Login(_));
        let seq = self.queue.push(entry);
        if asks {
            self.login.asks(seq);
        }
        let swallowed = 0;
        self.reader.open = Some(Open { id, seq, swallowed });
        self.begin_body(len, fin);
    }

    /// A later frame of the open message, which is request `seq`.
    fn go_on(&mut self, seq: u64, frame: Frame) {
        if let Some(entry) = self.queue.unanswered_mut(seq)
            && let Task::Upload(upload) = &mut entry.task
        {
            if upload.holds_chunks() {
                self.reader.held = Some(frame);
                return;
            }
            let max = self.fx.config.limits.chunk_bytes;
            let result = match &frame.head {
                Ok(head) => upload
                    .go_on(seq, head.offset, &mut self.fx)
                    .and_then(|()| upload.chunk(head.len, head.sha256, max)),
                Err(why) => Err(reply::error(Code::BadRequest, why)),
            };
            if let Err(error) = result {
                entry.fail(seq, error, &mut self.fx);
            }
        }
        self.begin_body(frame.len, frame.fin);
    }

    /// `abort`: ends the open message if it is meant, and a request that can still be stopped.
    fn abort(&mut self, frame: &Frame, now: Instant) {
        if !frame.fin || frame.len > 0 {
            return self.break_off("an `abort` is one frame without payload", now);
        }
        self.reader.open.take_if(|open| open.id == frame.id);
        if let Some(seq) = self.queue.find(frame.id)
            && let Some(entry) = self.queue.unanswered_mut(seq)
            && entry.may_stop()
        {
            let why = reply::error(Code::Aborted, "ended by `abort`");
            entry.fail(seq, why, &mut self.fx);
        }
    }

    fn begin_body(&mut self, left: u64, fin: bool) {
        if left > 0 {
            self.reader.body = Some(Body { left, fin });
        } else {
            self.end_frame(fin);
        }
    }

    /// A frame has come with all of its payload.
    fn end_frame(&mut self, fin: bool) {
        if !fin {
            return;
        }
        let Some(open) = self.reader.open.take() else {
            return;
        };
        let Some(entry) = self.queue.unanswered_mut(open.seq) else {
            return;
        };
        match &mut entry.task {
            Task::Upload(upload) => {
                if let Err(error) = upload.finish(open.seq, &mut self.fx) {
                    entry.fail(open.seq, error, &mut self.fx);
                }
            }
            Task::Ping(payload) => {
                let payload = std::mem::take(payload);
                entry.answer = Some(Answer::with_payload(ReplyHead::default(), payload));
            }
            Task::Download(_) | Task::Verb(_) | Task::Login(_) | Task::Told => {}
        }
    }

    /// The stream cannot be followed any further: what was asked is answered, then the connection closes.
    fn break_off(&mut self, why: &str, now: Instant) {
        self.refuse_all(0, reply::error(Code::BadFrame, why), now);
    }

    /// Answers `id` with an error, in its turn, and reads no more.
    fn refuse_all(&mut self, id: u64, why: ErrorBody, now: Instant) {
        self.stop_reading(Code::Aborted, UNFINISHED);
        self.queue.push(Entry::told(id, now, Answer::error(why)));
    }
}
