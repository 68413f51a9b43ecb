//! The table of named deadlines; the shell sees only the earliest.

use std::time::Instant;

/// When to give up waiting, by reason.
#[derive(Debug)]
pub(super) struct Deadlines {
    hello: Option<Instant>,
    idle: Option<Instant>,
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
    /// No `hello` since the connection was made.
    Hello,
    /// Nothing asked for a while.
    Idle,
    /// Something asked, and the peer neither sends nor takes its bytes.
    Stall,
}

impl Deadlines {
    pub(super) fn new(hello: Instant) -> Self {
        Self {
            hello: Some(hello),
            idle: None,
            stall: None,
        }
    }

    /// The `hello` came.
    pub(super) fn greeted(&mut self) {
        self.hello = None;
    }

    /// Nothing is under way (`on`); bytes that `moved` begin the time anew.
    pub(super) fn idle(&mut self, on: bool, moved: bool, at: Instant) {
        set(&mut self.idle, on, moved, at);
    }

    /// The peer is waited for (`on`); each `floor` of the bytes `moved` so far begins the time anew.
    pub(super) fn stall(&mut self, on: bool, moved: u64, floor: u64, at: Instant) {
        let lasts = |stall: &Stall| moved - stall.from < floor.max(1);
        if !on {
            self.stall = None;
        } else if !self.stall.as_ref().is_some_and(lasts) {
            self.stall = Some(Stall { at, from: moved });
        }
    }

    /// Nothing is waited for any more.
    pub(super) fn clear(&mut self) {
        *self = Self {
            hello: None,
            idle: None,
            stall: None,
        };
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<Instant> {
        let stall = self.stall.map(|stall| stall.at);
        [self.hello, self.idle, stall].into_iter().flatten().min()
    }

    /// Which one has passed at `now`.
    pub(super) fn expired(&self, now: Instant) -> Option<Expired> {
        let passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if passed(self.hello) {
            Some(Expired::Hello)
        } else if passed(self.stall.map(|stall| stall.at)) {
            Some(Expired::Stall)
        } else if passed(self.idle) {
            Some(Expired::Idle)
        } else {
            None
        }
    }
}

fn set(slot: &mut Option<Instant>, on: bool, moved: bool, at: Instant) {
    match (on, slot.is_some() && !moved) {
        (false, _) => *slot = None,
        (true, true) => {}
        (true, false) => *slot = Some(at),
    }
}
