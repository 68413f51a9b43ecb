//! From a path beneath an open folder to a descriptor, and never out of that folder.
//!
//! Two ways, with one promise. `openat2` lets the kernel follow links as long as they stay beneath;
//! where it is not to be had, a walk from part to part refuses every link. This module knows nothing
//! of files, only of paths; nothing but the jail calls it.

use std::os::fd::{AsFd, OwnedFd};

use ftp_proto::Kind;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::meta::Stat;

/// How often a look-up is tried again when a rename elsewhere disturbs it.
const RACE_TRIES: usize = 64;

/// The way paths are resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolver {
    /// `openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)`.
    Kernel,
    /// Part by part with `O_NOFOLLOW`.
    Walk,
}

impl Resolver {
    /// The better way that works here: the kernel's, unless it is too old or a sandbox forbids the call.
    pub(crate) fn probe(root: impl AsFd) -> Self {
        match Self::Kernel.open(root, "", OFlags::PATH | OFlags::DIRECTORY) {
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => Self::Walk,
            Ok(_) | Err(_) => Self::Kernel,
        }
    }

    /// Opens `path`, a [`VPath`](ftp_proto::VPath)'s text, beneath `root`.
    ///
    /// Errors: `XDEV` if it leads out, `LOOP` if a link is not followed, else those of `openat2(2)`.
    pub(crate) fn open(self, root: impl AsFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        match self {
            Self::Kernel => beneath(root, if path.is_empty() { "." } else { path }, flags),
            Self::Walk => walk(root, path, flags),
        }
    }
}

fn beneath(root: impl AsFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let rules = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..RACE_TRIES {
        match openat2(&root, path, flags, Mode::empty(), rules) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

fn walk(root: impl AsFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let Some((dirs, last)) = path
        .rsplit_once('/')
        .or_else(|| (!path.is_empty()).then_some(("", path)))
    else {
        return openat(root, c".", flags | OFlags::NOFOLLOW, Mode::empty());
    };
    let mut held: Option<OwnedFd> = None;
    for part in dirs.split('/').filter(|part| !part.is_empty()) {
        let next = match &held {
            Some(dir) => step(dir, part)?,
            None => step(&root, part)?,
        };
        held = Some(next);
    }
    match &held {
        Some(dir) => end(dir, last, flags),
        None => end(root, last, flags),
    }
}

/// One folder deeper.
fn step(dir: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = openat(dir, name, flags, Mode::empty())?;
    match Stat::of(&fd)?.kind() {
        Kind::Dir => Ok(fd),
        Kind::Link => Err(Errno::LOOP),
        Kind::File | Kind::Other => Err(Errno::NOTDIR),
    }
}

/// The last part, as it was asked for.
fn end(dir: impl AsFd, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    // Looked at first, because a link answers `O_PATH` and `O_DIRECTORY` each in its own way.
    if Stat::at(&dir, name)?.kind() == Kind::Link {
        return Err(Errno::LOOP);
    }
    let fd = openat(dir, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
    if flags.contains(OFlags::PATH) && Stat::of(&fd)?.kind() == Kind::Link {
        return Err(Errno::LOOP);
    }
    Ok(fd)
}
