//! `Store`: a served folder, and how it is served.
//!
//! It owns no thread: whoever calls [`Store::run`] lends the one it runs on, and may be blocked.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use ftp_proto::{Amount, Durability};

use crate::count;
use crate::digests::Digests;
use crate::dirty::Dirty;
use crate::error::OpenError;
use crate::jail::Jail;
use crate::job::Job;
use crate::listing::Listings;
use crate::live::Partials;
use crate::loan::Aside;
use crate::nearby::Nearby;
use crate::partial::Safety;
use crate::purse::{Account, Naming};
use crate::run::{self, Run};
use crate::shared::{Options, Shared};
use crate::sweep::{self, SweepReport};
use crate::temp::Nameless;

/// A served folder. Shared by all workers; every call may block on the disk.
pub struct Store {
    shared: Arc<Shared>,
    /// Where all changes are counted, if anywhere.
    account: Option<Arc<dyn Account>>,
}

impl Store {
    /// Opens `root` and holds it: a rename of the folder itself does not disturb the store.
    ///
    /// # Errors
    /// If it is not there, is no folder, or cannot be read.
    pub fn open(root: &Path, options: Options) -> Result<Self, OpenError> {
        let naming = Arc::<Naming>::default();
        Ok(Self {
            shared: Arc::new(Shared {
                jail: Jail::open(root, options.follow_links)?,
                safety: Arc::new(Safety::new(options.durability, options.checkpoint_bytes)),
                digests: Digests::new(options.digest_age),
                options,
                dirty: Dirty::default(),
                partials: Arc::new(Partials::new(&naming)),
                nameless: Nameless::default(),
                crowded: AtomicBool::new(false),
                listings: Listings::default(),
                walk: Mutex::default(),
                naming,
            }),
            account: None,
        })
    }

    /// The same folder, whose changes are counted from now on: none is made for which there is no room.
    #[must_use]
    pub fn counted(&self, account: Option<Arc<dyn Account>>) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            account,
        }
    }

    /// Whether its changes are counted.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.account.is_some()
    }

    /// Whether somebody else has the same folder open by this opening.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.shared) > 1
    }

    /// Counts all names of files and their bytes, links not followed; of leftovers and partials the bytes alone, and of those
    /// that somebody is at work on nothing. Blocks, and long where there is much; `go_on` is asked now and then.
    ///
    /// # Errors
    /// Those of reading folders, but for folders that the server may not read; `Interrupted` if `go_on` says no.
    pub fn count(&self, go_on: &mut dyn FnMut() -> bool) -> io::Result<Amount> {
        count::count(&self.shared, go_on)
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
        run::run(&self.shared, self.account.as_ref(), job, nearby, None)
    }

    /// The same, where `aside` takes the digest of what is written meanwhile.
    #[must_use]
    pub fn run_with(&self, job: Job, nearby: &mut Nearby, aside: &dyn Aside) -> Run {
        run::run(
            &self.shared,
            self.account.as_ref(),
            job,
            nearby,
            Some(aside),
        )
    }

    /// Looks at up to `budget` names and removes the leftovers among them: temp files of processes
    /// that died, and partials whose time is over by `now`. Never one that somebody is at work on.
    /// The next call goes on where this one stopped. Names kept for listings that nobody went on with
    /// are forgotten. Blocks.
    pub fn sweep(&self, now: SystemTime, budget: usize) -> SweepReport {
        self.shared.listings.expire();
        sweep::sweep(&self.shared, self.account.as_ref(), now, budget)
    }

    /// For tests that look inside.
    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}
