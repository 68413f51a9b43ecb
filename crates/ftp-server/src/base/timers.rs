//! Lazy timers: one wake-up a key is kept, and a deadline that moves later costs nothing.
//!
//! The owner of the key knows its real deadline; a wake-up that comes too early is armed again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use super::Key;

/// So few stale wake-ups are not worth looking for.
const STALE_MIN: usize = 64;

/// Wake-ups by time.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Key)>>,
    /// By slot: the wake-up that counts; other entries in the heap are stale.
    armed: Vec<Option<(Instant, Key)>>,
}

impl Timers {
    /// Sees to it that `key` is woken at `at` or earlier.
    pub(crate) fn arm(&mut self, key: Key, at: Instant) {
        if self.armed.len() <= key.index() {
            self.armed.resize(key.index() + 1, None);
        }
        let Some(entry) = self.armed.get_mut(key.index()) else {
            return;
        };
        if entry.is_some_and(|(time, owner)| owner == key && time <= at) {
            return;
        }
        *entry = Some((at, key));
        self.heap.push(Reverse((at, key)));
        self.compact();
    }

    /// Forgets stale wake-ups once they are the most: connections that come and go leave one each,
    /// which would stay until it is due.
    fn compact(&mut self) {
        if self.heap.len() > 2 * self.armed.len() + STALE_MIN {
            let armed = &self.armed;
            self.heap
                .retain(|Reverse(wake)| armed.get(wake.1.index()) == Some(&Some(*wake)));
        }
    }

    /// When the next wake-up is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// A key whose wake-up is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Key> {
        while self.next().is_some_and(|at| at <= now) {
            let Some(Reverse((at, key))) = self.heap.pop() else {
                break;
            };
            if let Some(entry) = self.armed.get_mut(key.index())
                && *entry == Some((at, key))
            {
                *entry = None;
                return Some(key);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_the_earliest_wake_up_of_a_key_counts() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (a, b) = (Key::from_usize(0), Key::from_usize(1));
        let mut timers = Timers::default();
        timers.arm(a, at(10));
        timers.arm(a, at(20));
        timers.arm(b, at(7));
        timers.arm(a, at(5));
        assert_eq!(timers.next(), Some(at(5)));
        assert_eq!(timers.pop_due(at(4)), None);
        assert_eq!(timers.pop_due(at(8)), Some(a));
        assert_eq!(timers.pop_due(at(8)), Some(b));
        assert_eq!(timers.pop_due(at(30)), None, "the one at 10 is stale");
        timers.arm(a, at(40));
        assert_eq!(timers.pop_due(at(40)), Some(a));
    }

    #[test]
    fn keys_that_come_and_go_leave_nothing() {
        let start = Instant::now();
        let mut timers = Timers::default();
        let mut arena = super::super::Arena::<()>::new();
        for second in 0..10_000 {
            let key = arena.reserve();
            timers.arm(key, start + Duration::from_secs(300 + second));
            arena.remove(key);
            assert!(timers.heap.len() <= 2 * timers.armed.len() + STALE_MIN);
        }
        let last = arena.reserve();
        timers.arm(last, start);
        assert_eq!(timers.pop_due(start), Some(last));
    }
}
