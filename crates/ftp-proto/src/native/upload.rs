//! `put`: counts the payload that goes past it into the file's lane, and commits or aborts.
//!
//! Never sees a byte of the file. Its lane ends exactly once: by `Commit`, by `Abort`, or by a
//! `Create` that left nothing.

use super::effects::Effects;
use super::front::Front;
use super::order::Class;
use super::reply::{self, Answer};
use crate::session::{CreateOptions, DiskOp, Outcome, Partial};
use crate::wire::{Code, ErrorBody, Put, ReplyHead};
use crate::{Digest, VPath};

/// One upload.
#[derive(Debug)]
pub(super) struct Upload {
    put: Put,
    /// Bytes of the file so far: those of a partial that is continued, and those received.
    offset: u64,
    /// Bytes received.
    received: u64,
    /// The last frame has come.
    complete: bool,
    /// `Create` was asked.
    started: bool,
    /// `Create` was answered.
    created: bool,
    /// `Continue` was asked and not answered.
    continuing: bool,
    /// `Commit` was asked: its effect can no longer be stopped.
    committing: bool,
    /// Nothing is left in the lane.
    closed: bool,
    resume: Resume,
}

/// How far the agreement on an earlier attempt is.
#[derive(Debug, PartialEq, Eq)]
enum Resume {
    /// None is needed, or it is settled.
    Settled,
    /// What is there is not known yet.
    Asked,
    /// It is known and is to be told.
    Known(Option<Partial>),
    /// It was told; the first chunk says where it begins.
    Told(Option<Partial>),
}

impl Upload {
    pub(super) fn new(put: Put) -> Self {
        Self {
            resume: if put.resume {
                Resume::Asked
            } else {
                Resume::Settled
            },
            put,
            offset: 0,
            received: 0,
            complete: false,
            started: false,
            created: false,
            continuing: false,
            committing: false,
            closed: false,
        }
    }

    pub(super) fn class(&self) -> Class<'_> {
        Class::Put {
            path: &self.put.path,
            parents: self.put.parents,
        }
    }

    pub(super) fn path(&self) -> &VPath {
        &self.put.path
    }

    /// Payload bytes received.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Its lane takes payload.
    pub(super) fn is_started(&self) -> bool {
        self.started
    }

    pub(super) fn is_committing(&self) -> bool {
        self.committing
    }

    /// The next frame of this message cannot be understood before the interim answer was sent.
    pub(super) fn holds_chunks(&self) -> bool {
        matches!(self.resume, Resume::Asked | Resume::Known(_))
    }

    /// The server, not the peer, is the one to move.
    pub(super) fn waits_for_server(&self) -> bool {
        !self.started || self.holds_chunks()
    }

    pub(super) fn start(&mut self, seq: u64, fx: &mut Effects) {
        self.started = true;
        fx.begin(seq, self.class());
        let options = CreateOptions {
            size: self.put.size,
            mtime: self.put.mtime,
            mode: self.put.mode,
            parents: self.put.parents,
            if_exists: self.put.if_exists,
            resume: self.put.resume,
            ..CreateOptions::default()
        };
        let path = self.put.path.clone();
        fx.disk(seq, DiskOp::Create { path, options });
        if self.complete {
            self.commit(seq, fx);
        }
    }

    /// Takes the announcement of a frame with `len` bytes of payload.
    ///
    /// # Errors
    /// Why the upload cannot go on.
    pub(super) fn chunk(
        &mut self,
        len: u64,
        sha256: Option<Digest>,
        max: u32,
    ) -> Result<(), ErrorBody> {
        if len > u64::from(max) {
            let why = format!("a frame with {len} bytes of payload; at most {max} are taken");
            return Err(reply::error(Code::TooLarge, why));
        }
        let end = self.offset.checked_add(len);
        if end.is_none() || self.put.size.is_some_and(|size| end > Some(size)) {
            let why = "more bytes than `size` said";
            return Err(reply::error(Code::SizeMismatch, why));
        }
        if let Some(now) = sha256 {
            if self.put.sha256.is_some_and(|before| before != now) {
                let why = "two different `sha256` for one file";
                return Err(reply::error(Code::BadRequest, why));
            }
            self.put.sha256 = Some(now);
        }
        Ok(())
    }

    /// Takes the `offset` of a frame after the first: after an interim answer it says whether the
    /// partial is kept; else it means nothing.
    ///
    /// # Errors
    /// Neither of the two offsets that were offered.
    pub(super) fn go_on(
        &mut self,
        seq: u64,
        offset: Option<u64>,
        fx: &mut Effects,
    ) -> Result<(), ErrorBody> {
        let Resume::Told(partial) = self.resume else {
            return Ok(());
        };
        let there = partial.map_or(0, |partial| partial.offset);
        let Some(offset) = offset.filter(|offset| *offset == 0 || *offset == there) else {
            let why = format!("the first chunk needs `offset`: {there} to go on, 0 to start over");
            return Err(reply::error(Code::BadRequest, why));
        };
        self.resume = Resume::Settled;
        self.offset = offset;
        if partial.is_some() {
            let keep = offset == there;
            self.continuing = true;
            fx.disk(seq, DiskOp::Continue { keep });
        }
        Ok(())
    }

    /// Payload went into the lane.
    pub(super) fn took(&mut self, len: u64) {
        self.offset = self.offset.saturating_add(len);
        self.received = self.received.saturating_add(len);
    }

    /// The last frame has come, with all of its payload.
    ///
    /// # Errors
    /// The file is shorter than was said.
    pub(super) fn finish(&mut self, seq: u64, fx: &mut Effects) -> Result<(), ErrorBody> {
        self.complete = true;
        if self.put.size.is_some_and(|size| size != self.offset) {
            return Err(reply::error(
                Code::SizeMismatch,
                "fewer bytes than `size` said",
            ));
        }
        if self.started {
            self.commit(seq, fx);
        }
        Ok(())
    }

    pub(super) fn done(
        &mut self,
        seq: u64,
        outcome: Outcome,
        fx: &mut Effects,
    ) -> Result<Option<Answer>, ErrorBody> {
        let creating = !self.created;
        self.created = true;
        match outcome {
            Outcome::Created { partial } if creating => {
                if self.resume == Resume::Asked {
                    self.resume = Resume::Known(partial);
                }
                Ok(None)
            }
            Outcome::Continued if !creating && self.continuing => {
                self.continuing = false;
                Ok(None)
            }
            Outcome::Skipped => {
                self.close(seq, fx);
                Ok(Some(Answer::skipped()))
            }
            Outcome::Committed {
                size,
                digest,
                durability,
            } if self.committing => {
                self.close(seq, fx);
                Ok(Some(Answer::ok(ReplyHead {
                    size: Some(size),
                    sha256: digest,
                    durability: Some(durability),
                    ..ReplyHead::default()
                })))
            }
            Outcome::Failed(fault) => {
                // A lane that could not be made holds nothing that could be aborted.
                self.closed |= creating;
                Err(reply::fault(fault))
            }
            Outcome::Created { .. }
            | Outcome::Continued
            | Outcome::Committed { .. }
            | Outcome::Opened { .. }
            | Outcome::Warmed { .. }
            | Outcome::Listed { .. }
            | Outcome::Found(_)
            | Outcome::Sized { .. }
            | Outcome::Digested { .. }
            | Outcome::Summed { .. }
            | Outcome::Room { .. }
            | Outcome::Ended => Err(reply::unexpected()),
        }
    }

    /// Ends the lane, if it is not ended yet.
    pub(super) fn cancel(&mut self, seq: u64, fx: &mut Effects) {
        if self.started && !self.committing && !self.closed {
            fx.disk(seq, DiskOp::Abort);
        }
        self.close(seq, fx);
    }

    /// Says the interim answer of a resumed upload once it is known.
    pub(super) fn speak(&mut self, id: u64, fx: &mut Effects) -> Front {
        let Resume::Known(partial) = self.resume else {
            return Front::Silent;
        };
        self.resume = Resume::Told(partial);
        let head = ReplyHead {
            id,
            offset: Some(partial.map_or(0, |partial| partial.offset)),
            sha256: partial.map(|partial| partial.digest),
            ..ReplyHead::default()
        };
        fx.frame(&head, Vec::new());
        Front::Spoke
    }

    fn commit(&mut self, seq: u64, fx: &mut Effects) {
        self.committing = true;
        let (digest, size) = (self.put.sha256, self.put.size);
        fx.disk(seq, DiskOp::Commit { digest, size });
        fx.order.over(seq);
    }

    fn close(&mut self, seq: u64, fx: &mut Effects) {
        self.closed = true;
        fx.order.over(seq);
    }
}
