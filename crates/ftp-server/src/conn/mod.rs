//! Floor 5: one socket. Transport, sticky readiness, inbox, outbox, the way it closes.
//!
//! Knows no protocol: bytes and file ranges go out in the order they were given, bytes come in.
//! Never blocks, never waits, and an idle connection owns no heap memory. Readiness is cleared in two
//! places only, both here: where a read and where a write would have blocked.

mod calls;
mod ephemeral;
mod inbox;
mod outbox;
mod port;
mod tls;
mod transport;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::{io, mem};

use ftp_store::ReadFile;
use mio::event::Event;
use mio::net::TcpStream;

use crate::base::Readiness;

pub(crate) use self::ephemeral::Ephemeral;
pub(crate) use self::inbox::Inbox;
use self::outbox::Outbox;
pub(crate) use self::outbox::{Flush, FlushState};
pub(crate) use self::port::{Port, Ports};
pub use self::tls::Resume;
pub(crate) use self::tls::{Place, Security};
use self::transport::Transport;
pub(crate) use self::transport::tune;

/// Most bytes that one call of [`Conn::linger`] swallows, so that a talkative peer cannot hold the loop.
const LINGER_BYTES_A_CALL: u64 = 256 * 1024;
/// Most bytes that are swallowed in all while lingering; a peer that sends more gets its reset.
const LINGER_BYTES_IN_ALL: u64 = 64 * 1024 * 1024;

/// One connected socket with all that waits to go through it.
///
/// Register [`Conn::source`] once for both interests; edges are remembered in sticky bits until a call would block.
pub(crate) struct Conn {
    /// Bytes that were read and not yet consumed.
    pub(crate) inbox: Inbox,
    outbox: Outbox,
    transport: Transport,
    ready: Readiness,
    input: Direction,
    output: Direction,
    closing: bool,
    securing: Securing,
    /// Bytes swallowed by [`Conn::linger`].
    lingered: u64,
}

/// Whether one direction of the stream still works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Open,
    /// Ended in order: the peer's end of file, or our own `shutdown`.
    Ended,
    /// The connection broke.
    Lost,
}

/// How far the connection is from being wrapped in TLS.
#[derive(Debug)]
enum Securing {
    /// It is, or it is not to be.
    No,
    /// Once so many bytes, queued before, are sent.
    After(Box<(u64, Arc<Security>, Place)>),
    /// The handshake is under way: no payload comes or goes.
    Shaking,
}

/// How far [`Conn::secure`] has come.
#[derive(Debug)]
pub(crate) enum Secure {
    /// An event will come.
    Waiting,
    /// TLS is up; the user for whom the peer's certificate stands.
    Done(Option<String>),
    /// The connection broke.
    Lost(io::Error),
}

/// What a read brought.
#[derive(Debug)]
pub(crate) enum Read {
    /// So many bytes, never 0 unless the buffer was empty.
    Bytes(usize),
    /// Nothing now; an event will come.
    Blocked,
    /// The peer sends no more. Asked again, the answer is the same.
    Eof,
    /// The connection broke.
    Lost(io::Error),
}

/// How far an orderly close has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linger {
    /// The outbox is not empty yet.
    Flushing,
    /// All is sent and we said so; the peer has not ended its side. Call again on the next event, or in
    /// the next turn if [`Conn::readable`] still holds.
    Waiting,
    /// Nothing is left to wait for: drop the connection.
    Done,
}

impl Conn {
    /// Takes over a connected socket, whose listener was given to [`tune`].
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            transport: Transport::new(stream),
            // Optimistic: the first call finds out, and saves a turn of the loop if there are bytes already.
            ready: Readiness {
                readable: true,
                writable: true,
                error: false,
            },
            input: Direction::Open,
            output: Direction::Open,
            closing: false,
            securing: Securing::No,
            lingered: 0,
        }
    }

    /// Begins to connect from an address of this machine; [`Conn::connected`] says how that went.
    ///
    /// # Errors
    /// What the system says of `socket(2)`, `bind(2)` or `connect(2)`.
    pub(crate) fn connect(from: IpAddr, to: SocketAddr) -> io::Result<Self> {
        let stream = port::connect(from, to)?;
        let mut conn = Self::new(stream);
        conn.ready = Readiness::default();
        Ok(conn)
    }

    /// Whether what [`Conn::connect`] began has come to an end, and to which.
    pub(crate) fn connected(&mut self) -> Option<io::Result<()>> {
        if !self.ready.writable {
            return None;
        }
        let stream = self.transport.source();
        match stream
            .take_error()
            .and_then(|error| error.map_or(Ok(()), Err))
        {
            Err(error) => Some(Err(error)),
            Ok(()) => match stream.peer_addr() {
                Ok(_) => {
                    self.ready.readable = true;
                    Some(Ok(()))
                }
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    self.ready.writable = false;
                    None
                }
                Err(error) => Some(Err(error)),
            },
        }
    }

    /// Our own address.
    pub(crate) fn local_addr(&mut self) -> io::Result<SocketAddr> {
        self.transport.source().local_addr()
    }

    /// Dropping it will be a reset: the peer cannot take what it got for the whole.
    pub(crate) fn reset_at_close(&self) {
        // If not even that can be had, it ends without a reset; the protocol's own words still say that it failed.
        self.transport.reset_at_close().ok();
    }

    /// Wraps the connection in TLS once what is queued now is sent. What comes before the handshake is dropped.
    pub(crate) fn start_tls(&mut self, security: Arc<Security>, place: Place) {
        self.securing = Securing::After(Box::new((self.outbox.len(), security, place)));
    }

    /// Whether TLS was asked for and is not up: no payload comes or goes.
    pub(crate) fn is_securing(&self) -> bool {
        !matches!(self.securing, Securing::No)
    }

    /// Goes on with what [`Conn::start_tls`] began.
    pub(crate) fn secure(&mut self) -> Secure {
        if let Securing::After(waits) = &self.securing
            && waits.0 == 0
        {
            // What a stranger put in before the handshake must not pass for what came within TLS.
            self.inbox.clear();
            if let Err(error) = self.transport.wrap(Arc::clone(&waits.1), waits.2) {
                self.lose();
                return Secure::Lost(error);
            }
            self.securing = Securing::Shaking;
        }
        let Securing::Shaking = self.securing else {
            return Secure::Waiting;
        };
        if !self.ready.readable && !self.ready.writable {
            return Secure::Waiting;
        }
        let Some((tls, stream)) = self.transport.tls() else {
            return Secure::Waiting;
        };
        match tls.handshake(stream) {
            Ok(user) => {
                self.securing = Securing::No;
                Secure::Done(user)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Secure::Waiting,
            Err(error) => {
                self.lose();
                Secure::Lost(error)
            }
        }
    }

    /// The socket, to be registered and deregistered.
    pub(crate) fn source(&mut self) -> &mut TcpStream {
        self.transport.source()
    }

    /// Remembers what an event said. Does nothing else.
    pub(crate) fn mark(&mut self, event: &Event) {
        self.ready.mark(event);
        // An error shows itself at the next read or write, whichever comes first.
        if mem::take(&mut self.ready.error) {
            self.ready.readable = true;
            self.ready.writable = true;
        }
    }

    /// Whether a read may bring something new. Never after the end of the stream.
    pub(crate) fn readable(&self) -> bool {
        self.ready.readable && self.input == Direction::Open
    }

    /// Whether a write may get through.
    pub(crate) fn writable(&self) -> bool {
        self.ready.writable && self.output == Direction::Open
    }

    /// Reads once into `buf`, past the inbox. Asks nothing of a kernel that was empty and has not said
    /// otherwise since.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> Read {
        if self.input != Direction::Open {
            return Read::Eof;
        }
        if buf.is_empty() {
            return Read::Bytes(0);
        }
        if !self.ready.readable {
            return Read::Blocked;
        }
        match self.transport.read(buf) {
            Ok(0) => {
                self.input = Direction::Ended;
                Read::Eof
            }
            Ok(len) => Read::Bytes(len),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                self.ready.readable = false;
                Read::Blocked
            }
            Err(err) => {
                self.lose();
                Read::Lost(err)
            }
        }
    }

    /// From a peer on this machine the kernel takes tens of MiB ahead of us, which are sent in vain if we die.
    /// Such a path needs no window to speak of.
    pub(crate) fn bound_unread(&self, bytes: usize) {
        // Only a matter of speed.
        self.transport.bound_unread(bytes).ok();
    }

    /// Queues bytes. Small ones join what is queued before them.
    pub(crate) fn send(&mut self, bytes: Vec<u8>) {
        if self.output == Direction::Open {
            self.outbox.push_bytes(bytes);
        }
    }

    /// Queues a range of a file. If the file turns out to be shorter, the rest goes out as zeros and
    /// [`Flush::short`] names `tag`.
    pub(crate) fn send_file(&mut self, file: Arc<ReadFile>, tag: u64, offset: u64, len: u64) {
        if self.output == Direction::Open {
            self.outbox.push_file(file, tag, offset, len);
        }
    }

    /// Bytes that wait to be sent, those of file ranges included.
    pub(crate) fn queued(&self) -> u64 {
        self.outbox.len()
    }

    /// Whether anything waits to be sent.
    pub(crate) fn has_queued(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Bytes that wait to be sent and are held in memory.
    pub(crate) fn queued_memory(&self) -> usize {
        self.outbox.memory() + self.transport.buffered()
    }

    /// Sends what the kernel takes, at most `budget` bytes. Asks nothing of a kernel that was full and has not
    /// said otherwise since.
    pub(crate) fn flush(&mut self, budget: u64) -> Flush {
        let budget = match &self.securing {
            Securing::No => budget,
            Securing::After(waits) => budget.min(waits.0),
            // Nobody is there who could be told anything.
            Securing::Shaking if self.closing => {
                self.lose();
                let why = "it ended before the TLS handshake was done";
                return Flush {
                    lost: Some(io::Error::new(io::ErrorKind::TimedOut, why)),
                    ..Flush::nothing(FlushState::Empty)
                };
            }
            Securing::Shaking => return Flush::nothing(FlushState::Blocked),
        };
        let idle = self.outbox.is_empty() && !self.transport.has_unsent();
        if !idle && !self.writable() {
            return Flush::nothing(FlushState::Blocked);
        }
        let mut flush = self.outbox.flush(&mut self.transport, budget);
        if flush.state == FlushState::Empty && self.transport.has_unsent() {
            match self.transport.push() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    flush.state = FlushState::Blocked;
                }
                Err(error) => flush.lost = Some(error),
            }
        }
        if let Securing::After(waits) = &mut self.securing {
            waits.0 = waits.0.saturating_sub(flush.bytes);
        }
        if flush.state == FlushState::Blocked {
            self.ready.writable = false;
        }
        if flush.lost.is_some() {
            self.lose();
        }
        flush
    }

    /// Nothing more will be queued: [`Conn::linger`] may end the stream once all is sent.
    pub(crate) fn close_after_flush(&mut self) {
        self.closing = true;
    }

    /// Whether [`Conn::close_after_flush`] was called.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Goes on closing: once the outbox is empty ends our side, then swallows what still comes, because
    /// unread bytes would turn the close into a reset, and a reset destroys the last answer on its way.
    ///
    /// `scratch` is overwritten. To be called only after [`Conn::close_after_flush`].
    pub(crate) fn linger(&mut self, scratch: &mut [u8]) -> Linger {
        debug_assert!(
            self.closing,
            "linger belongs to a connection that is closing"
        );
        if self.output == Direction::Open {
            if !self.outbox.is_empty() {
                return Linger::Flushing;
            }
            match self.transport.shutdown_write() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready.writable = false;
                    return Linger::Flushing;
                }
                Err(_) => {
                    self.lose();
                    return Linger::Done;
                }
            }
            self.output = Direction::Ended;
        }
        self.inbox.clear();
        let mut swallowed = 0;
        while swallowed < LINGER_BYTES_A_CALL && self.lingered < LINGER_BYTES_IN_ALL {
            match self.read(scratch) {
                // An empty scratch can swallow nothing; waiting for more would be for ever.
                Read::Bytes(0) | Read::Eof | Read::Lost(_) => return Linger::Done,
                Read::Blocked => return Linger::Waiting,
                Read::Bytes(len) => {
                    let len = u64::try_from(len).unwrap_or(u64::MAX);
                    swallowed = swallowed.saturating_add(len);
                    self.lingered = self.lingered.saturating_add(len);
                }
            }
        }
        if self.lingered < LINGER_BYTES_IN_ALL {
            Linger::Waiting
        } else {
            Linger::Done
        }
    }

    /// The connection is broken: nothing that is queued can ever arrive.
    fn lose(&mut self) {
        self.input = Direction::Lost;
        self.output = Direction::Lost;
        self.outbox = Outbox::default();
    }
}
