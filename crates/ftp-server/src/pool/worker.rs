//! What a worker thread does: one errand after the other, each answered once, whatever happens in it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ftp_proto::session::{Fault, FaultKind, JobId, Outcome};
use ftp_store::{Done, Job, Run, Slot, Step};

use super::queue::Queue;
use super::syncer::{Syncer, Unsynced};
use super::{Errand, Hands, Letter};

/// Works until the queue stops.
pub(super) fn run<M: From<Letter>>(queue: &Queue<M>, syncer: &Syncer<M>, hands: &Hands) {
    while let Some(errand) = queue.next() {
        if let Some(time) = hands.slow_disk {
            queue.pause(time);
        }
        carry_out(errand, syncer, hands);
    }
}

fn carry_out<M: From<Letter>>(errand: Errand<M>, syncer: &Syncer<M>, hands: &Hands) {
    let Errand { order, home } = errand;
    let (key, lane, store) = (order.key, order.lane, order.store);
    let jobs = jobs_of(&order.job);
    // What a panic leaves behind is dropped with the job: the slot comes home empty.
    let run = catch_unwind(AssertUnwindSafe(|| (hands.run)(&store, order.job)));
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
            broken(jobs)
        }
    };
    home.post(M::from(Letter { key, lane, done }));
}

/// The numbers of a job's operations, in order: each of them must be answered.
fn jobs_of(job: &Job) -> Vec<JobId> {
    let jobs = job.steps.iter().filter_map(|step| match step {
        Step::Op { job, .. } => Some(*job),
        Step::Write(_) => None,
    });
    jobs.collect()
}

/// The answer of work that panicked: all of it failed, by a fault of our own.
pub(super) fn broken(jobs: Vec<JobId>) -> Done {
    let fault = || Fault::new(FaultKind::Internal, "the disk work broke off");
    let failed = |job| (job, Outcome::Failed(fault()));
    Done {
        slot: Slot::default(),
        outcomes: jobs.into_iter().map(failed).collect(),
        fault: Some(fault()),
        blocks: Vec::new(),
    }
}

/// Tells the operator.
pub(super) fn log_panic(what: &str, panic: &(dyn Any + Send)) {
    let words = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(
        why = words.unwrap_or("no words"),
        "{what} panicked; its requests fail"
    );
}
