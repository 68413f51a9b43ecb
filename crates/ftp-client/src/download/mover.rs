//! `Downloader`: takes downloads from the queue, asks ahead, and deals with the answers in order.

use std::collections::VecDeque;
use std::sync::Arc;

use ftp_proto::wire::{Code, ErrorBody, ReplyHead, RequestHead};

use super::options::GetOptions;
use super::sink::{KEEP_BYTES, Sink};
use super::task::{Download, Flight, Stage, Target};
use crate::error::{Error, Result};
use crate::hash::time_to_hash;
use crate::net::{Pool, Wait};
use crate::session::{CHUNK_BYTES, Session};
use crate::transfer::{Context, Event, Item, Mover, Outcome, Queue, Take};

/// Blocks of one connection: being received, waiting, being written.
const BLOCKS: usize = 6;
/// Failures for the moment that pile up before they are tried again.
const LEFT_MOST: usize = 256;

/// Receives files over one connection.
pub(crate) struct Downloader<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) options: GetOptions,
    pub(super) pool: Arc<Pool>,
    /// Asked and not answered, in order.
    pub(super) flights: VecDeque<Flight>,
    /// To be asked (again) before anything else.
    again: VecDeque<Download>,
    /// Failed for the moment, and why the last of them did.
    left: Vec<Download>,
    left_error: Option<Error>,
    progress: u64,
    pub(super) buffer: Vec<u8>,
}

impl<'a> Downloader<'a> {
    pub(crate) fn new(context: &'a Context<'a>, options: GetOptions) -> Self {
        Self {
            context,
            options,
            pool: Pool::new(CHUNK_BYTES as usize, BLOCKS),
            flights: VecDeque::new(),
            again: VecDeque::new(),
            left: Vec::new(),
            left_error: None,
            progress: 0,
            buffer: Vec::new(),
        }
    }

    fn rounds(&mut self, session: &mut Session, queue: &Queue<Download>) -> Result<()> {
        loop {
            let mut done = false;
            while session.has_room() && !done {
                match self.next(queue)? {
                    Take::Item(task) => self.ask(session, task)?,
                    Take::Later => break,
                    Take::Done => done = true,
                }
            }
            let mut wait = true;
            while let Some(flight) = self.flights.front() {
                let patience = if wait { patience(flight) } else { Wait::No };
                let Some(head) = session.frame(patience)? else {
                    break;
                };
                self.answered(session, &head)?;
                wait = false;
            }
            if done && self.flights.is_empty() && self.again.is_empty() {
                return Ok(());
            }
        }
    }

    fn next(&mut self, queue: &Queue<Download>) -> Result<Take<Download>> {
        if let Some(task) = self.again.pop_front() {
            return Ok(Take::Item(task));
        }
        if self.left.len() >= LEFT_MOST {
            return Ok(Take::Done);
        }
        queue.take(self.flights.is_empty(), self.context.cancel)
    }

    /// Asks for a file: behind what has arrived, or for the proof of an old partial, or from its start.
    fn ask(&mut self, session: &mut Session, mut task: Download) -> Result<()> {
        let number = *task
            .number
            .get_or_insert_with(|| self.context.numbers.next());
        if let Some(sink) = &mut task.sink {
            let offset = sink.written();
            if let Err(error) = sink.look_back(self.context.cancel) {
                if error.is_final() {
                    self.give_back(task);
                    return Err(error);
                }
                let item = task.item(number, None);
                self.settle(task, &item, Err(error));
                return Ok(());
            }
            if offset > 0 && !sink.verifies() && sink.etag.is_none() {
                // Neither a digest nor a mark would tell another file's rest from this one's.
                let error = Error::Lost("what came cannot be gone on with unverified".into());
                task.sink = None;
                let item = task.item(number, None);
                self.settle(task, &item, Err(error));
                return Ok(());
            }
            return self.fetch(session, task, offset);
        }
        if self.options.resume && task.size.is_none_or(|size| size >= KEEP_BYTES) {
            let leftover = task.leftover().and_then(|found| match found {
                Some(partial) => partial.len().map(|len| Some((partial, len))),
                None => Ok(None),
            });
            match leftover {
                Ok(Some((partial, len))) if len > 0 && task.size.is_none_or(|size| len <= size) => {
                    let item = task.item(number, None);
                    return self.prove(session, task, item, partial, len);
                }
                Ok(_) => {}
                Err(error) => {
                    let item = task.item(number, None);
                    self.settle(task, &item, Err(error));
                    return Ok(());
                }
            }
        }
        self.fetch(session, task, 0)
    }

    /// Asks for the bytes from `offset` on; the digest will be the whole file's.
    pub(super) fn fetch(
        &mut self,
        session: &mut Session,
        task: Download,
        offset: u64,
    ) -> Result<()> {
        let goes_on = offset > 0;
        let head = RequestHead {
            verb: Some("get".into()),
            fin: true,
            path: Some(task.remote.as_str().into()),
            offset: goes_on.then_some(offset),
            digest_from: goes_on.then_some(0),
            if_etag: task
                .sink
                .as_ref()
                .filter(|_| goes_on)
                .and_then(|sink| sink.etag.clone()),
            ..RequestHead::default()
        };
        let item = task.item(task.number.unwrap_or_default(), None);
        match session.begin(head, &[]) {
            Ok(id) => self.flights.push_back(Flight {
                id,
                task,
                item,
                stage: Stage::Fetch { offset },
            }),
            Err(error) => self.settle(task, &item, Err(error)),
        }
        Ok(())
    }

    /// The first frame of the front flight's answer is here.
    fn answered(&mut self, session: &mut Session, head: &ReplyHead) -> Result<()> {
        let Some(flight) = self.flights.pop_front() else {
            return Err(Error::Protocol("an answer that was not asked for".into()));
        };
        if flight.id != head.id {
            self.flights.push_front(flight);
            return Err(Error::Protocol("an answer out of turn".into()));
        }
        let Flight {
            task, item, stage, ..
        } = flight;
        match stage {
            Stage::Prove {
                partial,
                hasher,
                len,
            } => self.proved(session, task, &item, head, (partial, hasher, len)),
            Stage::Fetch { offset } => match &head.error {
                Some(body) => {
                    self.refused(task, &item, body);
                    Ok(())
                }
                None => self.receive(session, task, item, offset, head),
            },
        }
    }

    /// The server says no, or that it cannot go on.
    pub(super) fn refused(&mut self, mut task: Download, item: &Item, body: &ErrorBody) {
        let mut body = body.clone();
        if matches!(body.code, Code::Changed | Code::BadRange)
            && let Some(sink) = task.sink.take()
        {
            if sink.is_stream() && sink.written() > 0 {
                // What went into a stream cannot be taken back.
                body.retryable = false;
                body.code = Code::Unknown;
            } else if sink.is_stream() {
                task.sink = Some(sink);
            } else {
                // The file is not the one whose beginning we have: that beginning is worth nothing.
                body.retryable = true;
            }
        }
        self.settle(task, item, Err(Error::Remote(body)));
    }

    /// A download has ended, or is left for another attempt.
    pub(super) fn settle(&mut self, mut task: Download, item: &Item, result: Result<Outcome>) {
        match result {
            Ok(outcome) => {
                self.progress += 1;
                self.context.tell(&Event::Done(item, &outcome));
                self.context.tally.done(&outcome);
            }
            Err(error) => {
                let retries = self.context.options.retries;
                let most = if error.is_integrity() {
                    retries.min(1)
                } else {
                    retries
                };
                let can_start = matches!(task.target, Target::File { .. }) || task.sink.is_some();
                if error.is_transient() && can_start && task.attempts < most {
                    task.attempts += 1;
                    self.left.push(task);
                    self.left_error = Some(error);
                } else {
                    if error.is_transient()
                        && let Some(sink) = task.sink
                    {
                        sink.keep();
                    }
                    self.context.tell(&Event::Failed(item, &error));
                    self.context.tally.failed(error);
                }
            }
        }
    }

    /// The connection broke in the middle of this one: it will be asked for again, first of all.
    pub(super) fn give_back(&mut self, mut task: Download) {
        let written = task.sink.as_ref().map_or(0, Sink::written);
        if written > task.reached {
            task.reached = written;
            self.progress += 1;
        }
        self.again.push_front(task);
    }
}

fn patience(flight: &Flight) -> Wait {
    Wait::Extra(time_to_hash(match &flight.stage {
        Stage::Prove { len, .. } => *len,
        Stage::Fetch { offset } => *offset,
    }))
}

impl Mover for Downloader<'_> {
    type Task = Download;

    fn drive(&mut self, session: &mut Session, queue: &Queue<Download>) -> Result<()> {
        if self.left_error.take().is_some() {
            self.again.extend(self.left.drain(..));
        }
        let result = self.rounds(session, queue);
        if result.is_err() {
            // Behind the one that was being received, which is in `again` already.
            let first = usize::from(!self.again.is_empty());
            let mut rest = self.again.split_off(first.min(self.again.len()));
            for flight in self.flights.drain(..) {
                if let Stage::Prove { partial, .. } = flight.stage {
                    partial.keep();
                }
                self.again.push_back(flight.task);
            }
            self.again.append(&mut rest);
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
        let tasks: Vec<_> = self.again.drain(..).chain(self.left.drain(..)).collect();
        let count = tasks.len();
        for mut task in tasks {
            let number = task.number.unwrap_or_else(|| self.context.numbers.next());
            if let Some(sink) = task.sink.take() {
                sink.keep();
            }
            self.context
                .tell(&Event::Failed(&task.item(number, None), error));
            self.context.tally.failed(error.again());
        }
        count
    }
}
