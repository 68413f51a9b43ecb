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
    /// There is a task, or there will be none.
    filled: Condvar,
    /// There is room again, or nobody to make any.
    drained: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    /// No more will come.
    closed: bool,
    /// Workers that may still take something.
    takers: usize,
    /// Workers that wait for a task.
    starving: usize,
    /// Whether the finder waits for room.
    blocked: bool,
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
                starving: 0,
                blocked: false,
            }),
            filled: Condvar::new(),
            drained: Condvar::new(),
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
                // Nobody is woken who does not wait: most tasks need no system call.
                if state.starving > 0 {
                    self.filled.notify_one();
                }
                return Ok(());
            }
            state.blocked = true;
            state = wait(&self.drained, state);
            state.blocked = false;
        }
    }

    /// No more will come.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// A worker takes nothing any more.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        state.takers = state.takers.saturating_sub(1);
        self.drained.notify_all();
    }

    /// Whether others take from it too.
    pub(crate) fn is_shared(&self) -> bool {
        self.lock().takers > 1
    }

    /// A worker takes nothing any more, if others still do: `false` if it is the last.
    pub(crate) fn leave_to_others(&self) -> bool {
        let mut state = self.lock();
        let others = state.takers > 1;
        state.takers -= usize::from(others);
        others
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
                // Woken when half is gone, the finder brings many at once.
                if state.blocked && state.items.len() <= BOUND / 2 {
                    self.drained.notify_one();
                }
                return Ok(Take::Item(item));
            }
            if state.closed {
                return Ok(Take::Done);
            }
            if !wait {
                return Ok(Take::Later);
            }
            state = self.starve(state);
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
            state = self.starve(state);
        }
    }

    fn starve<'a>(&self, mut state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        state.starving += 1;
        let mut state = wait(&self.filled, state);
        state.starving -= 1;
        state
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a, T>(change: &Condvar, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
    change
        .wait_timeout(state, TICK)
        .unwrap_or_else(PoisonError::into_inner)
        .0
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
