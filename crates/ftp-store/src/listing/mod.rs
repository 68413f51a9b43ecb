//! Sorted names of a folder, kept from one page of a listing to the next.
//!
//! A page names only the last name before it, so without this every page would read the whole folder
//! again: a hundred thousand names would cost twenty-five times as much each as a thousand. What one
//! reading found (a [`Run`]) is kept here for the pages behind it, as long as somebody holds a ticket
//! for it: the last name of a page that is not the last one. The next page redeems it.
//!
//! Why no page lies: the names after a cursor come from a run that was read when the listing had
//! begun, because only a page of that listing, made from this run or an older one, gave the ticket.
//! So a name that stands all the time is in it. Cursors only grow, so no name comes twice. A first page
//! and a cursor without a ticket read the folder. What is gone meanwhile is seen when it is looked at.
//!
//! Listings of one folder share its newest run. Bounded: the bytes of one run (the rest is left for
//! the next reading), of all that are kept, tickets, and age. One reading at a time takes a whole run;
//! whoever reads beside it takes what its page needs. The lock is never held over a system call.

mod run;

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rustix::io::Errno;

use self::run::{Run, clock};
use crate::meta::Identity;

/// Names and their places in one run: of sixteen letters, seven hundred thousand. While it is read it
/// may be half as much again, and its sorting takes sixteen bytes a name.
const RUN_BYTES: usize = 16 * 1024 * 1024;
/// All runs that are kept.
const KEPT_BYTES: usize = 32 * 1024 * 1024;
/// As many of them.
const KEPT_RUNS: usize = 64;
/// Different cursors that one run is kept for.
const TICKETS: usize = 256;
/// A run that was read longer ago is not used.
const AGE: Duration = Duration::from_secs(30);

/// What is kept for the pages to come.
#[derive(Default)]
pub(crate) struct Listings {
    /// Those last used are last.
    kept: Mutex<Vec<Kept>>,
    /// Held by the one reading that may take a whole run.
    whole: Mutex<()>,
}

struct Kept {
    folder: Identity,
    run: Arc<Run>,
    /// How often a cursor was given out; one at least.
    tickets: BTreeMap<String, usize>,
}

impl Listings {
    /// The names behind `after`: kept ones where `after` is a cursor that was [kept](Self::keep) for,
    /// else read from `dir`, which nobody has read from. At least `least` of them, if there are so many.
    pub(crate) fn run(
        &self,
        folder: Identity,
        dir: impl AsFd,
        after: Option<&str>,
        least: usize,
    ) -> Result<Arc<Run>, Errno> {
        if let Some(run) = after.and_then(|after| self.redeem(folder, after)) {
            return Ok(run);
        }
        let alone = match self.whole.try_lock() {
            Ok(alone) => Some(alone),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        let bytes = if alone.is_some() { RUN_BYTES } else { 0 };
        Run::read(dir, after, least, bytes).map(Arc::new)
    }

    /// Keeps a run for the page behind `cursor`, which may come or not.
    pub(crate) fn keep(&self, folder: Identity, run: &Arc<Run>, cursor: &str) {
        if !run.covers(cursor) {
            return;
        }
        let mut kept = self.kept();
        let newer = |kept: &Kept| {
            kept.folder == folder && kept.run.read_at() >= run.read_at() && kept.run.covers(cursor)
        };
        let mut ours = match kept.iter().position(newer) {
            Some(at) => kept.remove(at),
            None => Kept {
                folder,
                run: Arc::clone(run),
                tickets: BTreeMap::new(),
            },
        };
        ours.add(cursor.to_owned(), 1);
        kept.retain_mut(|other| !ours.takes_over(other));
        kept.push(ours);
        while kept.len() > KEPT_RUNS
            || kept.iter().map(|kept| kept.run.bytes()).sum::<usize>() > KEPT_BYTES
        {
            kept.remove(0);
        }
    }

    /// Drops what is too old: of listings that nobody went on with.
    pub(crate) fn expire(&self) {
        let now = clock();
        self.kept().retain(|kept| !kept.run.is_old(now));
    }

    /// Hands in the ticket that was given with `after`.
    fn redeem(&self, folder: Identity, after: &str) -> Option<Arc<Run>> {
        self.expire();
        let mut kept = self.kept();
        let has = |kept: &Kept| kept.folder == folder && kept.tickets.contains_key(after);
        let at = kept.iter().position(has)?;
        let ours = kept.get_mut(at)?;
        let run = Arc::clone(&ours.run);
        if let Some(count) = ours.tickets.get_mut(after) {
            *count -= 1;
            if *count == 0 {
                ours.tickets.remove(after);
            }
        }
        if ours.tickets.is_empty() {
            kept.remove(at);
        }
        Some(run)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        // It is whole between any two statements, so a panic elsewhere does not spoil it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Without room for one more cursor, its listing reads again.
    fn add(&mut self, cursor: String, count: usize) {
        if let Some(had) = self.tickets.get_mut(&cursor) {
            *had += count;
        } else if self.tickets.len() < TICKETS {
            self.tickets.insert(cursor, count);
        }
    }

    /// Takes the tickets of an older run of the same folder; whether none is left there.
    fn takes_over(&mut self, other: &mut Self) -> bool {
        if other.folder != self.folder || other.run.read_at() > self.run.read_at() {
            return false;
        }
        for (cursor, count) in std::mem::take(&mut other.tickets) {
            if self.run.covers(&cursor) {
                self.add(cursor, count);
            } else {
                other.tickets.insert(cursor, count);
            }
        }
        other.tickets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::CWD;

    use super::run::Names;
    use super::*;
    use crate::jail::child;
    use crate::meta::Stat;
    use crate::sys;
    use crate::temp::file_mode;

    fn folder(count: usize) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for n in 0..count {
            plant(&root, &format!("f{n:05}"));
        }
        root
    }

    fn plant(root: &tempfile::TempDir, name: &str) {
        sys::create(open(root.path()).1, name, file_mode()).unwrap();
    }

    fn open(root: &Path) -> (Identity, OwnedFd) {
        let dir = child(CWD, root).unwrap();
        (Stat::of(&dir).unwrap().identity(), dir)
    }

    fn tickets(listings: &Listings) -> Vec<usize> {
        let kept = listings.kept();
        kept.iter()
            .map(|kept| kept.tickets.values().sum())
            .collect()
    }

    #[test]
    fn a_ticket_is_good_once_and_nothing_stays_behind() {
        let root = folder(10);
        let listings = Listings::default();
        let run = |after| {
            let (folder, dir) = open(root.path());
            listings.run(folder, dir, after, 1).unwrap()
        };
        let (id, _) = open(root.path());
        let first = run(None);
        listings.keep(id, &first, "f00004");
        assert!(Arc::ptr_eq(&first, &run(Some("f00004"))));
        assert!(tickets(&listings).is_empty());
        // Who only knows the name sees the folder as it is.
        plant(&root, "f99999");
        let fresh = run(Some("f00004"));
        let names: Vec<_> = fresh.names(None).collect();
        assert_eq!(names.first(), Some(&"f00005"));
        assert_eq!(names.last(), Some(&"f99999"));
        // With nothing behind it, and from before the run begins: nothing to keep it for.
        listings.keep(id, &first, "f00009");
        listings.keep(id, &fresh, "f00001");
        assert!(tickets(&listings).is_empty());
    }

    #[test]
    fn a_thousand_listings_share_the_newest_run() {
        let root = folder(100);
        let listings = Listings::default();
        let (id, _) = open(root.path());
        let cursor = |round: usize| format!("f{:05}", round % 90);
        for round in 0..1_000 {
            let (_, dir) = open(root.path());
            let run = listings.run(id, dir, None, 1).unwrap();
            listings.keep(id, &run, &cursor(round));
        }
        assert_eq!(tickets(&listings), [1_000]);
        for round in 0..1_000 {
            assert!(listings.redeem(id, &cursor(round)).is_some());
        }
        assert!(tickets(&listings).is_empty());
    }

    #[test]
    fn a_run_that_ends_before_a_cursor_stays_for_those_that_it_covers() {
        let root = folder(100);
        let listings = Listings::default();
        let (id, dir) = open(root.path());
        let first = Run::read(&dir, None, 1, 100).map(Arc::new).unwrap();
        let (_, dir) = open(root.path());
        let second = Run::read(&dir, Some("f00050"), 1, 10_000)
            .map(Arc::new)
            .unwrap();
        listings.keep(id, &first, "f00001");
        listings.keep(id, &second, "f00060");
        assert_eq!(tickets(&listings), [1, 1]);
        let (_, dir) = open(root.path());
        let all = listings.run(id, dir, None, 1).unwrap();
        listings.keep(id, &all, "f00070");
        assert_eq!(tickets(&listings), [3]);
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_bytes_and_age() {
        let listings = Listings::default();
        let root = folder(0);
        let (id, _) = open(root.path());
        let folder = |inode| Identity { inode, ..id };
        let keep = |inode, size: usize, read| {
            let mut names = Names::default();
            names.push("b");
            names.push(&"c".repeat(size));
            let run = Arc::new(Run::of(names, read));
            listings.keep(folder(inode), &run, "b");
            listings.kept().len()
        };
        for inode in 1..=100 {
            assert!(keep(inode, 10, clock()) <= KEPT_RUNS);
        }
        assert_eq!(keep(101, KEPT_BYTES / 4 * 3, clock()), KEPT_RUNS);
        assert_eq!(keep(102, KEPT_BYTES / 4 * 3, clock()), 1);
        let run = Arc::clone(&listings.kept()[0].run);
        for n in 0..2 * TICKETS {
            listings.keep(folder(102), &run, &format!("b{n}"));
        }
        assert_eq!(tickets(&listings), [TICKETS]);
        listings.expire();
        assert_eq!(tickets(&listings), [TICKETS]);
        let Some(old) = clock().checked_sub(AGE + Duration::from_secs(1)) else {
            println!("skipped: a machine that started just now");
            return;
        };
        assert_eq!(keep(103, 10, old), 2);
        assert!(listings.redeem(folder(103), "b").is_none());
        assert_eq!(tickets(&listings), [TICKETS]);
    }

    #[test]
    fn only_one_reading_takes_more_than_it_needs() {
        let root = folder(200);
        let listings = Listings::default();
        let read = || {
            let (id, dir) = open(root.path());
            listings.run(id, dir, None, 5).unwrap()
        };
        let busy = listings.whole.lock().unwrap();
        let run = read();
        assert!(!run.is_whole());
        assert!((5..=10).contains(&run.names(None).count()));
        drop(busy);
        assert!(read().is_whole());
    }
}
