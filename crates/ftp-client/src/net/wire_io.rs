//! `Wire`: frames over one socket, both directions in one thread, every wait bounded.
//!
//! While it sends it reads (into a bounded inbox), while it waits for an answer it sends: two peers that
//! both pipeline can never wait for each other. It never waits without watching the cancel switch.

use std::io;
use std::time::{Duration, Instant};

use ftp_proto::wire::frame::{self, Split};
use ftp_proto::wire::{ReplyHead, RequestHead};
use rustix::event::{PollFd, PollFlags, poll};

use super::block::Block;
use super::inbox::{INBOX_BYTES, Inbox};
use super::outbox::Outbox;
use super::stranger;
use super::tls::is_refusal;
use super::transport::Transport;
use crate::cancel::{Cancel, timespec};
use crate::error::{Error, Result, plain};

/// Longest header, in either direction.
const HEADER_BYTES: u32 = 64 * 1024;
/// Bytes thrown away at once at most.
const SKIP_BYTES: u64 = 1024 * 1024;

/// How long to wait for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Only what is there already.
    No,
    /// As long as something moves, and this much longer than the usual patience where the server has much to do.
    Extra(Duration),
}

impl Wait {
    /// The usual patience.
    pub(crate) const USUAL: Self = Self::Extra(Duration::ZERO);
}

/// One connection, seen as frames.
#[derive(Debug)]
pub(crate) struct Wire {
    transport: Transport,
    inbox: Inbox,
    outbox: Outbox,
    /// Longest time without a byte moved.
    patience: Duration,
    cancel: Cancel,
    /// Why nothing more will be read.
    ended: Option<String>,
    /// Why nothing more can be written; what came before is still read.
    broken: Option<String>,
    /// The server does not accept our certificate.
    refused: bool,
    /// Payload comes in large pieces: read heads alone, so that payload is not copied.
    bulk: bool,
    /// It has sent a frame: it is a server of ours.
    known: bool,
}

impl Wire {
    pub(crate) fn new(transport: Transport, patience: Duration, cancel: Cancel) -> Self {
        Self {
            transport,
            inbox: Inbox::new(),
            outbox: Outbox::default(),
            patience,
            cancel,
            ended: None,
            broken: None,
            refused: false,
            bulk: false,
            known: false,
        }
    }

    /// Bytes that wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.outbox.queued()
    }

    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Queues a frame whose payload is small (or none); `head.len` must be the payload's length.
    ///
    /// # Errors
    /// [`Error::Usage`] if the header would be too long for the protocol.
    pub(crate) fn queue(&mut self, head: &RequestHead, payload: &[u8]) -> Result<()> {
        self.outbox
            .append(|out| {
                frame::encode(head, HEADER_BYTES, out)?;
                out.extend_from_slice(payload);
                Ok(())
            })
            .map_err(|error: frame::FrameError| Error::Usage(error.to_string()))
    }

    /// Queues a frame whose payload is a block; `head.len` must be the block's length.
    ///
    /// # Errors
    /// As [`Wire::queue`].
    pub(crate) fn queue_block(&mut self, head: &RequestHead, block: Block) -> Result<()> {
        self.queue(head, &[])?;
        self.outbox.push(block);
        Ok(())
    }

    /// Sends and reads what goes without waiting. What went wrong shows when the next head is asked for.
    pub(crate) fn pump(&mut self) {
        self.flush();
        self.fill();
    }

    /// Waits until at most `bytes` are queued.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::Interrupted`]. A broken connection is no error here: the next head tells.
    pub(crate) fn flush_below(&mut self, bytes: usize) -> Result<()> {
        let mut since = Instant::now();
        loop {
            if self.flush() > 0 {
                since = Instant::now();
            }
            if self.outbox.queued() <= bytes || self.ended.is_some() {
                return Ok(());
            }
            self.fill();
            if self.outbox.queued() > bytes {
                self.wait(since, Duration::ZERO)?;
            }
        }
    }

    /// The next frame's header. Its payload must be taken before the next call.
    ///
    /// # Errors
    /// [`Error::Lost`], [`Error::TimedOut`], [`Error::Interrupted`], [`Error::Protocol`].
    pub(crate) fn head(&mut self, wait: Wait) -> Result<Option<ReplyHead>> {
        let mut since = Instant::now();
        loop {
            if let Some(head) = self.parse()? {
                return Ok(Some(head));
            }
            // Bytes of a header do not prolong the patience: a header by drops is a stall.
            if self.flush() > 0 {
                since = Instant::now();
            }
            if self.fill() > 0 {
                continue;
            }
            if self.refused {
                return Err(Error::Untrusted {
                    server: "the server".into(),
                    why: "it did not accept our certificate".into(),
                });
            }
            if let Some(why) = &self.ended {
                return Err(Error::Lost(self.broken.as_ref().unwrap_or(why).clone()));
            }
            match wait {
                Wait::No => {
                    self.cancel.check()?;
                    return Ok(None);
                }
                Wait::Extra(extra) => self.wait(since, extra)?,
            }
        }
    }

    /// Fills `out` with payload.
    ///
    /// # Errors
    /// [`Error::Lost`], [`Error::TimedOut`], [`Error::Interrupted`].
    pub(crate) fn payload(&mut self, out: &mut [u8]) -> Result<()> {
        self.bulk = out.len() >= INBOX_BYTES;
        let mut filled = self.inbox.take(out);
        while let Some(rest) = out.get_mut(filled..)
            && !rest.is_empty()
        {
            filled += self.moved(|transport| transport.read(rest))?;
        }
        Ok(())
    }

    /// Throws `count` bytes of payload away.
    ///
    /// # Errors
    /// As [`Wire::payload`].
    pub(crate) fn discard(&mut self, mut count: u64) -> Result<()> {
        self.bulk = count >= INBOX_BYTES as u64;
        count -= self.inbox.skip(count);
        // Nothing is written into it: its pages are never made.
        let most = count.min(SKIP_BYTES);
        let mut scratch = vec![0; usize::try_from(most).unwrap_or_default()];
        while count > 0 {
            let most = usize::try_from(count)
                .unwrap_or(usize::MAX)
                .min(scratch.len());
            let out = scratch.get_mut(..most).unwrap_or_default();
            count -= self.moved(|transport| transport.skip(out))? as u64;
        }
        Ok(())
    }

    /// Waits until `read` gives something; how many bytes.
    fn moved(
        &mut self,
        mut read: impl FnMut(&mut Transport) -> io::Result<usize>,
    ) -> Result<usize> {
        let mut since = Instant::now();
        loop {
            self.cancel.check()?;
            match read(&mut self.transport) {
                Ok(0) => return Err(Error::Lost(CLOSED_INSIDE.into())),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.flush() > 0 {
                        since = Instant::now();
                    }
                    self.wait(since, Duration::ZERO)?;
                }
                Err(error) => return Err(Error::Lost(lost(&error))),
            }
        }
    }

    fn parse(&mut self) -> Result<Option<ReplyHead>> {
        match frame::split(self.inbox.pending(), HEADER_BYTES) {
            Split::NeedMore => Ok(None),
            Split::BadLength(len) => {
                let stranger = stranger::recognise(self.inbox.pending());
                Err(Error::Protocol(
                    stranger.filter(|_| !self.known).unwrap_or_else(|| {
                        format!(
                            "the server sent a header of {len} bytes; {HEADER_BYTES} is the most"
                        )
                    }),
                ))
            }
            Split::Head { json, consumed } => {
                let head = frame::decode(json)
                    .map_err(|error| Error::Protocol(format!("the server's answer: {error}")))?;
                self.inbox.consume(consumed);
                self.known = true;
                Ok(Some(head))
            }
        }
    }

    /// Sends what the socket takes; returns how much.
    fn flush(&mut self) -> usize {
        let mut total = 0;
        while self.outbox.queued() > 0 {
            match self.outbox.flush(&mut self.transport) {
                Ok(count) => total += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    // The reason may still be on its way to us: go on reading.
                    self.broken = Some(lost(&error));
                    self.outbox.clear();
                }
            }
        }
        if let Err(error) = self.transport.push()
            && error.kind() != io::ErrorKind::WouldBlock
        {
            self.broken = Some(lost(&error));
        }
        if self.broken.is_some() {
            self.outbox.clear();
        }
        total
    }

    /// Reads what is there into the inbox, once; returns how much.
    fn fill(&mut self) -> usize {
        if self.ended.is_some() || self.inbox.is_full() {
            return 0;
        }
        let most = if self.bulk { 1024 } else { INBOX_BYTES };
        match self.transport.read(self.inbox.spare(most)) {
            Ok(0) => {
                let inside = !self.inbox.pending().is_empty();
                self.ended = Some(if inside { CLOSED_INSIDE } else { CLOSED }.into());
                0
            }
            Ok(count) => {
                self.inbox.grow(count);
                count
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => {
                self.refused |= is_refusal(&error);
                self.ended = Some(lost(&error));
                0
            }
        }
    }

    /// Waits until the socket can do something we want, or patience, counted from `since`, is over.
    fn wait(&self, since: Instant, extra: Duration) -> Result<()> {
        self.cancel.check()?;
        let patience = self.patience.saturating_add(extra);
        let Some(left) = patience.checked_sub(since.elapsed()) else {
            return Err(Error::TimedOut(format!(
                "nothing moved for {} s",
                patience.as_secs_f32().ceil()
            )));
        };
        let mut events = PollFlags::empty();
        if !self.inbox.is_full() {
            events |= PollFlags::IN;
        }
        if self.outbox.queued() > 0 || self.transport.has_unsent() {
            events |= PollFlags::OUT;
        }
        let (socket, waker) = (self.transport.fd(), self.cancel.fd());
        let mut fds = [
            PollFd::new(&socket, events),
            PollFd::new(&waker, PollFlags::IN),
        ];
        match poll(&mut fds, Some(&timespec(left))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => self.cancel.check(),
            Err(errno) => Err(Error::local("poll", errno)),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.transport.finish();
    }
}

const CLOSED: &str = "the server closed the connection";
const CLOSED_INSIDE: &str = "the server closed the connection in the middle of an answer";

fn lost(error: &io::Error) -> String {
    format!("the connection broke: {}", plain(error))
}

#[cfg(test)]
#[path = "wire_io_tests.rs"]
mod tests;
