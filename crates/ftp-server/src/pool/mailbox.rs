//! Letters from other threads to one loop, and the bell that wakes it.
//!
//! Never blocks longer than it takes to push; rings only when the box was empty.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mio::Waker;

/// A box that many post to and one loop empties.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    letters: Mutex<Vec<T>>,
    waker: Waker,
}

impl<T> Mailbox<T> {
    /// An empty box whose bell is `waker`.
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            letters: Mutex::new(Vec::new()),
            waker,
        }
    }

    /// Puts a letter in.
    pub(crate) fn post(&self, letter: T) {
        self.post_all([letter]);
    }

    /// Puts letters in, in one go.
    pub(crate) fn post_all(&self, letters: impl IntoIterator<Item = T>) {
        let (before, after) = {
            let mut waiting = self.lock();
            let before = waiting.len();
            waiting.extend(letters);
            (before, waiting.len())
        };
        // Whoever empties the box takes all of it, so one ring is enough for all that was put in since.
        if before == 0
            && after > 0
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "the loop cannot be woken");
        }
    }

    /// Moves all letters behind those in `into`.
    pub(crate) fn drain(&self, into: &mut Vec<T>) {
        let mut waiting = self.lock();
        if into.is_empty() {
            // The two vectors change places, so both keep their memory.
            mem::swap(&mut *waiting, into);
        } else {
            into.append(&mut waiting);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    #[test]
    fn it_rings_once_until_it_was_emptied() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let mailbox = Mailbox::new(Waker::new(poll.registry(), Token(7)).unwrap());
        let mut rung = |timeout: Duration| {
            poll.poll(&mut events, Some(timeout)).unwrap();
            events.iter().count()
        };
        mailbox.post_all([]);
        assert_eq!(rung(Duration::ZERO), 0, "nothing came");
        mailbox.post(1);
        assert_eq!(rung(Duration::from_secs(10)), 1);
        mailbox.post(2);
        mailbox.post_all([3, 4]);
        assert_eq!(rung(Duration::ZERO), 0, "it has rung already");
        let mut letters = vec![0];
        mailbox.drain(&mut letters);
        assert_eq!(letters, [0, 1, 2, 3, 4]);
        mailbox.post(5);
        assert_eq!(rung(Duration::from_secs(10)), 1);
        letters.clear();
        mailbox.drain(&mut letters);
        assert_eq!(letters, [5]);
    }
}
