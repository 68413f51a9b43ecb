//! `Job`: the queued steps of one file, and what becomes of them.

use ftp_proto::session::{DiskOp, Fault, JobId, Outcome};

use crate::block::Block;
use crate::slot::Slot;
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
    /// The sender had to wait since the last job: there was no room for more.
    pub pressed: bool,
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
    /// One for which nobody had to wait.
    #[must_use]
    pub const fn new(slot: Slot, steps: Vec<Step>) -> Self {
        Self {
            slot,
            steps,
            pressed: false,
        }
    }

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
