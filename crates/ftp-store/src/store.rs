//! `Store`: a served folder, and how it is served.
//!
//! It owns no thread: whoever calls [`Store::run`] lends the one it runs on, and may be blocked.

use std::path::Path;
use std::sync::Arc;

use ftp_proto::Durability;

use crate::error::OpenError;
use crate::jail::Jail;
use crate::job::{self, Job, Run};
use crate::sync::Dirty;

/// How a folder is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// How safe an upload is when its commit is answered.
    pub durability: Durability,
    /// Refuse everything that would change something.
    pub read_only: bool,
    /// Follow symbolic links as long as they stay beneath the root (which needs `openat2`, Linux 5.6).
    /// Without it every link on a path is refused.
    pub follow_links: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            read_only: false,
            follow_links: true,
        }
    }
}

/// A served folder. Shared by all workers; every call may block on the disk.
pub struct Store {
    shared: Arc<Shared>,
}

/// What jobs under way keep hold of.
pub(crate) struct Shared {
    pub(crate) jail: Jail,
    pub(crate) options: Options,
    /// Folders with new names that no sync has covered yet.
    pub(crate) dirty: Dirty,
}

impl Store {
    /// Opens `root` and holds it: a rename of the folder itself does not disturb the store.
    ///
    /// # Errors
    /// If it is not there, is no folder, or cannot be read.
    pub fn open(root: &Path, options: Options) -> Result<Self, OpenError> {
        Ok(Self {
            shared: Arc::new(Shared {
                jail: Jail::open(root, options.follow_links)?,
                options,
                dirty: Dirty::default(),
            }),
        })
    }

    /// How safe an upload is when its commit is answered.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.shared.options.durability
    }

    /// Whether everything that would change something is refused.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.shared.options.read_only
    }

    /// Does all steps of a job, in order. Blocks; never panics on what a peer sent.
    #[must_use]
    pub fn run(&self, job: Job) -> Run {
        job::run(&self.shared, job)
    }
}
