//! TLS over one socket: the handshake, then records where plain bytes would be.
//!
//! Knows no protocol and no file of certificates: what to show comes from an [`Acceptor`]. Never blocks, and an
//! idle connection holds no buffer.

use std::fmt;
use std::io::{self, IoSlice, Read as _};
use std::net::Shutdown;
use std::sync::{Arc, OnceLock};

use ftp_store::ReadFile;
use ftp_tls::rustls::ServerConfig;
use ftp_tls::{Acceptor, Engine, NotTls, Socket};
use mio::net::TcpStream;
use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SendFlags};

use super::calls::{FileSent, uninterrupted};

/// Bytes of a file that are encrypted at once: four full records.
const FILE_BYTES: usize = 64 * 1024;
/// Most bytes that are read from a peer that does not speak TLS, so that it hears why it is turned away.
const PLAIN_BYTES: usize = 64 * 1024;

/// What the connections of a listener are wrapped in.
pub(crate) struct Security {
    acceptor: Arc<Acceptor>,
    /// What a peer is told, as plain bytes, that does not speak TLS.
    to_plain: Vec<u8>,
    /// What one session has of its own, if it has.
    own: Option<Own>,
}

/// The tickets of one session: its further connections resume by them, and nobody else's do.
struct Own {
    config: OnceLock<Arc<ServerConfig>>,
    /// The same without tickets, for connections whose peer might never read them. Under TLS 1.3 they come behind the
    /// handshake.
    one_way: OnceLock<Arc<ServerConfig>>,
    alpn: &'static [&'static [u8]],
    resume: Resume,
}

/// Whether a session's further connections have to resume the TLS session of its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// They have to: so nobody else can have made them.
    Require,
    /// They can.
    Prefer,
    /// Nobody looks; the tickets are good for every session.
    Off,
}

impl Security {
    /// Shows what `acceptor` holds, and tells `to_plain` to those who speak no TLS.
    pub(crate) fn new(acceptor: Arc<Acceptor>, to_plain: Vec<u8>) -> Self {
        Self {
            acceptor,
            to_plain,
            own: None,
        }
    }

    /// The same for one session alone, over connections that speak one of `alpn`.
    pub(crate) fn of_session(
        acceptor: Arc<Acceptor>,
        to_plain: Vec<u8>,
        alpn: &'static [&'static [u8]],
        resume: Resume,
    ) -> Self {
        Self {
            acceptor,
            to_plain,
            own: Some(Own {
                config: OnceLock::new(),
                one_way: OnceLock::new(),
                alpn,
                resume,
            }),
        }
    }

    /// What the next handshake uses: of a session with its own, always the same.
    fn config(&self, place: Place) -> io::Result<Arc<ServerConfig>> {
        let Some(own) = &self.own else {
            return Ok(self.acceptor.current());
        };
        let config = self.own_config(own)?;
        match place {
            Place::First | Place::Further { one_way: false } => Ok(config),
            Place::Further { one_way: true } => Ok(Arc::clone(own.one_way.get_or_init(|| {
                let mut config = ServerConfig::clone(&config);
                config.send_tls13_tickets = 0;
                Arc::new(config)
            }))),
        }
    }

    fn own_config(&self, own: &Own) -> io::Result<Arc<ServerConfig>> {
        if let Some(config) = own.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = self.acceptor.derived(own.alpn, own.resume != Resume::Off);
        let config = config.map_err(io::Error::other)?;
        Ok(Arc::clone(own.config.get_or_init(|| config)))
    }

    fn demands_resumption(&self) -> bool {
        self.own
            .as_ref()
            .is_some_and(|own| own.resume == Resume::Require)
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.acceptor.fmt(f)
    }
}

/// Which connection of a session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The one that the session is made of.
    First,
    /// Another, which may have to prove that it belongs to the first.
    Further {
        /// Only the peer sends on it.
        one_way: bool,
    },
}

/// One wrapped connection.
#[derive(Debug)]
pub(super) struct Tls {
    engine: Engine,
    security: Arc<Security>,
    /// It counts only as the continuation of an earlier session.
    must_resume: bool,
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
    pub(super) fn new(security: Arc<Security>, place: Place) -> io::Result<Self> {
        Ok(Self {
            engine: Engine::server(security.config(place)?)?,
            must_resume: place != Place::First && security.demands_resumption(),
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
        if self.must_resume && !self.engine.is_resumed() {
            let why = "it does not resume the TLS session of the control connection";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
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
