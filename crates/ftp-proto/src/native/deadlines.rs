//! The table of named deadlines; the shell sees only the earliest.

use std::time::{Duration, Instant};

use crate::session::Times;

/// When to give up waiting, by reason.
#[derive(Debug)]
pub(super) struct Deadlines {
    times: Times,
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
    /// For a connection that was made at `now`.
    pub(super) fn new(times: Times, now: Instant) -> Self {
        Self {
            times,
            hello: Some(now + times.hello),
            idle: None,
            stall: None,
        }
    }

    /// The `hello` came.
    pub(super) fn greeted(&mut self) {
        self.hello = None;
    }

    /// Nothing is under way (`on`); bytes that `moved` begin the time anew.
    pub(super) fn idle(&mut self, on: bool, moved: bool, now: Instant) {
        set(&mut self.idle, on, moved, now + self.times.idle);
    }

    /// The peer is waited for (`on`); each floor of the bytes `moved` so far begins the time anew.
    pub(super) fn stall(&mut self, on: bool, moved: u64, now: Instant) {
        let floor = self.times.floor_bytes.max(1);
        let lasts = |stall: &Stall| moved - stall.from < floor;
        if !on {
            self.stall = None;
        } else if !self.stall.as_ref().is_some_and(lasts) {
            let at = now + self.times.stall;
            self.stall = Some(Stall { at, from: moved });
        }
    }

    /// Nothing is waited for any more.
    pub(super) fn clear(&mut self) {
        *self = Self {
            times: self.times,
            hello: None,
            idle: None,
            stall: None,
        };
    }

    /// The times are now these: what is waited for ends as if they had been so when it began.
    pub(super) fn retime(&mut self, times: Times) {
        let old = std::mem::replace(&mut self.times, times);
        let shift = |at: &mut Instant, old: Duration, new: Duration| {
            *at = at.checked_sub(old).map_or(*at, |began| began + new);
        };
        if let Some(at) = &mut self.hello {
            shift(at, old.hello, times.hello);
        }
        if let Some(at) = &mut self.idle {
            shift(at, old.idle, times.idle);
        }
        if let Some(stall) = &mut self.stall {
            shift(&mut stall.at, old.stall, times.stall);
        }
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

#[cfg(test)]
mod tests {
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
