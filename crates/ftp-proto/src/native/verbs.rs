//! The requests with one disk operation and one frame of answer: `list`, `stat`, `hash`, `mkdir`, `rename`, `remove`.

use super::effects::Effects;
use super::order::Class;
use super::reply::{self, Answer};
use crate::session::{DiskOp, Outcome};
use crate::wire::{ErrorBody, ReplyHead};

/// One such request.
#[derive(Debug)]
pub(super) struct Verb {
    /// Until it is started.
    op: Option<DiskOp>,
    changes: bool,
    /// The most bytes its answer can have, where that is much.
    weight: u64,
    /// Bytes of the window that it holds.
    reserved: u64,
    /// Where a `hash` begins.
    offset: u64,
}

impl Verb {
    /// A request that only reads.
    pub(super) fn read(op: DiskOp) -> Self {
        let (weight, offset) = match &op {
            DiskOp::List { bytes, .. } => (u64::from(*bytes), 0),
            DiskOp::Digest { offset, .. } => (0, *offset),
            DiskOp::Open { .. }
            | DiskOp::Warm { .. }
            | DiskOp::Create { .. }
            | DiskOp::Continue { .. }
            | DiskOp::Commit { .. }
            | DiskOp::Abort
            | DiskOp::Release
            | DiskOp::Stat { .. }
            | DiskOp::Size { .. }
            | DiskOp::Checksum { .. }
            | DiskOp::SetMeta { .. }
            | DiskOp::Space { .. }
            | DiskOp::MakeDir { .. }
            | DiskOp::Rename { .. }
            | DiskOp::Remove { .. } => (0, 0),
        };
        Self {
            op: Some(op),
            changes: false,
            weight,
            reserved: 0,
            offset,
        }
    }

    /// A request that changes names.
    pub(super) fn change(op: DiskOp) -> Self {
        Self {
            op: Some(op),
            changes: true,
            weight: 0,
            reserved: 0,
            offset: 0,
        }
    }

    pub(super) fn class(&self) -> Class<'_> {
        if self.changes {
            Class::Alone
        } else {
            Class::Read
        }
    }

    /// Whether it can still end without its effect.
    pub(super) fn may_stop(&self) -> bool {
        !self.changes || self.op.is_some()
    }

    /// Asks for the operation; `false` if the window has no room.
    pub(super) fn start(&mut self, seq: u64, front: bool, fx: &mut Effects) -> bool {
        if self.weight > 0 && !fx.may_reserve(0, front) {
            return false;
        }
        fx.begin(seq, self.class());
        if let Some(op) = self.op.take() {
            self.reserve(self.weight, fx);
            fx.disk(seq, op);
        }
        fx.order.over(seq);
        true
    }

    pub(super) fn done(&mut self, outcome: Outcome, fx: &mut Effects) -> Result<Answer, ErrorBody> {
        self.cancel(fx);
        let head = match outcome {
            Outcome::Ended => ReplyHead::default(),
            Outcome::Found(meta) => ReplyHead {
                kind: Some(meta.kind),
                ..reply::file_head(&meta)
            },
            Outcome::Digested { digest, len, meta } => ReplyHead {
                sha256: Some(digest),
                offset: Some(self.offset),
                length: Some(len),
                ..reply::file_head(&meta)
            },
            Outcome::Listed { entries, next } => {
                let answer = reply::page(entries, next, fx.chunk as usize)?;
                self.reserve(answer.payload.len() as u64, fx);
                return Ok(answer);
            }
            Outcome::Failed(fault) => return Err(reply::fault(fault)),
            Outcome::Opened { .. }
            | Outcome::Warmed { .. }
            | Outcome::Created { .. }
            | Outcome::Continued
            | Outcome::Committed { .. }
            | Outcome::Summed { .. }
            | Outcome::Room { .. }
            | Outcome::Sized { .. }
            | Outcome::Skipped => return Err(reply::unexpected()),
        };
        Ok(Answer::ok(head))
    }

    /// Holds nothing of the window any more; an operation that is away ends by itself.
    pub(super) fn cancel(&mut self, fx: &mut Effects) {
        fx.unreserve(self.reserved);
        self.reserved = 0;
    }

    fn reserve(&mut self, len: u64, fx: &mut Effects) {
        self.reserved += len;
        fx.reserve(len);
    }
}
