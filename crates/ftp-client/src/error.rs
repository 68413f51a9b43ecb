//! `Error`: everything that can end a request, as one type.
//!
//! Texts that came from the server are kept as they came; whoever prints them escapes them (`text::escape`).

use std::time::Duration;
use std::{fmt, io};

use ftp_proto::wire::{Code, ErrorBody};

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request failed.
#[derive(Debug)]
pub enum Error {
    /// What the caller asked for makes no sense (a path with `..`, no name for standard input).
    Usage(String),
    /// The server answered with an error.
    Remote(ErrorBody),
    /// A local file or folder could not be opened, read or written.
    Local {
        /// What was tried, and on what.
        what: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A local file changed while it was read.
    Changed(String),
    /// No connection could be made.
    Unreachable {
        /// The address as it was given.
        server: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The server is not, or cannot be shown to be, the one that was meant.
    Untrusted {
        /// Its `HOST:PORT`.
        server: String,
        /// What is wrong with its certificate.
        why: String,
    },
    /// The connection broke.
    Lost(String),
    /// Nothing moved for too long.
    TimedOut(String),
    /// Bytes, size or digest are not what was promised.
    Integrity(String),
    /// The server does not keep to the protocol.
    Protocol(String),
    /// Broken off by a signal (its number), or by [`crate::Cancel::cancel`].
    Interrupted(i32),
    /// Nobody reads our output any more (`EPIPE`).
    OutputClosed,
}

impl Error {
    /// A local failure, with what was tried.
    pub fn local(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Local {
            what: what.into(),
            source: source.into(),
        }
    }

    /// The server's code, if the server said it.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.remote().map(|body| body.code)
    }

    /// Whether the same request may succeed a little later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Remote(body) => body.retryable || body.code.is_retryable(),
            Self::Unreachable { .. } | Self::Lost(_) | Self::TimedOut(_) | Self::Integrity(_) => {
                true
            }
            Self::Usage(_)
            | Self::Untrusted { .. }
            | Self::Local { .. }
            | Self::Changed(_)
            | Self::Protocol(_)
            | Self::Interrupted(_)
            | Self::OutputClosed => false,
        }
    }

    /// The least time to wait before trying again, if the server named one.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.remote()?.retry_after?;
        Some(Duration::from_secs(seconds))
    }

    /// Whether the bytes were wrong, by either side's judgement. Tried again once, not for ever.
    #[must_use]
    pub fn is_integrity(&self) -> bool {
        matches!(self, Self::Integrity(_))
            || matches!(self.code(), Some(Code::DigestMismatch | Code::SizeMismatch))
    }

    /// Whether the error ends the whole run rather than one file.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Interrupted(_) | Self::OutputClosed)
    }

    /// The same error once more, for the next of several requests that it ends.
    #[must_use]
    pub fn again(&self) -> Self {
        match self {
            Self::Usage(text) => Self::Usage(text.clone()),
            Self::Remote(body) => Self::Remote(body.clone()),
            Self::Local { what, source } => Self::Local {
                what: what.clone(),
                source: again(source),
            },
            Self::Changed(text) => Self::Changed(text.clone()),
            Self::Unreachable { server, source } => Self::Unreachable {
                server: server.clone(),
                source: again(source),
            },
            Self::Untrusted { server, why } => Self::Untrusted {
                server: server.clone(),
                why: why.clone(),
            },
            Self::Lost(text) => Self::Lost(text.clone()),
            Self::TimedOut(text) => Self::TimedOut(text.clone()),
            Self::Integrity(text) => Self::Integrity(text.clone()),
            Self::Protocol(text) => Self::Protocol(text.clone()),
            Self::Interrupted(signal) => Self::Interrupted(*signal),
            Self::OutputClosed => Self::OutputClosed,
        }
    }

    /// What a person can do about it, where there is something.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { source, .. } => {
                Some(if source.kind() == io::ErrorKind::ConnectionRefused {
                    "is ftp-server running there? --server HOST:PORT names another"
                } else {
                    "check the address, --server HOST:PORT, and the network"
                })
            }
            Self::TimedOut(_) => Some("try again, or allow more with --timeout SECONDS"),
            Self::Integrity(_) => Some("nothing was kept; try again"),
            Self::Protocol(_) => Some("--server HOST:PORT names a muxftp server, by its --listen"),
            Self::Changed(_) => Some("try again when nobody writes to it"),
            Self::Remote(body) if body.code == Code::NotEmpty => {
                Some("-r removes a folder with all in it")
            }
            Self::Remote(body) if body.code == Code::HelloRequired => {
                Some("is that port a muxftp server?")
            }
            Self::Remote(body) if body.code == Code::LoginRequired => {
                Some("log in: --user NAME, or `ftp-client login` once")
            }
            Self::Remote(body) if body.code == Code::LoginFailed => {
                Some("check --user and the password; `ftp-client login` keeps a new one")
            }
            Self::Usage(_)
            | Self::Remote(_)
            | Self::Local { .. }
            | Self::Untrusted { .. }
            | Self::Lost(_)
            | Self::Interrupted(_)
            | Self::OutputClosed => None,
        }
    }

    /// What the server said, if it was the server.
    fn remote(&self) -> Option<&ErrorBody> {
        match self {
            Self::Remote(body) => Some(body),
            Self::Usage(_)
            | Self::Local { .. }
            | Self::Changed(_)
            | Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::Lost(_)
            | Self::TimedOut(_)
            | Self::Integrity(_)
            | Self::Protocol(_)
            | Self::Interrupted(_)
            | Self::OutputClosed => None,
        }
    }
}

fn again(source: &io::Error) -> io::Error {
    source.raw_os_error().map_or_else(
        || io::Error::new(source.kind(), source.to_string()),
        io::Error::from_raw_os_error,
    )
}

/// What the operating system said, without Rust's `(os error N)`.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error")
        .map_or(text.as_str(), |(text, _)| text)
        .to_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Changed(text) | Self::Lost(text) => f.write_str(text),
            Self::Remote(body) => {
                let limit = 1000;
                let short: String = body.message.chars().take(limit).collect();
                write!(f, "{short} ({})", body.code.as_str())
            }
            Self::Local { what, source } => write!(f, "{what}: {}", plain(source)),
            Self::Unreachable { server, source } => {
                write!(f, "cannot reach {server}: {}", plain(source))
            }
            Self::Untrusted { server, why } => write!(f, "{server} is not trusted: {why}"),
            Self::TimedOut(text) => write!(f, "timed out: {text}"),
            Self::Integrity(text) => write!(f, "integrity: {text}"),
            Self::Protocol(text) => write!(f, "protocol: {text}"),
            Self::Interrupted(signal) => write!(f, "interrupted (signal {signal})"),
            Self::OutputClosed => f.write_str("nobody reads the output"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Local { source, .. } | Self::Unreachable { source, .. } => Some(source),
            Self::Usage(_)
            | Self::Remote(_)
            | Self::Changed(_)
            | Self::Untrusted { .. }
            | Self::Lost(_)
            | Self::TimedOut(_)
            | Self::Integrity(_)
            | Self::Protocol(_)
            | Self::Interrupted(_)
            | Self::OutputClosed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_tried_again() {
        let remote = |code| Error::Remote(ErrorBody::new(code, "x"));
        assert!(remote(Code::ShuttingDown).is_transient());
        assert!(remote(Code::DigestMismatch).is_integrity());
        assert!(!remote(Code::NotFound).is_transient());
        assert!(Error::Lost("x".into()).is_transient());
        assert!(!Error::Protocol("x".into()).is_transient());
        assert!(!Error::Interrupted(2).is_transient());
    }

    #[test]
    fn system_errors_are_told_without_numbers() {
        let error = Error::local("open a.txt", io::Error::from_raw_os_error(2));
        assert_eq!(error.to_string(), "open a.txt: No such file or directory");
        assert_eq!(error.again().to_string(), error.to_string());
    }
}
