//! `Slot`: the open file and all that belongs to it, which travels with each job and comes home.
//!
//! A slot is in one hand at a time, so nothing in it is shared or locked.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use ftp_proto::VPath;
use ftp_proto::session::Fault;
use sha2::Sha256;

use crate::meta::Stat;
use crate::upload::Upload;

/// What one file's lane holds between its jobs. The default is empty.
///
/// Dropped in the middle of an upload, it leaves what `Abort` would leave.
#[derive(Default)]
pub struct Slot {
    pub(crate) state: State,
}

/// A regular file, open for reading and nothing else: a source for `sendfile(2)`.
#[derive(Debug)]
pub struct ReadFile {
    fd: OwnedFd,
}

#[derive(Default)]
pub(crate) enum State {
    /// Nothing is open.
    #[default]
    Empty,
    /// Being read.
    Reading(Box<Reading>),
    /// Being uploaded.
    Writing(Box<Upload>),
    /// The target is to be kept: what still comes is swallowed.
    Skipped,
    /// The upload failed: what still comes is swallowed, and its commit fails alike.
    Broken(Fault),
}

pub(crate) struct Reading {
    pub(crate) path: VPath,
    pub(crate) file: Arc<ReadFile>,
    /// As it was when it was opened.
    pub(crate) opened: Stat,
    /// Over the ranges that were warmed with `digest`.
    pub(crate) hasher: Sha256,
    /// How far these ranges reach, from the first byte on and without a gap; `None` if their digest
    /// cannot become one of the whole file that may be kept.
    pub(crate) whole: Option<u64>,
}

impl Slot {
    /// The file to send from, if one is open for reading.
    #[must_use]
    pub fn reader(&self) -> Option<Arc<ReadFile>> {
        match &self.state {
            State::Reading(reading) => Some(Arc::clone(&reading.file)),
            State::Empty | State::Writing(_) | State::Skipped | State::Broken(_) => None,
        }
    }

    /// Whether no file is open: nothing is lost by dropping it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.state {
            State::Empty | State::Skipped | State::Broken(_) => true,
            State::Reading(_) | State::Writing(_) => false,
        }
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.state {
            State::Empty => "Slot(empty)",
            State::Reading(_) => "Slot(reading)",
            State::Writing(_) => "Slot(writing)",
            State::Skipped => "Slot(skipped)",
            State::Broken(_) => "Slot(broken)",
        })
    }
}

impl ReadFile {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self { fd }
    }
}

impl AsFd for ReadFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
