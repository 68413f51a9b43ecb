//! What stands beneath the root, counted for a quota: every name of a file, links not followed.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd;

use ftp_proto::Amount;
use ftp_proto::path::PATH_DEPTH;
use rustix::fs::{Dir, FileType};
use rustix::io::Errno;

use crate::jail::child;
use crate::purse::weigh;
use crate::shared::Shared;

/// Names that are looked at before it is asked whether to go on.
const PORTION: usize = 1024;

pub(crate) fn count(shared: &Shared, go_on: &mut dyn FnMut() -> bool) -> io::Result<Amount> {
    let mut amount = Amount::default();
    let mut levels = vec![shared.jail.root().and_then(Dir::new)?];
    let mut portion = 0;
    while let Some(top) = levels.last_mut() {
        let Some(entry) = top.read() else {
            levels.pop();
            continue;
        };
        let entry = entry?;
        portion += 1;
        if portion >= PORTION {
            portion = 0;
            if !go_on() {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        let (name, kind) = (entry.file_name(), entry.file_type());
        if name == c"." || name == c".." {
            continue;
        }
        let dir = top.fd()?;
        let below = matches!(kind, FileType::Directory | FileType::Unknown);
        let below = if below { folder(dir, name)? } else { None };
        if let Some(folder) = below {
            // Deeper than that no path of a peer leads.
            if levels.len() <= PATH_DEPTH {
                levels.push(folder);
            }
        } else {
            // Who is at work on it is found out by trying its lock, which nobody must find taken by that.
            let _naming = shared.naming.hold();
            amount = amount.plus(weigh(dir, name)?);
        }
    }
    Ok(amount)
}

/// The folder at that name; `None` if it is none, or is gone. What the server may not read, nobody has put there by it.
fn folder(dir: impl AsFd, name: &CStr) -> Result<Option<Dir>, Errno> {
    match child(dir, name).and_then(Dir::new) {
        Ok(folder) => Ok(Some(folder)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS | Errno::PERM) => Ok(None),
        Err(error) => Err(error),
    }
}
