//! `Store`: a served folder, and how it is served.
//!
//! It owns no thread: whoever calls [`Store::run`] lends the one it runs on, and may be blocked.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use ftp_proto::Durability;

use crate::digests::Digests;
use crate::error::OpenError;
use crate::jail::Jail;
use crate::job::{self, Job, Run};
use crate::listing::Listings;
use crate::live::Partials;
use crate::nearby::Nearby;
use crate::partial::Safety;
use crate::sweep::{self, SweepReport, Walk};
use crate::sync::Dirty;
use crate::temp::Nameless;

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
    /// Uploads are synced at least every so many bytes, so that a commit has little left to do and a
    /// resume after a power cut finds what came before. Not under [`Durability::None`].
    pub checkpoint_bytes: u64,
    /// How long a file must have been left alone before a digest that was read from it is remembered;
    /// at zero it always is. Digests of uploads are known at once.
    pub digest_age: Duration,
    /// How long a partial waits for its next attempt before a sweep removes it.
    pub partial_ttl: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            read_only: false,
            follow_links: true,
            checkpoint_bytes: 64 * 1024 * 1024,
            // Longer than a page that is written through mapped memory waits for its write-back.
            digest_age: Duration::from_secs(60),
            partial_ttl: Duration::from_secs(7 * 24 * 60 * 60),
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
    /// Digests of whole files.
    pub(crate) digests: Digests,
    /// Folders with new names that no sync has covered yet.
    pub(crate) dirty: Dirty,
    /// Partials that jobs under way write to.
    pub(crate) partials: Arc<Partials>,
    pub(crate) safety: Arc<Safety>,
    pub(crate) nameless: Nameless,
    /// The last upload found its name taken: the next one had better look first.
    pub(crate) crowded: AtomicBool,
    /// Names of folders that are being listed.
    pub(crate) listings: Listings,
    /// How far the sweep has come.
    pub(crate) walk: Mutex<Walk>,
}

impl Shared {
    /// Notes whether an upload found its name taken.
    pub(crate) fn note_crowded(&self, taken: bool) {
        // Mostly it is as it was: then all workers may keep the line in their caches.
        if self.crowded.load(Ordering::Relaxed) != taken {
            self.crowded.store(taken, Ordering::Relaxed);
        }
    }
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
                safety: Arc::new(Safety::new(options.durability, options.checkpoint_bytes)),
                digests: Digests::new(options.digest_age),
                options,
                dirty: Dirty::default(),
                partials: Arc::default(),
                nameless: Nameless::default(),
                crowded: AtomicBool::new(false),
                listings: Listings::default(),
                walk: Mutex::default(),
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
        self.run_near(job, &mut Nearby::default())
    }

    /// The same for one of several jobs that were all asked for before the first of them began, and
    /// that share `nearby`.
    #[must_use]
    pub fn run_near(&self, job: Job, nearby: &mut Nearby) -> Run {
        job::run(&self.shared, job, nearby)
    }

    /// Looks at up to `budget` names and removes the leftovers among them: temp files of processes
    /// that died, and partials whose time is over by `now`. Never one that somebody is at work on.
    /// The next call goes on where this one stopped. Names kept for listings that nobody went on with
    /// are forgotten. Blocks.
    pub fn sweep(&self, now: SystemTime, budget: usize) -> SweepReport {
        self.shared.listings.expire();
        sweep::sweep(&self.shared, now, budget)
    }

    /// For tests that look inside.
    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}
