//! The run queue: who has work, each at most once, first come first served.

use std::collections::VecDeque;

use super::Key;

/// A queue of keys without doubles.
#[derive(Debug, Default)]
pub(crate) struct RunQueue {
    order: VecDeque<Key>,
    /// By slot: the key that stands in `order`.
    queued: Vec<Option<Key>>,
}

impl RunQueue {
    /// Puts a key at the end, unless it stands there already.
    pub(crate) fn push(&mut self, key: Key) {
        if self.queued.len() <= key.index() {
            self.queued.resize(key.index() + 1, None);
        }
        if let Some(mark) = self.queued.get_mut(key.index())
            && *mark != Some(key)
        {
            *mark = Some(key);
            self.order.push_back(key);
        }
    }

    /// Takes the first key.
    pub(crate) fn pop(&mut self) -> Option<Key> {
        let key = self.order.pop_front()?;
        if let Some(mark) = self.queued.get_mut(key.index())
            && *mark == Some(key)
        {
            *mark = None;
        }
        Some(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_come_first_served_and_no_doubles() {
        let (a, b) = (Key::from_usize(1), Key::from_usize(2));
        let mut queue = RunQueue::default();
        for key in [a, b, a, b] {
            queue.push(key);
        }
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.pop(), Some(a));
        queue.push(a);
        assert_eq!(
            [queue.pop(), queue.pop(), queue.pop()],
            [Some(b), Some(a), None]
        );
        assert!(queue.is_empty());
    }

    #[test]
    fn the_next_tenant_of_a_slot_is_queued_beside_the_last_one() {
        let (old, new) = (Key::from_usize(7), Key::from_usize(7 | (1 << 32)));
        let mut queue = RunQueue::default();
        queue.push(old);
        queue.push(new);
        assert_eq!(
            [queue.pop(), queue.pop(), queue.pop()],
            [Some(old), Some(new), None]
        );
    }
}
