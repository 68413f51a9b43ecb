//! The table of named deadlines; the shell sees only the earliest.

use std::time::{Duration, Instant};

use crate::Limits;
use crate::session::Times;

/// When to give up waiting, by reason.
#[derive(Debug)]
pub(super) struct Deadlines {
    times: Times,
    /// For the data connection to come.
    data_time: Duration,
    login: Option<Instant>,
    idle: Option<Instant>,
    data: Option<Instant>,
    stall: Option<Stall>,
}

/// A time in which the peer has to move so many bytes.
#[derive(Clone, Copy, Debug)]
struct Stall {
    at: Instant,
    /// Bytes moved when it began.
    from: u64,
}

/// Which deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    /// Nobody has logged in since the connection was made.
    Login,
    /// No command for a while.
    Idle,
    /// No data connection that can be used.
    Data,
    /// A transfer, and the peer neither sends nor takes its bytes.
    Stall,
}

impl Deadlines {
    /// For a connection that was made at `now`.
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            times: Times::of(limits),
            data_time: limits.data_time,
            login: Some(now + limits.login_time),
            idle: None,
            data: None,
            stall: None,
        }
    }

    /// Nobody is logged in yet (`on`). Once somebody was, it never comes back.
    pub(super) fn login(&mut self, on: bool) {
        if !on {
            self.login = None;
        }
    }

    /// Nothing is under way (`on`); what is `renewed` begins the time anew.
    pub(super) fn idle(&mut self, on: bool, renewed: bool, now: Instant) {
        let at = self.idle.filter(|_| !renewed);
        let at = at.unwrap_or_else(|| now + self.times.idle);
        self.idle = on.then_some(at);
    }

    /// The data connection is waited for (`on`).
    pub(super) fn data(&mut self, on: bool, now: Instant) {
        let at = self.data.unwrap_or_else(|| now + self.data_time);
        self.data = on.then_some(at);
    }

    /// The peer is waited for (`on`); each floor of the bytes `moved` so far begins the time anew.
    pub(super) fn stall(&mut self, on: bool, moved: u64, now: Instant) {
        let floor = self.times.floor_bytes.max(1);
        let lasts = |stall: &Stall| moved.saturating_sub(stall.from) < floor;
        if !on {
            self.stall = None;
        } else if !self.stall.as_ref().is_some_and(lasts) {
            let at = now + self.times.stall;
            self.stall = Some(Stall { at, from: moved });
        }
    }

    /// The times are now these: what is waited for ends as if they had been so when it began. The times for
    /// a login and for a data connection are none of them.
    pub(super) fn retime(&mut self, times: Times) {
        let old = std::mem::replace(&mut self.times, times);
        let shift = |at: &mut Instant, old: Duration, new: Duration| {
            *at = at.checked_sub(old).map_or(*at, |began| began + new);
        };
        if let Some(at) = &mut self.idle {
            shift(at, old.idle, times.idle);
        }
        if let Some(stall) = &mut self.stall {
            shift(&mut stall.at, old.stall, times.stall);
        }
    }

    /// Nothing is waited for any more.
    pub(super) fn clear(&mut self) {
        self.login = None;
        self.idle = None;
        self.data = None;
        self.stall = None;
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<Instant> {
        let stall = self.stall.map(|stall| stall.at);
        let all = [self.login, self.idle, self.data, stall];
        all.into_iter().flatten().min()
    }

    /// Which one has passed at `now`.
    pub(super) fn expired(&self, now: Instant) -> Option<Expired> {
        let passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if passed(self.login) {
            Some(Expired::Login)
        } else if passed(self.data) {
            Some(Expired::Data)
        } else if passed(self.stall.map(|stall| stall.at)) {
            Some(Expired::Stall)
        } else if passed(self.idle) {
            Some(Expired::Idle)
        } else {
            None
        }
    }
}
