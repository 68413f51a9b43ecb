//! The bytes of one file, as they come: small files in one go, large ones in blocks through a writer.
//!
//! Nothing the server says makes us take more than it announced, nor keep what does not match its digest.

use std::time::Duration;

use ftp_proto::Digest;
use ftp_proto::wire::{ErrorBody, ReplyHead};

use super::mover::Downloader;
use super::sink::{Out, Sink};
use super::task::{Download, Target};
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::hash::time_to_hash;
use crate::local::{Meta, Partial, USUAL_MODE};
use crate::net::{Block, Wait};
use crate::session::Session;
use crate::transfer::{Event, Item, Outcome};

/// Files up to this size that come in one frame are written at once, without a thread.
const SMALL_BYTES: u64 = 256 * 1024;
/// Bytes that are asked of the socket at once: what a broken connection can cost.
const READ_BYTES: usize = 256 * 1024;
/// How long to wait for a block to come back from the disk before looking around.
const TICK: Duration = Duration::from_millis(100);

/// What the first frame announces.
struct Announced {
    id: u64,
    size: u64,
    offset: u64,
    /// Bytes to come.
    length: u64,
    meta: Meta,
}

/// How a message ended.
enum End {
    /// All bytes are here; this is the server's digest.
    Whole(Digest),
    /// The server broke off.
    Refused(ErrorBody),
    /// Our disk failed; we broke off.
    Disk,
}

impl Downloader<'_> {
    /// Takes the whole answer to a `get`, of which `first` is the first frame.
    pub(super) fn receive(
        &mut self,
        session: &mut Session,
        mut task: Download,
        mut item: Item,
        offset: u64,
        first: &ReplyHead,
    ) -> Result<()> {
        let announced = match self.announced(first, offset) {
            Ok(announced) => announced,
            Err(error) => {
                self.give_back(task);
                return Err(error);
            }
        };
        item.size = Some(announced.size);
        self.context.tell(&Event::Begin(&item));
        if offset > 0 {
            self.context.tell(&Event::Position(&item, offset));
        }
        if first.fin && task.sink.is_none() && first.len <= SMALL_BYTES {
            return self.receive_small(session, task, &item, first, &announced);
        }
        let sink = match task.sink.take() {
            Some(sink) => Ok(sink),
            None => open(&task.target, self.options.verify),
        };
        let mut sink = match sink {
            Ok(sink) => sink,
            Err(error) => {
                self.settle(task, &item, Err(error));
                session.abort(announced.id)?;
                return drain(session, first, announced.length);
            }
        };
        sink.etag = first.etag.clone();
        if sink.is_blind() {
            return self.drop_all(session, task, &item, first, (&announced, sink));
        }
        let writer = Writer::start(sink);
        let mut last = None;
        let result = self.blocks(session, &item, first, &announced, (&writer, &mut last));
        if let Some(block) = last.take() {
            writer.write(block);
        }
        let (sink, failure) = writer.finish(self.context.cancel.signal().is_some());
        match (result, failure, sink) {
            (Err(error), failure, sink) => {
                task.sink = sink.filter(|_| failure.is_none());
                self.give_back(task);
                Err(error)
            }
            (Ok(_), Some(error), _) => {
                let result = Err(error);
                self.settle(task, &item, result);
                Ok(())
            }
            (Ok(End::Refused(body)), None, sink) => {
                task.sink = sink;
                self.refused(task, &item, &body);
                Ok(())
            }
            (Ok(End::Whole(sha256)), None, Some(sink)) => {
                let result = finish(sink, &announced, sha256);
                self.settle(task, &item, result);
                Ok(())
            }
            (Ok(End::Whole(_) | End::Disk), None, _) => {
                let died = std::io::Error::other("the writing thread failed");
                self.settle(task, &item, Err(Error::local("write", died)));
                Ok(())
            }
        }
    }

    fn announced(&self, first: &ReplyHead, offset: u64) -> Result<Announced> {
        let wrong = || Error::Protocol("the answer to `get` contradicts itself".into());
        let size = first.size.ok_or_else(wrong)?;
        let length = size.checked_sub(offset).ok_or_else(wrong)?;
        if first.offset.unwrap_or(offset) != offset || first.length.unwrap_or(length) != length {
            return Err(wrong());
        }
        Ok(Announced {
            id: first.id,
            size,
            offset,
            length,
            meta: Meta {
                mtime: first
                    .mtime
                    .map(|seconds| (seconds, first.mtime_ns.unwrap_or(0))),
                mode: first.mode,
                sync: self.options.sync,
            },
        })
    }

    fn receive_small(
        &mut self,
        session: &mut Session,
        task: Download,
        item: &Item,
        head: &ReplyHead,
        announced: &Announced,
    ) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(usize::try_from(head.len).unwrap_or(0), 0);
        if let Err(error) = session.payload(&mut buffer) {
            self.give_back(task);
            return Err(error);
        }
        let mode = announced.meta.mode.unwrap_or(USUAL_MODE);
        let result = open_small(&task.target, mode, self.options.verify).and_then(|mut sink| {
            sink.write(&buffer)?;
            finish(sink, announced, sha256(head)?)
        });
        self.buffer = buffer;
        self.context.tell(&Event::Position(item, head.len));
        self.settle(task, item, result);
        Ok(())
    }

    /// Takes all of a file that nobody wants to look at.
    fn drop_all(
        &mut self,
        session: &mut Session,
        mut task: Download,
        item: &Item,
        first: &ReplyHead,
        (announced, mut sink): (&Announced, Sink),
    ) -> Result<()> {
        let result = self.frames(session, item, first, announced, &mut |session, head| {
            session.skip(head.len)?;
            sink.skip(head.len);
            Ok(true)
        });
        match result {
            Ok(End::Whole(sha256)) => {
                let result = finish(sink, announced, sha256);
                self.settle(task, item, result);
            }
            Ok(End::Refused(body)) => {
                task.sink = Some(sink);
                self.refused(task, item, &body);
            }
            // There is no disk.
            Ok(End::Disk) => {}
            Err(error) => {
                task.sink = Some(sink);
                self.give_back(task);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Receives block after block; they go to the writer when they are full, the last one stays in `last`.
    fn blocks(
        &self,
        session: &mut Session,
        item: &Item,
        first: &ReplyHead,
        announced: &Announced,
        (writer, last): (&Writer, &mut Option<Block>),
    ) -> Result<End> {
        self.frames(session, item, first, announced, &mut |session, head| {
            let mut rest = usize::try_from(head.len).unwrap_or(usize::MAX);
            while rest > 0 {
                let Some(mut block) = self.block(last, writer)? else {
                    return Ok(false);
                };
                let out = block.spare(rest.min(READ_BYTES));
                let count = out.len();
                let result = session.payload(out);
                if result.is_ok() {
                    block.grow(count);
                }
                rest -= count;
                if block.room() == 0 {
                    writer.write(block);
                } else {
                    *last = Some(block);
                }
                result?;
            }
            Ok(true)
        })
    }

    /// Receives frame after frame; `take` takes the payload of each, and says whether it wants more.
    fn frames(
        &self,
        session: &mut Session,
        item: &Item,
        first: &ReplyHead,
        announced: &Announced,
        take: &mut dyn FnMut(&mut Session, &ReplyHead) -> Result<bool>,
    ) -> Result<End> {
        let mut left = announced.length;
        let mut position = announced.offset;
        let mut next = None;
        loop {
            let head = next.as_ref().unwrap_or(first);
            left = left
                .checked_sub(head.len)
                .ok_or_else(|| Error::Protocol("the server sends more than it announced".into()))?;
            if !take(session, head)? {
                session.abort(announced.id)?;
                drain(session, head, left)?;
                return Ok(End::Disk);
            }
            position += head.len;
            self.context.tell(&Event::Position(item, position));
            if head.fin {
                return sha256(head).map(End::Whole);
            }
            let extra = if left == 0 {
                time_to_hash(announced.offset)
            } else {
                Duration::ZERO
            };
            let frame = session.frame(Wait::Extra(extra))?.unwrap_or_default();
            if let Some(body) = frame.error {
                return Ok(End::Refused(body));
            }
            if frame.len == 0 && !frame.fin {
                return Err(Error::Protocol("an empty frame in a file".into()));
            }
            next = Some(frame);
        }
    }

    /// A block with room; `None` if the disk has failed. Waiting for a slow disk has no limit.
    fn block(&self, last: &mut Option<Block>, writer: &Writer) -> Result<Option<Block>> {
        loop {
            if writer.has_failed() {
                return Ok(None);
            }
            if let Some(block) = last.take() {
                return Ok(Some(block));
            }
            self.context.cancel.check()?;
            if let Some(block) = self.pool.take(TICK) {
                return Ok(Some(block));
            }
        }
    }
}

fn open(target: &Target, verify: bool) -> Result<Sink> {
    match target {
        Target::File { folder, name } => {
            let partial = Partial::create(folder, name)?;
            Ok(Sink::new(Out::File(partial), verify))
        }
        Target::Stream => Err(Error::Lost(
            "what was written to a stream cannot be written again".into(),
        )),
    }
}

fn open_small(target: &Target, mode: u32, verify: bool) -> Result<Sink> {
    match target {
        Target::File { folder, name } => {
            let partial = Partial::create_small(folder, name, mode)?;
            Ok(Sink::new(Out::File(partial), verify))
        }
        Target::Stream => open(target, verify),
    }
}

fn finish(sink: Sink, announced: &Announced, sha256: Digest) -> Result<Outcome> {
    let verified = sink.verifies();
    sink.finish(announced.size, sha256, announced.meta)?;
    Ok(Outcome::Moved {
        size: announced.size,
        sha256,
        verified,
        durability: None,
        resumed: announced.offset,
    })
}

fn sha256(head: &ReplyHead) -> Result<Digest> {
    head.sha256
        .ok_or_else(|| Error::Protocol("a file came without its digest".into()))
}

/// Throws away the rest of a message, no more than was announced.
fn drain(session: &mut Session, head: &ReplyHead, mut left: u64) -> Result<()> {
    let mut ended = head.fin;
    while !ended {
        let frame = session.frame(Wait::USUAL)?.unwrap_or_default();
        left = left
            .checked_sub(frame.len)
            .ok_or_else(|| Error::Protocol("the server sends more than it announced".into()))?;
        ended = frame.fin || frame.error.is_some();
        if frame.len == 0 && !ended {
            return Err(Error::Protocol("an empty frame in a file".into()));
        }
    }
    Ok(())
}
