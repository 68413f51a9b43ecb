//! `Queue`: tasks on their way from the one who finds them to the workers. Bounded: a tree never piles up.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cancel::Cancel;
use crate::error::{Error, Result};

/// Tasks that wait at most.
const BOUND: usize = 128;
/// How often a waiter looks at the cancel switch.
const TICK: Duration = Duration::from_millis(100);

/// A bounded queue with an end.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    /// No more will come.
    closed: bool,
    /// Workers that may still take something.
    takers: usize,
}

/// What a worker gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Take<T> {
    /// A task.
    Item(T),
    /// Nothing now.
    Later,
    /// Nothing any more.
    Done,
}

impl<T> Queue<T> {
    /// A queue for so many workers.
    pub(crate) fn new(takers: usize) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                closed: false,
                takers,
            }),
            changed: Condvar::new(),
        }
    }

    /// Puts a task in, waiting for room.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; [`Error::Lost`] if no worker is left.
    pub(crate) fn push(&self, item: T, cancel: &Cancel) -> Result<()> {
        let mut state = self.lock();
        loop {
            cancel.check()?;
            if state.takers == 0 {
                return Err(Error::Lost("no connection is left".into()));
            }
            if state.items.len() < BOUND {
                state.items.push_back(item);
                self.changed.notify_all();
                return Ok(());
            }
            state = self.wait(state);
        }
    }

    /// No more will come.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// A worker takes nothing any more.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        state.takers = state.takers.saturating_sub(1);
        self.changed.notify_all();
    }

    /// The next task; with `wait` it waits until there is one or the end.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub(crate) fn take(&self, wait: bool, cancel: &Cancel) -> Result<Take<T>> {
        let mut state = self.lock();
        loop {
            cancel.check()?;
            if let Some(item) = state.items.pop_front() {
                self.changed.notify_all();
                return Ok(Take::Item(item));
            }
            if state.closed {
                return Ok(Take::Done);
            }
            if !wait {
                return Ok(Take::Later);
            }
            state = self.wait(state);
        }
    }

    /// Waits until there is a task (`true`) or the end (`false`), and takes nothing.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub(crate) fn wait_item(&self, cancel: &Cancel) -> Result<bool> {
        let mut state = self.lock();
        loop {
            cancel.check()?;
            if !state.items.is_empty() {
                return Ok(true);
            }
            if state.closed {
                return Ok(false);
            }
            state = self.wait(state);
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed
            .wait_timeout(state, TICK)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_ends() {
        let queue = Queue::new(1);
        let cancel = Cancel::new().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..10 * BOUND {
                    queue.push(number, &cancel).unwrap();
                }
                queue.close();
            });
            let mut next = 0;
            loop {
                match queue.take(true, &cancel).unwrap() {
                    Take::Item(number) => assert_eq!(number, next),
                    Take::Later => panic!("asked to wait"),
                    Take::Done => break,
                }
                assert!(queue.lock().items.len() <= BOUND);
                next += 1;
            }
            assert_eq!(next, 10 * BOUND);
        });
        assert_eq!(queue.take(false, &cancel).unwrap(), Take::Done);
    }

    #[test]
    fn nobody_waits_for_workers_that_are_gone() {
        let queue = Queue::new(1);
        let cancel = Cancel::new().unwrap();
        assert_eq!(queue.take(false, &cancel).unwrap(), Take::<u8>::Later);
        queue.leave();
        assert!(matches!(queue.push(1, &cancel), Err(Error::Lost(_))));
        cancel.cancel(2);
        assert!(matches!(
            queue.take(true, &cancel),
            Err(Error::Interrupted(2))
        ));
    }
}
