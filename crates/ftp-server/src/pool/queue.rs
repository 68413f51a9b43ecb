//! The orders that wait for a worker: first come, first served, bounded.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Errand, Mailbox, Order};

/// Most errands that a worker takes at once.
pub(super) const BATCH: usize = 16;

/// A queue between reactors and workers.
pub(super) struct Queue<M> {
    state: Mutex<State<M>>,
    /// Something waits, or it is time to stop.
    work: Condvar,
    /// Most errands that wait.
    bound: usize,
    /// Who shares them.
    workers: usize,
}

struct State<M> {
    waiting: VecDeque<Errand<M>>,
    /// Workers asleep in [`Queue::next`]. The others look at the queue before they fall asleep, so they need no call.
    idle: usize,
    stopping: bool,
}

impl<M> Queue<M> {
    /// An empty queue for so many workers.
    pub(super) fn new(bound: usize, workers: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                idle: 0,
                stopping: false,
            }),
            work: Condvar::new(),
            bound: bound.max(1),
            workers: workers.max(1),
        }
    }

    /// Takes as many of `orders` as there is room for, from the front.
    pub(super) fn push(&self, orders: &mut VecDeque<Order>, home: &Arc<Mailbox<M>>) {
        if orders.is_empty() {
            return;
        }
        let calls = {
            let mut state = self.lock();
            let room = self.bound.saturating_sub(state.waiting.len());
            let taken = room.min(orders.len());
            let errands = orders.drain(..taken).map(|order| Errand {
                order,
                home: Arc::clone(home),
            });
            state.waiting.extend(errands);
            taken.min(state.idle)
        };
        for _ in 0..calls {
            self.work.notify_one();
        }
    }

    /// Puts the next errand into `batch`, which is empty; waits for one. `false` says that it is time to stop.
    ///
    /// Where many wait, small uploads are taken several at once, up to `most`, but never more than this worker's share:
    /// consecutive ones mostly go into one folder, where several workers would only stand in each other's way.
    pub(super) fn next(&self, batch: &mut Vec<Errand<M>>, most: usize) -> bool {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return false;
            }
            if let Some(errand) = state.waiting.pop_front() {
                let share = (state.waiting.len() / self.workers).min(most.saturating_sub(1));
                let more = if errand.is_small_upload() { share } else { 0 };
                batch.push(errand);
                for _ in 0..more {
                    if !state.waiting.front().is_some_and(Errand::is_small_upload) {
                        break;
                    }
                    batch.extend(state.waiting.pop_front());
                }
                return true;
            }
            state.idle += 1;
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Waits for `time` to pass, or for the stop.
    pub(super) fn pause(&self, time: Duration) {
        let state = self.lock();
        let waited = self
            .work
            .wait_timeout_while(state, time, |state| !state.stopping);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Drops what waits and sends the workers home.
    pub(super) fn stop(&self) {
        let dropped = {
            let mut state = self.lock();
            state.stopping = true;
            mem::take(&mut state.waiting)
        };
        self.work.notify_all();
        // Outside the lock: dropping an upload removes its temp file.
        drop(dropped);
    }

    /// How many errands wait.
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
