//! One of several streams of a large file: takes parts from the plan, and writes each where it belongs.

use std::collections::VecDeque;

use ftp_proto::VPath;
use ftp_proto::wire::{Code, ReplyHead, RequestHead};

use super::plan::{Part, Plan};
use crate::error::{Error, Result};
use crate::hash::time_to_hash;
use crate::local::Partial;
use crate::net::Wait;
use crate::retry::Backoff;
use crate::session::Session;
use crate::transfer::{Context, Take};

/// Bytes that are received, written and hashed at once.
const READ_BYTES: usize = 256 * 1024;

/// What all streams of one file share.
pub(super) struct Shared<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) plan: &'a Plan<'a>,
    pub(super) partial: &'a Partial,
    pub(super) remote: &'a VPath,
    pub(super) size: u64,
    /// The state of the file that every part must belong to.
    pub(super) etag: &'a str,
}

/// One stream.
pub(super) struct Stream<'a> {
    shared: &'a Shared<'a>,
    /// Asked and not answered, in order.
    asked: VecDeque<(u64, Part)>,
    buffer: Vec<u8>,
    /// Bytes received so far.
    progress: u64,
}

impl<'a> Stream<'a> {
    pub(super) fn new(shared: &'a Shared<'a>) -> Self {
        Self {
            shared,
            asked: VecDeque::new(),
            buffer: vec![0; READ_BYTES],
            progress: 0,
        }
    }

    /// Works until nothing is left to be fetched, connecting anew where the connection breaks.
    /// Gives the connection back if it is still good.
    pub(super) fn run(mut self, first: Option<Session>) -> Option<Session> {
        let Shared { context, plan, .. } = *self.shared;
        let mut session = first;
        let mut backoff = Backoff::new(context.options.retries);
        let mut achieved = 0;
        loop {
            let error = match self.attempt(&mut session) {
                Ok(()) => return session.filter(Session::is_good),
                Err(error) => error,
            };
            session = None;
            for (_, part) in self.asked.drain(..).rev() {
                plan.give_back(part);
            }
            let other_file = matches!(error.code(), Some(Code::Changed | Code::BadRange));
            if !error.is_transient() || other_file {
                plan.fail(error);
                return None;
            }
            if self.progress > achieved {
                achieved = self.progress;
                backoff.reset();
            }
            if let Err(error) = context.pause(&mut backoff, error) {
                plan.leave(error);
                return None;
            }
        }
    }

    fn attempt(&mut self, session: &mut Option<Session>) -> Result<()> {
        let Shared { context, plan, .. } = *self.shared;
        let mut live = match session.take() {
            Some(live) => live,
            None => {
                // No connection before there is something to carry.
                match plan.take(true)? {
                    Take::Item(part) => plan.give_back(part),
                    Take::Later | Take::Done => return Ok(()),
                }
                Session::connect(context.options, context.cancel)?
            }
        };
        let result = self.parts(&mut live);
        context.note_met(&live);
        *session = Some(live);
        result
    }

    fn parts(&mut self, session: &mut Session) -> Result<()> {
        loop {
            // The next part's bytes follow the last one's without a pause.
            while self.asked.len() < self.shared.plan.ahead() && session.has_room() {
                match self.shared.plan.take(self.asked.is_empty())? {
                    Take::Item(part) => self.ask(session, part)?,
                    Take::Later => break,
                    Take::Done if self.asked.is_empty() => return Ok(()),
                    Take::Done => break,
                }
            }
            let hashed = self
                .asked
                .front()
                .map_or(0, |(_, part)| part.at - part.start);
            let wait = Wait::Extra(time_to_hash(hashed));
            let head = session.frame(wait)?.unwrap_or_default();
            self.receive(session, head)?;
        }
    }

    fn ask(&mut self, session: &mut Session, part: Part) -> Result<()> {
        let head = RequestHead {
            verb: Some("get".into()),
            fin: true,
            path: Some(self.shared.remote.as_str().into()),
            offset: Some(part.at),
            length: Some(part.end - part.at),
            digest_from: Some(part.start),
            if_etag: Some(self.shared.etag.into()),
            ..RequestHead::default()
        };
        match session.begin(head, &[]) {
            Ok(id) => {
                self.asked.push_back((id, part));
                Ok(())
            }
            Err(error) => {
                self.shared.plan.give_back(part);
                Err(error)
            }
        }
    }

    /// Takes the whole answer to the front part, of which `head` is the first frame.
    fn receive(&mut self, session: &mut Session, mut head: ReplyHead) -> Result<()> {
        let Self {
            shared,
            asked,
            buffer,
            progress,
        } = self;
        let wrong = || Error::Protocol("the answer to `get` contradicts itself".into());
        let (_, part) = asked.front_mut().ok_or_else(wrong)?;
        let announced = (head.size, head.offset, head.length);
        let expected = (Some(shared.size), Some(part.at), Some(part.end - part.at));
        if head.error.is_none() && announced != expected {
            return Err(wrong());
        }
        loop {
            if let Some(body) = head.error {
                return Err(Error::Remote(body));
            }
            if head.len > part.end - part.at {
                return Err(Error::Protocol(
                    "the server sends more than it announced".into(),
                ));
            }
            let mut rest = usize::try_from(head.len).unwrap_or(usize::MAX);
            while rest > 0 {
                let most = rest.min(buffer.len());
                let out = buffer.get_mut(..most).unwrap_or_default();
                session.payload(out)?;
                shared.partial.write_at(out, part.at)?;
                part.hasher.update(out);
                part.at += most as u64;
                *progress += most as u64;
                rest -= most;
            }
            shared.plan.moved(head.len);
            if head.fin {
                break;
            }
            let next = session.frame(Wait::USUAL)?.unwrap_or_default();
            if next.len == 0 && !next.fin && next.error.is_none() {
                return Err(Error::Protocol("an empty frame in a file".into()));
            }
            head = next;
        }
        if let Some((_, part)) = asked.pop_front() {
            judge(shared, part, &head)?;
        }
        Ok(())
    }
}

/// All bytes of a part are said to be here.
fn judge(shared: &Shared<'_>, mut part: Part, last: &ReplyHead) -> Result<()> {
    let Some(theirs) = last.sha256 else {
        shared.plan.give_back(part);
        return Err(Error::Protocol("a part came without its digest".into()));
    };
    let ours = std::mem::take(&mut part.hasher).finish();
    if part.at == part.end && ours == theirs {
        shared.plan.verified(&part);
    } else {
        let error = Error::Integrity(format!(
            "the bytes from {} to {} have SHA-256 {ours}, but the server says {theirs}",
            part.start, part.end
        ));
        shared.plan.wrong(part, error);
    }
    Ok(())
}
