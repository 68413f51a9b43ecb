//! `Transport`: a nonblocking byte stream, plain or within TLS. Nothing above it knows which.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use ftp_tls::Engine;
use rustix::net::{RecvFlags, recv};

use super::tls::Raw;

/// A nonblocking connection.
#[derive(Debug)]
pub(crate) enum Transport {
    /// TCP as it is.
    Plain(TcpStream),
    /// Within TLS; the handshake is done.
    Tls(TcpStream, Box<Engine>),
}

impl Transport {
    /// Reads what is there; `WouldBlock` if nothing is. Within TLS an end that was not announced is an error.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => retry(|| stream.read(buf)),
            Self::Tls(stream, engine) => engine.read(buf, &mut Raw(stream)),
        }
    }

    /// Throws away what is there, as much as `scratch` could hold (what that holds then means nothing);
    /// `WouldBlock` if nothing is. The kernel drops it without copying (tcp(7), `MSG_TRUNC`); within TLS it is decrypted.
    pub(crate) fn skip(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => retry(|| {
                let (count, _) = recv(&*stream, &mut *scratch, RecvFlags::TRUNC)?;
                Ok(count)
            }),
            Self::Tls(stream, engine) => engine.read(scratch, &mut Raw(stream)),
        }
    }

    /// Writes what fits; `WouldBlock` if nothing does. Within TLS some of it may wait for [`Transport::push`].
    pub(crate) fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => retry(|| stream.write_vectored(parts)),
            Self::Tls(stream, engine) => engine.write(parts, &mut Raw(stream)),
        }
    }

    /// Whether bytes that count as written wait here.
    pub(crate) fn has_unsent(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(_, engine) => engine.unsent() > 0,
        }
    }

    /// Sends those bytes; `WouldBlock` if not all of them fit.
    pub(crate) fn push(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(stream, engine) => engine.push(&mut Raw(stream)),
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        // A connection that is gone already needs no goodbye.
        match self {
            Self::Plain(stream) => drop(stream.shutdown(Shutdown::Write)),
            Self::Tls(stream, engine) => {
                let _ = engine.close().and_then(|()| engine.push(&mut Raw(stream)));
                let _ = stream.shutdown(Shutdown::Write);
            }
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(stream) | Self::Tls(stream, _) => stream.as_fd(),
        }
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
