//! `Dirty`: folders whose new names are not on stable storage yet.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use crate::meta::{Identity, Stat};
use crate::sys;

/// Most folders (each a descriptor) that wait for a round; beyond it whoever adds one syncs them.
const WAITING: usize = 256;

/// Folders that got or lost a name since they were synced.
///
/// A file is only safe if the folders on the way to it are. One upload may make the folder that
/// another one uses, so the list is the store's, and every round covers all that is on it.
#[derive(Default)]
pub(crate) struct Dirty {
    waiting: Mutex<BTreeMap<Identity, Arc<OwnedFd>>>,
    /// Held from taking the list to the end of its syncs: a round that finds the list empty must not
    /// answer before the round that took it.
    flushing: Mutex<()>,
}

impl Dirty {
    /// Changes folders and puts them on the list, as one act in the eyes of a round of syncing.
    pub(crate) fn change<T>(
        &self,
        dirs: &[&Arc<OwnedFd>],
        change: impl FnOnce() -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let mut waiting = lock(&self.waiting);
        for dir in dirs {
            waiting
                .entry(Stat::of(dir)?.identity())
                .or_insert_with(|| Arc::clone(dir));
        }
        let changed = change()?;
        let full = waiting.len() >= WAITING;
        drop(waiting);
        if full {
            // What fails stays on the list, and is told by the round that needs it.
            self.flush().ok();
        }
        Ok(changed)
    }

    /// Syncs what is on the list; what cannot be synced stays on it.
    pub(crate) fn flush(&self) -> Result<(), Errno> {
        let _flushing = lock(&self.flushing);
        let dirs = std::mem::take(&mut *lock(&self.waiting));
        let mut result = Ok(());
        for (identity, dir) in dirs {
            match sys::sync_dir(&dir) {
                // A folder that was removed has no names to keep.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => {
                    result = Err(error);
                    lock(&self.waiting).entry(identity).or_insert(dir);
                }
            }
        }
        result
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is whole between any two statements, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
