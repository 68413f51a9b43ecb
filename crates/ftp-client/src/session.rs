//! `Session`: requests and their answers over one connection, in order, pipelined within the server's limits.
//!
//! It knows ids, `hello` and what an answer's frame may look like; what a verb means is for those above.
//! `hello`, and `login` where there is one, leave together with the first request: nobody waits for their answers alone.

use std::collections::VecDeque;
use std::time::Duration;

use ftp_proto::Durability;
use ftp_proto::wire::{LoginWanted, ReplyHead, RequestHead, VERSION};

use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::net::{Block, Login, Transport, Wait, Wire, connect};
use crate::options::Options;

/// Most payload bytes in a frame that we take; told in `hello`.
pub(crate) const CHUNK_BYTES: u32 = 1024 * 1024;
/// What we send before the server has told its own limits.
const FIRST_CHUNK: usize = 64 * 1024;
const FIRST_PIPELINE: usize = 8;
/// Requests ahead of their answers at most, whatever the server would allow.
const MOST_PIPELINE: usize = 256;

/// What the server said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Its name and version, as free text (not escaped).
    pub server: String,
    /// Words for what it can do.
    pub features: Vec<String>,
    /// How safe an upload is when it is answered.
    pub durability: Durability,
    /// Most payload bytes it takes in a frame.
    pub chunk: usize,
    /// Most requests it takes ahead of their answers.
    pub pipeline: usize,
    /// Most payload bytes of a `ping`.
    pub ping: usize,
    /// Whether it takes no writes.
    pub read_only: bool,
    /// Whether it wants to know who asks; `None`: it has no users, or knows already.
    pub login: Option<LoginWanted>,
}

/// Requests and answers over one connection.
#[derive(Debug)]
pub(crate) struct Session {
    wire: Wire,
    next_id: u64,
    /// Requests whose last frame of answer has not come, in order.
    awaiting: VecDeque<u64>,
    hello_id: u64,
    hello: Option<Hello>,
    /// Who logs in, and the request that does.
    login: Option<(u64, Login)>,
    /// Whom the server knows us as.
    user: Option<String>,
    /// Payload of the last frame that was not taken.
    unread: u64,
    /// Nothing has gone wrong that ends the connection.
    good: bool,
}

impl Session {
    /// Connects and queues `hello` and `login`.
    ///
    /// # Errors
    /// As `net::connect` and [`Login::request`].
    pub(crate) fn connect(options: &Options, cancel: &Cancel) -> Result<Self> {
        let transport = connect(options, cancel)?;
        let Some(login) = &options.login else {
            return Self::over(transport, options.timeout, cancel);
        };
        let head = login.request(&options.server, &transport)?;
        let mut session = Self::over(transport, options.timeout, cancel)?;
        let id = session.begin(head, &[])?;
        session.login = Some((id, login.clone()));
        Ok(session)
    }

    /// The same over a connection that is there already.
    ///
    /// # Errors
    /// None that can be met: the header of `hello` is short.
    pub(crate) fn over(transport: Transport, patience: Duration, cancel: &Cancel) -> Result<Self> {
        let mut session = Self {
            wire: Wire::new(transport, patience, cancel.clone()),
            next_id: 1,
            awaiting: VecDeque::new(),
            hello_id: 0,
            hello: None,
            login: None,
            user: None,
            unread: 0,
            good: true,
        };
        session.hello_id = session.begin(
            RequestHead {
                verb: Some("hello".into()),
                fin: true,
                version: Some(VERSION),
                client: Some(concat!("ftp-client/", env!("CARGO_PKG_VERSION")).into()),
                chunk: Some(CHUNK_BYTES),
                ..RequestHead::default()
            },
            &[],
        )?;
        Ok(session)
    }

    /// What the server said of itself, once it has.
    pub(crate) fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// Waits for the server's `hello`. Only useful while nothing else is awaited.
    ///
    /// # Errors
    /// As [`Session::frame`].
    pub(crate) fn greet(&mut self) -> Result<()> {
        while self.hello.is_none() {
            self.next_frame(Wait::USUAL)?;
        }
        Ok(())
    }

    /// Waits until the server knows us; as whom. Only useful while nothing else is awaited.
    ///
    /// # Errors
    /// As [`Session::frame`]; [`Error::Remote`] if it did not let us in.
    pub(crate) fn admitted(&mut self) -> Result<Option<&str>> {
        self.greet()?;
        while self.login.is_some() && self.user.is_none() {
            self.next_frame(Wait::USUAL)?;
        }
        Ok(self.user.as_deref())
    }

    /// Most payload bytes to send in a frame.
    pub(crate) fn chunk(&self) -> usize {
        self.hello.as_ref().map_or(FIRST_CHUNK, |hello| hello.chunk)
    }

    /// Whether one more request may be sent now.
    pub(crate) fn has_room(&self) -> bool {
        let most = self
            .hello
            .as_ref()
            .map_or(FIRST_PIPELINE, |hello| hello.pipeline);
        self.awaiting.len() < most
    }

    /// Bytes that wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.wire.queued()
    }

    /// Whether the connection can carry more requests.
    pub(crate) fn is_good(&self) -> bool {
        self.good
    }

    pub(crate) fn cancel(&self) -> &Cancel {
        self.wire.cancel()
    }

    /// Queues the first frame of a request; returns its id.
    ///
    /// # Errors
    /// [`Error::Usage`] if a path makes the header too long.
    pub(crate) fn begin(&mut self, head: RequestHead, payload: &[u8]) -> Result<u64> {
        let id = self.next_id;
        let head = RequestHead {
            id,
            len: payload.len() as u64,
            ..head
        };
        self.wire.queue(&head, payload)?;
        self.next_id += 1;
        self.awaiting.push_back(id);
        Ok(id)
    }

    /// Queues a further frame of the request `head.id`.
    ///
    /// # Errors
    /// None that can be met: such headers are short.
    pub(crate) fn go_on(&mut self, head: RequestHead, block: Option<Block>) -> Result<()> {
        match block {
            Some(block) => self.wire.queue_block(
                &RequestHead {
                    len: block.len() as u64,
                    ..head
                },
                block,
            ),
            None => self.wire.queue(&head, &[]),
        }
    }

    /// Breaks a request off; its answer, if it has not come, will be `aborted`.
    ///
    /// # Errors
    /// None that can be met.
    pub(crate) fn abort(&mut self, id: u64) -> Result<()> {
        let head = RequestHead {
            id,
            verb: Some("abort".into()),
            fin: true,
            ..RequestHead::default()
        };
        self.wire.queue(&head, &[])
    }

    /// Sends and reads what goes without waiting.
    pub(crate) fn pump(&mut self) {
        self.wire.pump();
    }

    /// Waits until at most `bytes` are queued.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::Interrupted`].
    pub(crate) fn flush_below(&mut self, bytes: usize) -> Result<()> {
        self.wire.flush_below(bytes)
    }

    /// The next frame of answers; `id` says whose. Its payload is to be taken with [`Session::payload`];
    /// what is not taken is thrown away. An error of the server for a request is a frame, not an `Err`.
    ///
    /// # Errors
    /// What ends the connection: [`Error::Lost`], [`Error::TimedOut`], [`Error::Interrupted`],
    /// [`Error::Protocol`], and [`Error::Remote`] for an error that belongs to no request.
    pub(crate) fn frame(&mut self, wait: Wait) -> Result<Option<ReplyHead>> {
        loop {
            match self.next_frame(wait)? {
                Some(head) if head.id == self.hello_id || self.is_login(head.id) => {}
                other => return Ok(other),
            }
        }
    }

    /// The one frame that answers the only request under way.
    ///
    /// # Errors
    /// As [`Session::frame`], and [`Error::Remote`] for the server's refusal.
    pub(crate) fn answer(&mut self, id: u64, wait: Wait) -> Result<ReplyHead> {
        let head = self.frame(wait)?.unwrap_or_default();
        if head.id != id || !(head.fin || head.error.is_some()) {
            self.good = false;
            return Err(Error::Protocol(
                "an answer of one frame was expected".into(),
            ));
        }
        match head.error {
            Some(body) => Err(Error::Remote(body)),
            None => Ok(head),
        }
    }

    /// Fills `out` with payload of the last frame.
    ///
    /// # Errors
    /// [`Error::Lost`], [`Error::TimedOut`], [`Error::Interrupted`]; [`Error::Protocol`] if there is less.
    pub(crate) fn payload(&mut self, out: &mut [u8]) -> Result<()> {
        let Some(rest) = self.unread.checked_sub(out.len() as u64) else {
            return Err(Error::Protocol("a frame is shorter than was said".into()));
        };
        self.unread = rest;
        let result = self.wire.payload(out);
        self.good &= result.is_ok();
        result
    }

    /// Throws `count` bytes of payload of the last frame away, by the cheapest way there is.
    ///
    /// # Errors
    /// As [`Session::payload`].
    pub(crate) fn skip(&mut self, count: u64) -> Result<()> {
        let Some(rest) = self.unread.checked_sub(count) else {
            return Err(Error::Protocol("a frame is shorter than was said".into()));
        };
        self.unread = rest;
        let result = self.wire.discard(count);
        self.good &= result.is_ok();
        result
    }

    /// All payload of the last frame.
    ///
    /// # Errors
    /// As [`Session::payload`].
    pub(crate) fn whole_payload(&mut self) -> Result<Vec<u8>> {
        // Never more than CHUNK_BYTES: `raw_frame` has checked it.
        let mut out = vec![0; usize::try_from(self.unread).unwrap_or(0)];
        self.payload(&mut out)?;
        Ok(out)
    }

    fn next_frame(&mut self, wait: Wait) -> Result<Option<ReplyHead>> {
        let result = self.raw_frame(wait);
        self.good &= result.is_ok();
        result
    }

    fn raw_frame(&mut self, wait: Wait) -> Result<Option<ReplyHead>> {
        if self.unread > 0 {
            let rest = std::mem::take(&mut self.unread);
            self.wire.discard(rest)?;
        }
        let Some(head) = self.wire.head(wait)? else {
            return Ok(None);
        };
        if head.len > u64::from(CHUNK_BYTES) {
            return Err(Error::Protocol(format!(
                "the server sent {} bytes in a frame; {CHUNK_BYTES} is the most we take",
                head.len
            )));
        }
        if head.id == 0 {
            return Err(head.error.map_or_else(
                || Error::Protocol("a frame of no request, and no error".into()),
                Error::Remote,
            ));
        }
        if self.awaiting.front() != Some(&head.id) {
            return Err(Error::Protocol(format!(
                "an answer to request {} came out of turn",
                head.id
            )));
        }
        self.unread = head.len;
        if head.fin || head.error.is_some() {
            self.awaiting.pop_front();
        }
        if head.id == self.hello_id {
            self.learn(&head)?;
        } else if self.is_login(head.id) {
            self.enter(&head)?;
        }
        Ok(Some(head))
    }

    fn is_login(&self, id: u64) -> bool {
        self.login.as_ref().is_some_and(|(login, _)| *login == id)
    }

    /// Takes the answer to `login`. Without it nothing over this connection would be answered as was meant.
    fn enter(&mut self, head: &ReplyHead) -> Result<()> {
        let Some((_, login)) = &self.login else {
            return Ok(());
        };
        if let Some(body) = &head.error {
            let wanted = self.hello.as_ref().and_then(|hello| hello.login);
            return Err(login.refused(body.clone(), wanted));
        }
        if !head.fin {
            return Err(Error::Protocol("a `login` without an end".into()));
        }
        let user = head.user.clone();
        self.user = Some(user.unwrap_or_else(|| login.user().to_owned()));
        Ok(())
    }

    fn learn(&mut self, head: &ReplyHead) -> Result<()> {
        if let Some(body) = &head.error {
            return Err(Error::Remote(body.clone()));
        }
        if !head.fin {
            return Err(Error::Protocol("a `hello` without an end".into()));
        }
        if head.version != Some(VERSION) {
            return Err(Error::Protocol(format!(
                "the server speaks version {:?}, we speak {VERSION}",
                head.version
            )));
        }
        let limits = head.limits.ok_or_else(|| {
            Error::Protocol("the server's `hello` does not tell its limits".into())
        })?;
        self.hello = Some(Hello {
            server: head.server.clone().unwrap_or_default(),
            features: head.features.clone(),
            durability: head.durability.unwrap_or(Durability::None),
            chunk: (limits.chunk as usize).clamp(1, CHUNK_BYTES as usize),
            pipeline: (limits.pipeline as usize).clamp(1, MOST_PIPELINE),
            ping: limits.ping as usize,
            read_only: head.read_only,
            login: head.login,
        });
        Ok(())
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
