//! `Store`: a served folder, and how it is served.
//!
//! It owns no thread: whoever calls [`Store::run`] lends the one it runs on, and may be blocked.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use ftp_proto::Durability;

use crate::digests::Digests;
use crate::dirty::Dirty;
use crate::error::OpenError;
use crate::jail::Jail;
use crate::job::Job;
use crate::listing::Listings;
use crate::nearby::Nearby;
use crate::partial::Safety;
use crate::run::{self, Run};
use crate::shared::{Options, Shared};
use crate::sweep::{self, SweepReport};
use crate::temp::Nameless;

/// A served folder. Shared by all workers; every call may block on the disk.
pub struct Store {
    shared: Arc<Shared>,
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
        run::run(&self.shared, job, nearby)
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
