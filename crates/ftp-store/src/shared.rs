//! `Shared`: what all work on one store keeps hold of, and the options it obeys.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ftp_proto::Durability;
use rustix::fs::Dir;

use crate::digests::Digests;
use crate::dirty::Dirty;
use crate::jail::Jail;
use crate::listing::Listings;
use crate::live::Partials;
use crate::partial::Safety;
use crate::purse::Naming;
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
    pub(crate) naming: Arc<Naming>,
}

/// Where the sweep stands: the folders from the root down to where it reads.
#[derive(Default)]
pub(crate) struct Walk {
    pub(crate) levels: Vec<Dir>,
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
