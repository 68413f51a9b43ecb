//! The table of named deadlines; the shell sees only the earliest.

use std::time::{Duration, Instant};

use crate::Limits;
use crate::session::{Times, Waits};

/// When to give up waiting, by reason.
#[derive(Debug)]
pub(super) struct Deadlines {
    waits: Waits,
    /// For the data connection to come.
    data_time: Duration,
    login: Option<Instant>,
    data: Option<Instant>,
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
            waits: Waits::new(Times::of(limits)),
            data_time: limits.data_time,
            login: Some(now + limits.login_time),
            data: None,
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
        self.waits.idle(on, renewed, now);
    }

    /// The data connection is waited for (`on`).
    pub(super) fn data(&mut self, on: bool, now: Instant) {
        let at = self.data.unwrap_or_else(|| now + self.data_time);
        self.data = on.then_some(at);
    }

    /// The peer is waited for (`on`); each floor of the bytes `moved` so far begins the time anew.
    pub(super) fn stall(&mut self, on: bool, moved: u64, now: Instant) {
        self.waits.stall(on, moved, now);
    }

    /// The times are now these: what is waited for ends as if they had been so when it began. The times for
    /// a login and for a data connection are none of them.
    pub(super) fn retime(&mut self, times: Times) {
        self.waits.retime(times);
    }

    /// Nothing is waited for any more.
    pub(super) fn clear(&mut self) {
        self.waits.clear();
        self.login = None;
        self.data = None;
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<Instant> {
        let (idle, stall) = (self.waits.idle_at(), self.waits.stall_at());
        let all = [self.login, self.data, idle, stall];
        all.into_iter().flatten().min()
    }

    /// Which one has passed at `now`.
    pub(super) fn expired(&self, now: Instant) -> Option<Expired> {
        let passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if passed(self.login) {
            Some(Expired::Login)
        } else if passed(self.data) {
            Some(Expired::Data)
        } else if passed(self.waits.stall_at()) {
            Some(Expired::Stall)
        } else if passed(self.waits.idle_at()) {
            Some(Expired::Idle)
        } else {
            None
        }
    }
}
