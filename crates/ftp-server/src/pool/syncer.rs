//! Group commit: one thread makes durable, in rounds, what the workers have finished.
//!
//! While one round is syncing the next gathers, so many small commits share their syncs, and a
//! single one never waits for company.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use ftp_proto::session::JobId;
use ftp_store::{Done, Parked};

use super::broken::{broken, log_panic};
use super::{Hands, Letter, Mailbox};
use crate::base::Key;

/// Most jobs of one round, and most that wait for the next: each holds a file open. Workers wait beyond it.
const ROUND: usize = 1024;

/// A job that is done but for syncing, and where its letter goes.
pub(super) struct Unsynced<M> {
    pub(super) key: Key,
    pub(super) lane: u64,
    /// The numbers of its operations, should the round break off.
    pub(super) jobs: Vec<JobId>,
    pub(super) parked: Parked,
    pub(super) home: Arc<Mailbox<M>>,
}

/// What gathers for the next round.
pub(super) struct Syncer<M> {
    state: Mutex<State<M>>,
    /// Something waits, or it is time to stop.
    work: Condvar,
    /// There is room again.
    room: Condvar,
}

struct State<M> {
    waiting: Vec<Unsynced<M>>,
    stopping: bool,
}

impl<M> Default for Syncer<M> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: Vec::new(),
                stopping: false,
            }),
            work: Condvar::new(),
            room: Condvar::new(),
        }
    }
}

impl<M: From<Letter>> Syncer<M> {
    /// Adds a job to the next round; waits while that is full.
    pub(super) fn push(&self, job: Unsynced<M>) {
        let mut state = self
            .room
            .wait_while(self.lock(), |state| state.waiting.len() >= ROUND)
            .unwrap_or_else(PoisonError::into_inner);
        state.waiting.push(job);
        if state.waiting.len() == 1 {
            self.work.notify_one();
        }
    }

    /// Syncs round after round, until it is time to stop and nothing waits.
    pub(super) fn run(&self, hands: &Hands) {
        loop {
            let mut state = self
                .work
                .wait_while(self.lock(), |state| {
                    state.waiting.is_empty() && !state.stopping
                })
                .unwrap_or_else(PoisonError::into_inner);
            let round = mem::take(&mut state.waiting);
            drop(state);
            if round.is_empty() {
                return;
            }
            self.room.notify_all();
            sync(round, hands);
        }
    }
}

impl<M> Syncer<M> {
    /// No worker will push any more: finish what waits, then stop.
    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.work.notify_all();
    }

    /// How many jobs wait for the next round.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One round: every job of it gets its letter.
fn sync<M: From<Letter>>(round: Vec<Unsynced<M>>, hands: &Hands) {
    let mut parked = Vec::with_capacity(round.len());
    let mut envelopes = Vec::with_capacity(round.len());
    for job in round {
        parked.push(job.parked);
        envelopes.push((job.key, job.lane, job.jobs, job.home));
    }
    let done = catch_unwind(AssertUnwindSafe(|| (hands.sync)(parked)));
    let mut done = done
        .inspect_err(|panic| log_panic("a round of syncing", panic.as_ref()))
        .unwrap_or_default()
        .into_iter();
    // One mailbox in most servers, a few at most.
    let mut post: Vec<(Arc<Mailbox<M>>, Vec<M>)> = Vec::new();
    for (key, lane, jobs, home) in envelopes {
        let done: Done = done.next().unwrap_or_else(|| broken(jobs));
        let letter = M::from(Letter { key, lane, done });
        match post.iter_mut().find(|(it, _)| Arc::ptr_eq(it, &home)) {
            Some((_, letters)) => letters.push(letter),
            None => post.push((home, vec![letter])),
        }
    }
    for (home, letters) in post {
        home.post_all(letters);
    }
}
