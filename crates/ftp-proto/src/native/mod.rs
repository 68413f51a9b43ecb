//! The server's machine for the native protocol of `PROTOCOL.md`: one [`Native`] a connection.
//!
//! Frames come in through `reader`, become entries of the `queue`, start when `order` and the window
//! of `effects` let them, and their answers leave strictly in the order of the requests. `upload`,
//! `download` and `verbs` each know one kind of request; `reply` alone turns outcomes into words.
//!
//! Pure: no socket, file, clock or thread; it never panics on a peer's bytes and never holds more
//! than [`Limits`] allows.

mod deadlines;
mod departures;
mod download;
mod effects;
mod frames;
mod front;
mod hello;
mod input;
mod login;
mod order;
mod queue;
mod reader;
mod reply;
mod requests;
mod upload;
mod verbs;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use self::deadlines::Deadlines;
use self::departures::Departures;
use self::effects::Effects;
use self::front::Front;
use self::input::UNFINISHED;
use self::login::Login;
use self::queue::{Queue, Task};
use self::reader::Reader;
use crate::session::{Action, Appetite, Channel, Dialect, FileId, Input, Times};
use crate::wire::{Code, LoginWanted};
use crate::{Durability, Limits};

/// What every session of a server has in common.
#[derive(Clone, Debug)]
pub struct Config {
    /// Every bound.
    pub limits: Limits,
    /// Name and version of the server, as `hello` tells it: `muxftp/0.1.0`.
    pub server: String,
    /// How safe an upload is when it is answered, as `hello` tells it.
    pub durability: Durability,
    /// Refuse whatever changes the disk.
    pub read_only: bool,
    /// Whether a connection has to log in; absent where there are no users.
    pub login: Option<LoginWanted>,
}

/// The machine of one connection.
#[derive(Debug)]
pub struct Native {
    fx: Effects,
    queue: Queue,
    reader: Reader,
    /// Downloads that still have ranges to warm, in the order of their requests.
    streams: BTreeSet<u64>,
    departures: Departures,
    deadlines: Deadlines,
    login: Login,
    /// Bytes that came or were taken since the connection began.
    moved: u64,
    phase: Phase,
}

/// How far the connection has come. Each flag is set once and stays.
#[derive(Debug, Default)]
struct Phase {
    /// A `hello` was accepted.
    greeted: bool,
    /// The server wants to stop.
    draining: bool,
    /// Nothing more is read; what was asked is answered, then the connection closes.
    ending: bool,
    /// `Close` was asked, or the connection is lost.
    closed: bool,
}

impl Native {
    /// A machine for a connection that was accepted at `now`.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Instant) -> Self {
        Self {
            deadlines: Deadlines::new(Times::of(&config.limits), now),
            fx: Effects::new(config),
            queue: Queue::default(),
            reader: Reader::default(),
            streams: BTreeSet::new(),
            departures: Departures::default(),
            login: Login::default(),
            moved: 0,
            phase: Phase::default(),
        }
    }

    /// Answers, starts and ends whatever may be answered, started and ended now.
    fn pump(&mut self, now: Instant) {
        loop {
            let answered = self.answer_ready(now);
            self.departures.leave(&mut self.fx, now);
            let started = self.start_ready();
            self.warm_ready();
            let resumed = self.take_held(now);
            if !(answered || started || resumed) {
                break;
            }
        }
        if self.appetite(Channel::CONTROL) == (Appetite::Discard { remaining: 0 }) {
            self.stop_reading(Code::Aborted, UNFINISHED);
        }
        self.close_if_done();
    }

    /// Sends what the front of the queue has to say, and the next front's, and so on.
    fn answer_ready(&mut self, now: Instant) -> bool {
        let mut moved = false;
        while let Some((seq, entry)) = self.queue.front_mut() {
            match entry.speak(seq, &mut self.fx) {
                Front::Silent => break,
                Front::Spoke => moved = true,
                Front::Answered(outcome) => {
                    moved = true;
                    if let Some(entry) = self.queue.pop() {
                        self.departures.add(seq, entry, outcome, &mut self.fx, now);
                    }
                }
            }
        }
        moved
    }

    /// Starts requests, in their order, as far as the barriers and the window allow.
    fn start_ready(&mut self) -> bool {
        let mut moved = false;
        while let Some((seq, front, entry)) = self.queue.unstarted_mut() {
            if !entry.start(seq, front, &mut self.fx) {
                break;
            }
            self.queue.mark_started();
            moved = true;
        }
        moved
    }

    /// Asks for the next ranges of the downloads, the earliest first.
    fn warm_ready(&mut self) {
        while let Some(&seq) = self.streams.first() {
            let front = self.queue.is_front(seq);
            if let Some(entry) = self.queue.unanswered_mut(seq)
                && let Task::Download(download) = &mut entry.task
                && !download.warm(seq, front, &mut self.fx)
            {
                break;
            }
            self.streams.pop_first();
        }
    }

    /// Closes once everything that was asked is answered and nothing more is to come.
    fn close_if_done(&mut self) {
        if self.phase.closed || !self.queue.is_empty() || self.reader.held.is_some() {
            return;
        }
        let mut why = "the client has ended";
        if self.login.is_spent(self.fx.config.limits.login_tries) {
            why = "too many log-ins failed";
        }
        if !self.phase.ending {
            if !self.phase.draining || self.reader.open.is_some() {
                return;
            }
            why = "the server is stopping";
            self.fx.error(0, reply::error(Code::ShuttingDown, why));
        }
        self.phase.closed = true;
        self.phase.ending = true;
        self.fx.close(true, why);
    }

    /// Gives up at once: says `code` where anything can still be said, and ends every request that is not
    /// already being committed.
    fn cut(&mut self, code: Code, why: &str, now: Instant) {
        self.stop_reading(code, why);
        if !self.phase.closed {
            self.phase.closed = true;
            self.fx.error(0, reply::error(code, why));
            self.fx.close(true, why);
        }
        self.mute(code, why, now);
    }

    /// From now on nobody listens: lanes are ended, transfers are reported, nothing is sent.
    fn mute(&mut self, code: Code, why: &str, now: Instant) {
        self.fx.mute();
        self.departures.fail(code);
        self.queue.fail_all(&reply::error(code, why), &mut self.fx);
        self.pump(now);
    }

    /// Whether only the peer can move things on: by sending what it began, or by taking what is queued.
    fn waits_for_peer(&self) -> bool {
        if self.phase.closed {
            return false;
        }
        if self.fx.unsent() > 0 {
            return true;
        }
        let Some(open) = &self.reader.open else {
            return false;
        };
        let ours = self.queue.unanswered(open.seq).is_some_and(
            |entry| matches!(&entry.task, Task::Upload(upload) if upload.waits_for_server()),
        );
        !ours && self.appetite(Channel::CONTROL) != Appetite::Nothing
    }

    /// Sets the deadlines anew after something happened, with which so many bytes moved.
    fn rearm(&mut self, moved: u64, now: Instant) {
        self.moved = self.moved.saturating_add(moved);
        if self.phase.closed {
            self.deadlines.clear();
            return;
        }
        let idle = self.is_idle();
        self.deadlines.idle(idle, moved > 0, now);
        self.deadlines.stall(self.waits_for_peer(), self.moved, now);
        if idle {
            self.queue.shrink();
            self.fx.shrink();
        }
    }
}

impl Dialect for Native {
    fn receive(&mut self, channel: Channel, bytes: &[u8], now: Instant) -> usize {
        let mut used = 0;
        while self.appetite(channel) == Appetite::Message {
            let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) else {
                break;
            };
            let taken = self.read(rest, now);
            if taken == 0 {
                break;
            }
            used += taken;
        }
        self.pump(now);
        self.rearm(used as u64, now);
        used
    }

    fn handle(&mut self, input: Input, now: Instant) {
        let moved = self.take_input(input, now);
        self.pump(now);
        self.rearm(moved, now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.fx.poll()
    }

    fn appetite(&self, channel: Channel) -> Appetite {
        let ending = self.phase.closed || self.phase.ending;
        if channel != Channel::CONTROL || ending || self.reader.held.is_some() {
            return Appetite::Nothing;
        }
        let (Some(open), Some(body)) = (&self.reader.open, &self.reader.body) else {
            return Appetite::Message;
        };
        match self.queue.unanswered(open.seq).map(|entry| &entry.task) {
            Some(Task::Upload(upload)) if upload.is_started() => Appetite::Payload {
                file: FileId(open.seq),
                remaining: body.left,
            },
            Some(Task::Upload(_)) => Appetite::Nothing,
            Some(Task::Ping(_)) => Appetite::Message,
            Some(Task::Download(_) | Task::Verb(_) | Task::Login(_) | Task::Told) | None => {
                Appetite::Discard {
                    remaining: body.left.min(
                        self.fx
                            .config
                            .limits
                            .swallow_bytes
                            .saturating_sub(open.swallowed),
                    ),
                }
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty()
            && self.reader.is_idle()
            && (self.fx.unsent() == 0 || self.fx.is_muted())
            && self.fx.order.is_idle()
    }
}
