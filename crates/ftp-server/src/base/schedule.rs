//! Who is driven next: the light before the heavy, so that a small request never waits for a crowd of
//! large transfers.
//!
//! A session is heavy if it moved much when it was last driven. Whoever drives takes all the light,
//! then as many of the heavy as fit into a turn, and then looks for events again.

use super::{Key, RunQueue};

/// Two run queues, and the memory of who belongs into which.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    light: RunQueue,
    heavy: RunQueue,
    /// By slot: the key that was heavy when it was last weighed.
    weights: Vec<Option<Key>>,
}

impl Schedule {
    /// Puts a key at the end of its queue, unless it stands there already.
    pub(crate) fn push(&mut self, key: Key) {
        if self.weights.get(key.index()) == Some(&Some(key)) {
            self.heavy.push(key);
        } else {
            self.light.push(key);
        }
    }

    /// Notes whether a key is heavy from now on.
    pub(crate) fn weigh(&mut self, key: Key, heavy: bool) {
        if self.weights.len() <= key.index() {
            self.weights.resize(key.index() + 1, None);
        }
        if let Some(weight) = self.weights.get_mut(key.index()) {
            *weight = heavy.then_some(key);
        }
    }

    /// The light, first come first served.
    pub(crate) fn light(&mut self) -> &mut RunQueue {
        &mut self.light
    }

    /// The heavy, first come first served.
    pub(crate) fn heavy(&mut self) -> &mut RunQueue {
        &mut self.heavy
    }

    /// Whether nobody has work.
    pub(crate) fn is_empty(&self) -> bool {
        self.light.is_empty() && self.heavy.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heavy_stand_apart_until_they_are_light_again() {
        let (a, b) = (Key::from_usize(0), Key::from_usize(1));
        let mut schedule = Schedule::default();
        schedule.push(a);
        assert_eq!(schedule.light().pop(), Some(a), "who is new is light");
        schedule.weigh(a, true);
        schedule.push(a);
        schedule.push(b);
        assert_eq!(schedule.light().pop(), Some(b));
        assert_eq!(schedule.light().pop(), None);
        assert_eq!(schedule.heavy().pop(), Some(a));
        schedule.weigh(a, false);
        schedule.push(a);
        assert_eq!(
            (schedule.heavy().pop(), schedule.light().pop()),
            (None, Some(a))
        );
        assert!(schedule.is_empty());
    }

    #[test]
    fn the_next_tenant_of_a_slot_is_light() {
        let (old, new) = (Key::from_usize(7), Key::from_usize(7 | (1 << 32)));
        let mut schedule = Schedule::default();
        schedule.weigh(old, true);
        schedule.push(new);
        assert_eq!(schedule.light().pop(), Some(new));
    }
}
