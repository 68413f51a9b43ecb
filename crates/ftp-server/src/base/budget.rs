//! A bound on something that many share, and a line of those who wait for it.

use super::{Key, RunQueue};

/// So many units for all; who gets none is woken when some come back.
#[derive(Debug)]
pub(crate) struct Budget {
    free: usize,
    waiting: RunQueue,
}

impl Budget {
    pub(crate) fn new(units: usize) -> Self {
        Self {
            free: units,
            waiting: RunQueue::default(),
        }
    }

    /// Takes `units`, or puts `who` in line.
    pub(crate) fn take(&mut self, units: usize, who: Key) -> bool {
        if let Some(rest) = self.free.checked_sub(units) {
            self.free = rest;
            return true;
        }
        self.waiting.push(who);
        false
    }

    /// Gives `units` back.
    pub(crate) fn give(&mut self, units: usize) {
        self.free += units;
    }

    /// Who waits longest.
    pub(crate) fn pop_waiting(&mut self) -> Option<Key> {
        self.waiting.pop()
    }

    /// Units that nobody holds.
    pub(crate) fn free(&self) -> usize {
        self.free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_none_waits_in_line_once() {
        let (a, b) = (Key::from_usize(0), Key::from_usize(1));
        let mut budget = Budget::new(10);
        assert!(budget.take(8, a));
        assert!(!budget.take(8, b));
        assert!(!budget.take(8, b));
        assert_eq!(budget.free(), 2);
        budget.give(8);
        assert_eq!(budget.pop_waiting(), Some(b));
        assert_eq!(budget.pop_waiting(), None);
        assert!(budget.take(10, b));
    }
}
