//! Every error the native protocol may say, with its stable name.

use serde::{Deserialize, Serialize};

/// A stable error code. New codes may come; a reader takes an unknown one as [`Code::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A frame that breaks the framing; the connection closes.
    BadFrame,
    /// A header with a missing, wrong or contradicting field.
    BadRequest,
    /// A path that is refused as such.
    BadPath,
    /// The first request was not `hello`; the connection closes.
    HelloRequired,
    /// Nobody has logged in yet, and this needs a user.
    LoginRequired,
    /// No such user, or not their password; nobody is told which. After a few, the connection closes.
    LoginFailed,
    /// No log-in is tried now: too many wrong ones, or too many at once.
    LoginLater,
    /// No common version; the connection closes.
    UnsupportedVersion,
    /// No such verb.
    UnknownVerb,
    /// More bytes than the receiver takes.
    TooLarge,
    /// Nothing stands at that name.
    NotFound,
    /// A part of the path is not a folder.
    NotADirectory,
    /// A folder stands where a file is needed.
    IsADirectory,
    /// Neither a regular file nor a folder.
    NotAFile,
    /// The folder is not empty.
    NotEmpty,
    /// Something stands there already.
    Exists,
    /// Refused by a rule or by the operating system.
    Denied,
    /// The server takes no writes.
    ReadOnly,
    /// The disk is full.
    NoSpace,
    /// A quota is used up.
    Quota,
    /// The bytes do not have the digest that was said.
    DigestMismatch,
    /// More or fewer bytes than was said.
    SizeMismatch,
    /// The file changed while it was read.
    Changed,
    /// The range is not within the file.
    BadRange,
    /// Another session works on it.
    Busy,
    /// Broken off by `abort`.
    Aborted,
    /// Too slow, or silent too long.
    Timeout,
    /// Too many connections; try again later.
    Overloaded,
    /// The server is stopping; try again later.
    ShuttingDown,
    /// The server's disk failed.
    Io,
    /// A fault of the server's own.
    Internal,
    /// A code this reader does not know.
    #[serde(other)]
    Unknown,
}

impl Code {
    /// The code as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadFrame => "bad_frame",
            Self::BadRequest => "bad_request",
            Self::BadPath => "bad_path",
            Self::HelloRequired => "hello_required",
            Self::LoginRequired => "login_required",
            Self::LoginFailed => "login_failed",
            Self::LoginLater => "login_later",
            Self::UnsupportedVersion => "unsupported_version",
            Self::UnknownVerb => "unknown_verb",
            Self::TooLarge => "too_large",
            Self::NotFound => "not_found",
            Self::NotADirectory => "not_a_directory",
            Self::IsADirectory => "is_a_directory",
            Self::NotAFile => "not_a_file",
            Self::NotEmpty => "not_empty",
            Self::Exists => "exists",
            Self::Denied => "denied",
            Self::ReadOnly => "read_only",
            Self::NoSpace => "no_space",
            Self::Quota => "quota",
            Self::DigestMismatch => "digest_mismatch",
            Self::SizeMismatch => "size_mismatch",
            Self::Changed => "changed",
            Self::BadRange => "bad_range",
            Self::Busy => "busy",
            Self::Aborted => "aborted",
            Self::Timeout => "timeout",
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "shutting_down",
            Self::Io => "io",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::DigestMismatch
                | Self::SizeMismatch
                | Self::Changed
                | Self::Busy
                | Self::LoginLater
                | Self::Timeout
                | Self::Overloaded
                | Self::ShuttingDown
        )
    }
}

/// The `error` object of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For programs.
    pub code: Code,
    /// For people: what failed, on what, why.
    pub message: String,
    /// Whether trying again may help.
    #[serde(default)]
    pub retryable: bool,
    /// Seconds to wait before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl ErrorBody {
    /// An error with the code's own `retryable`.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retryable: code.is_retryable(),
            retry_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_code_is_the_name_on_the_wire() {
        for code in [
            Code::BadFrame,
            Code::NotADirectory,
            Code::ShuttingDown,
            Code::DigestMismatch,
            Code::Io,
            Code::LoginRequired,
            Code::LoginFailed,
            Code::LoginLater,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
        let unknown: Code = serde_json::from_str("\"from_the_future\"").unwrap();
        assert_eq!(unknown, Code::Unknown);
    }
}
