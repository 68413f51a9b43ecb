//! Large files and streams: the head at once, then chunks as the reader hands them over.
//!
//! While it sends, the server's answers are read: a refusal stops the sending, and earlier uploads are settled.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use ftp_proto::Digest;
use ftp_proto::wire::RequestHead;

use super::mover::Uploader;
use super::reader::{Input, Part, Piece, Reader};
use super::task::{Upload, What};
use crate::error::{Error, Result};
use crate::local::Source;
use crate::net::Wait;
use crate::session::Session;
use crate::transfer::{Event, Item};

/// Files from this size on go on where an earlier attempt broke.
const RESUME_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes that are left queued when the next block is taken.
const AHEAD_BYTES: usize = 1024 * 1024;
/// How long to wait for the reader before looking at the connection again.
const TICK: Duration = Duration::from_millis(50);

impl Uploader<'_> {
    /// Sends a file in chunks.
    pub(super) fn stream_file(
        &mut self,
        session: &mut Session,
        task: Upload,
        item: Item,
        source: Source,
    ) -> Result<()> {
        if let Err(error) = session.greet() {
            self.not_begun(task);
            return Err(error);
        }
        let resume = self.options.resume && source.size >= RESUME_BYTES;
        let head = RequestHead {
            resume,
            ..self.put_head(&task, Some(&source))
        };
        self.context.tell(&Event::Begin(&item));
        let memory = task.memory.clone();
        let Some(id) = self.begin_stream(session, task, item, head)? else {
            return Ok(());
        };
        let part = if resume {
            match self.interim(session, id)? {
                Some((len, digest)) => Some(Part {
                    len,
                    digest,
                    memory,
                }),
                None => return Ok(()),
            }
        } else {
            None
        };
        self.chunks(session, id, Input::File(source, part))
    }

    /// Sends a stream of unknown length.
    pub(super) fn stream(
        &mut self,
        session: &mut Session,
        mut task: Upload,
        item: Item,
        stream: Box<dyn Read + Send>,
    ) -> Result<()> {
        if let Err(error) = session.greet() {
            // Nothing was read from it yet.
            task.what = What::Stream(Some(stream));
            self.not_begun(task);
            return Err(error);
        }
        let head = self.put_head(&task, None);
        self.context.tell(&Event::Begin(&item));
        let Some(id) = self.begin_stream(session, task, item, head)? else {
            return Ok(());
        };
        self.chunks(session, id, Input::Stream(stream))
    }

    fn begin_stream(
        &mut self,
        session: &mut Session,
        task: Upload,
        item: Item,
        head: RequestHead,
    ) -> Result<Option<u64>> {
        let before = self.flights.len();
        self.begin(session, task, item, head, &[])?;
        Ok(self
            .flights
            .back()
            .filter(|_| self.flights.len() > before)
            .map(|flight| flight.id))
    }

    /// Waits for what the server has of an earlier attempt; `None` if it refused and all is said.
    fn interim(&mut self, session: &mut Session, id: u64) -> Result<Option<(u64, Digest)>> {
        loop {
            let Some(head) = session.frame(self.patience())? else {
                continue;
            };
            if head.id == id && !head.fin && head.error.is_none() {
                return match (head.offset, head.sha256) {
                    (Some(0), _) => Ok(Some((0, Digest([0; 32])))),
                    (Some(offset), Some(digest)) => Ok(Some((offset, digest))),
                    _ => Err(Error::Protocol(
                        "the answer to `resume` lacks `offset` or `sha256`".into(),
                    )),
                };
            }
            self.answered(&head)?;
            if head.id == id {
                // The message is still open on our side.
                session.abort(id)?;
                return Ok(None);
            }
        }
    }

    fn chunks(&mut self, session: &mut Session, id: u64, input: Input) -> Result<()> {
        let chunk = session.chunk().min(self.pool.block_bytes());
        let reader = Reader::start(input, Arc::clone(&self.pool), chunk);
        let mut offset = None;
        let mut position = 0;
        loop {
            match self.piece(session, &reader)? {
                Some(Piece::From(from)) => {
                    offset = Some(from);
                    position = from;
                    self.began_at(from);
                }
                Some(Piece::Data(block)) => {
                    position += block.len() as u64;
                    let head = RequestHead {
                        id,
                        offset: offset.take(),
                        ..RequestHead::default()
                    };
                    session.go_on(head, Some(block))?;
                    self.moved_to(position);
                }
                Some(Piece::End(size, digest)) => {
                    let head = RequestHead {
                        id,
                        offset: offset.take(),
                        fin: true,
                        sha256: Some(digest),
                        ..RequestHead::default()
                    };
                    session.go_on(head, None)?;
                    self.set_sent(size, digest);
                    session.pump();
                    return Ok(());
                }
                Some(Piece::Failed(error)) => {
                    session.abort(id)?;
                    if let Some(flight) = self.flights.back_mut() {
                        flight.broken_off = Some(error);
                    }
                    return Ok(());
                }
                None => session.pump(),
            }
            if self.ended_early(session, id)? {
                session.abort(id)?;
                return Ok(());
            }
            session.cancel().check()?;
        }
    }

    /// The next piece. While there is much to send the socket is waited for, else the reader.
    fn piece(&self, session: &mut Session, reader: &Reader) -> Result<Option<Piece>> {
        session.flush_below(AHEAD_BYTES)?;
        if let Some(piece) = reader.ready() {
            return Ok(Some(piece));
        }
        session.flush_below(0)?;
        Ok(reader.next(TICK))
    }

    /// Takes answers that are there; whether the upload that is being sent has got its last word.
    fn ended_early(&mut self, session: &mut Session, id: u64) -> Result<bool> {
        while let Some(head) = session.frame(Wait::No)? {
            self.answered(&head)?;
            if head.id == id {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn began_at(&mut self, from: u64) {
        if let Some(flight) = self.flights.back_mut() {
            flight.resumed = from;
            if from > flight.task.reached {
                flight.task.reached = from;
                self.note_progress();
            }
        }
        self.moved_to(from);
    }

    fn moved_to(&self, position: u64) {
        if let Some(flight) = self.flights.back() {
            self.context.tell(&Event::Position(&flight.item, position));
        }
    }
}
