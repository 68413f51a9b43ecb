//! `Block`: a recycled buffer that goes home to its `Pool` when it is dropped.
//!
//! The pool's size bounds the memory of a transfer: whoever finds it empty waits.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// At most so many buffers of one size, made when they are first needed.
pub(crate) struct Pool {
    state: Mutex<State>,
    returned: Condvar,
    /// Bytes of a block.
    size: usize,
    /// Most blocks at once.
    most: usize,
}

struct State {
    free: Vec<Box<[u8]>>,
    made: usize,
}

/// A buffer, of which the first `len` bytes are filled.
pub(crate) struct Block {
    /// `None` only within `drop`.
    bytes: Option<Box<[u8]>>,
    len: usize,
    home: Arc<Pool>,
}

impl Pool {
    pub(crate) fn new(size: usize, most: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                free: Vec::new(),
                made: 0,
            }),
            returned: Condvar::new(),
            size,
            most: most.max(1),
        })
    }

    /// An empty block, waiting for one for `time` at most.
    pub(crate) fn take(self: &Arc<Self>, time: Duration) -> Option<Block> {
        let mut state = self.lock();
        if state.free.is_empty() && state.made >= self.most {
            state = self
                .returned
                .wait_timeout_while(state, time, |state| state.free.is_empty())
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let bytes = match state.free.pop() {
            Some(bytes) => bytes,
            None if state.made < self.most => {
                state.made += 1;
                vec![0; self.size].into_boxed_slice()
            }
            None => return None,
        };
        Some(Block {
            bytes: Some(bytes),
            len: 0,
            home: Arc::clone(self),
        })
    }

    /// Bytes of a block.
    pub(crate) fn block_bytes(&self) -> usize {
        self.size
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Block {
    /// What is filled.
    pub(crate) fn filled(&self) -> &[u8] {
        self.all().get(..self.len).unwrap_or_default()
    }

    /// Bytes filled.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes not filled.
    pub(crate) fn room(&self) -> usize {
        self.all().len() - self.len
    }

    /// What is not filled, `most` bytes of it at most; [`Block::grow`] says how much then is.
    pub(crate) fn spare(&mut self, most: usize) -> &mut [u8] {
        let len = self.len;
        let all = self.bytes.as_deref_mut().unwrap_or_default();
        let end = len.saturating_add(most).min(all.len());
        all.get_mut(len..end).unwrap_or_default()
    }

    /// `count` more bytes are filled.
    pub(crate) fn grow(&mut self, count: usize) {
        debug_assert!(count <= self.room(), "more than there is room for");
        self.len = self.len.saturating_add(count).min(self.all().len());
    }

    fn all(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(bytes) = self.bytes.take() {
            self.home.lock().free.push(bytes);
            self.home.returned.notify_one();
        }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_is_bounded_and_blocks_come_home() {
        let pool = Pool::new(8, 2);
        let mut first = pool.take(Duration::ZERO).unwrap();
        first.spare(3).copy_from_slice(b"abc");
        first.grow(3);
        assert_eq!((first.filled(), first.room()), (&b"abc"[..], 5));
        assert_eq!(first.spare(99).len(), 5);
        let second = pool.take(Duration::ZERO).unwrap();
        assert!(pool.take(Duration::from_millis(1)).is_none());
        drop(second);
        assert_eq!(pool.take(Duration::ZERO).unwrap().len(), 0);
    }

    #[test]
    fn a_waiter_gets_what_another_thread_returns() {
        let pool = Pool::new(8, 1);
        let block = pool.take(Duration::ZERO).unwrap();
        let other = Arc::clone(&pool);
        let thread = std::thread::spawn(move || other.take(Duration::from_secs(30)).is_some());
        drop(block);
        assert!(thread.join().unwrap());
    }
}
