//! `Job`: the queued steps of one file, done in one trip.
//!
//! Every operation yields exactly one outcome, whatever happened to those before it.

use std::sync::Arc;

use ftp_proto::session::{DiskOp, Fault, JobId, Outcome};

use crate::block::Block;
use crate::error::misuse;
use crate::nearby::Nearby;
use crate::ops;
use crate::slot::{Slot, State};
use crate::store::Shared;
use crate::sync::Parked;
use crate::upload::Verified;

/// One thing to do with a file.
#[derive(Debug)]
pub enum Step {
    /// Append payload to the upload that is open.
    Write(Block),
    /// A disk operation.
    Op {
        /// The number its outcome carries.
        job: JobId,
        /// What to do.
        op: DiskOp,
    },
}

/// Steps of one file, done in order. A `Commit` is the last step of its job.
#[derive(Debug)]
pub struct Job {
    /// The file, as the last job left it.
    pub slot: Slot,
    /// What to do.
    pub steps: Vec<Step>,
}

/// What became of a job.
#[derive(Debug)]
pub enum Run {
    /// It is done.
    Home(Done),
    /// It is done but for a round of syncing: see [`sync_round`](crate::sync_round).
    Parked(Parked),
}

/// A job that is done.
#[derive(Debug)]
pub struct Done {
    /// The file, for the next job.
    pub slot: Slot,
    /// One outcome for every operation, in order.
    pub outcomes: Vec<(JobId, Outcome)>,
    /// Set by the first write that failed; the file takes no more of them.
    pub fault: Option<Fault>,
    /// The blocks that were written, emptied, for reuse.
    pub blocks: Vec<Block>,
}

/// What an operation did.
pub(crate) enum Effect {
    /// All that was asked.
    Told(Outcome),
    /// All that was asked, but the folder's new names are not on stable storage yet.
    Unsynced(Outcome),
    /// The upload is whole and right; it waits to be synced and to get its name.
    Verified(Box<Verified>),
}

impl Job {
    /// Whether it is a whole upload: from its first step to its name, in one trip.
    #[must_use]
    pub fn is_whole_upload(&self) -> bool {
        let first = matches!(
            self.steps.first(),
            Some(Step::Op {
                op: DiskOp::Create { .. },
                ..
            })
        );
        let last = matches!(
            self.steps.last(),
            Some(Step::Op {
                op: DiskOp::Commit { .. },
                ..
            })
        );
        first && last
    }
}

pub(crate) fn run(shared: &Arc<Shared>, job: Job, nearby: &mut Nearby) -> Run {
    let mut done = Done {
        slot: job.slot,
        outcomes: Vec::new(),
        fault: None,
        blocks: Vec::new(),
    };
    let mut unsynced = Vec::new();
    let mut verified = Vec::new();
    for step in job.steps {
        match step {
            Step::Write(mut block) => {
                if let Err(fault) = write(&mut done.slot, &block) {
                    done.fault.get_or_insert(fault);
                }
                block.clear();
                done.blocks.push(block);
            }
            Step::Op { job, op } => {
                let index = done.outcomes.len();
                let outcome = match ops::perform(shared, &mut done.slot, op, nearby) {
                    Ok(Effect::Told(outcome)) => outcome,
                    Ok(Effect::Unsynced(outcome)) => {
                        unsynced.push(index);
                        outcome
                    }
                    Ok(Effect::Verified(upload)) => {
                        verified.push((index, upload));
                        // Replaced by what the round of syncing finds.
                        Outcome::Failed(misuse("not synced"))
                    }
                    Err(fault) => Outcome::Failed(fault),
                };
                done.outcomes.push((job, outcome));
            }
        }
    }
    if unsynced.is_empty() && verified.is_empty() {
        return Run::Home(done);
    }
    Run::Parked(Parked::new(Arc::clone(shared), done, unsynced, verified))
}

fn write(slot: &mut Slot, bytes: &[u8]) -> Result<(), Fault> {
    let State::Writing(upload) = &mut slot.state else {
        return match slot.state {
            // Told already, by the operation that failed or skipped.
            State::Broken(_) | State::Skipped => Ok(()),
            State::Empty | State::Reading(_) | State::Writing(_) => {
                Err(misuse("payload for a file that is not being uploaded"))
            }
        };
    };
    upload.write(bytes).inspect_err(|fault| {
        slot.state = State::Broken(fault.clone());
    })
}
