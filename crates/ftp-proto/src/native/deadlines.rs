//! The table of named deadlines; the shell sees only the earliest.

use std::time::Instant;

use crate::session::{Times, Waits, shift};

/// When to give up waiting, by reason.
#[derive(Debug)]
pub(super) struct Deadlines {
    waits: Waits,
    hello: Option<Instant>,
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
    /// For a connection that was made at `now`.
    pub(super) fn new(times: Times, now: Instant) -> Self {
        Self {
            waits: Waits::new(times),
            hello: Some(now + times.hello),
        }
    }

    /// The `hello` came.
    pub(super) fn greeted(&mut self) {
        self.hello = None;
    }

    /// Nothing is under way (`on`); bytes that `moved` begin the time anew.
    pub(super) fn idle(&mut self, on: bool, moved: bool, now: Instant) {
        self.waits.idle(on, moved, now);
    }

    /// The peer is waited for (`on`); each floor of the bytes `moved` so far begins the time anew.
    pub(super) fn stall(&mut self, on: bool, moved: u64, now: Instant) {
        self.waits.stall(on, moved, now);
    }

    /// Nothing is waited for any more.
    pub(super) fn clear(&mut self) {
        self.waits.clear();
        self.hello = None;
    }

    /// The times are now these: what is waited for ends as if they had been so when it began.
    pub(super) fn retime(&mut self, times: Times) {
        let old = self.waits.retime(times);
        if let Some(at) = &mut self.hello {
            shift(at, old.hello, times.hello);
        }
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<Instant> {
        let (idle, stall) = (self.waits.idle_at(), self.waits.stall_at());
        [self.hello, idle, stall].into_iter().flatten().min()
    }

    /// Which one has passed at `now`.
    pub(super) fn expired(&self, now: Instant) -> Option<Expired> {
        let passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if passed(self.hello) {
            Some(Expired::Hello)
        } else if passed(self.waits.stall_at()) {
            Some(Expired::Stall)
        } else if passed(self.waits.idle_at()) {
            Some(Expired::Idle)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn times(seconds: u64) -> Times {
        let time = Duration::from_secs(seconds);
        Times {
            hello: time,
            idle: time * 2,
            stall: time * 3,
            floor_bytes: seconds,
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the test plays the clock")]
    fn new_times_hold_for_what_runs_already() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::new(times(10), began);
        assert_eq!(deadlines.next(), Some(after(10)));
        deadlines.retime(times(5));
        assert_eq!(deadlines.next(), Some(after(5)));
        deadlines.greeted();
        deadlines.idle(true, false, began);
        assert_eq!(deadlines.next(), Some(after(10)));
        deadlines.retime(times(100));
        assert_eq!(deadlines.next(), Some(after(200)));
        deadlines.idle(false, false, began);
        deadlines.stall(true, 0, began);
        assert_eq!(deadlines.next(), Some(after(300)));
        // Shorter than what has passed: it is over at once.
        deadlines.retime(times(1));
        assert_eq!(deadlines.expired(after(50)), Some(Expired::Stall));
        // The floor is the new one too.
        deadlines.stall(true, 1, after(50));
        assert_eq!(deadlines.next(), Some(after(53)));
        deadlines.clear();
        deadlines.retime(times(2));
        assert_eq!(deadlines.next(), None);
    }
}
