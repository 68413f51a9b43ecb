//! The jail: the root's descriptor, and the only maker of descriptors from paths.
//!
//! What is opened here is a regular file or a folder beneath the root. Everything that changes names
//! does so with a single name in a [`Place`], whose folder was opened here and is held, so that no
//! rename or link planted meanwhile can lead it elsewhere.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use ftp_proto::session::{Fault, FaultKind};
use ftp_proto::{Kind, VPath};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::error::{At, OpenError, refuse};
use crate::meta::Stat;
use crate::resolve::Resolver;

/// The root, held open for the life of the store.
pub(crate) struct Jail {
    root: Arc<OwnedFd>,
    resolver: Resolver,
}

/// A name in a held folder.
pub(crate) struct Place {
    /// Opened with `O_PATH`: good for `*at` calls, not for reading.
    pub(crate) dir: Arc<OwnedFd>,
    /// A single component.
    pub(crate) name: String,
}

impl Place {
    /// Whether it is this file that stands there.
    pub(crate) fn holds(&self, file: impl AsFd) -> Result<bool, Errno> {
        let named = Stat::find(&self.dir, self.name.as_str())?;
        let ours = Stat::of(file)?.identity();
        Ok(named.is_some_and(|named| named.identity() == ours))
    }
}

impl Jail {
    /// Opens the root. The host's own links on the way to it are followed.
    pub(crate) fn open(root: &Path, follow_links: bool) -> Result<Self, OpenError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd =
            openat(CWD, root, flags, Mode::empty()).map_err(|errno| OpenError::new(root, errno))?;
        let resolver = if follow_links {
            Resolver::probe(&fd)
        } else {
            Resolver::Walk
        };
        Ok(Self {
            root: Arc::new(fd),
            resolver,
        })
    }

    /// Opens a regular file for reading.
    pub(crate) fn file(&self, path: &VPath) -> Result<(OwnedFd, Stat), Fault> {
        // Without O_NONBLOCK a FIFO would hold the worker until somebody writes.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = self.resolve(path, flags).at(path)?;
        let stat = Stat::of(&fd).at(path)?;
        match stat.kind() {
            Kind::File => Ok((fd, stat)),
            Kind::Dir => Err(Errno::ISDIR).at(path),
            Kind::Link | Kind::Other => Err(Errno::NXIO).at(path),
        }
    }

    /// Opens a folder for reading its names.
    pub(crate) fn names(&self, path: &VPath) -> Result<OwnedFd, Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        self.resolve(path, flags).at(path)
    }

    /// What stands at a path, links followed.
    pub(crate) fn stat(&self, path: &VPath) -> Result<Stat, Fault> {
        let fd = self.resolve(path, OFlags::PATH).at(path)?;
        Stat::of(fd).at(path)
    }

    /// The folder of a path, held, and the name in it. The root has neither, and is refused.
    pub(crate) fn place(&self, path: &VPath) -> Result<Place, Fault> {
        let Some((dir, name)) = path.split_last() else {
            return Err(refuse(FaultKind::Denied, path, "is the root itself"));
        };
        Ok(Place {
            dir: self.dir(&dir).at(path)?,
            name: name.to_owned(),
        })
    }

    /// A folder, held for `*at` calls.
    pub(crate) fn dir(&self, path: &VPath) -> Result<Arc<OwnedFd>, Errno> {
        if path.is_root() {
            return Ok(Arc::clone(&self.root));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        self.resolve(path, flags).map(Arc::new)
    }

    /// The root itself, which tells one store from another.
    pub(crate) fn held_root(&self) -> &Arc<OwnedFd> {
        &self.root
    }

    /// The root, opened anew for reading its names.
    pub(crate) fn root(&self) -> Result<OwnedFd, Errno> {
        reopen(&self.root)
    }

    fn resolve(&self, path: &VPath, flags: OFlags) -> Result<OwnedFd, Errno> {
        self.resolver.open(&self.root, path.as_str(), flags)
    }
}

/// Opens a held folder anew, for reading names or syncing.
pub(crate) fn reopen(dir: impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(dir, c".", flags, Mode::empty())
}

/// Opens a folder by a single name, never through a link.
pub(crate) fn child(dir: impl AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}
