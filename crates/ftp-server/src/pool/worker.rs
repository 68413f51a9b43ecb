//! What a worker thread does: one errand after the other, each answered once, whatever happens in it.
//!
//! Errands that were taken at once share what is known of their folder, and mostly one trip of letters.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::session::JobId;
use ftp_store::{Job, Nearby, Run, Step};

use super::broken::{broken, log_panic};
use super::queue::{BATCH, Queue};
use super::syncer::{Syncer, Unsynced};
use super::{Errand, Hands, Letter, Mailbox};

/// A letter of a batch is held back no longer than until the first job that ends after this.
const HELD: Duration = Duration::from_micros(500);

/// Works until the queue stops.
pub(super) fn run<M: From<Letter>>(queue: &Queue<M>, syncer: &Syncer<M>, hands: &Hands) {
    // What is taken is begun, and is finished before a stop: on a slow disk no more than one.
    let most = if hands.slow_disk.is_some() { 1 } else { BATCH };
    let mut batch = Vec::new();
    let mut post = Post::new();
    while queue.next(&mut batch, most) {
        // All of a batch were asked for before this, which is what it asks for.
        let mut nearby = Nearby::default();
        for errand in batch.drain(..) {
            if let Some(time) = hands.slow_disk {
                queue.pause(time);
            }
            carry_out(errand, syncer, hands, &mut nearby, &mut post);
        }
        post.send();
    }
}

/// Letters of one batch on their way to one loop.
struct Post<M> {
    home: Option<Arc<Mailbox<M>>>,
    letters: Vec<M>,
    since: Instant,
}

impl<M> Post<M> {
    fn new() -> Self {
        Self {
            home: None,
            letters: Vec::new(),
            since: Instant::now(),
        }
    }

    fn add(&mut self, home: Arc<Mailbox<M>>, letter: M) {
        if self
            .home
            .as_ref()
            .is_some_and(|last| !Arc::ptr_eq(last, &home))
        {
            self.send();
        }
        if self.letters.is_empty() {
            self.since = Instant::now();
        }
        self.letters.push(letter);
        self.home = Some(home);
        if self.since.elapsed() >= HELD {
            self.send();
        }
    }

    fn send(&mut self) {
        if let Some(home) = self.home.take() {
            home.post_all(self.letters.drain(..));
        }
    }
}

fn carry_out<M: From<Letter>>(
    errand: Errand<M>,
    syncer: &Syncer<M>,
    hands: &Hands,
    nearby: &mut Nearby,
    post: &mut Post<M>,
) {
    let Errand { order, home } = errand;
    let (key, lane, store) = (order.key, order.lane, order.store);
    let jobs = jobs_of(&order.job);
    // What a panic leaves behind is dropped with the job: the slot comes home empty.
    let run = catch_unwind(AssertUnwindSafe(|| (hands.run)(&store, order.job, nearby)));
    let done = match run {
        Ok(Run::Home(done)) => done,
        Ok(Run::Parked(parked)) => {
            syncer.push(Unsynced {
                key,
                lane,
                jobs,
                parked,
                home,
            });
            return;
        }
        Err(panic) => {
            log_panic("a disk job", panic.as_ref());
            nearby.forget();
            broken(jobs)
        }
    };
    post.add(home, M::from(Letter { key, lane, done }));
}

/// The numbers of a job's operations, in order: each of them must be answered.
fn jobs_of(job: &Job) -> Vec<JobId> {
    let jobs = job.steps.iter().filter_map(|step| match step {
        Step::Op { job, .. } => Some(*job),
        Step::Write(_) => None,
    });
    jobs.collect()
}
