//! TLS for both ends: [`Engine`] turns bytes into records and back over a socket that it is lent,
//! [`Identity`] is a certificate with its key, [`Acceptor`] what a server shows, [`Fingerprint`] what people compare.
//!
//! Never here: a socket of its own, a thread, anything of our protocols, and cryptography of our own making.

mod acceptor;
mod engine;
mod fingerprint;
mod identity;

use std::fmt;
use std::path::{Path, PathBuf};

pub use rustls;

pub use acceptor::{Acceptor, Oldest, ServerOptions, UserOf, check};
pub use engine::{Engine, NotTls, Socket};
pub use fingerprint::{Fingerprint, common_name, is_self_signed, names};
pub use identity::{Identity, certificates};

/// What the two ends call the native protocol in the handshake (ALPN, RFC 7301).
pub const ALPN_NATIVE: &[u8] = b"muxftp/1";

/// What standard FTP is called there: control, data, and one client's own name for it.
pub const ALPN_FTP: &[&[u8]] = &[b"ftp", b"ftp-data", b"x-filezilla-ftp"];

/// Why a certificate, a key or a configuration cannot be used.
#[derive(Debug)]
pub struct Error {
    /// The file it is about, if it is about one.
    file: Option<PathBuf>,
    why: String,
}

impl Error {
    /// The file it is about, if it is about one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    fn new(why: impl fmt::Display) -> Self {
        Self {
            file: None,
            why: why.to_string(),
        }
    }

    fn file(file: impl Into<PathBuf>, why: impl fmt::Display) -> Self {
        Self {
            file: Some(file.into()),
            why: why.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        f.write_str(&self.why)
    }
}

impl std::error::Error for Error {}
