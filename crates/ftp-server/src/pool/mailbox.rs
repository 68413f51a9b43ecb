//! Letters from other threads to one loop, and the bell that wakes it.
//!
//! Never blocks longer than it takes to push; rings only for a loop that sleeps. A loop that is awake
//! looks into the box before it falls asleep, so it needs no call: with small files that is a system
//! call saved for every one of them.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mio::Waker;

/// A box that many post to and one loop empties.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    state: Mutex<State<T>>,
    waker: Waker,
}

#[derive(Debug)]
struct State<T> {
    letters: Vec<T>,
    /// The loop waits for the bell, which has not rung yet. Only while the box is empty.
    asleep: bool,
}

impl<T> Mailbox<T> {
    /// An empty box whose bell is `waker`.
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            state: Mutex::new(State {
                letters: Vec::new(),
                asleep: false,
            }),
            waker,
        }
    }

    /// Puts a letter in.
    pub(crate) fn post(&self, letter: T) {
        self.post_all([letter]);
    }

    /// Puts letters in, in one go.
    pub(crate) fn post_all(&self, letters: impl IntoIterator<Item = T>) {
        let ring = {
            let mut state = self.lock();
            state.letters.extend(letters);
            !state.letters.is_empty() && mem::take(&mut state.asleep)
        };
        if ring && let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the loop cannot be woken");
        }
    }

    /// Moves all letters behind those in `into`. Whoever empties the box is awake.
    pub(crate) fn drain(&self, into: &mut Vec<T>) {
        let mut state = self.lock();
        state.asleep = false;
        if into.is_empty() {
            // The two vectors change places, so both keep their memory.
            mem::swap(&mut state.letters, into);
        } else {
            into.append(&mut state.letters);
        }
    }

    /// The loop is about to wait: from now on the bell rings for the first letter. `false` if there are
    /// letters already, and so nothing to wait for.
    pub(crate) fn doze(&self) -> bool {
        let mut state = self.lock();
        state.asleep = state.letters.is_empty();
        state.asleep
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    #[test]
    fn it_rings_once_for_a_loop_that_sleeps() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let mailbox = Mailbox::new(Waker::new(poll.registry(), Token(7)).unwrap());
        let mut rung = |timeout: Duration| {
            poll.poll(&mut events, Some(timeout)).unwrap();
            events.iter().count()
        };
        assert!(mailbox.doze());
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
        assert_eq!(rung(Duration::ZERO), 0, "it is awake, and will look");
        assert!(!mailbox.doze(), "and there is something");
        letters.clear();
        mailbox.drain(&mut letters);
        assert_eq!(letters, [5]);
        assert!(mailbox.doze());
        mailbox.post(5);
        assert_eq!(rung(Duration::from_secs(10)), 1);
        letters.clear();
        mailbox.drain(&mut letters);
        assert_eq!(letters, [5]);
    }
}
