//! What system calls on a socket have in common, wrapped or not.

use std::io;

/// What became of a call that sends from a file.
#[derive(Debug)]
pub(super) enum FileSent {
    /// So many bytes, at least one.
    Bytes(usize),
    /// The file has no more bytes there, or cannot be read.
    Short,
    /// The socket's fault; `WouldBlock` among them.
    Failed(io::Error),
}

/// Repeats a system call that a signal broke off.
pub(super) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
