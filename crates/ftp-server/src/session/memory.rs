//! The memory that uploads and small downloads share: a bound in bytes, and blocks kept for reuse.

use ftp_store::Block;

use crate::base::{Budget, Key};

/// Capacity of a full block: what one worker trip writes at a time.
pub(crate) const BLOCK_BYTES: usize = 256 * 1024;
/// Smallest block, so that tiny payloads do not ask for odd sizes.
const BLOCK_MIN: usize = 4 * 1024;

/// Blocks and bytes of one reactor.
#[derive(Debug)]
pub(crate) struct Memory {
    budget: Budget,
    /// Full-size blocks that are free; their bytes are not counted in the budget.
    spare: Vec<Block>,
    /// Most blocks kept.
    keep: usize,
}

impl Memory {
    /// At most `bytes` at once, but never less than two full blocks.
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = bytes.max(2 * BLOCK_BYTES);
        Self {
            budget: Budget::new(bytes),
            spare: Vec::new(),
            keep: (bytes / BLOCK_BYTES).min(32),
        }
    }

    /// A block for about `wanted` bytes; `None` puts `who` in line.
    pub(crate) fn take(&mut self, wanted: u64, who: Key) -> Option<Block> {
        let wanted = usize::try_from(wanted).unwrap_or(BLOCK_BYTES);
        let capacity = wanted.clamp(BLOCK_MIN, BLOCK_BYTES);
        if !self.budget.take(capacity, who) {
            return None;
        }
        if capacity == BLOCK_BYTES
            && let Some(block) = self.spare.pop()
        {
            return Some(block);
        }
        Some(Block::with_capacity(capacity))
    }

    /// Keeps an emptied block for the next taker. Its bytes were, or will be, released apart from it.
    pub(crate) fn recycle(&mut self, block: Block) {
        if block.capacity() == BLOCK_BYTES && self.spare.len() < self.keep {
            self.spare.push(block);
        }
    }

    /// Counts bytes that are not in a block: a small file read into an answer.
    pub(crate) fn reserve(&mut self, bytes: usize, who: Key) -> bool {
        self.budget.take(bytes, who)
    }

    /// Gives bytes back, of a block or of a reservation.
    pub(crate) fn release(&mut self, bytes: usize) {
        self.budget.give(bytes);
    }

    /// Somebody who may try again.
    pub(crate) fn pop_waiting(&mut self) -> Option<Key> {
        self.budget.pop_waiting()
    }

    /// How many who wait could be served now.
    pub(crate) fn servable(&self) -> usize {
        self.budget.free() / BLOCK_BYTES
    }
}
