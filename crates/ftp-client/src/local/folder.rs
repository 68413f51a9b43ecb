//! `Folder`: a local folder held open, so that nothing planted later can redirect what is done in it.
//!
//! Only the folder a person named follows symbolic links; everything beneath is opened with `O_NOFOLLOW`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// An open folder and the path to show for it.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    shown: PathBuf,
    /// The last mode that a new file here was seen to get as it was asked for: neither the process's mask nor
    /// the folder's own list changed it.
    plain_mode: AtomicU32,
}

/// Stands for none: no permission bits.
const NO_MODE: u32 = u32::MAX;

impl Folder {
    /// Opens a folder that a person named; links are followed.
    ///
    /// # Errors
    /// [`Error::Local`], open(2).
    pub(crate) fn open(path: &Path) -> Result<Arc<Self>> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(|errno| Error::local(format!("open folder {}", path.display()), errno))?;
        let shown = if path == Path::new(".") {
            PathBuf::new()
        } else {
            path.to_owned()
        };
        Ok(Arc::new(Self {
            fd,
            shown,
            plain_mode: AtomicU32::new(NO_MODE),
        }))
    }

    /// The folder that a path's last name stands in, open, and that name.
    ///
    /// # Errors
    /// [`Error::Local`]; [`Error::Usage`] if the path ends in no name.
    pub(crate) fn of(path: &Path) -> Result<(Arc<Self>, OsString)> {
        let name = path
            .file_name()
            .ok_or_else(|| Error::Usage(format!("{}: not the name of a file", path.display())))?;
        let parent = path.parent().unwrap_or_else(|| Path::new(""));
        Ok((Self::open(parent)?, name.to_owned()))
    }

    /// The same, made (with its parents) if it is missing.
    ///
    /// # Errors
    /// [`Error::Local`], mkdir(2), open(2).
    pub(crate) fn make(path: &Path) -> Result<Arc<Self>> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .create(path)
            .map_err(|error| Error::local(format!("make folder {}", path.display()), error))?;
        Self::open(path)
    }

    /// Opens a folder in this one. With `follow` a symbolic link counts as what it points to.
    ///
    /// # Errors
    /// [`Error::Local`], open(2); a link is refused with `ELOOP` or `ENOTDIR`.
    pub(crate) fn child(&self, name: &OsStr, follow: bool) -> Result<Arc<Self>> {
        self.open_child(name, follow)
            .map_err(|errno| Error::local(format!("open folder {}", self.show(name)), errno))
    }

    /// Opens a folder in this one, made if it is missing; never through a link.
    ///
    /// # Errors
    /// [`Error::Local`], mkdir(2), open(2).
    pub(crate) fn make_child(&self, name: &OsStr) -> Result<Arc<Self>> {
        let all = Mode::RWXU | Mode::RWXG | Mode::RWXO;
        match rustix::fs::mkdirat(&self.fd, name, all) {
            Ok(()) | Err(Errno::EXIST) => self.child(name, false),
            Err(errno) => Err(Error::local(
                format!("make folder {}", self.show(name)),
                errno,
            )),
        }
    }

    fn open_child(&self, name: &OsStr, follow: bool) -> rustix::io::Result<Arc<Self>> {
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        if !follow {
            flags |= OFlags::NOFOLLOW;
        }
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty())?;
        Ok(Arc::new(Self {
            fd,
            shown: self.shown.join(name),
            plain_mode: AtomicU32::new(NO_MODE),
        }))
    }

    /// Opens a file in this folder for reading, without waiting where it is a FIFO.
    ///
    /// # Errors
    /// open(2); a link without `follow` is `ELOOP`.
    pub(crate) fn open_file(&self, name: &OsStr, follow: bool) -> io::Result<File> {
        let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        if !follow {
            flags |= OFlags::NOFOLLOW;
        }
        Ok(rustix::fs::openat(&self.fd, name, flags, Mode::empty())?.into())
    }

    /// The mode of a file just made here with `asked`. Looks only until the folder gave that mode as it is.
    pub(crate) fn given_mode(&self, file: &File, asked: u32) -> Option<u32> {
        if self.plain_mode.load(Ordering::Relaxed) == asked {
            return Some(asked);
        }
        let given = rustix::fs::fstat(file).ok()?.st_mode & 0o777;
        if given == asked {
            self.plain_mode.store(asked, Ordering::Relaxed);
        }
        Some(given)
    }

    /// What stands at a name.
    ///
    /// # Errors
    /// fstatat(2).
    pub(crate) fn stat(&self, name: &OsStr, follow: bool) -> rustix::io::Result<Stat> {
        let flags = if follow {
            AtFlags::empty()
        } else {
            AtFlags::SYMLINK_NOFOLLOW
        };
        rustix::fs::statat(&self.fd, name, flags)
    }

    /// The path to show for a name in this folder.
    pub(crate) fn show(&self, name: &OsStr) -> String {
        self.shown.join(name).to_string_lossy().into_owned()
    }

    /// The path to show for the folder.
    pub(crate) fn shown(&self) -> String {
        if self.shown.as_os_str().is_empty() {
            ".".into()
        } else {
            self.shown.to_string_lossy().into_owned()
        }
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_beneath_follows_a_link() {
        let temp = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), temp.path().join("link")).unwrap();
        let folder = Folder::open(temp.path()).unwrap();
        assert!(folder.child(OsStr::new("link"), false).is_err());
        assert!(folder.child(OsStr::new("link"), true).is_ok());
        assert!(folder.make_child(OsStr::new("link")).is_err());
        let made = folder.make_child(OsStr::new("new")).unwrap();
        assert!(folder.make_child(OsStr::new("new")).is_ok());
        assert!(made.shown().ends_with("/new"));
    }
}
