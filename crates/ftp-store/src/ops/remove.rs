//! `Remove`: a name, or a folder with all that is in it.
//!
//! A link is removed, never followed. A tree is taken down with two descriptors, however deep it is:
//! the way back up is `..`, believed only if it is the folder we came from.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use ftp_proto::VPath;
use ftp_proto::session::Fault;
use rustix::fs::{FileType, RawDir};
use rustix::io::Errno;

use super::guards::writable;
use super::rename::change_dirs;
use crate::error::At;
use crate::jail::{Place, child, reopen};
use crate::job::Effect;
use crate::meta::{Identity, Stat};
use crate::purse::{self, Account};
use crate::shared::Shared;
use crate::{sweep, sys};

/// Subfolders that one look at a folder remembers; the others are found by the next look.
const SUBFOLDERS: usize = 256;
/// For `getdents64(2)`.
const NAME_BUFFER: usize = 32 * 1024;

/// Whose changes are counted where, if anywhere.
type Counted<'a> = Option<&'a Arc<dyn Account>>;

pub(super) fn remove(
    shared: &Shared,
    account: Counted<'_>,
    path: &VPath,
    recursive: bool,
) -> Result<Effect, Fault> {
    writable(shared, path)?;
    let place = shared.jail.place(path)?;
    let naming = shared.naming.hold_for(account);
    let gone = match account {
        Some(_) => Stat::find(&place.dir, place.name.as_str()).at(path)?,
        None => None,
    };
    let unlinked = change_dirs(shared, &[&place.dir], || {
        sys::unlink(&place.dir, place.name.as_str())
    });
    drop(naming);
    match unlinked {
        // Linux says EISDIR, POSIX allows EPERM.
        Err(Errno::ISDIR | Errno::PERM) => {}
        other => {
            if other.is_ok() {
                let weight = gone.as_ref().map(purse::weight);
                purse::tell_gone(account, weight.unwrap_or_default());
            }
            return other.at(path);
        }
    }
    if recursive {
        empty(shared, account, &place).at(path)?;
    }
    let rmdir = || sys::remove_dir(&place.dir, place.name.as_str());
    match change_dirs(shared, &[&place.dir], rmdir) {
        // To its user it may well be empty: what is left of broken uploads is not shown.
        Err(Errno::NOTEMPTY | Errno::EXIST) => {
            let dir = child(&place.dir, place.name.as_str()).at(path)?;
            sweep::clear(shared, account, dir).at(path)?;
            change_dirs(shared, &[&place.dir], rmdir).at(path)
        }
        other => other.at(path),
    }
}

/// A folder on the way down.
struct Level {
    identity: Identity,
    /// Its name in the level above.
    name: CString,
    /// Subfolders of it that are still to be taken down.
    subfolders: Vec<CString>,
}

/// Removes everything in the folder at `place`, but not the folder.
fn empty(shared: &Shared, account: Counted<'_>, place: &Place) -> Result<(), Errno> {
    let mut dir = child(&place.dir, place.name.as_str())?;
    let mut above: Vec<Level> = Vec::new();
    let mut level = Level {
        identity: Stat::of(&dir)?.identity(),
        name: CString::default(),
        subfolders: Vec::new(),
    };
    loop {
        if level.subfolders.is_empty() {
            level.subfolders = sweep_files(shared, account, &dir)?;
        }
        if let Some(name) = level.subfolders.pop() {
            match child(&dir, name.as_c_str()) {
                Ok(deeper) => {
                    dir = deeper;
                    let identity = Stat::of(&dir)?.identity();
                    above.push(std::mem::replace(
                        &mut level,
                        Level {
                            identity,
                            name,
                            subfolders: Vec::new(),
                        },
                    ));
                }
                // Gone, or no folder any more: the next look tells.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return Err(error),
            }
            continue;
        }
        let Some(upper) = above.pop() else {
            return Ok(());
        };
        dir = back_up(&dir, upper.identity)?;
        match sys::remove_dir(&dir, level.name.as_c_str()) {
            // Somebody is still putting things there: the next look finds the folder again.
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        level = upper;
    }
}

/// The folder above, if nobody moved us meanwhile.
fn back_up(dir: &OwnedFd, identity: Identity) -> Result<OwnedFd, Errno> {
    let upper = child(dir, c"..")?;
    if Stat::of(&upper)?.identity() == identity {
        Ok(upper)
    } else {
        Err(Errno::BUSY)
    }
}

/// Unlinks all that is no folder, removes the folders that are empty, and returns some of the others.
fn sweep_files(
    shared: &Shared,
    account: Counted<'_>,
    dir: impl AsFd,
) -> Result<Vec<CString>, Errno> {
    let names = reopen(&dir)?;
    let mut subfolders = Vec::new();
    let mut buffer: Vec<u8> = Vec::with_capacity(NAME_BUFFER);
    let mut entries = RawDir::new(&names, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let unlink = || unlink(shared, account, &dir, name);
        if remove_entry(&dir, name, entry.file_type(), unlink)? && subfolders.len() < SUBFOLDERS {
            subfolders.push(name.to_owned());
        }
    }
    Ok(subfolders)
}

/// Removes one entry; `true` if it is a folder with something in it.
fn remove_entry(
    dir: impl AsFd,
    name: &CStr,
    kind: FileType,
    unlink: impl FnOnce() -> Result<(), Errno>,
) -> Result<bool, Errno> {
    if kind != FileType::Directory {
        match unlink() {
            Ok(()) | Err(Errno::NOENT) => return Ok(false),
            // A folder after all: its kind was not known, or it changed.
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(error),
        }
    }
    match sys::remove_dir(&dir, name) {
        Ok(()) | Err(Errno::NOENT) => Ok(false),
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Removes a name that is no folder, and tells of what is gone.
fn unlink(shared: &Shared, account: Counted<'_>, dir: impl AsFd, name: &CStr) -> Result<(), Errno> {
    if account.is_none() {
        return sys::unlink(dir, name);
    }
    let _naming = shared.naming.hold();
    let gone = purse::weigh(&dir, name)?;
    sys::unlink(dir, name)?;
    purse::tell_gone(account, gone);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    /// Whoever moves a folder while it is taken down must not have us go on where it was moved to.
    #[test]
    fn the_way_up_is_believed_only_if_it_is_the_one_we_came() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("old/deep")).unwrap();
        fs::create_dir(root.path().join("new")).unwrap();
        let top = CString::new(root.path().as_os_str().as_bytes()).unwrap();
        let top = child(rustix::fs::CWD, top.as_c_str()).unwrap();
        let open = |name: &CStr| child(&top, name).unwrap();
        let identity = Stat::of(open(c"old")).unwrap().identity();
        let deep = child(open(c"old"), c"deep").unwrap();
        let upper = back_up(&deep, identity).unwrap();
        assert_eq!(Stat::of(&upper).unwrap().identity(), identity);
        fs::rename(root.path().join("old/deep"), root.path().join("new/deep")).unwrap();
        assert_eq!(back_up(&deep, identity).unwrap_err(), Errno::BUSY);
    }
}
