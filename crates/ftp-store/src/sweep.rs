//! The sweep: leftovers of processes that died, and partials nobody came back for.
//!
//! Whoever works on a temp file holds its lock, in this process or another, so a lock that can be had
//! means that nobody does. Links are never followed, and nothing without a reserved name is touched.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ftp_proto::Amount;
use ftp_proto::path::{PATH_DEPTH, RESERVED_PREFIX};
use rustix::fs::{Dir, FileType};
use rustix::io::Errno;

use crate::jail::child;
use crate::meta::Stat;
use crate::purse::{Account, tell_gone};
use crate::shared::Shared;
use crate::temp::{ONCE, PARTIAL, remove_idle};

/// A temp file that is younger may belong to somebody who has not locked it yet.
const GRACE: Duration = Duration::from_secs(60);

/// What one call of the sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Names that were looked at.
    pub examined: usize,
    /// Leftovers that were removed.
    pub removed: usize,
    /// The whole tree is done; the next call begins anew.
    pub complete: bool,
}

pub(crate) fn sweep(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    now: SystemTime,
    budget: usize,
) -> SweepReport {
    let mut report = SweepReport::default();
    if shared.options.read_only {
        report.complete = true;
        return report;
    }
    let mut walk = shared.walk.lock().unwrap_or_else(PoisonError::into_inner);
    let levels = &mut walk.levels;
    if levels.is_empty()
        && let Ok(root) = shared.jail.root().and_then(Dir::new)
    {
        levels.push(root);
    }
    while report.examined < budget {
        let depth = levels.len();
        let Some(top) = levels.last_mut() else {
            report.complete = true;
            break;
        };
        // A folder that cannot be read further is left: the next sweep tries it again.
        let Some(Ok(entry)) = top.read() else {
            levels.pop();
            continue;
        };
        report.examined += 1;
        let name = entry.file_name();
        let Ok(dir) = top.fd() else {
            continue;
        };
        if is_reserved(name) {
            let ttl = shared.options.partial_ttl;
            let _naming = shared.naming.hold_for(account);
            if let Ok(Some(bytes)) = expire(dir, name, now, ttl) {
                report.removed += 1;
                tell_gone(account, Amount::of_bytes(bytes));
            }
        } else if is_below(name, entry.file_type()) && depth < PATH_DEPTH {
            let deeper = child(dir, name).and_then(Dir::new);
            levels.extend(deeper);
        }
    }
    report
}

/// Removes everything of ours from a folder in which there is nothing else.
///
/// Errors: `NOTEMPTY` if there is, or if somebody is at work in it.
pub(crate) fn clear(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    dir: OwnedFd,
) -> Result<(), Errno> {
    let dir = Arc::new(dir);
    let mut names = Vec::new();
    let mut entries = Dir::read_from(&dir)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if !is_reserved(name) {
            return Err(Errno::NOTEMPTY);
        }
        names.push(name.to_owned());
    }
    for name in names {
        let _naming = shared.naming.hold_for(account);
        let Some(bytes) = remove_idle(&dir, &name)? else {
            return Err(Errno::NOTEMPTY);
        };
        tell_gone(account, Amount::of_bytes(bytes));
    }
    Ok(())
}

/// Whether it may be a folder to go down into.
fn is_below(name: &CStr, kind: FileType) -> bool {
    name != c"." && name != c".." && matches!(kind, FileType::Directory | FileType::Unknown)
}

fn is_reserved(name: &CStr) -> bool {
    name.to_bytes().starts_with(RESERVED_PREFIX.as_bytes())
}

/// Removes a leftover whose time is over, and says how long it was; `None` if it is not, or it is none.
fn expire(
    dir: impl AsFd,
    name: &CStr,
    now: SystemTime,
    partial_ttl: Duration,
) -> Result<Option<u64>, Errno> {
    let kind = name
        .to_bytes()
        .get(RESERVED_PREFIX.len())
        .copied()
        .map(char::from);
    let patience = match kind {
        Some(ONCE) => GRACE,
        Some(PARTIAL) => partial_ttl,
        Some(_) | None => return Ok(None),
    };
    let Some(stat) = Stat::find(&dir, name)? else {
        return Ok(None);
    };
    if age(&stat, now) < patience {
        return Ok(None);
    }
    remove_idle(dir, name)
}

fn age(stat: &Stat, now: SystemTime) -> Duration {
    let changed = u64::try_from(stat.ctime()).unwrap_or_default();
    now.duration_since(UNIX_EPOCH + Duration::from_secs(changed))
        .unwrap_or_default()
}
