//! Group commit: one round of syncing makes every upload that waits for it durable.
//!
//! The order is the promise: the bytes are on stable storage before the rename, and the folder
//! (under `full`) before the answer. Nothing here verifies, and nothing here picks a name.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use ftp_proto::session::{Fault, Outcome};
use ftp_proto::{Durability, VPath};
use rustix::io::Errno;

use crate::error::{At, fault};
use crate::job::Done;
use crate::meta::{Identity, Stat};
use crate::shared::Shared;
use crate::sys;
use crate::upload::Verified;

/// Up to so many files are synced one by one; more share one `syncfs`.
const SINGLY: usize = 3;
/// A job that is done but for a round of syncing: see [`sync_round`].
pub struct Parked {
    shared: Arc<Shared>,
    done: Done,
    /// Which outcomes speak of names that are not synced yet.
    unsynced: Vec<usize>,
    /// Which outcomes wait for which upload.
    verified: Vec<(usize, Box<Verified>)>,
}

impl Parked {
    pub(crate) fn new(
        shared: Arc<Shared>,
        done: Done,
        unsynced: Vec<usize>,
        verified: Vec<(usize, Box<Verified>)>,
    ) -> Self {
        Self {
            shared,
            done,
            unsynced,
            verified,
        }
    }

    fn answer(&mut self, index: usize, outcome: Outcome) {
        if let Some((_, slot)) = self.done.outcomes.get_mut(index) {
            *slot = outcome;
        }
    }
}

impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (uploads, names) = (self.verified.len(), self.unsynced.len());
        write!(f, "Parked({uploads} uploads, {names} names)")
    }
}

/// Makes all that waits durable with few syncs, puts each upload under its name, and returns the jobs
/// in the same order. Blocks. An error fails what it concerns and nothing else.
#[must_use]
pub fn sync_round(mut parked: Vec<Parked>) -> Vec<Done> {
    let uploads = parked
        .iter_mut()
        .enumerate()
        .flat_map(|(owner, job)| {
            let shared = Arc::clone(&job.shared);
            std::mem::take(&mut job.verified)
                .into_iter()
                .map(move |(index, upload)| Waiting {
                    owner,
                    index,
                    shared: Arc::clone(&shared),
                    upload,
                })
        })
        .collect::<Vec<_>>();
    let synced = sync_files(&uploads);
    let published = uploads
        .into_iter()
        .zip(synced)
        .map(|(waiting, synced)| waiting.publish(synced))
        .collect::<Vec<_>>();
    let dirs = sync_dirs(&published);
    let lists = flush_lists(&parked);
    for (told, dir) in published.into_iter().zip(dirs) {
        let Some(job) = parked.get_mut(told.owner) else {
            continue;
        };
        let list = lists.get(&key(job)).copied().unwrap_or(Ok(()));
        let outcome = match (told.result, dir.and(list)) {
            (Ok(_), Err(errno)) => Outcome::Failed(fault(&told.path, errno)),
            (Ok(outcome), Ok(())) => outcome,
            (Err(fault), _) => Outcome::Failed(fault),
        };
        job.answer(told.index, outcome);
    }
    for job in &mut parked {
        if let Some(Err(errno)) = lists.get(&key(job)) {
            for index in std::mem::take(&mut job.unsynced) {
                job.answer(index, Outcome::Failed(fault(&VPath::root(), *errno)));
            }
        }
    }
    parked.into_iter().map(|job| job.done).collect()
}

/// An upload in the round, and where its outcome belongs.
struct Waiting {
    owner: usize,
    index: usize,
    shared: Arc<Shared>,
    upload: Box<Verified>,
}

/// An upload that has its name, or will not get it.
struct Published {
    owner: usize,
    index: usize,
    path: VPath,
    /// The folder that is still to be synced.
    dir: Option<Arc<OwnedFd>>,
    result: Result<Outcome, Fault>,
}

impl Waiting {
    fn publish(self, synced: Result<(), Errno>) -> Published {
        let Self {
            owner,
            index,
            shared,
            upload,
        } = self;
        let level = shared.options.durability;
        let path = upload.path.clone();
        let dir = Arc::clone(upload.dir());
        let result = synced
            .at(&path)
            .and_then(|()| upload.publish(level, &shared));
        let moved = matches!(result, Ok(Outcome::Committed { .. }));
        Published {
            owner,
            index,
            path,
            dir: (moved && level == Durability::Full).then_some(dir),
            result,
        }
    }

    fn sync(&self) -> Result<(), Errno> {
        match self.shared.options.durability {
            Durability::Full => sys::sync_all(self.upload.file()),
            Durability::Data => sys::sync_data(self.upload.file()),
            Durability::None => Ok(()),
        }
    }
}

fn sync_files(uploads: &[Waiting]) -> Vec<Result<(), Errno>> {
    if uploads.len() <= SINGLY {
        return uploads.iter().map(Waiting::sync).collect();
    }
    // One call for each file system. If it fails, each file is asked for itself, and only the guilty fail.
    let mut systems: HashMap<u64, bool> = HashMap::new();
    uploads
        .iter()
        .map(|waiting| {
            let file = waiting.upload.file();
            let device = Stat::of(&file)?.identity().device;
            let whole = systems
                .entry(device)
                .or_insert_with(|| sys::sync_file_system(&file).is_ok());
            if *whole { Ok(()) } else { waiting.sync() }
        })
        .collect()
}

fn sync_dirs(published: &[Published]) -> Vec<Result<(), Errno>> {
    let mut synced: HashMap<Identity, Result<(), Errno>> = HashMap::new();
    published
        .iter()
        .map(|told| {
            let Some(dir) = &told.dir else {
                return Ok(());
            };
            let identity = Stat::of(dir)?.identity();
            *synced.entry(identity).or_insert_with(|| sys::sync_dir(dir))
        })
        .collect()
}

/// Flushes the list of each store that has a job in the round (mostly one), if names matter to it.
fn flush_lists(parked: &[Parked]) -> HashMap<usize, Result<(), Errno>> {
    let mut lists = HashMap::new();
    for job in parked {
        if job.shared.options.durability == Durability::Full {
            lists
                .entry(key(job))
                .or_insert_with(|| job.shared.dirty.flush());
        }
    }
    lists
}

/// Tells stores apart within one round.
fn key(job: &Parked) -> usize {
    Arc::as_ptr(&job.shared).addr()
}

#[cfg(test)]
mod tests {
    use ftp_proto::session::{CreateOptions, DiskOp, JobId};

    use super::*;
    use crate::record::{self, Trouble};
    use crate::{Block, Job, Options, Run, Slot, Step, Store};

    fn park(store: &Store, path: &str) -> Parked {
        let step = |op| Step::Op { job: JobId(1), op };
        let (path, options) = (VPath::parse(path).unwrap(), CreateOptions::default());
        let (digest, size) = (None, None);
        let steps = vec![
            step(DiskOp::Create { path, options }),
            Step::Write(Block::from(b"new".to_vec())),
            step(DiskOp::Commit { digest, size }),
        ];
        let slot = Slot::default();
        match store.run(Job::new(slot, steps)) {
            Run::Parked(parked) => parked,
            Run::Home(done) => panic!("{done:?}"),
        }
    }

    /// Whether each of so many uploads was told as stored, and what stands where it replaces a file.
    #[allow(
        clippy::disallowed_methods,
        reason = "the test looks at what stands there behind the store's back"
    )]
    fn told(trouble: Trouble, durability: Durability, count: usize) -> (Vec<bool>, Vec<Vec<u8>>) {
        let root = tempfile::tempdir().unwrap();
        let options = Options {
            durability,
            ..Options::default()
        };
        let store = Store::open(root.path(), options).unwrap();
        let paths: Vec<_> = (0..count).map(|n| format!("d{n}/f")).collect();
        for path in &paths {
            let path = root.path().join(path);
            std::fs::create_dir(path.parent().unwrap()).unwrap();
            std::fs::write(path, "old").unwrap();
        }
        let parked = paths.iter().map(|path| park(&store, path)).collect();
        record::trouble(trouble);
        let done = sync_round(parked);
        record::trouble(Trouble::None);
        let stored = |done: &Done| matches!(done.outcomes[1].1, Outcome::Committed { .. });
        let read = |path| std::fs::read(root.path().join(path)).unwrap();
        let names = |n: usize| std::fs::read_dir(root.path().join(format!("d{n}"))).unwrap();
        (0..count).for_each(|n| assert_eq!(names(n).count(), 1, "nothing else stays"));
        (
            done.iter().map(stored).collect(),
            paths.iter().map(read).collect(),
        )
    }

    #[test]
    fn what_could_not_be_synced_gets_no_name_and_is_not_told_as_stored() {
        for durability in [Durability::Full, Durability::Data] {
            for count in [1, SINGLY + 1] {
                let (stored, files) = told(Trouble::SyncOfFiles, durability, count);
                assert!(!stored.contains(&true), "{stored:?}");
                assert!(files.iter().all(|file| file == b"old"));
                let (stored, files) = told(Trouble::None, durability, count);
                assert!(!stored.contains(&false), "{stored:?}");
                assert!(files.iter().all(|file| file == b"new"));
            }
        }
    }

    #[test]
    fn a_name_that_could_not_be_synced_is_not_told_as_stored() {
        for (durability, promised) in [(Durability::Full, true), (Durability::Data, false)] {
            let (stored, _) = told(Trouble::SyncOfFolders, durability, SINGLY + 1);
            assert!(
                stored.iter().all(|stored| *stored != promised),
                "{stored:?}"
            );
        }
    }
}
