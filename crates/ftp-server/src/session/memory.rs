//! The memory that sessions share: blocks for payload that comes in, answers that go out, and text that
//! is not understood yet.
//!
//! Three budgets, so that peers who do not take their answers, or do not end their requests, cannot hold
//! up uploads. A session that gets nothing stands in line, and is driven again when something comes back.

use ftp_store::Block;

use crate::base::{Budget, Key};

/// Capacity of a full block: what one worker trip writes at a time.
pub(crate) const BLOCK_BYTES: usize = 256 * 1024;
/// Smallest block, so that tiny payloads do not ask for odd sizes.
const BLOCK_MIN: usize = 4 * 1024;
/// Least memory for answers: two pages of a listing.
const ANSWERS_MIN: usize = 2 * 1024 * 1024;
/// Most memory for answers of one session, unless it has but one under way.
pub(crate) const SESSION_ANSWERS: usize = 1024 * 1024;

/// Least memory for text: a few of the longest heads.
const TEXT_MIN: usize = 512 * 1024;
/// Text of one channel that is not counted: an ordinary request fits, so it never has to wait.
pub(crate) const TEXT_FREE: usize = 4 * 1024;

/// Blocks and bytes of one reactor.
#[derive(Debug)]
pub(crate) struct Memory {
    blocks: Budget,
    answers: Budget,
    text: Budget,
    /// Full-size blocks that are free: never more than the budget has room for.
    spare: Vec<Block>,
    /// Something came back since the last call of [`Memory::pop_waiting`] for it.
    freed: Freed,
}

#[derive(Debug, Default)]
struct Freed {
    blocks: bool,
    answers: bool,
    text: bool,
}

impl Memory {
    /// At most `bytes` at once: three sixteenths for answers, one for text, the rest for blocks (but never
    /// less than two).
    pub(crate) fn new(bytes: usize) -> Self {
        let answers = (bytes / 16 * 3).max(ANSWERS_MIN);
        let text = (bytes / 16).max(TEXT_MIN);
        let blocks = bytes.saturating_sub(answers + text).max(2 * BLOCK_BYTES);
        Self {
            blocks: Budget::new(blocks),
            answers: Budget::new(answers),
            text: Budget::new(text),
            spare: Vec::new(),
            freed: Freed::default(),
        }
    }

    /// A block for about `wanted` bytes; `None` puts `who` in line.
    pub(crate) fn take(&mut self, wanted: u64, who: Key) -> Option<Block> {
        let wanted = usize::try_from(wanted).unwrap_or(BLOCK_BYTES);
        let capacity = wanted.clamp(BLOCK_MIN, BLOCK_BYTES);
        if !self.blocks.take(capacity, who) {
            return None;
        }
        let spare = if capacity == BLOCK_BYTES {
            self.spare.pop()
        } else {
            None
        };
        self.spare.truncate(self.blocks.free() / BLOCK_BYTES);
        Some(spare.unwrap_or_else(|| Block::with_capacity(capacity)))
    }

    /// Gives the bytes of blocks back; the blocks themselves come by [`Memory::recycle`], if they still are.
    pub(crate) fn release(&mut self, bytes: usize) {
        if bytes > 0 {
            self.blocks.give(bytes);
            self.freed.blocks = true;
        }
    }

    /// Keeps an emptied block for the next taker.
    pub(crate) fn recycle(&mut self, block: Block) {
        if block.capacity() == BLOCK_BYTES && self.spare.len() < self.blocks.free() / BLOCK_BYTES {
            self.spare.push(block);
        }
    }

    /// Counts bytes of an answer that is to be made; `false` puts `who` in line.
    pub(crate) fn reserve(&mut self, bytes: usize, who: Key) -> bool {
        self.answers.take(bytes, who)
    }

    /// The inverse of [`Memory::reserve`].
    pub(crate) fn unreserve(&mut self, bytes: usize) {
        if bytes > 0 {
            self.answers.give(bytes);
            self.freed.answers = true;
        }
    }

    /// Counts bytes of text that are to be held; `false` puts `who` in line.
    pub(crate) fn hold_text(&mut self, bytes: usize, who: Key) -> bool {
        self.text.take(bytes, who)
    }

    /// The inverse of [`Memory::hold_text`].
    pub(crate) fn drop_text(&mut self, bytes: usize) {
        if bytes > 0 {
            self.text.give(bytes);
            self.freed.text = true;
        }
    }

    /// Those who may try again: one for what came back, more if there is plenty.
    pub(crate) fn pop_waiting(&mut self, mut wake: impl FnMut(Key)) {
        let Freed {
            blocks,
            answers,
            text,
        } = std::mem::take(&mut self.freed);
        for (budget, freed) in [
            (&mut self.blocks, blocks),
            (&mut self.answers, answers),
            (&mut self.text, text),
        ] {
            for _ in 0..(budget.free() / BLOCK_BYTES).max(usize::from(freed)) {
                let Some(key) = budget.pop_waiting() else {
                    break;
                };
                wake(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn woken(memory: &mut Memory) -> Vec<Key> {
        let mut keys = Vec::new();
        memory.pop_waiting(|key| keys.push(key));
        keys
    }

    #[test]
    fn blocks_are_bounded_and_kept_for_reuse() {
        let (a, b) = (Key::from_usize(0), Key::from_usize(1));
        let mut memory = Memory::new(0);
        let first = memory.take(u64::MAX, a).unwrap();
        let second = memory.take(u64::MAX, a).unwrap();
        assert_eq!(
            (first.capacity(), second.capacity()),
            (BLOCK_BYTES, BLOCK_BYTES)
        );
        assert!(memory.take(1, b).is_none());
        assert!(woken(&mut memory).is_empty(), "nothing came back");
        memory.release(BLOCK_BYTES);
        memory.recycle(first);
        assert_eq!(memory.spare.len(), 1);
        assert_eq!(woken(&mut memory), [b]);
        // A small block takes room that the spare one stood in.
        assert_eq!(memory.take(1, b).unwrap().capacity(), BLOCK_MIN);
        assert!(memory.spare.is_empty());
        memory.recycle(second);
        assert!(memory.spare.is_empty(), "its bytes are still counted");
    }

    #[test]
    fn text_has_a_line_of_its_own() {
        let (a, b) = (Key::from_usize(0), Key::from_usize(1));
        let mut memory = Memory::new(0);
        assert!(memory.hold_text(TEXT_MIN, a));
        assert!(!memory.hold_text(1, b));
        assert!(memory.take(1, a).is_some() && memory.reserve(1, a));
        memory.drop_text(1);
        assert_eq!(woken(&mut memory), [b]);
        assert!(memory.hold_text(1, b));
    }

    #[test]
    fn answers_that_nobody_takes_do_not_hold_up_uploads() {
        let (a, b) = (Key::from_usize(0), Key::from_usize(1));
        let mut memory = Memory::new(0);
        assert!(memory.reserve(ANSWERS_MIN, a));
        assert!(!memory.reserve(1, b));
        assert!(memory.take(1, b).is_some());
        memory.unreserve(10);
        assert_eq!(woken(&mut memory), [b]);
        assert!(memory.reserve(10, b));
    }
}
