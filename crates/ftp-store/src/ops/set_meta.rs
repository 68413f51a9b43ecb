//! `SetMeta`: another time or mode for a file or a folder.
//!
//! On a descriptor that the jail has opened for reading, so never on what a link planted meanwhile leads to; what the
//! server itself may not read keeps what it has.

use std::os::fd::OwnedFd;

use ftp_proto::session::{Fault, FaultKind, Outcome};
use ftp_proto::{Durability, Kind, VPath};
use rustix::io::Errno;

use super::guards::writable;
use crate::error::{At, refuse};
use crate::meta::{Stat, Version};
use crate::shared::Shared;
use crate::sys;

pub(super) fn set_meta(
    shared: &Shared,
    path: &VPath,
    mtime: Option<(i64, u32)>,
    mode: Option<u32>,
) -> Result<Outcome, Fault> {
    writable(shared, path)?;
    if path.is_root() {
        return Err(refuse(FaultKind::Denied, path, "is the root itself"));
    }
    let file = match shared.jail.stat(path)?.kind() {
        Kind::Dir => shared.jail.names(path)?,
        Kind::File | Kind::Link | Kind::Other => shared.jail.file(path)?.0,
    };
    let before = Stat::of(&file).at(path)?;
    let known = shared.digests.find(&file, &before);
    change(&file, mtime, mode).at(path)?;
    // Times and modes change no byte, though the next look would take it for another version.
    let after = Stat::of(&file).at(path)?;
    let expected = Version {
        changed: after.version().changed,
        modified: match mtime {
            Some(_) => after.version().modified,
            None => before.version().modified,
        },
        ..before.version()
    };
    if let Some(digest) = known.filter(|_| after.version() == expected) {
        shared.digests.learn(&after, digest);
    }
    if shared.options.durability == Durability::Full {
        sys::sync_all(&file).at(path)?;
    }
    Ok(Outcome::Ended)
}

fn change(file: &OwnedFd, mtime: Option<(i64, u32)>, mode: Option<u32>) -> Result<(), Errno> {
    if let Some((seconds, nanos)) = mtime {
        sys::set_mtime(file, seconds, nanos)?;
    }
    mode.map_or(Ok(()), |mode| sys::set_mode(file, mode))
}
