//! What an observer of a transfer is told. Texts from the server are as they came: escape before printing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ftp_proto::{Digest, Durability};

use crate::error::Error;

/// Which way something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A file to the server.
    Put,
    /// A file from the server.
    Get,
    /// An empty folder to the server.
    Mkdir,
}

impl Way {
    /// The word for people and for `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Mkdir => "mkdir",
        }
    }
}

/// One file (or empty folder) under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Counts from 1 within a run.
    pub number: u64,
    /// Which way.
    pub way: Way,
    /// The local path, or `-`.
    pub local: String,
    /// The path on the server.
    pub remote: String,
    /// Bytes of the file, once known.
    pub size: Option<u64>,
}

/// How one item ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Moved and verified, unless that was not wanted.
    Moved {
        /// Bytes of the file.
        size: u64,
        /// SHA-256 of the whole file; where it was not verified, the server's alone.
        sha256: Digest,
        /// Whether what arrived was hashed and compared.
        verified: bool,
        /// How safe it is on the server; `None` for a download.
        durability: Option<Durability>,
        /// Bytes that an earlier attempt had moved.
        resumed: u64,
    },
    /// A folder that is there now.
    Made,
    /// What stands at the target was to be kept.
    Kept,
}

/// What happens in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// An item starts to move (again, after a failure).
    Begin(&'a Item),
    /// So much of the item has moved, counted from its first byte.
    Position(&'a Item, u64),
    /// An item ended well.
    Done(&'a Item, &'a Outcome),
    /// An item failed for good.
    Failed(&'a Item, &'a Error),
    /// A connection, or the search for files, ended for good while no item was under way.
    Stopped(&'a Error),
    /// Something was left out.
    Skipped {
        /// Its path.
        name: &'a str,
        /// Why.
        why: &'a str,
    },
    /// The server takes no more connections from us for now; the run goes on over those it has. Told once in a run.
    KeptOut(&'a Error),
    /// Something is tried again after a wait.
    Retry {
        /// What went wrong.
        error: &'a Error,
        /// How often in a row, from 1.
        attempt: u32,
        /// The wait.
        wait: Duration,
    },
}

/// Is told what happens; called from several threads.
pub trait Observer: Send + Sync {
    /// Something happened. Must not block for long.
    fn event(&self, event: &Event<'_>);
}

/// An observer that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: &Event<'_>) {}
}

/// Gives items their numbers.
#[derive(Debug, Default)]
pub(crate) struct ItemNumber(AtomicU64);

impl ItemNumber {
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}
