//! A lane: the steps of one file, in order, with at most one job away on the pool.
//!
//! The open file and its hasher travel with the job and come home with it, so there is no lock and
//! no question of order. A job takes every step that waits when it leaves: a small upload is one trip.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use ftp_proto::session::{DiskOp, JobId};
use ftp_store::{Block, Job, ReadFile, Slot, Step, Store};

/// Most payload bytes of one lane in memory, the ones away on a worker included.
const LANE_BYTES: usize = 1024 * 1024;
/// Most steps of one job.
const JOB_STEPS: usize = 64;

/// The steps of one file.
#[derive(Default)]
pub(crate) struct Lane {
    /// Home while no job is away.
    slot: Option<Slot>,
    away: bool,
    steps: VecDeque<Step>,
    /// The block that payload is being read into.
    filling: Option<Block>,
    /// There was no room for payload since the last job left.
    pressed: bool,
    /// Capacity of all blocks of this lane, here and away.
    held: usize,
    /// Capacity of the blocks that are away. Kept here, so that a job that comes home without its
    /// blocks (a worker that panicked) costs nothing for good.
    away_bytes: usize,
    /// Bytes that the answer of the job that is away may need.
    away_answer: usize,
    /// Where the file is: it stays there, whoever logs in meanwhile.
    store: Option<Arc<Store>>,
    /// The job that is away changes what is counted from now on, and does not count.
    uncounted: bool,
    /// The operation that opened the file.
    opening: Option<DiskOp>,
    /// The open file, for sending.
    reader: Option<Arc<ReadFile>>,
}

impl Lane {
    /// Appends an operation, behind all payload so far.
    pub(crate) fn push(&mut self, job: JobId, op: DiskOp) {
        self.seal();
        if let DiskOp::Open { .. } | DiskOp::Create { .. } = op {
            self.opening = Some(op.clone());
        }
        self.steps.push_back(Step::Op { job, op });
    }

    /// The file is one of these, unless it is another's already.
    pub(crate) fn belong(&mut self, store: Option<&Arc<Store>>) {
        if self.store.is_none() {
            self.store = store.cloned();
        }
    }

    /// If the file is in the one, its changes are counted as in the other from now on.
    pub(crate) fn recount(&mut self, before: Option<&Arc<Store>>, now: Option<&Arc<Store>>) {
        if let (Some(own), Some(before)) = (&self.store, before)
            && Arc::ptr_eq(own, before)
        {
            let begins = !own.is_counted() && now.is_some_and(|now| now.is_counted());
            self.uncounted |= self.away && begins;
            self.store = now.cloned();
        }
    }

    /// Where the file is.
    pub(crate) fn store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref()
    }

    /// What opened the file.
    pub(crate) fn opening(&self) -> Option<&DiskOp> {
        self.opening.as_ref()
    }

    fn seal(&mut self) {
        if let Some(block) = self.filling.take() {
            self.steps.push_back(Step::Write(block));
        }
    }

    /// Whether payload may come in.
    pub(crate) fn has_room(&self) -> bool {
        self.filling
            .as_ref()
            .is_some_and(|block| block.len() < block.capacity())
            || self.held < LANE_BYTES
    }

    /// The block to fill, if one is begun.
    pub(crate) fn filling(&mut self) -> Option<&mut Block> {
        if self
            .filling
            .as_ref()
            .is_some_and(|block| block.len() == block.capacity())
        {
            self.seal();
        }
        self.filling.as_mut()
    }

    /// There was no room for payload.
    pub(crate) fn press(&mut self) {
        self.pressed = true;
    }

    /// Takes back a block that got no bytes.
    pub(crate) fn take_empty(&mut self) -> Option<Block> {
        let block = self.filling.take_if(|block| block.is_empty())?;
        self.held -= block.capacity();
        Some(block)
    }

    /// Begins a block.
    pub(crate) fn begin(&mut self, block: Block) {
        self.seal();
        self.held += block.capacity();
        self.filling = Some(block);
    }

    /// The open file, for sending.
    pub(crate) fn reader(&self) -> Option<&Arc<ReadFile>> {
        self.reader.as_ref()
    }

    /// A job to send, if there is something to do and nothing is away. A file that is still being sent
    /// is not closed yet: its last handle must drop on a worker, not on the loop.
    pub(crate) fn dispatch(&mut self) -> Option<Job> {
        if self.away || (self.steps.is_empty() && self.filling.is_none()) {
            return None;
        }
        if self.is_closing()
            && let Some(reader) = self.reader.take()
        {
            // One handle is ours, one the slot's; more means a range is still queued for sending.
            if Arc::strong_count(&reader) > 2 {
                self.reader = Some(reader);
                return None;
            }
        }
        self.seal();
        self.away_answer = self.answer_bytes();
        let mut steps = Vec::with_capacity(self.steps.len().min(JOB_STEPS));
        while steps.len() < JOB_STEPS {
            let Some(step) = self.steps.pop_front() else {
                break;
            };
            let last = matches!(
                step,
                Step::Op {
                    op: DiskOp::Commit { .. },
                    ..
                }
            );
            if let Step::Write(block) = &step {
                self.away_bytes += block.capacity();
            }
            steps.push(step);
            if last {
                break;
            }
        }
        self.away = true;
        Some(Job {
            slot: self.slot.take().unwrap_or_default(),
            steps,
            pressed: mem::take(&mut self.pressed),
        })
    }

    /// Whether the next step closes the file.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(
            self.steps.front(),
            Some(Step::Op {
                op: DiskOp::Release | DiskOp::Abort,
                ..
            })
        )
    }

    /// What the next job's answer may need in memory beyond its blocks.
    pub(crate) fn answer_bytes(&self) -> usize {
        let of = |step: &Step| match step {
            Step::Op {
                op: DiskOp::Open { inline, .. },
                ..
            } => *inline as usize,
            Step::Op {
                op: DiskOp::List { bytes, .. },
                ..
            } => *bytes as usize,
            Step::Op { .. } | Step::Write(_) => 0,
        };
        self.steps.iter().take(JOB_STEPS).map(of).sum()
    }

    /// Takes a job home; returns the bytes of blocks and of answer that it had held.
    pub(crate) fn home(&mut self, slot: Slot) -> (usize, usize) {
        self.away = false;
        self.reader = slot.reader();
        self.slot = Some(slot);
        let blocks = mem::take(&mut self.away_bytes);
        self.held = self.held.saturating_sub(blocks);
        (blocks, mem::take(&mut self.away_answer))
    }

    /// Whether the job that came home last changed what is counted, and nobody knows.
    pub(crate) fn take_uncounted(&mut self) -> bool {
        mem::take(&mut self.uncounted)
    }

    /// Whether a file is open and nothing is asked to be done with it.
    pub(crate) fn is_left_open(&self) -> bool {
        !self.away && self.steps.is_empty() && !self.is_over()
    }

    /// Whether a worker has the file.
    pub(crate) fn is_away(&self) -> bool {
        self.away
    }

    /// Whether nothing is open, waiting or away: the lane may be forgotten.
    pub(crate) fn is_over(&self) -> bool {
        !self.away
            && self.steps.is_empty()
            && self.filling.is_none()
            && self.slot.as_ref().is_none_or(Slot::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use ftp_proto::VPath;
    use ftp_store::{Options, Run};

    use super::*;

    #[test]
    #[allow(
        clippy::disallowed_methods,
        reason = "the test plants the file that is sent"
    )]
    fn a_file_that_is_being_sent_is_closed_by_a_worker_and_not_before() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("f"), b"text").unwrap();
        let store = Store::open(root.path(), Options::default()).unwrap();
        let mut lane = Lane::default();
        let (path, inline) = (VPath::parse("f").unwrap(), 0);
        lane.push(JobId(1), DiskOp::Open { path, inline });
        let Run::Home(done) = store.run(lane.dispatch().unwrap()) else {
            panic!("it is not open");
        };
        lane.home(done.slot);
        // What is queued for the peer.
        let sending = lane.reader().cloned().unwrap();
        lane.push(JobId(2), DiskOp::Release);
        assert!(lane.dispatch().is_none());
        drop(sending);
        assert!(lane.dispatch().is_some());
    }

    #[test]
    fn a_job_says_whether_there_was_no_room_since_the_last() {
        let mut lane = Lane::default();
        let mut dispatched = |press: bool| {
            lane.begin(Block::with_capacity(10));
            if press {
                lane.press();
            }
            let job = lane.dispatch().unwrap();
            lane.home(job.slot);
            job.pressed
        };
        assert_eq!(
            [false, true, false].map(&mut dispatched),
            [false, true, false]
        );
    }
}
