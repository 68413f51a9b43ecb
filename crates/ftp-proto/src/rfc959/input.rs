//! What the shell tells: text, bytes moved, outcomes of the disk, comings and goings of connections.

use std::time::Instant;

use super::Rfc959;
use super::command::{self, Name, Tell, Verb};
use super::data::Data;
use super::deadlines::Expired;
use super::line::{self, Cut, Line};
use super::ports;
use super::reply::Reply;
use super::task::Task;
use crate::session::{Channel, Input, JobId, Outcome};

impl Rfc959 {
    /// Takes one line of text, or a part of one that is too long. Says how many bytes that was.
    pub(super) fn read(&mut self, bytes: &[u8], now: Instant) -> usize {
        if self.held.skipping {
            let (used, ended) = line::skip(bytes);
            self.held.skipping = !ended;
            return used;
        }
        match line::cut(bytes, self.fx.config.limits.command_bytes) {
            Cut::NeedMore => 0,
            Cut::TooLong { used, ended } => {
                self.held.skipping = !ended;
                self.held.push(Line::too_long());
                used
            }
            Cut::Line(line, used) => {
                self.hear(line, now);
                used
            }
        }
    }

    /// A command has come. Few are answered at once in mid-transfer, while the peer takes what is answered; the others wait for their turn.
    fn hear(&mut self, line: Line, now: Instant) {
        let running = matches!(self.task, Task::Transfer(_));
        let at_once = running && self.held.is_empty() && self.fx.may_reply();
        match command::verb(&line) {
            Some((Verb::Name(Name::Stat), false)) if at_once => {
                let status = self.status();
                self.fx.reply(&status);
            }
            Some((Verb::Tell(Tell::Noop), _)) if at_once => {
                self.fx.reply(&Reply::new(200, "A transfer is under way"));
            }
            // What it aborts ends now; what it answers is said in its turn.
            Some((Verb::Abor, _)) => {
                self.abort_transfer(now);
                self.held.push_abort(line);
            }
            Some((Verb::Quit, _)) => self.held.push_last(line),
            Some(_) | None => self.held.push(line),
        }
    }

    /// Takes what the shell tells; says how many bytes of a transfer moved.
    pub(super) fn take_input(&mut self, input: Input, now: Instant) -> u64 {
        match input {
            Input::Opened { channel, peer } if channel == Channel::CONTROL => {
                self.peer = peer;
                if !self.fx.config.implicit_tls {
                    self.greet();
                }
            }
            Input::Secured { channel, user } if channel == Channel::CONTROL => {
                self.take_secured(user);
            }
            Input::Eof { channel } if channel == Channel::CONTROL => self.take_eof(now),
            Input::Lost { channel, why } if channel == Channel::CONTROL => {
                self.end(false, &why, now);
            }
            Input::Opened { channel, .. } if channel == Channel::DATA => self.data.opened(),
            Input::Secured { channel, .. } if channel == Channel::DATA => self.data.secured(),
            Input::Listening { channel, address } if channel == Channel::DATA => {
                self.take_listening(address);
            }
            Input::OpenFailed { channel, why } if channel == Channel::DATA => {
                self.take_open_failed(&why, now);
            }
            Input::Closed { channel } if channel == Channel::DATA => match self.data {
                Data::Closing => {
                    self.data = Data::None;
                    self.take_data_closed(now);
                }
                Data::None
                | Data::Asked(_)
                | Data::Passive
                | Data::Active(_)
                | Data::Connecting
                | Data::Open
                | Data::Securing
                | Data::Secured => self.take_open_failed("it closed early", now),
            },
            Input::Lost { channel, why } if channel == Channel::DATA => {
                self.take_open_failed(&why, now);
            }
            Input::Eof { channel } if channel == Channel::DATA => self.take_data_eof(),
            Input::Payload { channel, len } if channel == Channel::DATA => {
                self.take_payload(len);
                return len;
            }
            Input::Sent { channel, len } => {
                self.fx.took(channel, len);
                return if channel == Channel::DATA { len } else { 0 };
            }
            Input::Login(outcome) => self.take_login(outcome, now),
            Input::Done { job, outcome } => self.take_outcome(job, outcome, now),
            Input::Fault { file, fault } => self.take_fault(file, &fault, now),
            Input::Deadline => self.expire(now),
            Input::Times(times) => self.deadlines.retime(times),
            Input::Drain => self.phase.draining = true,
            Input::Cut { why } => self.take_cut(&why, now),
            // Channels this dialect does not have, and what cannot happen on those it has.
            Input::Opened { .. }
            | Input::Secured { .. }
            | Input::Eof { .. }
            | Input::Lost { .. }
            | Input::Listening { .. }
            | Input::OpenFailed { .. }
            | Input::Closed { .. }
            | Input::Payload { .. } => {}
        }
        0
    }

    fn greet(&mut self) {
        if !std::mem::replace(&mut self.phase.greeted, true) {
            let server = self.fx.config.server.clone();
            self.fx.reply(&Reply::new(220, format!("{server} ready")));
        }
    }

    fn take_secured(&mut self, user: Option<String>) {
        let asked = matches!(self.task, Task::Tls);
        if !asked && (self.phase.greeted || !self.fx.config.implicit_tls) {
            return;
        }
        if asked {
            self.task = Task::None;
        }
        self.phase.secured = true;
        self.access.secured(user);
        self.settings.reset();
        self.greet();
    }

    /// The peer sends no more commands; what it asked is answered.
    fn take_eof(&mut self, now: Instant) {
        self.phase.ending = true;
        if !self.phase.greeted || matches!(self.task, Task::Tls) {
            self.end(false, "the client has ended", now);
        }
    }

    /// Whoever waits for a reply hears why there is none.
    fn take_cut(&mut self, why: &str, now: Instant) {
        self.abort_transfer(now);
        self.say_goodbye(why, now);
    }

    fn say_goodbye(&mut self, why: &str, now: Instant) {
        self.cut_show();
        self.fx.reply(&Reply::new(421, format!("Goodbye: {why}")));
        self.end(true, why, now);
    }

    fn take_listening(&mut self, address: std::net::SocketAddr) {
        let Data::Asked(how) = &self.data else {
            return;
        };
        self.task = Task::None;
        if let Some(reply) = ports::listening(*how, address) {
            self.data = Data::Passive;
            self.fx.reply(&reply);
        } else {
            self.data.drop(&mut self.fx);
            self.fx
                .reply(&Reply::new(425, "PASV knows IPv4 alone; use EPSV"));
        }
    }

    /// The data connection did not come about, or broke.
    fn take_open_failed(&mut self, why: &str, now: Instant) {
        let asked = matches!(self.data, Data::Asked(_));
        self.data = Data::None;
        if asked {
            self.task = Task::None;
            let words = format!("Cannot open a port: {why}; try again");
            self.fx.reply(&Reply::new(425, words));
        } else {
            self.take_data_lost(why, now);
        }
    }

    fn take_outcome(&mut self, job: JobId, outcome: Outcome, now: Instant) {
        match &mut self.task {
            Task::Disk(asked, _) if *asked == job => {
                let Task::Disk(_, step) = std::mem::replace(&mut self.task, Task::None) else {
                    return;
                };
                self.take_step(step, outcome);
            }
            Task::Show(show) if show.asked() == Some(job) => self.take_page(outcome),
            Task::Transfer(_) => self.take_transfer_outcome(job, outcome, now),
            Task::None
            | Task::Login
            | Task::Tls
            | Task::Listen
            | Task::Disk(..)
            | Task::Show(_) => {}
        }
    }

    fn expire(&mut self, now: Instant) {
        let why = match self.deadlines.expired(now) {
            None => return,
            Some(Expired::Data) => {
                return self.fail_transfer(
                    &Reply::new(425, "No data connection came in time"),
                    "timeout",
                    now,
                );
            }
            Some(Expired::Stall) => return self.give_up_waiting(now),
            Some(Expired::Login) => "nobody logged in for too long",
            Some(Expired::Idle) => "nothing was asked for too long",
        };
        self.say_goodbye(why, now);
    }
}
