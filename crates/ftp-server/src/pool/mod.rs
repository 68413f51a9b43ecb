//! Floor 4: disk work off the loop. A bounded queue, a few worker threads, one thread that syncs, a mailbox.
//!
//! A job never holds a reference into a reactor: it is sent away with all it needs and comes home as
//! a [`Letter`]. Every order that is accepted yields exactly one letter, also when the work panics.
//! Orders of one submitter may come home in any order.

mod broken;
mod hashers;
mod mailbox;
mod queue;
mod syncer;
mod worker;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use std::{io, mem};

use ftp_store::{Done, Job, Nearby, Parked, Run, Store, sync_round};

use crate::base::Key;

use self::hashers::Hashers;
pub(crate) use self::mailbox::Mailbox;
use self::queue::Queue;
use self::syncer::Syncer;

/// A job and whose it is.
pub(crate) struct Order {
    /// The session that asks.
    pub(crate) key: Key,
    /// Its lane.
    pub(crate) lane: u64,
    /// Where the files are.
    pub(crate) store: Arc<Store>,
    /// What to do.
    pub(crate) job: Job,
}

/// A job that came home.
#[derive(Debug)]
pub(crate) struct Letter {
    /// The session that asked.
    pub(crate) key: Key,
    /// Its lane.
    pub(crate) lane: u64,
    /// What became of the job.
    pub(crate) done: Done,
}

/// Worker threads for one or more loops. Dropping it drops the orders that wait, finishes those that are begun, and
/// joins the threads.
pub(crate) struct Pool<M> {
    queue: Arc<Queue<M>>,
    syncer: Arc<Syncer<M>>,
    workers: Vec<JoinHandle<()>>,
    sync_thread: Option<JoinHandle<()>>,
}

/// An order on its way, with the mailbox that wants the answer: several reactors may share the workers.
struct Errand<M> {
    order: Order,
    home: Arc<Mailbox<M>>,
}

impl<M> Errand<M> {
    fn is_small_upload(&self) -> bool {
        self.order.job.is_whole_upload()
    }
}

type RunJob = dyn Fn(&Store, Job, &mut Nearby) -> Run + Send + Sync;
type SyncRound = dyn Fn(Vec<Parked>) -> Vec<Done> + Send + Sync;

/// The two blocking calls, so that a test can stand in for them.
struct Hands {
    run: Box<RunJob>,
    sync: Box<SyncRound>,
    /// Every job sleeps so long first: a slow disk, for tests.
    slow_disk: Option<Duration>,
}

impl<M: From<Letter> + Send + 'static> Pool<M> {
    /// Starts `workers` threads (at least one) and the one that syncs. At most `bound` orders wait.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(crate) fn start(
        workers: usize,
        bound: usize,
        slow_disk: Option<Duration>,
    ) -> io::Result<Self> {
        let hashers = Hashers::start(workers)?;
        let hands = Hands {
            run: Box::new(move |store, job, nearby| store.run_with(job, nearby, &hashers)),
            sync: Box::new(sync_round),
            slow_disk,
        };
        Self::with_hands(workers, bound, hands)
    }

    fn with_hands(workers: usize, bound: usize, hands: Hands) -> io::Result<Self> {
        let hands = Arc::new(hands);
        let mut pool = Self {
            queue: Arc::new(Queue::new(bound, workers)),
            syncer: Arc::new(Syncer::default()),
            workers: Vec::with_capacity(workers.max(1)),
            sync_thread: None,
        };
        let (syncer, its_hands) = (Arc::clone(&pool.syncer), Arc::clone(&hands));
        let sync_thread = Builder::new()
            .name("sync".to_owned())
            .spawn(move || syncer.run(&its_hands))?;
        pool.sync_thread = Some(sync_thread);
        for number in 0..workers.max(1) {
            let (queue, syncer) = (Arc::clone(&pool.queue), Arc::clone(&pool.syncer));
            let hands = Arc::clone(&hands);
            let worker = Builder::new()
                .name(format!("disk-{number}"))
                .spawn(move || worker::run(&queue, &syncer, &hands))?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }
}

impl<M> Pool<M> {
    /// Takes orders from the front, as many as there is room for; the rest stays, to be tried again.
    /// The letters go to `home`.
    pub(crate) fn submit_all(&self, orders: &mut VecDeque<Order>, home: &Arc<Mailbox<M>>) {
        self.queue.push(orders, home);
    }

    /// How many orders wait for a worker.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }
}

impl<M> Drop for Pool<M> {
    fn drop(&mut self) {
        self.queue.stop();
        for worker in mem::take(&mut self.workers) {
            join(worker);
        }
        // Only now: what the workers handed over is still made durable.
        self.syncer.stop();
        if let Some(thread) = self.sync_thread.take() {
            join(thread);
        }
    }
}

fn join(thread: JoinHandle<()>) {
    let name = thread.thread().name().unwrap_or_default().to_owned();
    if thread.join().is_err() {
        tracing::error!(thread = name, "a thread of the pool had panicked");
    }
}
