//! `Block`: payload bytes on their way from a socket to a file.
//!
//! A block is plain memory that is reused; it never knows where its bytes came from or go to.

use std::ops::Deref;

/// A growable byte buffer whose spare room can be read into directly.
#[derive(Default)]
pub struct Block {
    /// Always initialised in full, so that the spare part is an ordinary slice.
    memory: Vec<u8>,
    /// How many bytes of `memory` are payload; never more than there are.
    len: usize,
}

impl Block {
    /// An empty block with room for `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            memory: vec![0; bytes],
            len: 0,
        }
    }

    /// Payload bytes in the block.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no payload.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes it holds before it has to grow.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// The payload.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.memory.get(..self.len).unwrap_or_default()
    }

    /// The room behind the payload: read into it, then [`advance`](Self::advance).
    #[must_use]
    pub fn spare_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.len..).unwrap_or_default()
    }

    /// Counts the first `bytes` of the spare room as payload; at most what is there.
    pub fn advance(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.memory.len() - self.len);
        self.len = self.len.saturating_add(bytes).min(self.memory.len());
    }

    /// Appends a copy of `bytes`, growing if it must.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        if let Some(room) = self.spare_mut().get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    /// Makes room for at least `bytes` more.
    pub fn reserve(&mut self, bytes: usize) {
        let need = self.len.saturating_add(bytes);
        if need > self.memory.len() {
            self.memory.resize(need, 0);
        }
    }

    /// Forgets the payload and keeps the memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl From<Vec<u8>> for Block {
    fn from(memory: Vec<u8>) -> Self {
        Self {
            len: memory.len(),
            memory,
        }
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({} of {})", self.len, self.memory.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_into_its_spare_room_and_is_reused() {
        let mut block = Block::with_capacity(8);
        block.spare_mut()[..3].copy_from_slice(b"abc");
        block.advance(3);
        block.extend_from_slice(b"defghij");
        assert_eq!(&block[..], b"abcdefghij");
        assert_eq!((block.len(), block.capacity()), (10, 10));
        assert!(block.spare_mut().is_empty());
        block.clear();
        assert!(block.is_empty());
        assert_eq!(block.spare_mut().len(), 10);
    }

    #[test]
    fn takes_a_vector_as_it_is() {
        assert_eq!(Block::from(vec![1, 2, 3]).as_slice(), [1, 2, 3]);
    }
}
