//! A generational slab: a key outlives its value, and a stale key finds nothing.

/// The bit that tells a further socket's number from a key: generations leave it out.
const FURTHER: usize = 1 << 63;
/// Bits of the slot in such a number; the serial stands above them.
const FURTHER_INDEX_BITS: u32 = 24;
/// Slots that can have further sockets: all but some, whose numbers would be those of reserved tokens.
const FURTHER_INDEX_MAX: u32 = (1 << FURTHER_INDEX_BITS) - 1024;

/// Names one tenant of an [`Arena`]; never names the next tenant of the same slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// The key as a number, for a poll token.
    pub(crate) fn to_usize(self) -> usize {
        ((self.generation as usize) << 32) | self.index as usize
    }

    /// The inverse of [`Key::to_usize`].
    #[allow(
        clippy::cast_possible_truncation,
        reason = "takes the two halves apart"
    )]
    pub(crate) fn from_usize(number: usize) -> Self {
        Self {
            index: number as u32,
            generation: (number >> 32) as u32,
        }
    }

    /// The key as a number for the `serial`-th further socket of the tenant: never the number of a key, and never that of
    /// another such socket, unless 254 lie between them. `None` for a slot so high that no number is left, and for serial 0: the
    /// numbers that would be are those of the lobby.
    pub(crate) fn to_further(self, serial: u8) -> Option<usize> {
        let fits = serial > 0 && self.index < FURTHER_INDEX_MAX && self.generation < 1 << 31;
        fits.then_some(
            FURTHER
                | (self.generation as usize) << 32
                | usize::from(serial) << FURTHER_INDEX_BITS
                | self.index as usize,
        )
    }

    /// The inverse of [`Key::to_further`].
    #[allow(clippy::cast_possible_truncation, reason = "takes the parts out")]
    pub(crate) fn from_further(number: usize) -> Option<(Self, u8)> {
        let serial = (number >> FURTHER_INDEX_BITS) as u8;
        if number & FURTHER == 0 || serial == 0 {
            return None;
        }
        let key = Self {
            index: number as u32 & ((1 << FURTHER_INDEX_BITS) - 1),
            generation: ((number & !FURTHER) >> 32) as u32,
        };
        Some((key, serial))
    }

    /// The slot, for side tables; two tenants of one slot share it.
    pub(crate) fn index(self) -> usize {
        self.index as usize
    }
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    state: State<T>,
}

#[derive(Debug)]
enum State<T> {
    Free,
    Lent,
    Here(T),
}

/// A slab of `T` addressed by [`Key`].
#[derive(Debug)]
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Arena<T> {
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// How many values are in, lent ones included.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Takes a slot whose value comes later, by [`Arena::give_back`]. Generations leave out the top bit,
    /// so no key collides with a reserved token.
    pub(crate) fn reserve(&mut self) -> Key {
        if let Some(index) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(index as usize)
        {
            slot.state = State::Lent;
            return Key {
                index,
                generation: slot.generation,
            };
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot {
            generation: 0,
            state: State::Lent,
        });
        Key {
            index,
            generation: 0,
        }
    }

    fn slot(&mut self, key: Key) -> Option<&mut Slot<T>> {
        self.slots
            .get_mut(key.index())
            .filter(|slot| slot.generation == key.generation)
    }

    /// The value, if the key's tenant is in.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match &mut self.slot(key)?.state {
            State::Here(value) => Some(value),
            State::Free | State::Lent => None,
        }
    }

    /// Takes the value out while its slot stays reserved.
    pub(crate) fn lend(&mut self, key: Key) -> Option<T> {
        let slot = self.slot(key)?;
        match std::mem::replace(&mut slot.state, State::Lent) {
            State::Here(value) => Some(value),
            State::Free => {
                slot.state = State::Free;
                None
            }
            State::Lent => None,
        }
    }

    /// Puts a lent value back.
    pub(crate) fn give_back(&mut self, key: Key, value: T) {
        if let Some(slot) = self.slot(key) {
            debug_assert!(matches!(slot.state, State::Lent), "given back but not lent");
            slot.state = State::Here(value);
        }
    }

    /// Ends the tenancy, of a lent value too; the key finds nothing from now on.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slot(key)?;
        let value = match std::mem::replace(&mut slot.state, State::Free) {
            State::Here(value) => Some(value),
            State::Lent => None,
            State::Free => return None,
        };
        slot.generation = (slot.generation + 1) & (u32::MAX >> 1);
        self.free.push(key.index);
        value
    }

    /// Every key whose tenant is in.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let keys = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| match slot.state {
                State::Here(_) => Some(Key {
                    index: u32::try_from(index).ok()?,
                    generation: slot.generation,
                }),
                State::Free | State::Lent => None,
            });
        keys.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_sockets_have_numbers_of_their_own() {
        let (index, generation) = (77, 0x7fff_ffff);
        let key = Key { index, generation };
        let number = key.to_further(9).unwrap();
        assert_eq!(Key::from_further(number), Some((key, 9)));
        assert_ne!(key.to_further(10), Some(number));
        assert_eq!(Key::from_further(key.to_usize()), None);
        assert_eq!(
            Key::from_further(key.to_usize() | FURTHER),
            None,
            "the lobby's"
        );
        assert_eq!(key.to_further(0), None);
        let index = FURTHER_INDEX_MAX;
        assert_eq!(Key { index, generation }.to_further(1), None);
    }

    fn insert<T>(arena: &mut Arena<T>, value: T) -> Key {
        let key = arena.reserve();
        arena.give_back(key, value);
        key
    }

    #[test]
    fn a_stale_key_finds_nothing() {
        let mut arena = Arena::new();
        let old = insert(&mut arena, 'a');
        assert_eq!(arena.remove(old), Some('a'));
        let new = insert(&mut arena, 'b');
        assert_eq!(new.index(), old.index());
        assert_eq!(arena.get_mut(old), None);
        assert_eq!(arena.remove(old), None);
        assert_eq!(arena.get_mut(new), Some(&mut 'b'));
        assert_eq!(Key::from_usize(new.to_usize()), new);
        assert_ne!(new.to_usize(), old.to_usize());
    }

    #[test]
    fn a_lent_value_keeps_its_slot() {
        let mut arena = Arena::new();
        let key = insert(&mut arena, 1);
        assert_eq!(arena.lend(key), Some(1));
        assert_eq!(arena.lend(key), None);
        let other = insert(&mut arena, 2);
        assert_ne!(other.index(), key.index());
        arena.give_back(key, 3);
        assert_eq!(arena.get_mut(key), Some(&mut 3));
        assert_eq!(arena.len(), 2);
        assert_eq!(arena.lend(key), Some(3));
        assert_eq!(arena.remove(key), None, "lent values can be ended");
        assert_eq!(arena.len(), 1);
        assert_eq!(arena.keys(), vec![other]);
    }
}
