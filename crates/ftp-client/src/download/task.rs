//! `Download`: one file to be got, and `Flight`: one whose answer is awaited.

use std::ffi::OsString;
use std::sync::Arc;

use ftp_proto::VPath;

use super::sink::Sink;
use crate::error::Result;
use crate::hash::Hasher;
use crate::local::{Folder, Partial};
use crate::transfer::{Item, Way};

/// One file to be got.
#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) remote: VPath,
    pub(crate) target: Target,
    /// Its size, if a listing told it.
    pub(crate) size: Option<u64>,
    /// What has arrived already; a stream's is there from the start.
    pub(crate) sink: Option<Sink>,
    /// How often it has failed for the moment.
    pub(crate) attempts: u32,
    /// Its number in the run, once it has one.
    pub(crate) number: Option<u64>,
    /// Bytes that had arrived at most.
    pub(crate) reached: u64,
}

/// Where it goes.
#[derive(Debug)]
pub(crate) enum Target {
    /// A name in an open folder.
    File { folder: Arc<Folder>, name: OsString },
    /// The stream that is the task's sink.
    Stream,
}

impl Download {
    pub(crate) fn new(remote: VPath, target: Target, size: Option<u64>) -> Self {
        Self {
            remote,
            target,
            size,
            sink: None,
            attempts: 0,
            number: None,
            reached: 0,
        }
    }

    /// What an observer is told of it.
    pub(crate) fn item(&self, number: u64, size: Option<u64>) -> Item {
        Item {
            number,
            way: Way::Get,
            local: match &self.target {
                Target::File { folder, name } => folder.show(name),
                Target::Stream => "-".into(),
            },
            remote: self.remote.as_str().to_owned(),
            size: size.or(self.size),
        }
    }

    /// A partial of an earlier run.
    ///
    /// # Errors
    /// [`crate::Error::Local`].
    pub(super) fn leftover(&self) -> Result<Option<Partial>> {
        match &self.target {
            Target::File { folder, name } => Partial::reopen(folder, name),
            Target::Stream => Ok(None),
        }
    }
}

/// What was asked of the server, and is not answered.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) id: u64,
    pub(super) task: Download,
    pub(super) item: Item,
    pub(super) stage: Stage,
}

/// What the answer will be about.
#[derive(Debug)]
pub(super) enum Stage {
    /// The digest of the file's first bytes, to be compared with a partial's.
    Prove {
        partial: Partial,
        hasher: Hasher,
        len: u64,
    },
    /// The bytes from `offset` on.
    Fetch { offset: u64 },
}
