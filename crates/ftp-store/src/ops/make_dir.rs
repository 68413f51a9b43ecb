//! `MakeDir`: a folder, and those on the way to it.

use ftp_proto::session::{Fault, FaultKind, Outcome};
use ftp_proto::{Durability, Kind, VPath};
use rustix::io::Errno;

use super::guards::writable;
use crate::error::fault;
use crate::job::Effect;
use crate::parents::{make_one, make_parents};
use crate::shared::Shared;

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

/// A folder that is there, though a moment of somebody else's making, is answered when it is safe.
fn settled(shared: &Shared) -> Effect {
    match shared.options.durability {
        Durability::Full => Effect::Unsynced(Outcome::Ended),
        Durability::Data | Durability::None => Effect::Told(Outcome::Ended),
    }
}
