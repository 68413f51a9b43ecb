//! The two waits that every language has: for the next request, and for the peer in a transfer.

use std::time::{Duration, Instant};

use super::Times;

/// When an idle session, and when a transfer that does not move, is given up. A language adds its own deadlines.
#[derive(Debug)]
pub(crate) struct Waits {
    times: Times,
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

impl Waits {
    /// Nothing is waited for yet.
    pub(crate) fn new(times: Times) -> Self {
        Self {
            times,
            idle: None,
            stall: None,
        }
    }

    /// Nothing is under way (`on`); what is `renewed` begins the time anew.
    pub(crate) fn idle(&mut self, on: bool, renewed: bool, now: Instant) {
        let at = self.idle.filter(|_| !renewed);
        let at = at.unwrap_or_else(|| now + self.times.idle);
        self.idle = on.then_some(at);
    }

    /// The peer is waited for (`on`); each floor of the bytes `moved` so far begins the time anew.
    pub(crate) fn stall(&mut self, on: bool, moved: u64, now: Instant) {
        let floor = self.times.floor_bytes.max(1);
        let lasts = |stall: &Stall| moved.saturating_sub(stall.from) < floor;
        if !on {
            self.stall = None;
        } else if !self.stall.as_ref().is_some_and(lasts) {
            let at = now + self.times.stall;
            self.stall = Some(Stall { at, from: moved });
        }
    }

    /// The times are now these: what is waited for ends as if they had been so when it began. Gives those of before.
    pub(crate) fn retime(&mut self, times: Times) -> Times {
        let old = std::mem::replace(&mut self.times, times);
        if let Some(at) = &mut self.idle {
            shift(at, old.idle, times.idle);
        }
        if let Some(stall) = &mut self.stall {
            shift(&mut stall.at, old.stall, times.stall);
        }
        old
    }

    /// Nothing is waited for any more.
    pub(crate) fn clear(&mut self) {
        self.idle = None;
        self.stall = None;
    }

    /// When an idle session is given up.
    pub(crate) fn idle_at(&self) -> Option<Instant> {
        self.idle
    }

    /// When a transfer that does not move is given up.
    pub(crate) fn stall_at(&self) -> Option<Instant> {
        self.stall.map(|stall| stall.at)
    }
}

/// What was to end `old` after it began ends `new` after that.
pub(crate) fn shift(at: &mut Instant, old: Duration, new: Duration) {
    *at = at.checked_sub(old).map_or(*at, |began| began + new);
}
