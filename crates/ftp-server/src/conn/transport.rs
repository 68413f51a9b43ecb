//! The socket calls, in one place: what is above knows neither system calls nor how bytes are wrapped.
//!
//! Never blocks (the socket is non-blocking) and never forgets readiness: all calls go through mio.

use std::io;
use std::io::{IoSlice, Read as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use ftp_store::ReadFile;
use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags};
use socket2::{SockRef, Socket, TcpKeepalive};

use super::calls::{FileSent, uninterrupted};
use super::tls::{Place, Security, Tls};

/// After so much silence the kernel asks whether the peer is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// Time between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Unanswered questions after which the connection counts as lost.
const KEEPALIVE_COUNT: u32 = 4;

/// How bytes get to the peer: as they are, or wrapped.
#[derive(Debug)]
pub(super) struct Transport {
    stream: TcpStream,
    tls: Option<Box<Tls>>,
}

/// Sets what every connection of a listener is to have: answers leave at once, dead peers are noticed.
/// On Linux an accepted socket inherits both (tcp(7)), which saves five system calls a connection.
///
/// # Errors
/// If the kernel refuses an option.
pub(crate) fn tune(listener: &Socket) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_COUNT);
    // Urgent bytes stay among the others: nobody here reads them by themselves.
    listener.set_out_of_band_inline(true)?;
    listener.set_tcp_nodelay(true)?;
    listener.set_tcp_keepalive(&keepalive)
}

impl Transport {
    /// Bytes as they are.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, tls: None }
    }

    /// The socket, for the poll.
    pub(super) fn source(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Wraps what comes and goes from now on.
    pub(super) fn wrap(&mut self, security: Arc<Security>, place: Place) -> io::Result<()> {
        self.tls = Some(Box::new(Tls::new(security, place)?));
        Ok(())
    }

    /// The wrapping with the socket beneath it.
    pub(super) fn tls(&mut self) -> Option<(&mut Tls, &TcpStream)> {
        Some((self.tls.as_deref_mut()?, &self.stream))
    }

    /// `recv(2)`. 0 is the end of the stream; under TLS one that the peer announced.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => uninterrupted(|| self.stream.read(buf)),
            Some(tls) => tls.read(buf, &self.stream),
        }
    }

    /// `sendmsg(2)` of all slices. Without `MSG_MORE` before a file range: measured, a packet of its own
    /// for the head costs less than a head glued to the file's pages.
    pub(super) fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let stream = &self.stream;
        match &mut self.tls {
            None => uninterrupted(|| {
                stream.try_io(|| {
                    let mut no_control = SendAncillaryBuffer::default();
                    let flags = SendFlags::NOSIGNAL;
                    let sent = rustix::net::sendmsg(stream, slices, &mut no_control, flags)?;
                    Ok(sent)
                })
            }),
            Some(tls) => tls.write(slices, &self.stream),
        }
    }

    /// `sendfile(2)` of at most `len` bytes (not 0) from `offset`; under TLS through memory.
    pub(super) fn send_file(&mut self, file: &ReadFile, offset: u64, len: usize) -> FileSent {
        let stream = &self.stream;
        let sent = match &mut self.tls {
            None => uninterrupted(|| {
                stream.try_io(|| {
                    let mut at = offset;
                    Ok(rustix::fs::sendfile(stream, file, Some(&mut at), len)?)
                })
            }),
            Some(tls) => return tls.send_file(file, offset, len, &self.stream),
        };
        match sent {
            Ok(0) => FileSent::Short,
            Ok(len) => FileSent::Bytes(len),
            Err(error) if is_the_sockets(&error) => FileSent::Failed(error),
            Err(error) => {
                tracing::warn!(%error, "a file that is being sent cannot be read");
                FileSent::Short
            }
        }
    }

    /// Keeps the kernel from holding more than about `bytes` that we have not read (SO_RCVBUF of socket(7)).
    pub(super) fn bound_unread(&self, bytes: usize) -> io::Result<()> {
        SockRef::from(&self.stream).set_recv_buffer_size(bytes)
    }

    /// The end will be a reset (`SO_LINGER` of socket(7)): nobody is to take what came for the whole.
    pub(super) fn reset_at_close(&self) -> io::Result<()> {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))
    }

    /// Bytes of memory that the wrapping holds.
    pub(super) fn buffered(&self) -> usize {
        self.tls.as_ref().map_or(0, |tls| tls.buffered())
    }

    /// Whether bytes that count as sent wait in the wrapping.
    pub(super) fn has_unsent(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_unsent())
    }

    /// Sends those bytes; `WouldBlock` if not all of them fit.
    pub(super) fn push(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => tls.push(&self.stream),
        }
    }

    /// Says that we send no more: `close_notify` under TLS, then `shutdown(SHUT_WR)`, never of both sides.
    pub(super) fn shutdown_write(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.close(&self.stream)?;
        }
        self.stream.shutdown(Shutdown::Write)
    }
}

/// Tells a broken socket from a broken file: `sendfile` reports both alike.
fn is_the_sockets(error: &io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| {
        [
            Errno::AGAIN,
            Errno::PIPE,
            Errno::CONNRESET,
            Errno::CONNABORTED,
            Errno::CONNREFUSED,
            Errno::NOTCONN,
            Errno::TIMEDOUT,
            Errno::HOSTUNREACH,
            Errno::HOSTDOWN,
            Errno::NETUNREACH,
            Errno::NETDOWN,
            Errno::NETRESET,
            Errno::NOBUFS,
        ]
        .contains(&errno)
    })
}
