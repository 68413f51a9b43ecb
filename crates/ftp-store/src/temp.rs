//! `Temp`: where a file is before it has its name, and how it gets it, in one step.
//!
//! A name of the server's own goes away with its holder unless it is kept. It is reserved, so no peer
//! can reach it; the lock on its file tells a sweep, of this process or another, that somebody is at
//! work on it. A file that has no name at all needs none of that: nothing of it survives its holder.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use ftp_proto::Kind;
use ftp_proto::path::RESERVED_PREFIX;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;
use rustix::path::Arg;

use crate::meta::Stat;
use crate::sys;

/// How many random names are tried before giving up.
const NAME_TRIES: usize = 16;

/// What the name of an upload that is not to be resumed begins with, after [`RESERVED_PREFIX`].
pub(crate) const ONCE: char = 't';
/// What the name of a partial begins with, after [`RESERVED_PREFIX`].
pub(crate) const PARTIAL: char = 'p';

/// A temp name in a held folder, or none yet.
pub(crate) struct Temp {
    dir: Arc<OwnedFd>,
    /// It goes away with this.
    name: Option<String>,
}

/// Files that are made without a name and get one later.
#[derive(Default)]
pub(crate) struct Nameless {
    /// Found out by trying it once.
    works: OnceLock<bool>,
}

impl Nameless {
    /// Makes an empty file without a name, if that can be.
    pub(crate) fn create(&self, dir: &Arc<OwnedFd>, mode: Mode) -> Option<(Temp, OwnedFd)> {
        if self.works.get().is_none() {
            self.try_out(dir);
        }
        if self.works.get() != Some(&true) {
            return None;
        }
        // Whatever stands against it here, a named one will tell or not mind.
        let file = sys::create_nameless(dir, mode).ok()?;
        Some((Temp::nameless(dir), file))
    }

    /// A file that can be made may still not get a name, and then all its bytes would be lost: an old
    /// kernel or a sandbox may be against that.
    fn try_out(&self, dir: &Arc<OwnedFd>) {
        if let Ok(file) = sys::create_nameless(dir, file_mode()) {
            let works = Temp::nameless(dir).appear(file).is_ok();
            self.works.set(works).ok();
        }
    }
}

impl Temp {
    /// Makes an empty file under a fresh name, and locks it.
    pub(crate) fn create(dir: &Arc<OwnedFd>, mode: Mode) -> Result<(Self, OwnedFd), Errno> {
        let (name, file) = under_fresh_name(|name| sys::create(dir, name, mode))?;
        let temp = Self::adopt(dir, name);
        // Where there are no locks, a sweep leaves it alone.
        lock(&file).ok();
        Ok((temp, file))
    }

    /// Takes a name over: from now on it goes away with this.
    pub(crate) fn adopt(dir: &Arc<OwnedFd>, name: String) -> Self {
        Self {
            dir: Arc::clone(dir),
            name: Some(name),
        }
    }

    fn nameless(dir: &Arc<OwnedFd>) -> Self {
        let dir = Arc::clone(dir);
        Self { dir, name: None }
    }

    /// Has it get its name in another folder; `false` if it has one in the first.
    pub(crate) fn move_to(&mut self, dir: &Arc<OwnedFd>) -> bool {
        if self.name.is_some() {
            return false;
        }
        self.dir = Arc::clone(dir);
        true
    }

    /// Hands the name over, if there is one; this holds none any more.
    pub(crate) fn hand_over(&mut self) -> Self {
        Self {
            dir: Arc::clone(&self.dir),
            name: self.name.take(),
        }
    }

    /// Gives the file its name, in the place of whatever file stands there.
    pub(crate) fn replace(&mut self, file: impl AsFd, name: &str) -> Result<(), Errno> {
        if self.name.is_none() {
            match sys::link(&file, &self.dir, name) {
                // A link cannot replace.
                Err(Errno::EXIST) => self.appear(&file)?,
                other => return other,
            }
        }
        if let Some(temp) = &self.name {
            sys::rename(&self.dir, temp, &self.dir, name)?;
            self.name = None;
        }
        Ok(())
    }

    /// Gives the file its name, if nothing has it.
    ///
    /// Errors: `EXIST` if something has.
    pub(crate) fn claim(&mut self, file: impl AsFd, name: &str) -> Result<(), Errno> {
        match &self.name {
            None => sys::link(file, &self.dir, name),
            Some(temp) => {
                sys::rename_new(&self.dir, temp, &self.dir, name)?;
                self.name = None;
                Ok(())
            }
        }
    }

    /// Gives a file without a name a temp one.
    fn appear(&mut self, file: impl AsFd) -> Result<(), Errno> {
        let (name, ()) = under_fresh_name(|name| sys::link(&file, &self.dir, name))?;
        self.name = Some(name);
        lock(&file).ok();
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // Best effort: what stays is swept later.
            sys::unlink(&self.dir, name.as_str()).ok();
        }
    }
}

fn under_fresh_name<T>(
    mut make: impl FnMut(&str) -> Result<T, Errno>,
) -> Result<(String, T), Errno> {
    for _ in 0..NAME_TRIES {
        let name = format!("{RESERVED_PREFIX}{ONCE}{:016x}", fastrand::u64(..));
        match make(&name) {
            Ok(made) => return Ok((name, made)),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::BUSY)
}

/// The mode of an ordinary new file, which the umask narrows.
pub(crate) fn file_mode() -> Mode {
    Mode::from_raw_mode(0o644)
}

/// Takes the lock that says "at work"; it ends with the last descriptor of this opening, or its process.
///
/// Errors: `WOULDBLOCK` if somebody else has it, others where there are no locks.
pub(crate) fn lock(file: impl AsFd) -> Result<(), Errno> {
    flock(file, FlockOperation::NonBlockingLockExclusive)
}

/// Gives the lock back before the file is closed.
pub(crate) fn unlock(file: impl AsFd) {
    // It can only fail where there are none.
    flock(file, FlockOperation::NonBlockingUnlock).ok();
}

/// Removes a file that nobody is at work on, and says how long it was; `None` if somebody is.
pub(crate) fn remove_idle(dir: impl AsFd, name: impl Arg + Copy) -> Result<Option<u64>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(&dir, name, flags, Mode::empty())?;
    if Stat::of(&file)?.kind() != Kind::File {
        return Ok(None);
    }
    match lock(&file) {
        Ok(()) => {}
        // Where there are no locks nobody can know, and it stays.
        Err(_) => return Ok(None),
    }
    // While the lock is ours, whoever opens it anew finds it taken, and whoever had it has renamed it.
    let named = Stat::find(&dir, name)?;
    let ours = Stat::of(&file)?;
    if named.is_none_or(|named| named.identity() != ours.identity()) {
        return Ok(None);
    }
    sys::unlink(&dir, name)?;
    Ok(Some(ours.size()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::CWD;

    use super::*;
    use crate::jail::child;
    use crate::meta::Stat;

    /// A folder, its descriptor, and a file on its way into it, without a name and with one.
    fn each(check: impl Fn(&tempfile::TempDir, &Arc<OwnedFd>, Temp, OwnedFd)) {
        for nameless in [true, false] {
            let root = tempfile::tempdir().unwrap();
            let dir = Arc::new(child(CWD, root.path()).unwrap());
            let made = if nameless {
                Nameless::default().create(&dir, file_mode())
            } else {
                Some(Temp::create(&dir, file_mode()).unwrap())
            };
            let Some((temp, file)) = made else {
                println!("skipped: no files without names in the temp folder");
                continue;
            };
            assert_eq!(names(&root).len(), usize::from(!nameless));
            sys::write(&file, b"new", 0).unwrap();
            check(&root, &dir, temp, file);
        }
    }

    fn names(root: &tempfile::TempDir) -> Vec<String> {
        let entries = std::fs::read_dir(root.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    fn size(dir: &Arc<OwnedFd>, name: &str) -> u64 {
        Stat::at(dir, name).unwrap().size()
    }

    fn plant(dir: &Arc<OwnedFd>, name: &str) {
        sys::create(dir, name, file_mode()).unwrap();
    }

    #[test]
    fn where_it_does_not_work_there_is_none() {
        let root = tempfile::tempdir().unwrap();
        let dir = Arc::new(child(CWD, root.path()).unwrap());
        let nameless = Nameless::default();
        nameless.works.set(false).unwrap();
        assert!(nameless.create(&dir, file_mode()).is_none());
        // A folder that takes no files says nothing about others.
        std::fs::remove_dir(root.path()).unwrap();
        let nameless = Nameless::default();
        assert!(nameless.create(&dir, file_mode()).is_none());
        assert_eq!(nameless.works.get(), None);
    }

    #[test]
    fn a_name_that_is_free_is_given() {
        each(|root, dir, mut temp, file| {
            temp.claim(&file, "f").unwrap();
            drop(temp);
            assert_eq!(names(root), ["f"]);
            assert_eq!(size(dir, "f"), 3);
        });
        each(|root, dir, mut temp, file| {
            temp.replace(&file, "f").unwrap();
            drop(temp);
            assert_eq!(names(root), ["f"]);
            assert_eq!(size(dir, "f"), 3);
        });
    }

    #[test]
    fn a_name_that_is_taken_is_replaced_or_left() {
        each(|root, dir, mut temp, file| {
            plant(dir, "f");
            assert_eq!(temp.claim(&file, "f"), Err(Errno::EXIST));
            assert_eq!(size(dir, "f"), 0);
            temp.replace(&file, "f").unwrap();
            drop(temp);
            assert_eq!(names(root), ["f"]);
            assert_eq!(size(dir, "f"), 3);
        });
    }

    /// A partial's name is always the same: between a look at it and the lock it may have become a file, and another one.
    #[test]
    fn what_took_the_name_of_something_idle_is_not_removed() {
        let root = tempfile::tempdir().unwrap();
        let dir = Arc::new(child(CWD, root.path()).unwrap());
        let (name, done) = (".muxftp-p0", AtomicBool::new(false));
        let named = || Stat::find(&dir, name).unwrap().map(|it| it.identity());
        let taken = std::thread::scope(|scope| {
            // More than there are processors, so that some are held up between the two.
            for _ in 0..8 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        remove_idle(&dir, name).ok();
                    }
                });
            }
            let taken = (0..5_000).find(|_| {
                let Ok(file) = sys::create(&dir, name, file_mode()) else {
                    return false;
                };
                let held = Some(Stat::of(&file).unwrap().identity());
                // Until it was locked it may have gone; from then on it may not.
                if lock(&file).is_err() || named() != held {
                    return false;
                }
                std::thread::yield_now();
                let taken = named() != held;
                sys::rename(&dir, name, &dir, "f").ok();
                taken
            });
            done.store(true, Ordering::Relaxed);
            taken
        });
        assert_eq!(taken, None);
    }

    #[test]
    fn what_gets_no_name_goes_away() {
        each(|root, dir, temp, _file| {
            plant(dir, "f");
            drop(temp);
            assert_eq!(names(root), ["f"]);
        });
        each(|root, dir, mut temp, file| {
            sys::make_dir(dir, "f").unwrap();
            assert_eq!(temp.replace(&file, "f"), Err(Errno::ISDIR));
            drop(temp);
            assert_eq!(names(root), ["f"]);
        });
    }
}
