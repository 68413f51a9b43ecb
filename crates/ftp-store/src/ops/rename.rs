//! `Rename`: another name for a file or a folder, in one step.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use ftp_proto::session::{Fault, FaultKind, Outcome};
use ftp_proto::{Durability, VPath};
use rustix::io::Errno;

use super::guards::writable;
use crate::digests::FROM_BYTES;
use crate::error::{At, refuse};
use crate::job::Effect;
use crate::meta::Stat;
use crate::purse::{Account, tell_gone, weight};
use crate::shared::Shared;
use crate::sys;

pub(super) fn rename(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    from: &VPath,
    to: &VPath,
    replace: bool,
) -> Result<Effect, Fault> {
    writable(shared, from)?;
    let old = shared.jail.place(from)?;
    let new = shared.jail.place(to)?;
    let naming = shared.naming.hold_for(account);
    let before = Stat::at(&old.dir, old.name.as_str()).at(from)?;
    let replaced = match account {
        Some(_) => Stat::find(&new.dir, new.name.as_str()).at(to)?,
        None => None,
    };
    let change = || {
        if replace {
            sys::rename(&old.dir, &old.name, &new.dir, &new.name)
        } else {
            sys::rename_new(&old.dir, &old.name, &new.dir, &new.name)
        }
    };
    let dirs = [&old.dir, &new.dir];
    let changed = change_dirs(shared, &dirs, change);
    drop(naming);
    match changed {
        Ok(effect) => {
            // Of two names for one file, both stay.
            let gone = replaced.filter(|it| it.identity() != before.identity());
            tell_gone(account, gone.as_ref().map(weight).unwrap_or_default());
            // What is known of the file is as true as before.
            if before.size() >= FROM_BYTES
                && let Ok(after) = Stat::at(&new.dir, new.name.as_str())
            {
                shared.digests.follow(&before.version(), &after);
            }
            Ok(effect)
        }
        Err(Errno::INVAL) => Err(refuse(
            FaultKind::Denied,
            to,
            "a folder cannot be moved into itself",
        )),
        Err(Errno::EXIST) if replace => Err(Errno::NOTEMPTY).at(to),
        Err(Errno::NOENT) => Err(Errno::NOENT).at(from),
        Err(errno) => Err(errno).at(to),
    }
}

/// Does a change of names; under `full` it is answered when the folders are synced.
pub(super) fn change_dirs(
    shared: &Shared,
    dirs: &[&Arc<OwnedFd>],
    change: impl FnOnce() -> Result<(), Errno>,
) -> Result<Effect, Errno> {
    match shared.options.durability {
        Durability::Full => {
            shared.dirty.change(dirs, change)?;
            Ok(Effect::Unsynced(Outcome::Ended))
        }
        Durability::Data | Durability::None => {
            change()?;
            Ok(Effect::Told(Outcome::Ended))
        }
    }
}
