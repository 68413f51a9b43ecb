//! `Uploader`: takes uploads from the queue, sends them ahead of their answers, judges the answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ftp_proto::wire::{ReplyHead, RequestHead};

use super::options::PutOptions;
use super::task::{Flight, Upload, What};
use crate::error::{Error, Result};
use crate::hash;
use crate::local::Source;
use crate::net::{Pool, Wait};
use crate::session::{CHUNK_BYTES, Session};
use crate::transfer::{Context, Event, Item, Mover, Outcome, Queue, Take};

/// Files up to this size go in one frame, with their digest in its header.
const SMALL_BYTES: u64 = 256 * 1024;
/// Bytes that are queued ahead of the socket at most before the next file is opened.
const AHEAD_BYTES: usize = 128 * 1024;
/// Blocks of one connection: being read, read ahead, being sent.
const BLOCKS: usize = 6;
/// Failures for the moment that pile up before they are tried again.
const LEFT_MOST: usize = 256;
/// A server has a second more per so many bytes to make them safe.
const SAFE_BYTES_PER_SECOND: u64 = 16 * 1024 * 1024;

/// Sends files over one connection.
pub(crate) struct Uploader<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) options: PutOptions,
    pub(super) pool: Arc<Pool>,
    /// Sent and not answered, in order.
    pub(super) flights: VecDeque<Flight>,
    /// Refused because something stands there, which may be what we sent before the connection broke.
    doubts: Vec<Flight>,
    /// To be sent (again) before anything else.
    again: VecDeque<Upload>,
    /// Failed for the moment, and why the last of them did.
    left: Vec<Upload>,
    left_error: Option<Error>,
    progress: u64,
    buffer: Vec<u8>,
}

impl<'a> Uploader<'a> {
    pub(crate) fn new(context: &'a Context<'a>, options: PutOptions) -> Self {
        Self {
            context,
            options,
            pool: Pool::new(CHUNK_BYTES as usize, BLOCKS),
            flights: VecDeque::new(),
            doubts: Vec::new(),
            again: VecDeque::new(),
            left: Vec::new(),
            left_error: None,
            progress: 0,
            buffer: Vec::new(),
        }
    }

    /// Sends as many as may be ahead, takes answers, and so on to the end.
    fn rounds(&mut self, session: &mut Session, queue: &Queue<Upload>) -> Result<()> {
        loop {
            let mut sent = false;
            let mut done = false;
            while let Some(flight) = self.doubts.pop() {
                sent = true;
                self.confirm(session, flight);
            }
            while session.has_room() && session.queued() < AHEAD_BYTES && !done {
                match self.next(queue)? {
                    Take::Item(task) => {
                        sent = true;
                        self.send(session, task)?;
                    }
                    Take::Later => break,
                    Take::Done => done = true,
                }
            }
            if done && self.flights.is_empty() && self.doubts.is_empty() {
                return Ok(());
            }
            self.answers(session, !sent)?;
        }
    }

    fn next(&mut self, queue: &Queue<Upload>) -> Result<Take<Upload>> {
        if let Some(task) = self.again.pop_front() {
            return Ok(Take::Item(task));
        }
        if self.left.len() >= LEFT_MOST {
            return Ok(Take::Done);
        }
        let idle = self.flights.is_empty() && self.doubts.is_empty();
        queue.take(idle, self.context.cancel)
    }

    /// Begins one upload. What is wrong with the file alone ends the file alone.
    fn send(&mut self, session: &mut Session, mut task: Upload) -> Result<()> {
        let number = *task
            .number
            .get_or_insert_with(|| self.context.numbers.next());
        match &mut task.what {
            What::Folder { .. } => {
                let head = RequestHead {
                    verb: Some("mkdir".into()),
                    fin: true,
                    path: Some(task.remote.as_str().into()),
                    parents: true,
                    ..RequestHead::default()
                };
                let item = task.item(number, None);
                self.begin(session, task, item, head, &[])
            }
            What::File {
                folder,
                name,
                follow,
            } => {
                let source = Source::open(folder, name, *follow);
                let item = task.item(number, source.as_ref().ok().map(|source| source.size));
                match source {
                    Ok(source) if source.size <= SMALL_BYTES => {
                        self.send_small(session, task, item, source)
                    }
                    Ok(source) => self.stream_file(session, task, item, source),
                    Err(error) => {
                        self.settle(task, &item, Err(error));
                        Ok(())
                    }
                }
            }
            What::Stream(stream) => {
                let stream = stream.take();
                let item = task.item(number, None);
                match stream {
                    Some(stream) => self.stream(session, task, item, stream),
                    None => {
                        let error = Error::Lost("standard input cannot be read twice".into());
                        self.settle(task, &item, Err(error));
                        Ok(())
                    }
                }
            }
        }
    }

    fn send_small(
        &mut self,
        session: &mut Session,
        task: Upload,
        item: Item,
        mut source: Source,
    ) -> Result<()> {
        if source.size > session.chunk() as u64 {
            if let Err(error) = session.greet() {
                self.not_begun(task);
                return Err(error);
            }
            if source.size > session.chunk() as u64 {
                return self.stream_file(session, task, item, source);
            }
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = source.read_small(&mut buffer);
        let result = match read {
            Ok(()) => {
                let digest = hash::digest(&buffer);
                let head = RequestHead {
                    sha256: Some(digest),
                    fin: true,
                    ..self.put_head(&task, Some(&source))
                };
                self.context.tell(&Event::Begin(&item));
                self.begin(session, task, item, head, &buffer)
                    .map(|()| self.set_sent(buffer.len() as u64, digest))
            }
            Err(error) => {
                self.settle(task, &item, Err(error));
                Ok(())
            }
        };
        self.buffer = buffer;
        result
    }

    /// The header that begins a `put`, without digest and `fin`.
    pub(super) fn put_head(&self, task: &Upload, source: Option<&Source>) -> RequestHead {
        RequestHead {
            verb: Some("put".into()),
            path: Some(task.remote.as_str().into()),
            size: source.map(|source| source.size),
            mtime: source.map(|source| source.mtime.0),
            mtime_ns: source.map(|source| source.mtime.1),
            mode: source.map(|source| source.mode),
            parents: self.options.parents,
            if_exists: Some(self.options.if_exists),
            ..RequestHead::default()
        }
    }

    /// Queues the first frame; from here on an answer is awaited.
    pub(super) fn begin(
        &mut self,
        session: &mut Session,
        task: Upload,
        item: Item,
        head: RequestHead,
        payload: &[u8],
    ) -> Result<()> {
        match session.begin(head, payload) {
            Ok(id) => {
                self.flights.push_back(Flight {
                    id,
                    task,
                    item,
                    sent: None,
                    broken_off: None,
                    resumed: 0,
                    confirms: false,
                });
                Ok(())
            }
            // The header does not fit: this file's own fault.
            Err(error) => {
                self.settle(task, &item, Err(error));
                Ok(())
            }
        }
    }

    /// All of the last flight has been sent.
    pub(super) fn set_sent(&mut self, size: u64, digest: ftp_proto::Digest) {
        if let Some(flight) = self.flights.back_mut() {
            flight.item.size = Some(size);
            flight.sent = Some((size, digest));
            self.context.tell(&Event::Position(&flight.item, size));
        }
    }

    /// Takes answers: with `wait` at least one, and then all that are there.
    fn answers(&mut self, session: &mut Session, mut wait: bool) -> Result<()> {
        while !self.flights.is_empty() {
            let patience = if wait { self.patience() } else { Wait::No };
            let Some(head) = session.frame(patience)? else {
                return Ok(());
            };
            self.answered(&head)?;
            wait = false;
        }
        Ok(())
    }

    /// How long the front flight's answer may take.
    pub(super) fn patience(&self) -> Wait {
        let size = self.flights.front().and_then(|flight| flight.item.size);
        Wait::Extra(Duration::from_secs(
            size.unwrap_or(0) / SAFE_BYTES_PER_SECOND,
        ))
    }

    /// The last frame of the front flight's answer is here.
    pub(super) fn answered(&mut self, head: &ReplyHead) -> Result<()> {
        let front = self.flights.front();
        if front.is_none_or(|flight| flight.id != head.id) || !(head.fin || head.error.is_some()) {
            return Err(Error::Protocol("an answer that was not asked for".into()));
        }
        if let Some(mut flight) = self.flights.pop_front() {
            if flight.may_be_ours(head) {
                self.doubts.push(flight);
                return Ok(());
            }
            let result = flight.judge(head);
            self.settle(flight.task, &flight.item, result);
        }
        Ok(())
    }

    /// Asks whether what stands there is what was sent.
    fn confirm(&mut self, session: &mut Session, flight: Flight) {
        let head = RequestHead {
            verb: Some("hash".into()),
            fin: true,
            path: Some(flight.task.remote.as_str().into()),
            ..RequestHead::default()
        };
        match session.begin(head, &[]) {
            Ok(id) => self.flights.push_back(Flight {
                id,
                confirms: true,
                ..flight
            }),
            Err(error) => self.settle(flight.task, &flight.item, Err(error)),
        }
    }

    /// The connection broke before the task was in flight: it comes first on the next one.
    pub(super) fn not_begun(&mut self, task: Upload) {
        self.again.push_front(task);
    }

    /// An upload has ended, or is left for another attempt.
    pub(super) fn settle(&mut self, mut task: Upload, item: &Item, result: Result<Outcome>) {
        match result {
            Ok(outcome) => {
                self.progress += 1;
                self.context.tell(&Event::Done(item, &outcome));
                self.context.tally.done(&outcome);
            }
            Err(error) => {
                // Wrong bytes may be a passing fault of memory or disk; twice is none.
                let most = if error.is_integrity() {
                    1
                } else {
                    self.context.options.retries
                };
                if error.is_transient()
                    && task.can_start()
                    && task.attempts < most.min(self.context.options.retries)
                {
                    task.attempts += 1;
                    self.left.push(task);
                    self.left_error = Some(error);
                } else {
                    self.context.tell(&Event::Failed(item, &error));
                    self.context.tally.failed(error);
                }
            }
        }
    }

    /// A stored part of a file counts as progress.
    pub(super) fn note_progress(&mut self) {
        self.progress += 1;
    }

    /// After a failure of the connection: what was in flight is sent anew.
    fn take_back(&mut self) {
        self.flights.extend(self.doubts.drain(..));
        while let Some(mut flight) = self.flights.pop_back() {
            flight.task.perhaps_stored |= flight.sent.is_some();
            match flight.broken_off {
                Some(error) => self.settle(flight.task, &flight.item, Err(error)),
                None => self.again.push_front(flight.task),
            }
        }
    }
}

impl Mover for Uploader<'_> {
    type Task = Upload;

    fn drive(&mut self, session: &mut Session, queue: &Queue<Upload>) -> Result<()> {
        if self.left_error.take().is_some() {
            self.again.extend(self.left.drain(..));
        }
        let result = self.rounds(session, queue);
        if result.is_err() {
            self.take_back();
        }
        result
    }

    fn progress(&self) -> u64 {
        self.progress
    }

    fn left(&self) -> Option<Error> {
        self.left_error.as_ref().map(Error::again)
    }

    fn is_loaded(&self) -> bool {
        !self.again.is_empty() || !self.left.is_empty()
    }

    fn abandon(&mut self, error: &Error) -> usize {
        self.take_back();
        let tasks: Vec<_> = self.again.drain(..).chain(self.left.drain(..)).collect();
        for task in &tasks {
            let number = task.number.unwrap_or_else(|| self.context.numbers.next());
            self.context
                .tell(&Event::Failed(&task.item(number, None), error));
            self.context.tally.failed(error.again());
        }
        tasks.len()
    }
}
