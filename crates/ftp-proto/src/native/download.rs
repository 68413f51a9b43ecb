//! `get`: opens, has ranges warmed and digested ahead of the sending, and cuts them into frames.
//!
//! Never sends a range that was not warmed, so that sending never waits for a disk.

use std::mem;

use super::effects::Effects;
use super::front::Front;
use super::order::Class;
use super::reply::{self, Answer};
use crate::session::{Content, DiskOp, Meta, Outcome};
use crate::wire::{Code, ErrorBody, ReplyHead};
use crate::{Digest, VPath};

/// SHA-256 of no bytes (FIPS 180-4).
const EMPTY: Digest = Digest([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// What a `get` asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) path: VPath,
    pub(super) offset: u64,
    pub(super) length: Option<u64>,
    /// At most `offset`.
    pub(super) digest_from: u64,
    pub(super) if_etag: Option<String>,
}

/// One download.
#[derive(Debug)]
pub(super) struct Download {
    wanted: Wanted,
    state: State,
    /// Bytes of the window that this download holds.
    reserved: u64,
    /// Payload bytes queued for the peer.
    given: u64,
}

#[derive(Debug)]
enum State {
    Waiting,
    Opening,
    Streaming(Stream),
    /// The lane holds no file (any more).
    Closed,
}

/// A range on its way. `digest_from ≤ ready ≤ asked ≤ end`, and `sent ≤ max(ready, offset)`.
#[derive(Debug)]
struct Stream {
    /// The first frame's facts, until it is sent.
    head: Option<Box<ReplyHead>>,
    offset: u64,
    end: u64,
    /// Warming was asked up to here.
    asked: u64,
    /// Warming is done up to here.
    ready: u64,
    /// Frames were sent up to here.
    sent: u64,
    /// Known beforehand, or once `ready` is `end`.
    digest: Option<Digest>,
}

impl Stream {
    /// The range to warm that begins at `from`: never across `offset`, where sending begins.
    fn range(&self, from: u64, chunk: u64) -> u64 {
        let limit = if from < self.offset {
            self.offset
        } else {
            self.end
        };
        chunk.min(limit.saturating_sub(from))
    }
}

impl Download {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            state: State::Waiting,
            reserved: 0,
            given: 0,
        }
    }

    pub(super) fn class(&self) -> Class<'_> {
        Class::Read
    }

    pub(super) fn path(&self) -> &VPath {
        &self.wanted.path
    }

    /// Payload bytes queued for the peer.
    pub(super) fn given(&self) -> u64 {
        self.given
    }

    pub(super) fn is_started(&self) -> bool {
        !matches!(self.state, State::Waiting)
    }

    /// Its ranges can be warmed.
    pub(super) fn is_streaming(&self) -> bool {
        matches!(self.state, State::Streaming(_))
    }

    /// The lane holds an open file, or may hold one once `Open` is done.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Opening | State::Streaming(_))
    }

    /// Asks for the file; `false` if the window has no room.
    pub(super) fn start(&mut self, seq: u64, front: bool, fx: &mut Effects) -> bool {
        let inline = self.inline_bytes(fx);
        if inline > 0 && !fx.may_reserve(0, front) {
            return false;
        }
        self.reserve(u64::from(inline), fx);
        self.state = State::Opening;
        fx.begin(seq, Class::Read);
        let path = self.wanted.path.clone();
        fx.disk(seq, DiskOp::Open { path, inline });
        true
    }

    /// Asks for more ranges as far as the window allows; `true` once all are asked.
    pub(super) fn warm(&mut self, seq: u64, front: bool, fx: &mut Effects) -> bool {
        let chunk = u64::from(fx.config.limits.chunk_bytes);
        while let State::Streaming(stream) = &mut self.state {
            if stream.asked == stream.end {
                fx.order.over(seq);
                return true;
            }
            if !fx.may_reserve(self.reserved, front) {
                return false;
            }
            let (offset, len) = (stream.asked, stream.range(stream.asked, chunk));
            stream.asked += len;
            let op = DiskOp::Warm {
                offset,
                len,
                digest: stream.digest.is_none(),
                last: stream.asked == stream.end,
            };
            self.reserve(len, fx);
            fx.disk(seq, op);
        }
        true
    }

    pub(super) fn done(
        &mut self,
        seq: u64,
        outcome: Outcome,
        fx: &mut Effects,
    ) -> Result<Option<Answer>, ErrorBody> {
        match outcome {
            Outcome::Opened {
                meta,
                content,
                digest,
            } => match content {
                Some(content) => {
                    self.state = State::Closed;
                    self.unreserve(self.reserved, fx);
                    fx.order.over(seq);
                    self.whole(&meta, content, fx).map(Some)
                }
                None => self.stream(seq, &meta, digest, fx).map(|()| None),
            },
            Outcome::Warmed { len, digest } => self.warmed(len, digest, fx).map(|()| None),
            Outcome::Failed(fault) => {
                if matches!(self.state, State::Opening) {
                    self.state = State::Closed;
                }
                Err(reply::fault(fault))
            }
            Outcome::Created { .. }
            | Outcome::Continued
            | Outcome::Committed { .. }
            | Outcome::Skipped
            | Outcome::Listed { .. }
            | Outcome::Found(_)
            | Outcome::Sized { .. }
            | Outcome::Digested { .. }
            | Outcome::Summed { .. }
            | Outcome::Room { .. }
            | Outcome::Ended => Err(reply::unexpected()),
        }
    }

    /// Ends the work; the file itself is released when what was sent of it is gone.
    pub(super) fn cancel(&mut self, seq: u64, fx: &mut Effects) {
        self.unreserve(self.reserved, fx);
        fx.order.over(seq);
    }

    /// Sends what is warm, this being the front of the queue.
    pub(super) fn speak(&mut self, seq: u64, id: u64, fx: &mut Effects) -> Front {
        let chunk = u64::from(fx.chunk);
        let mut front = Front::Silent;
        while let State::Streaming(stream) = &mut self.state {
            let complete = stream.ready == stream.end;
            if stream.ready < stream.offset || (stream.sent == stream.ready && !complete) {
                return front;
            }
            let (offset, len) = (stream.sent, chunk.min(stream.ready - stream.sent));
            stream.sent += len;
            let fin = complete && stream.sent == stream.end;
            let facts = stream
                .head
                .take()
                .map_or_else(ReplyHead::default, |head| *head);
            let head = ReplyHead {
                id,
                fin,
                len,
                sha256: stream.digest.filter(|_| fin),
                ..facts
            };
            fx.frame(&head, Vec::new());
            if len > 0 {
                fx.file(seq, offset, len);
            }
            self.given += len;
            self.unreserve(len, fx);
            if fin {
                return Front::Answered("ok");
            }
            front = Front::Spoke;
        }
        front
    }

    /// Most bytes that may come along with `Open`: only a whole file, and only in one frame.
    fn inline_bytes(&self, fx: &Effects) -> u32 {
        let inline = fx.config.limits.inline_bytes.min(fx.chunk);
        let whole = self.wanted.offset == 0
            && self
                .wanted
                .length
                .is_none_or(|length| length >= u64::from(inline));
        if whole { inline } else { 0 }
    }

    /// The file came along whole with its opening; an empty one does so always.
    fn whole(
        &mut self,
        meta: &Meta,
        content: Content,
        fx: &mut Effects,
    ) -> Result<Answer, ErrorBody> {
        self.check_etag(meta)?;
        let len = content.bytes.len() as u64;
        if self.length(meta)? != len {
            return Err(reply::unexpected());
        }
        self.reserve(len, fx);
        self.given = len;
        let head = ReplyHead {
            sha256: Some(content.digest),
            ..range_head(meta, 0, len)
        };
        Ok(Answer::with_payload(head, content.bytes))
    }

    fn stream(
        &mut self,
        seq: u64,
        meta: &Meta,
        known: Option<Digest>,
        fx: &mut Effects,
    ) -> Result<(), ErrorBody> {
        let Wanted {
            offset,
            digest_from,
            ..
        } = self.wanted;
        self.unreserve(self.reserved, fx);
        let opening = mem::replace(
            &mut self.state,
            State::Streaming(Stream {
                head: None,
                offset,
                end: offset,
                asked: digest_from,
                ready: digest_from,
                sent: offset,
                digest: None,
            }),
        );
        if !matches!(opening, State::Opening) {
            return Err(reply::unexpected());
        }
        self.check_etag(meta)?;
        let length = self.length(meta)?;
        if let State::Streaming(stream) = &mut self.state {
            stream.head = Some(Box::new(range_head(meta, offset, length)));
            stream.end = offset + length;
            if stream.ready == stream.end {
                stream.digest = Some(EMPTY);
            } else if digest_from == 0 && stream.end == meta.size && known.is_some() {
                // Nothing needs to be read but what is sent.
                stream.digest = known;
                (stream.asked, stream.ready) = (offset, offset);
            }
            if stream.ready == stream.end {
                fx.order.over(seq);
            }
        }
        Ok(())
    }

    fn warmed(
        &mut self,
        len: u64,
        digest: Option<Digest>,
        fx: &mut Effects,
    ) -> Result<(), ErrorBody> {
        let chunk = u64::from(fx.config.limits.chunk_bytes);
        let State::Streaming(stream) = &mut self.state else {
            return Err(reply::unexpected());
        };
        let (from, expected) = (stream.ready, stream.range(stream.ready, chunk));
        if len < expected {
            return Err(reply::error(
                Code::Changed,
                "the file became shorter while it was read",
            ));
        }
        stream.ready += expected;
        if stream.ready == stream.end && stream.digest.is_none() {
            stream.digest = Some(digest.ok_or_else(reply::unexpected)?);
        }
        if from < stream.offset {
            self.unreserve(expected, fx);
        }
        Ok(())
    }

    /// Bytes of the range, clipped to the end of the file.
    fn length(&self, meta: &Meta) -> Result<u64, ErrorBody> {
        let offset = self.wanted.offset;
        let Some(rest) = meta.size.checked_sub(offset) else {
            let why = format!("offset {offset} lies beyond the end at {}", meta.size);
            return Err(reply::error(Code::BadRange, why));
        };
        Ok(self.wanted.length.unwrap_or(rest).min(rest))
    }

    fn check_etag(&self, meta: &Meta) -> Result<(), ErrorBody> {
        match &self.wanted.if_etag {
            Some(etag) if *etag != meta.etag => Err(reply::error(
                Code::Changed,
                format!(
                    "{}: the file is not the one that was meant",
                    self.wanted.path
                ),
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn reserve(&mut self, len: u64, fx: &mut Effects) {
        self.reserved += len;
        fx.reserve(len);
    }

    fn unreserve(&mut self, len: u64, fx: &mut Effects) {
        self.reserved = self.reserved.saturating_sub(len);
        fx.unreserve(len);
    }
}

fn range_head(meta: &Meta, offset: u64, length: u64) -> ReplyHead {
    ReplyHead {
        offset: Some(offset),
        length: Some(length),
        ..reply::file_head(meta)
    }
}
