//! `Upload`: one thing to be put, and `Flight`: one whose answer is awaited.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::sync::Arc;

use ftp_proto::wire::{Code, ErrorBody, ReplyHead};
use ftp_proto::{Digest, Durability, VPath};

use super::reader::Memory;
use crate::error::{Error, Result};
use crate::local::Folder;
use crate::transfer::{Item, Outcome, Way};

/// One thing to be put.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) what: What,
    pub(crate) remote: VPath,
    /// How often it has failed for the moment.
    pub(crate) attempts: u32,
    /// Its number in the run, once it has one.
    pub(crate) number: Option<u64>,
    /// Bytes that the server was known to have, at most.
    pub(crate) reached: u64,
    /// All of it was sent before, and the connection broke before the answer: it may be stored.
    pub(crate) perhaps_stored: bool,
    /// What was hashed of its beginning.
    pub(crate) memory: Memory,
}

/// Where the bytes come from.
pub(crate) enum What {
    /// A file in an open folder.
    File {
        folder: Arc<Folder>,
        name: OsString,
        /// Whether a symbolic link counts as what it points to.
        follow: bool,
    },
    /// A stream of unknown length; `None` once it has been begun, as it cannot be read twice.
    Stream(Option<Box<dyn Read + Send>>),
    /// No bytes: a folder.
    Folder { shown: String },
}

impl Upload {
    pub(crate) fn new(what: What, remote: VPath) -> Self {
        Self {
            what,
            remote,
            attempts: 0,
            number: None,
            reached: 0,
            perhaps_stored: false,
            memory: Memory::default(),
        }
    }

    /// What an observer is told of it.
    pub(crate) fn item(&self, number: u64, size: Option<u64>) -> Item {
        let (way, local) = match &self.what {
            What::File { folder, name, .. } => (Way::Put, folder.show(name)),
            What::Stream(_) => (Way::Put, "-".into()),
            What::Folder { shown } => (Way::Mkdir, shown.clone()),
        };
        Item {
            number,
            way,
            local,
            remote: self.remote.as_str().to_owned(),
            size,
        }
    }

    /// Whether it can be sent (once more).
    pub(crate) fn can_start(&self) -> bool {
        !matches!(self.what, What::Stream(None))
    }
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { folder, name, .. } => write!(f, "File({})", folder.show(name)),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Folder { shown } => write!(f, "Folder({shown})"),
        }
    }
}

/// An upload that was sent, at least in part, and is not answered.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) id: u64,
    pub(crate) task: Upload,
    pub(crate) item: Item,
    /// What was sent in all: size and digest; `None` while it is being sent.
    pub(crate) sent: Option<(u64, Digest)>,
    /// Why we broke it off ourselves.
    pub(crate) broken_off: Option<Error>,
    /// Bytes that an earlier attempt had sent.
    pub(crate) resumed: u64,
    /// Not the upload itself, but the question whether what stands there is it.
    pub(crate) confirms: bool,
}

impl Flight {
    /// Whether the answer may only mean that an earlier attempt of ours was stored after all.
    pub(crate) fn may_be_ours(&self, head: &ReplyHead) -> bool {
        self.task.perhaps_stored
            && !self.confirms
            && self.sent.is_some()
            && head
                .error
                .as_ref()
                .is_some_and(|body| body.code == Code::Exists)
    }

    /// What the server's last word on it means.
    ///
    /// # Errors
    /// [`Error::Remote`] for a refusal, [`Error::Integrity`] if it stored something else than was sent, ours
    /// if we broke it off.
    pub(crate) fn judge(&mut self, head: &ReplyHead) -> Result<Outcome> {
        if let Some(error) = self.broken_off.take() {
            return Err(error);
        }
        if let Some(body) = &head.error {
            return Err(Error::Remote(body.clone()));
        }
        if self.confirms && head.sha256 != self.sent.map(|(_, digest)| digest) {
            let message = format!("{}: exists already", self.item.remote);
            return Err(Error::Remote(ErrorBody::new(Code::Exists, message)));
        }
        if matches!(self.task.what, What::Folder { .. }) {
            return Ok(Outcome::Made);
        }
        if head.skipped {
            return Ok(Outcome::Kept);
        }
        let Some((size, digest)) = self.sent else {
            return Err(Error::Protocol(
                "the server says that a file is stored before all of it was sent".into(),
            ));
        };
        if head.size != Some(size) || head.sha256 != Some(digest) {
            return Err(Error::Integrity(format!(
                "the server stored {} bytes with SHA-256 {}, but {size} bytes with {digest} were sent",
                head.size
                    .map_or_else(|| "unknown".into(), |n| n.to_string()),
                head.sha256
                    .map_or_else(|| "unknown".into(), |d| d.to_string()),
            )));
        }
        Ok(Outcome::Moved {
            size,
            sha256: digest,
            verified: true,
            durability: Some(head.durability.unwrap_or(Durability::None)),
            resumed: self.resumed,
        })
    }
}
