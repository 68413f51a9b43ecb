//! `Partial`: a file on its way, under a temp name beside its target until it is complete and verified.
//!
//! The name is made from the target's, so that a later run finds what an earlier one left; a lock on the open
//! file says that somebody works on it. A small file that is written at once has a name that nobody else
//! comes to, and needs no lock. Dropped without [`Partial::commit`] or [`Partial::keep`] a partial is gone.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::folder::Folder;
use crate::error::{Error, Result};
use crate::hash;

const SUFFIX: &str = ".muxftp-part";
/// Longest file name (Linux `NAME_MAX`).
const NAME_BYTES: usize = 255;
/// Nobody else reads a partial before it has the mode it is meant to have.
const PRIVATE: u32 = 0o600;
/// The mode of a file whose server names none.
pub(crate) const USUAL_MODE: u32 = 0o644;
/// How often a name that others fight for is tried.
const ATTEMPTS: usize = 16;

/// What a file is given when it appears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Modification time: seconds since 1970 and nanoseconds.
    pub(crate) mtime: Option<(i64, u32)>,
    /// Permission bits.
    pub(crate) mode: Option<u32>,
    /// Whether file and folder are synced to the disk before it counts as done.
    pub(crate) sync: bool,
}

/// A file that is not complete yet.
#[derive(Debug)]
pub(crate) struct Partial {
    folder: Arc<Folder>,
    name: OsString,
    temp: OsString,
    file: File,
    /// The permission bits it is known to have.
    mode: Option<u32>,
    /// Whether the temp name is removed on drop.
    doomed: bool,
}

/// Whether a name is one of our partials'.
pub(crate) fn is_partial_name(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b".") && name.ends_with(SUFFIX.as_bytes())
}

impl Partial {
    /// An empty partial for `name`. What an earlier run left is thrown away; where somebody else works on
    /// the same target, it gets a name of its own.
    ///
    /// # Errors
    /// [`Error::Local`], open(2).
    pub(crate) fn create(folder: &Arc<Folder>, name: &OsStr) -> Result<Self> {
        for attempt in 0..ATTEMPTS {
            let temp = temp_name(name, attempt > 0);
            match open(folder, &temp, OFlags::CREATE | OFlags::EXCL, PRIVATE) {
                Ok(file) => {
                    if lock(&file) {
                        return Ok(Self::new(folder, name, temp, file));
                    }
                }
                Err(Errno::EXIST) => {
                    if let Some(old) = Self::reopen(folder, name)? {
                        old.clear()?;
                        return Ok(old);
                    }
                }
                Err(errno) => {
                    return Err(Error::local(format!("create {}", folder.show(name)), errno));
                }
            }
        }
        Err(Error::local(
            format!("create {}", folder.show(name)),
            Errno::EXIST,
        ))
    }

    /// An empty partial for a file that is here already and only has to be written: as few system calls as can
    /// be. It has the mode that is meant from the start, where the folder gives modes as they are asked for.
    ///
    /// # Errors
    /// [`Error::Local`], open(2).
    pub(crate) fn create_small(folder: &Arc<Folder>, name: &OsStr, mode: u32) -> Result<Self> {
        let failed = |errno| Error::local(format!("create {}", folder.show(name)), errno);
        for _ in 0..ATTEMPTS {
            let temp = temp_name(name, true);
            match open(folder, &temp, OFlags::CREATE | OFlags::EXCL, mode & 0o777) {
                Ok(file) => {
                    let mut partial = Self::new(folder, name, temp, file);
                    partial.mode = folder.given_mode(&partial.file, mode & 0o777);
                    return Ok(partial);
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        Err(failed(Errno::EXIST))
    }

    /// What an earlier run left for `name`: ours, a regular file with one name, and nobody works on it.
    ///
    /// # Errors
    /// [`Error::Local`], other than that there is none.
    pub(crate) fn reopen(folder: &Arc<Folder>, name: &OsStr) -> Result<Option<Self>> {
        let temp = temp_name(name, false);
        let file = match open(folder, &temp, OFlags::empty(), PRIVATE) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::LOOP | Errno::ISDIR | Errno::ACCESS | Errno::NXIO) => {
                return Ok(None);
            }
            Err(errno) => return Err(Error::local(format!("open {}", folder.show(&temp)), errno)),
        };
        if !lock(&file) {
            return Ok(None);
        }
        let meta = file
            .metadata()
            .map_err(|error| Error::local(format!("stat {}", folder.show(&temp)), error))?;
        // The one before us may have renamed it while we waited for the lock.
        let same = folder
            .stat(&temp, false)
            .is_ok_and(|named| (named.st_dev, named.st_ino) == (meta.dev(), meta.ino()));
        let ours = meta.is_file()
            && meta.nlink() == 1
            && meta.uid() == rustix::process::geteuid().as_raw();
        Ok((same && ours).then(|| Self::new(folder, name, temp, file)))
    }

    fn new(folder: &Arc<Folder>, name: &OsStr, temp: OsString, file: File) -> Self {
        Self {
            folder: Arc::clone(folder),
            name: name.to_owned(),
            temp,
            file,
            mode: None,
            doomed: true,
        }
    }

    /// Bytes it holds.
    ///
    /// # Errors
    /// [`Error::Local`], fstat(2).
    pub(crate) fn len(&self) -> Result<u64> {
        let meta = self.file.metadata().map_err(|e| self.failed("stat", e))?;
        Ok(meta.len())
    }

    /// Reads at a place.
    ///
    /// # Errors
    /// [`Error::Local`], pread(2).
    pub(crate) fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize> {
        self.file
            .read_at(out, offset)
            .map_err(|error| self.failed("read", error))
    }

    /// Writes at a place.
    ///
    /// # Errors
    /// [`Error::Local`], pwrite(2); a full disk is `ENOSPC`.
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file
            .write_all_at(bytes, offset)
            .map_err(|error| self.failed("write", error))
    }

    /// Empties it.
    ///
    /// # Errors
    /// [`Error::Local`], ftruncate(2).
    pub(crate) fn clear(&self) -> Result<()> {
        self.file
            .set_len(0)
            .map_err(|error| self.failed("truncate", error))
    }

    /// Cuts it to `len` bytes.
    ///
    /// # Errors
    /// [`Error::Local`], ftruncate(2).
    pub(crate) fn truncate(&self, len: u64) -> Result<()> {
        self.file
            .set_len(len)
            .map_err(|error| self.failed("truncate", error))
    }

    /// Makes it the file: mode, time, sync, and the name, in one step for whoever looks.
    ///
    /// # Errors
    /// [`Error::Local`]; the old file is then as it was.
    pub(crate) fn commit(mut self, meta: Meta) -> Result<()> {
        let mode = meta.mode.unwrap_or(USUAL_MODE) & 0o777;
        if self.mode != Some(mode) {
            rustix::fs::fchmod(&self.file, Mode::from_raw_mode(mode))
                .map_err(|errno| self.failed("chmod", errno.into()))?;
        }
        if let Some((seconds, nanos)) = meta.mtime {
            let time = Timespec {
                tv_sec: seconds,
                tv_nsec: i64::from(nanos.min(999_999_999)),
            };
            let times = Timestamps {
                last_access: time,
                last_modification: time,
            };
            rustix::fs::futimens(&self.file, &times)
                .map_err(|errno| self.failed("set the time of", errno.into()))?;
        }
        if meta.sync {
            self.file
                .sync_all()
                .map_err(|error| self.failed("sync", error))?;
        }
        rustix::fs::renameat(&*self.folder, &self.temp, &*self.folder, &self.name)
            .map_err(|errno| self.failed("put in place", errno.into()))?;
        self.doomed = false;
        if meta.sync {
            rustix::fs::fsync(&*self.folder)
                .map_err(|errno| Error::local(format!("sync {}", self.folder.shown()), errno))?;
        }
        Ok(())
    }

    /// Leaves it for a later run. One with a name of its own would never be found: it goes.
    pub(crate) fn keep(mut self) {
        self.doomed = self.temp != temp_name(&self.name, false);
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::local(format!("{what} {}", self.folder.show(&self.name)), error)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.doomed {
            // Nothing can be done about a failure; a later run takes it over.
            let _ = rustix::fs::unlinkat(&*self.folder, &self.temp, AtFlags::empty());
        }
    }
}

fn open(folder: &Folder, temp: &OsStr, more: OFlags, mode: u32) -> rustix::io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | more;
    Ok(rustix::fs::openat(folder, temp, flags, Mode::from_raw_mode(mode))?.into())
}

fn lock(file: &File) -> bool {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// `.NAME.muxftp-part`, or with a random part; a name too long for that is cut and marked with its digest.
fn temp_name(name: &OsStr, unique: bool) -> OsString {
    let random = if unique {
        format!(".{:08x}", fastrand::u32(..))
    } else {
        String::new()
    };
    let bytes = name.as_bytes();
    let room = NAME_BYTES - 1 - random.len() - SUFFIX.len();
    let mut out = vec![b'.'];
    if bytes.len() <= room {
        out.extend_from_slice(bytes);
    } else {
        let mark = hash::digest(bytes).to_string();
        let mark = mark.get(..16).unwrap_or_default();
        out.extend_from_slice(bytes.get(..room - 17).unwrap_or_default());
        out.push(b'~');
        out.extend_from_slice(mark.as_bytes());
    }
    out.extend_from_slice(random.as_bytes());
    out.extend_from_slice(SUFFIX.as_bytes());
    OsString::from_vec(out)
}

#[cfg(test)]
#[path = "partial_tests.rs"]
mod tests;
