//! Folders on the way to a name.

use ftp_proto::session::{Fault, FaultKind};
use ftp_proto::{Durability, VPath};
use rustix::io::Errno;

use crate::error::At;
use crate::shared::Shared;
use crate::sys;

/// Makes the folders above `path` that are missing.
pub(crate) fn make_parents(shared: &Shared, path: &VPath) -> Result<(), Fault> {
    let mut missing = Vec::new();
    let mut above = path.split_last().map(|(dir, _)| dir);
    while let Some(dir) = above.take_if(|dir| !dir.is_root()) {
        match shared.jail.dir(&dir) {
            Ok(_) => break,
            Err(Errno::NOENT) => {
                above = dir.split_last().map(|(dir, _)| dir);
                missing.push(dir);
            }
            Err(errno) => return Err(errno).at(&dir),
        }
    }
    for dir in missing.iter().rev() {
        match make_one(shared, dir) {
            // Somebody else was faster; what stands there is looked at by the next step.
            Err(fault) if fault.kind == FaultKind::Exists => {}
            other => other?,
        }
    }
    Ok(())
}

/// Makes one; under full durability a round of syncing will cover its name.
pub(crate) fn make_one(shared: &Shared, path: &VPath) -> Result<(), Fault> {
    let place = shared.jail.place(path)?;
    let make = || sys::make_dir(&place.dir, &place.name);
    if shared.options.durability == Durability::Full {
        shared.dirty.change(&[&place.dir], make).at(path)
    } else {
        make().at(path)
    }
}
