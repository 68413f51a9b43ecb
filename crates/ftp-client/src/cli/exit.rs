//! Exit codes: one table, for `--help`, for people and for scripts.

use std::io;
use std::process::ExitCode;

use ftp_proto::wire::Code;
use signal_hook::consts::{SIGHUP, SIGTERM};

use crate::error::Error;
use crate::transfer::Summary;

/// How the command ended. The discriminant is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All done.
    Ok = 0,
    /// Any other failure.
    Other = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Nothing stands at that path on the server.
    NotFound = 3,
    /// A local file could not be opened, read or written.
    Local = 4,
    /// The server cannot be reached, or went away.
    Unreachable = 5,
    /// Not logged in: wrong user or password, none where one is needed, or not now.
    Authentication = 6,
    /// A rule or permission refuses it.
    Denied = 7,
    /// The server is not the one it should be.
    Identity = 8,
    /// Nothing moved for too long.
    TimedOut = 9,
    /// Bytes, size or digest are wrong; nothing was kept.
    Integrity = 10,
    /// Some of several succeeded, some failed.
    Partial = 11,
    /// The target is there already.
    Exists = 12,
    /// No space or no quota, there or here.
    NoSpace = 13,
    /// The other side does not keep to the protocol.
    Protocol = 14,
    /// Ctrl-C.
    Interrupted = 130,
    /// SIGTERM or SIGHUP.
    Terminated = 143,
}

/// The table of `--help`.
pub const TABLE: &str = "\
Exit codes:
    0  all done                          8  server identity not trusted
    1  other failure                     9  timed out
    2  wrong usage                      10  integrity: wrong bytes, nothing kept
    3  not found on the server          11  partial: some succeeded, some failed
    4  local file                       12  exists already
    5  cannot reach the server          13  no space or quota
    6  not logged in                    14  protocol
    7  denied                          130/143  interrupted by Ctrl-C / SIGTERM, SIGHUP
  If nothing succeeded the worst failure decides.";

/// From the worst down; what is not here cannot be a failure's.
const WORST_FIRST: [Exit; 14] = [
    Exit::Interrupted,
    Exit::Terminated,
    Exit::Identity,
    Exit::Authentication,
    Exit::Integrity,
    Exit::Protocol,
    Exit::NoSpace,
    Exit::Denied,
    Exit::Local,
    Exit::Unreachable,
    Exit::TimedOut,
    Exit::NotFound,
    Exit::Exists,
    Exit::Usage,
];

impl Exit {
    /// The code of one failure.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Usage(_) => Self::Usage,
            Error::Remote(body) => Self::of_code(body.code),
            Error::Local { source, .. } if is_full(source) => Self::NoSpace,
            Error::Local { .. } | Error::Changed(_) => Self::Local,
            Error::Unreachable { .. } | Error::Lost(_) => Self::Unreachable,
            Error::Untrusted { .. } => Self::Identity,
            Error::TimedOut(_) => Self::TimedOut,
            Error::Integrity(_) => Self::Integrity,
            Error::Protocol(_) => Self::Protocol,
            Error::Interrupted(SIGTERM | SIGHUP) => Self::Terminated,
            Error::Interrupted(_) => Self::Interrupted,
            Error::OutputClosed => Self::Ok,
        }
    }

    fn of_code(code: Code) -> Self {
        match code {
            Code::NotFound | Code::NotADirectory => Self::NotFound,
            Code::Denied | Code::ReadOnly => Self::Denied,
            Code::LoginRequired | Code::LoginFailed | Code::LoginLater => Self::Authentication,
            Code::DigestMismatch | Code::SizeMismatch | Code::Changed => Self::Integrity,
            Code::Exists | Code::NotEmpty => Self::Exists,
            Code::NoSpace | Code::Quota => Self::NoSpace,
            Code::Timeout => Self::TimedOut,
            Code::Overloaded | Code::ShuttingDown => Self::Unreachable,
            Code::BadPath => Self::Usage,
            Code::BadFrame
            | Code::BadRequest
            | Code::BadRange
            | Code::TooLarge
            | Code::UnknownVerb
            | Code::HelloRequired
            | Code::UnsupportedVersion => Self::Protocol,
            Code::IsADirectory
            | Code::NotAFile
            | Code::Busy
            | Code::Aborted
            | Code::Io
            | Code::Internal
            | Code::Unknown => Self::Other,
        }
    }

    /// The worst of several failures.
    #[must_use]
    pub fn worst(errors: &[Error]) -> Self {
        let codes: Vec<Self> = errors.iter().map(Self::of).collect();
        WORST_FIRST
            .into_iter()
            .find(|exit| codes.contains(exit))
            .unwrap_or_else(|| {
                if codes.contains(&Self::Other) {
                    Self::Other
                } else {
                    Self::Ok
                }
            })
    }

    /// The code of a run.
    #[must_use]
    pub fn of_run(summary: &Summary) -> Self {
        let worst = Self::worst(&summary.errors);
        if !worst.is_signal() && worst != Self::Ok && summary.done + summary.skipped > 0 {
            Self::Partial
        } else {
            worst
        }
    }

    /// Whether a signal ended it.
    #[must_use]
    pub fn is_signal(self) -> bool {
        matches!(self, Self::Interrupted | Self::Terminated)
    }

    /// As a number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use ftp_proto::wire::ErrorBody;

    use super::*;

    fn remote(code: Code) -> Error {
        Error::Remote(ErrorBody::new(code, ""))
    }

    #[test]
    fn one_code_for_each_failure() {
        for (error, code) in [
            (Error::Usage(String::new()), 2),
            (remote(Code::NotFound), 3),
            (Error::local("x", rustix::io::Errno::ACCESS), 4),
            (Error::Changed(String::new()), 4),
            (Error::Lost(String::new()), 5),
            (remote(Code::ShuttingDown), 5),
            (remote(Code::LoginRequired), 6),
            (remote(Code::LoginFailed), 6),
            (remote(Code::LoginLater), 6),
            (remote(Code::ReadOnly), 7),
            (Error::TimedOut(String::new()), 9),
            (remote(Code::Timeout), 9),
            (Error::Integrity(String::new()), 10),
            (remote(Code::Changed), 10),
            (remote(Code::NotEmpty), 12),
            (remote(Code::Quota), 13),
            (Error::local("x", rustix::io::Errno::NOSPC), 13),
            (Error::local("x", rustix::io::Errno::DQUOT), 13),
            (remote(Code::UnknownVerb), 14),
            (remote(Code::BadPath), 2),
            (remote(Code::Io), 1),
            (Error::Interrupted(2), 130),
            (Error::Interrupted(15), 143),
            (Error::Interrupted(1), 143),
            (Error::OutputClosed, 0),
        ] {
            assert_eq!(Exit::of(&error).code(), code, "{error}");
        }
    }

    #[test]
    fn the_worst_decides_unless_some_succeeded() {
        let run = |done, errors: Vec<Error>| {
            Exit::of_run(&Summary {
                done,
                failed: errors.len() as u64,
                errors,
                ..Summary::default()
            })
        };
        assert_eq!(run(3, vec![]), Exit::Ok);
        assert_eq!(run(3, vec![remote(Code::NotFound)]), Exit::Partial);
        let both = || vec![remote(Code::NotFound), Error::Integrity(String::new())];
        assert_eq!(run(0, both()), Exit::Integrity);
        assert_eq!(run(0, vec![remote(Code::Io)]), Exit::Other);
        assert_eq!(run(9, vec![Error::Interrupted(2)]), Exit::Interrupted);
        assert_eq!(run(0, vec![Error::OutputClosed]), Exit::Ok);
    }

    #[test]
    fn the_table_names_every_code() {
        for code in (0..=14).chain([130, 143]) {
            assert!(TABLE.contains(&format!("{code}")), "{code}");
        }
    }
}
