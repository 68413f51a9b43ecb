//! `Temp`: a name of the server's own, which goes away with its holder unless it is kept.
//!
//! The name is reserved, so no peer can reach it; the lock on its file tells a sweep, of this process
//! or another, that somebody is at work on it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use ftp_proto::path::RESERVED_PREFIX;
use rustix::fs::{FlockOperation, Mode, flock};
use rustix::io::Errno;

use crate::sys;

/// How many random names are tried before giving up.
const NAME_TRIES: usize = 16;

/// What the name of an upload that is not to be resumed begins with, after [`RESERVED_PREFIX`].
pub(crate) const ONCE: char = 't';
/// What the name of a partial begins with, after [`RESERVED_PREFIX`].
pub(crate) const PARTIAL: char = 'p';

/// A temp name in a held folder.
pub(crate) struct Temp {
    dir: Arc<OwnedFd>,
    name: String,
    kept: bool,
}

impl Temp {
    /// Makes an empty file under a fresh name, and locks it.
    pub(crate) fn create(dir: &Arc<OwnedFd>) -> Result<(Self, OwnedFd), Errno> {
        for _ in 0..NAME_TRIES {
            let name = format!("{RESERVED_PREFIX}{ONCE}{:016x}", fastrand::u64(..));
            match sys::create(dir, &name, file_mode()) {
                Ok(file) => {
                    let temp = Self::adopt(dir, name);
                    // Where there are no locks, a sweep leaves it alone.
                    lock(&file).ok();
                    return Ok((temp, file));
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Errno::BUSY)
    }

    /// Takes a name over: from now on it goes away with this.
    pub(crate) fn adopt(dir: &Arc<OwnedFd>, name: String) -> Self {
        Self {
            dir: Arc::clone(dir),
            name,
            kept: false,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Leaves the name alone: it has become the file's own, or a partial's.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.kept {
            // Best effort: what stays is swept later.
            sys::unlink(&self.dir, self.name.as_str()).ok();
        }
    }
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
