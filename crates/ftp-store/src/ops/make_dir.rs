//! `MakeDir`: a folder, and those on the way to it.

use ftp_proto::session::{Fault, FaultKind, Outcome};
use ftp_proto::{Durability, Kind, VPath};
use rustix::io::Errno;

use super::writable;
use crate::error::{At, fault};
use crate::job::Effect;
use crate::store::Shared;
use crate::sys;

pub(super) fn make_dir(shared: &Shared, path: &VPath, parents: bool) -> Result<Effect, Fault> {
    writable(shared, path)?;
    if path.is_root() {
        return if parents {
            Ok(Effect::Told(Outcome::Ended))
        } else {
            Err(fault(path, Errno::EXIST))
        };
    }
    if parents {
        make_parents(shared, path)?;
    }
    match make_one(shared, path) {
        Err(fault) if fault.kind == FaultKind::Exists && parents => {
            // Content if it is a folder, whoever made it.
            match shared.jail.stat(path)?.kind() {
                Kind::Dir => Ok(settled(shared)),
                Kind::File | Kind::Link | Kind::Other => Err(fault),
            }
        }
        Ok(()) => Ok(settled(shared)),
        Err(fault) => Err(fault),
    }
}

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

fn make_one(shared: &Shared, path: &VPath) -> Result<(), Fault> {
    let place = shared.jail.place(path)?;
    let make = || sys::make_dir(&place.dir, &place.name);
    if shared.options.durability == Durability::Full {
        shared.dirty.change(&[&place.dir], make).at(path)
    } else {
        make().at(path)
    }
}

/// A folder that is there, though a moment of somebody else's making, is answered when it is safe.
fn settled(shared: &Shared) -> Effect {
    match shared.options.durability {
        Durability::Full => Effect::Unsynced(Outcome::Ended),
        Durability::Data | Durability::None => Effect::Told(Outcome::Ended),
    }
}
