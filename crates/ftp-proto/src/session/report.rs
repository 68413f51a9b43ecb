//! What the log says of a finished transfer.

use std::time::Duration;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// A file came in.
    Put,
    /// A file went out.
    Get,
}

impl Verb {
    /// The word the log uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
        }
    }
}

/// One finished transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferReport {
    /// What was done.
    pub verb: Verb,
    /// On which path.
    pub path: String,
    /// Payload bytes that moved.
    pub bytes: u64,
    /// From the request's first byte to its answer.
    pub elapsed: Duration,
    /// `ok`, `skipped`, or the code of the error.
    pub outcome: &'static str,
}
