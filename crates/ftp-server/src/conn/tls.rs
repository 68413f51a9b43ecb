//! TLS over one socket: the handshake, then records where plain bytes would be.
//!
//! Knows no protocol and no file of certificates: what to show comes from an [`Acceptor`]. Never blocks, and an
//! idle connection holds no buffer.

use std::fmt;
use std::io::{self, IoSlice, Read as _};
use std::net::Shutdown;
use std::sync::Arc;

use ftp_store::ReadFile;
use ftp_tls::{Acceptor, Engine, NotTls, Socket};
use mio::net::TcpStream;
use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SendFlags};

use super::transport::{FileSent, uninterrupted};

/// Bytes of a file that are encrypted at once: four full records.
const FILE_BYTES: usize = 64 * 1024;
/// Most bytes that are read from a peer that does not speak TLS, so that it hears why it is turned away.
const PLAIN_BYTES: usize = 64 * 1024;

/// What the connections of a listener are wrapped in.
pub(crate) struct Security {
    acceptor: Arc<Acceptor>,
    /// What a peer is told, as plain bytes, that does not speak TLS.
    to_plain: Vec<u8>,
}

impl Security {
    /// Shows what `acceptor` holds, and tells `to_plain` to those who speak no TLS.
    pub(crate) fn new(acceptor: Arc<Acceptor>, to_plain: Vec<u8>) -> Self {
        Self { acceptor, to_plain }
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.acceptor.fmt(f)
    }
}

/// One wrapped connection.
#[derive(Debug)]
pub(super) struct Tls {
    engine: Engine,
    security: Arc<Security>,
}

/// The socket beneath, as the engine wants it.
struct Raw<'a>(&'a TcpStream);

impl Socket for Raw<'_> {
    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        uninterrupted(|| {
            self.0.try_io(|| {
                let (_, len) = rustix::net::recv(self.0, spare_capacity(into), RecvFlags::empty())?;
                Ok(len)
            })
        })
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        uninterrupted(|| {
            self.0
                .try_io(|| Ok(rustix::net::send(self.0, bytes, SendFlags::NOSIGNAL)?))
        })
    }
}

impl Tls {
    /// A handshake that has not begun, with what the acceptor shows now.
    pub(super) fn new(security: Arc<Security>) -> io::Result<Self> {
        Ok(Self {
            engine: Engine::server(security.acceptor.current())?,
            security,
        })
    }

    /// Goes on with the handshake; the user for whom the peer's certificate stands once it is done.
    pub(super) fn handshake(&mut self, stream: &TcpStream) -> io::Result<Option<String>> {
        let done = self.engine.handshake(&mut Raw(stream));
        if let Err(error) = &done
            && error.get_ref().is_some_and(|inner| inner.is::<NotTls>())
        {
            self.turn_away(stream);
        }
        done?;
        tracing::debug!(
            suite = self.engine.description(),
            resumed = self.engine.is_resumed(),
            "secured"
        );
        let certificate = self.engine.peer_certificate();
        Ok(certificate.and_then(|certificate| self.security.acceptor.user_of(certificate)))
    }

    /// Tells a peer that speaks no TLS so, as far as its socket takes it at once. What it sent is read first: unread
    /// bytes would turn the close into a reset that eats the words.
    fn turn_away(&self, mut stream: &TcpStream) {
        let mut unread = [0; 4096];
        for _ in 0..PLAIN_BYTES / unread.len() {
            if !matches!(stream.read(&mut unread), Ok(len) if len > 0) {
                break;
            }
        }
        if Raw(stream).send(&self.security.to_plain).is_ok() {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    pub(super) fn read(&mut self, buf: &mut [u8], stream: &TcpStream) -> io::Result<usize> {
        self.engine.read(buf, &mut Raw(stream))
    }

    pub(super) fn write(
        &mut self,
        slices: &[IoSlice<'_>],
        stream: &TcpStream,
    ) -> io::Result<usize> {
        self.engine.write(slices, &mut Raw(stream))
    }

    /// A range of a file by way of memory: its pages were warmed, so reading them does not wait for the disk.
    pub(super) fn send_file(
        &mut self,
        file: &ReadFile,
        offset: u64,
        len: usize,
        stream: &TcpStream,
    ) -> FileSent {
        // First, so that nothing is read that cannot go.
        if let Err(error) = self.push(stream) {
            return FileSent::Failed(error);
        }
        let mut block = Vec::with_capacity(len.min(FILE_BYTES));
        let read =
            uninterrupted(|| Ok(rustix::io::pread(file, spare_capacity(&mut block), offset)?));
        match read {
            Ok(0) => FileSent::Short,
            Ok(_) => match self.write(&[IoSlice::new(&block)], stream) {
                Ok(len) => FileSent::Bytes(len),
                Err(error) => FileSent::Failed(error),
            },
            Err(error) => {
                tracing::warn!(%error, "a file that is being sent cannot be read");
                FileSent::Short
            }
        }
    }

    pub(super) fn buffered(&self) -> usize {
        self.engine.buffered()
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.engine.unsent() > 0
    }

    pub(super) fn push(&mut self, stream: &TcpStream) -> io::Result<()> {
        self.engine.push(&mut Raw(stream))
    }

    /// Announces the end of our stream; `WouldBlock` if that does not fit yet.
    pub(super) fn close(&mut self, stream: &TcpStream) -> io::Result<()> {
        self.engine.close()?;
        self.push(stream)
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
