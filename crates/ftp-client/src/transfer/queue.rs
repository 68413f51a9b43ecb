//! `Queue`: tasks on their way from the one who finds them to the workers. Bounded: a tree never piles up.
//!
//! It knows how the workers stand ([`Crew`]), so that the finder need not wait for those that the server keeps out.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::crew::{Crew, Standing};
use crate::cancel::Cancel;
use crate::error::{Error, Result};

/// Tasks that wait at most.
const BOUND: usize = 128;
/// A finder that helps waits so long for workers that are still to be let in: they may wait for a place that is its own.
const PATIENCE: Duration = Duration::from_secs(1);
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
    crew: Crew,
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
        Self::with(Crew::new(takers, false))
    }

    /// The same, whose finder has a connection of its own and helps while all workers are kept out.
    pub(crate) fn helped(takers: usize) -> Self {
        Self::with(Crew::new(takers, true))
    }

    fn with(crew: Crew) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                closed: false,
                crew,
                starving: 0,
                blocked: false,
            }),
            filled: Condvar::new(),
            drained: Condvar::new(),
        }
    }

    /// Puts a task in, waiting for room. It comes back if the finder is to help: there is no room, and nobody to make any.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; [`Error::Lost`] if no worker is left.
    pub(crate) fn push(&self, item: T, cancel: &Cancel) -> Result<Option<T>> {
        let mut state = self.lock();
        let mut since = None;
        loop {
            cancel.check()?;
            if state.crew.is_gone() {
                return Err(Error::Lost("no connection is left".into()));
            }
            if state.items.len() < BOUND {
                state.items.push_back(item);
                // Nobody is woken who does not wait: most tasks need no system call.
                if state.starving > 0 {
                    self.filled.notify_one();
                }
                return Ok(None);
            }
            let since = since.get_or_insert_with(Instant::now);
            if state.crew.wants_help(since.elapsed() >= PATIENCE) {
                return Ok(Some(item));
            }
            state.blocked = true;
            state = wait(&self.drained, state, TICK);
            state.blocked = false;
        }
    }

    /// For a finder that helps: what is in it, as a queue that has ended, if nobody else takes anything.
    pub(crate) fn take_over(&self) -> Option<Self> {
        let mut state = self.lock();
        if state.items.is_empty() || !state.crew.wants_help(true) {
            return None;
        }
        let all = Self::new(1);
        {
            let mut other = all.lock();
            other.items = std::mem::take(&mut state.items);
            other.closed = true;
        }
        // Who waits for work or for room learns how it stands.
        self.filled.notify_all();
        Some(all)
    }

    /// For a finder that helps: waits until what is in it is somebody's, or the finder's own (`true`).
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub(crate) fn wait_crew(&self, cancel: &Cancel) -> Result<bool> {
        let mut state = self.lock();
        let since = Instant::now();
        loop {
            cancel.check()?;
            if state.items.is_empty() || state.crew.is_carrying() || state.crew.is_gone() {
                return Ok(false);
            }
            if state.crew.wants_help(since.elapsed() >= PATIENCE) {
                return Ok(true);
            }
            state.blocked = true;
            state = wait(&self.drained, state, TICK);
            state.blocked = false;
        }
    }

    /// No more will come.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// A worker stands otherwise from now on.
    pub(crate) fn stand(&self, from: &mut Standing, to: Standing) {
        if *from != to {
            self.lock().crew.change(*from, to);
            *from = to;
            self.drained.notify_all();
        }
    }

    /// A worker takes nothing any more; because it `failed`, or as there is nothing.
    pub(crate) fn leave(&self, from: Standing, failed: bool) {
        self.lock().crew.leave(from, failed);
        self.drained.notify_all();
    }

    /// Whether others take from it too.
    pub(crate) fn is_shared(&self) -> bool {
        self.lock().crew.is_shared()
    }

    /// Whether somebody carries what is in it.
    pub(crate) fn is_carried(&self) -> bool {
        let crew = &self.lock().crew;
        crew.is_carrying() || crew.is_helped()
    }

    /// Whether somebody carries, or may be about to.
    pub(crate) fn is_hopeful(&self) -> bool {
        self.lock().crew.is_hopeful()
    }

    /// A worker takes nothing any more, if others still do: `false` if it is the last.
    pub(crate) fn leave_to_others(&self, from: Standing) -> bool {
        let mut state = self.lock();
        let others = state.crew.is_shared();
        if others {
            state.crew.leave(from, false);
        }
        self.drained.notify_all();
        others
    }

    /// Waits for a time, or until nothing is left to be taken.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub(crate) fn rest(&self, time: Duration, cancel: &Cancel) -> Result<()> {
        let until = Instant::now() + time;
        let mut state = self.lock();
        loop {
            cancel.check()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || (state.closed && state.items.is_empty()) {
                return Ok(());
            }
            state = wait(&self.filled, state, left.min(TICK));
        }
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
        let mut state = wait(&self.filled, state, TICK);
        state.starving -= 1;
        state
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a, T>(
    change: &Condvar,
    state: MutexGuard<'a, State<T>>,
    most: Duration,
) -> MutexGuard<'a, State<T>> {
    change
        .wait_timeout(state, most)
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
        queue.leave(Standing::Coming, true);
        assert!(matches!(queue.push(1, &cancel), Err(Error::Lost(_))));
        cancel.cancel(2);
        assert!(matches!(
            queue.take(true, &cancel),
            Err(Error::Interrupted(2))
        ));
    }

    #[test]
    fn a_finder_helps_where_all_are_kept_out() {
        let cancel = Cancel::new().unwrap();
        let queue = Queue::helped(2);
        for number in 0..BOUND {
            assert_eq!(queue.push(number, &cancel).unwrap(), None);
        }
        let mut kept = [Standing::Coming; 2];
        queue.stand(&mut kept[0], Standing::Aboard);
        assert!(queue.take_over().is_none(), "one carries");
        queue.stand(&mut kept[0], Standing::KeptOut);
        queue.stand(&mut kept[1], Standing::KeptOut);
        assert_eq!(queue.push(7, &cancel).unwrap(), Some(7), "no room");
        let own = queue.take_over().unwrap();
        for number in 0..BOUND {
            assert_eq!(own.take(true, &cancel).unwrap(), Take::Item(number));
        }
        assert_eq!(own.take(true, &cancel).unwrap(), Take::Done);
        // Who is kept out for good leaves the rest to the finder, even the last one.
        assert!(queue.leave_to_others(kept[0]) && queue.leave_to_others(kept[1]));
        assert_eq!(queue.push(8, &cancel).unwrap(), None);
        assert!(queue.wait_crew(&cancel).unwrap());
        assert!(queue.take_over().is_some() && !queue.wait_crew(&cancel).unwrap());
    }

    #[test]
    fn who_rests_is_woken_when_nothing_is_left() {
        let cancel = Cancel::new().unwrap();
        let queue = Queue::<u8>::new(2);
        queue.rest(Duration::from_millis(1), &cancel).unwrap();
        queue.close();
        let hour = Duration::from_secs(3600);
        queue.rest(hour, &cancel).unwrap();
        assert!(!queue.is_carried());
    }
}
