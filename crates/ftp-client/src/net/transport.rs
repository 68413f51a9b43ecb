//! `Transport`: a nonblocking byte stream, plain now, encrypted later. Nothing above it knows which.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::{RecvFlags, recv};

/// A nonblocking connection.
#[derive(Debug)]
pub(crate) enum Transport {
    /// TCP as it is.
    Plain(TcpStream),
}

impl Transport {
    /// Reads what is there; `WouldBlock` if nothing is.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => retry(|| stream.read(buf)),
        }
    }

    /// Throws away what is there, as much as `scratch` could hold (what that holds then means nothing);
    /// `WouldBlock` if nothing is. The kernel drops it without copying (tcp(7), `MSG_TRUNC`).
    pub(crate) fn skip(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => retry(|| {
                let (count, _) = recv(&*stream, &mut *scratch, RecvFlags::TRUNC)?;
                Ok(count)
            }),
        }
    }

    /// Writes what fits; `WouldBlock` if nothing does.
    pub(crate) fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => retry(|| stream.write_vectored(parts)),
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&self) {
        match self {
            // A connection that is gone already needs no goodbye.
            Self::Plain(stream) => drop(stream.shutdown(Shutdown::Write)),
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(stream) => stream.as_fd(),
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
