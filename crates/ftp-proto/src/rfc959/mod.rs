//! The server's machine for standard FTP: one [`Rfc959`] a session. `RFC959.md` beside the crate's manifest
//! says which command of which document is taken how, and which test holds it.
//!
//! Bytes become lines (`line`), lines become commands (`command`), and `commands` begins them one at a
//! time; `task` is what is under way. `data` is how the data connection comes to be; `transfer` what goes over it, by the
//! `course` of every transfer: a `download`, an `upload` or a `listing` read by `pages`. `reply` alone turns outcomes into codes.
//!
//! Pure: no socket, file, clock or thread; it never panics on a peer's bytes and never holds more than
//! [`Limits`] allows. Payload never comes here.

mod access;
mod change;
mod command;
mod commands;
mod course;
mod data;
mod deadlines;
mod download;
mod effects;
mod folder;
mod hash;
mod held;
mod info;
mod input;
mod line;
mod listing;
mod pages;
mod ports;
mod progress;
mod reply;
mod settings;
mod show;
mod state;
mod step;
mod sums;
mod task;
mod time;
mod transfer;
mod upload;
mod verbs;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use self::access::Access;
use self::data::Data;
use self::deadlines::Deadlines;
use self::effects::Effects;
use self::held::Held;
use self::reply::Reply;
use self::settings::Settings;
pub use self::state::{State, Way};
use self::task::Task;
use crate::Limits;
use crate::session::{Action, Appetite, Channel, Dialect, Digesting, Input};

/// Whether control and data connections can, or must, be within TLS (RFC 4217).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// There is no TLS here.
    Off,
    /// It is offered.
    Offered,
    /// It is demanded.
    Required,
}

/// What every session of a listener has in common.
#[derive(Clone, Debug)]
pub struct Config {
    /// Every bound.
    pub limits: Limits,
    /// Name and version of the server, as the greeting tells it: `muxftp/0.1.0`.
    pub server: String,
    /// Users prove who they are by [`Action::Login`]; else every name and password is taken.
    pub login: bool,
    /// TLS on the control connection.
    pub tls: Security,
    /// The shell begins TLS by itself, before the greeting (RFC 4217's deprecated port 990): the machine
    /// greets at [`Input::Secured`], and never asks for it.
    pub implicit_tls: bool,
    /// TLS on the data connection; `Required` refuses `PROT C`.
    pub data_tls: Security,
    /// Refuse whatever changes the disk.
    pub read_only: bool,
    /// The server connects to clients that ask for it.
    pub active: bool,
    /// When the SHA-256 of an upload is taken.
    pub digesting: Digesting,
}

/// The machine of one session.
#[derive(Debug)]
pub struct Rfc959 {
    fx: Effects,
    /// The control connection's other end, once it is known.
    peer: Option<SocketAddr>,
    held: Held,
    access: Access,
    settings: Settings,
    data: Data,
    task: Task,
    deadlines: Deadlines,
    /// Bytes of transfers, both ways, since the session began.
    moved: u64,
    phase: Phase,
}

/// How far the session has come. Each flag is set once and stays.
#[derive(Debug, Default)]
struct Phase {
    /// The greeting was said.
    greeted: bool,
    /// The control connection is within TLS.
    secured: bool,
    /// The server wants to stop.
    draining: bool,
    /// Nothing more is read from the control connection; what was asked is answered, then it closes.
    ending: bool,
    /// `Close` was asked, or the connection is lost.
    closed: bool,
}

impl Rfc959 {
    /// A machine for a connection that was accepted at `now`. It greets once it hears that control is open.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Instant) -> Self {
        Self {
            deadlines: Deadlines::new(&config.limits, now),
            fx: Effects::new(config),
            peer: None,
            held: Held::default(),
            access: Access::default(),
            settings: Settings::default(),
            data: Data::None,
            task: Task::None,
            moved: 0,
            phase: Phase::default(),
        }
    }

    /// Begins what may be begun, moves what may be moved, and closes when all is said. Says whether a
    /// command was begun.
    fn pump(&mut self, now: Instant) -> bool {
        let mut begun = false;
        loop {
            self.pump_task(now);
            if self.phase.closed || !self.task.is_none() || !self.phase.greeted {
                break;
            }
            if self.phase.draining {
                self.held.clear();
                self.fx
                    .reply(&Reply::new(421, "The server is stopping; try again later"));
                self.end(true, "the server is stopping", now);
                break;
            }
            if !self.fx.may_reply() {
                break;
            }
            let Some(line) = self.held.pop() else {
                if self.phase.ending {
                    self.end(true, "the client has ended", now);
                }
                break;
            };
            begun |= self.execute(&line, now);
        }
        begun
    }

    /// Gives the session up: whatever is under way ends, and the control connection closes.
    fn end(&mut self, flush: bool, why: &str, now: Instant) {
        self.phase.ending = true;
        self.held.clear();
        if self.phase.closed {
            return;
        }
        self.phase.closed = true;
        if !flush {
            self.fx.mute();
        }
        self.give_up_task(now);
        self.data.drop(&mut self.fx);
        self.fx.close(flush, why);
    }

    /// Whether only the peer can move things on.
    fn waits_for_peer(&self) -> bool {
        !self.phase.closed && self.task.waits_for_peer(&self.fx)
    }

    /// Sets the deadlines anew after something happened: a command was `begun`, bytes `moved`.
    fn rearm(&mut self, begun: bool, moved: u64, now: Instant) {
        self.moved = self.moved.saturating_add(moved);
        if self.phase.closed {
            self.deadlines.clear();
            return;
        }
        let idle = self.task.is_none() || self.task.waits_for_replies();
        self.deadlines.idle(idle, begun || moved > 0, now);
        self.deadlines.login(!self.access.is_admitted());
        self.deadlines.data(self.task.waits_for_data(), now);
        let waits = self.waits_for_peer();
        self.deadlines.stall(waits, self.moved, now);
        if self.is_idle() {
            self.fx.shrink();
        }
    }
}

impl Dialect for Rfc959 {
    fn receive(&mut self, channel: Channel, bytes: &[u8], now: Instant) -> usize {
        let mut used = 0;
        let mut begun = false;
        while self.appetite(channel) == Appetite::Message {
            let rest = bytes.get(used..).unwrap_or_default();
            let taken = self.read(rest, now);
            if taken == 0 {
                break;
            }
            used += taken;
            begun |= self.pump(now);
        }
        self.rearm(begun, 0, now);
        used
    }

    fn handle(&mut self, input: Input, now: Instant) {
        let moved = self.take_input(input, now);
        let begun = self.pump(now);
        self.rearm(begun, moved, now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.fx.poll()
    }

    fn appetite(&self, channel: Channel) -> Appetite {
        if self.phase.closed {
            return Appetite::Nothing;
        }
        if channel == Channel::DATA {
            return self.task.appetite();
        }
        let full = self.held.is_full(&self.fx.config.limits);
        let reads = channel == Channel::CONTROL
            && self.phase.greeted
            && !self.phase.ending
            && !self.task.drops_input();
        if reads && !full {
            Appetite::Message
        } else {
            Appetite::Nothing
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    fn is_idle(&self) -> bool {
        self.task.is_none() && self.held.is_empty() && self.fx.unsent_replies() == 0
    }
}
