//! [`Start`]: an upload whose sender says where it goes on, and proves nothing.
//!
//! What is written behind is only ever what was just read and hashed: the partial, or a copy of the file's first bytes,
//! so the digest of the whole is known at the end as of any other upload. The file itself is never written to.

use std::sync::Arc;

use ftp_proto::session::{CreateOptions, Fault, FaultKind, Outcome, Start};
use ftp_proto::{Amount, VPath};
use rustix::io::Errno;

use crate::draft::{Body, Draft, Target, fresh};
use crate::error::{At, refuse, told};
use crate::jail::Place;
use crate::live::Tenure;
use crate::meta::Stat;
use crate::purse::{Account, tell_gone};
use crate::shared::Shared;
use crate::{partial, scratch, sys, temp};

/// A copy looks this often whether it still goes well.
const COPY_BYTES: u64 = 8 * 1024 * 1024;

/// What the bytes of an upload go behind.
pub(crate) fn body(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    path: &VPath,
    place: &Place,
    options: &mut CreateOptions,
    target: Target,
    start: Start,
) -> Result<Body, Fault> {
    let beside = || beside(place, options.owner.as_deref());
    match start {
        Start::At(0) => {
            let resume = options.resume.then(beside);
            let mut draft = fresh(shared, place, options, target).at(path)?;
            if let Some(beside) = resume {
                forget(shared, account, &beside, path)?;
                draft.leave_at(beside, &shared.partials, &shared.safety);
            }
            Ok(Body::Once(draft))
        }
        Start::At(at) => match kept(shared, account, path, options.resume.then(beside))? {
            Some(tenure) => go_on(path, tenure, at),
            None if target == Target::Vacant => Err(behind(path, at, 0)),
            None => copy(shared, account, path, place, options, Some(at)),
        },
        Start::End { told } if target == Target::Vacant => {
            let kept = kept(shared, account, path, options.resume.then(beside))?;
            match (kept, told) {
                (Some(tenure), Some(at)) if tenure.seen().len() == at => go_on(path, tenure, at),
                (None, None | Some(0)) => {
                    let draft = fresh(shared, place, options, target).at(path)?;
                    Ok(Body::Once(draft))
                }
                (Some(_), None) => Err(uncertain(
                    path,
                    "an upload that broke is kept; ask for its SIZE first, or begin anew",
                )),
                (Some(_) | None, Some(_)) => Err(moved_on(path)),
            }
        }
        Start::End { told } => {
            if options.resume {
                forget(shared, account, &beside(), path)?;
            }
            if let Some(said) = told
                && shared.jail.stat(path)?.size() != said
            {
                return Err(moved_on(path));
            }
            copy(shared, account, path, place, options, None)
        }
    }
}

/// What is there, and what is kept beside it.
pub(crate) fn size(
    shared: &Shared,
    path: &VPath,
    resume: bool,
    owner: Option<&str>,
) -> Result<Outcome, Fault> {
    let found = shared.jail.stat(path).map(|stat| stat.meta());
    if !resume || path.is_root() {
        let (found, kept) = (Some(found?), None);
        return Ok(Outcome::Sized { found, kept });
    }
    // Where its folder is not to be had, nothing is kept in it.
    let extent = shared.jail.place(path).ok().map(|place| {
        let beside = beside(&place, owner);
        shared.partials.extent(&beside, &shared.safety)
    });
    let kept = extent
        .transpose()
        .map_err(|errno| told(path, errno))?
        .flatten();
    match found {
        Err(fault) if fault.kind != FaultKind::NotFound || kept.is_none() => Err(fault),
        found => Ok(Outcome::Sized {
            found: found.ok(),
            kept,
        }),
    }
}

/// Where the partial of a target is.
fn beside(place: &Place, owner: Option<&str>) -> Place {
    Place {
        dir: Arc::clone(&place.dir),
        name: partial::name(&place.name, None, owner),
    }
}

/// Drops what an earlier attempt left, unless somebody goes on with it.
fn forget(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    beside: &Place,
    path: &VPath,
) -> Result<(), Fault> {
    let _naming = shared.naming.hold_for(account);
    match temp::remove_idle(&beside.dir, beside.name.as_str()) {
        // What somebody planted there under our name is not to be had as a partial either.
        Ok(Some(gone)) => {
            tell_gone(account, Amount::of_bytes(gone));
            Ok(())
        }
        Ok(None) | Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::ACCESS) => Ok(()),
        Err(error) => Err(error).at(path),
    }
}

/// The partial, read, if there is one and anything in it.
fn kept(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    path: &VPath,
    beside: Option<Place>,
) -> Result<Option<Tenure>, Fault> {
    let Some(beside) = beside else {
        return Ok(None);
    };
    if Stat::find(&beside.dir, beside.name.as_str())
        .at(path)?
        .is_none()
    {
        return Ok(None);
    }
    let tenure = shared
        .partials
        .claim(beside, u64::MAX, &shared.safety, account);
    let tenure = tenure.map_err(|errno| told(path, errno))?;
    Ok(Some(tenure).filter(|tenure| tenure.seen().len() > 0))
}

fn go_on(path: &VPath, tenure: Tenure, at: u64) -> Result<Body, Fault> {
    let len = tenure.seen().len();
    if at > len {
        return Err(behind(path, at, len));
    }
    tenure.go_on_at(at).map_err(|errno| told(path, errno))?;
    Ok(Body::Partial(tenure))
}

/// A file of its own that begins with the first bytes of what stands there, or with all of them. Nothing of it stays
/// if it breaks: the file is as it was, and so is what `SIZE` tells.
fn copy(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    path: &VPath,
    place: &Place,
    options: &mut CreateOptions,
    len: Option<u64>,
) -> Result<Body, Fault> {
    let (source, opened) = shared.jail.file(path)?;
    let len = len.unwrap_or_else(|| opened.size());
    if len > opened.size() {
        return Err(behind(path, len, opened.size()));
    }
    // Who could not read the old one shall not be able to read the new one.
    options.mode.get_or_insert_with(|| opened.mode());
    let mut draft = fresh(shared, place, options, Target::Taken).at(path)?;
    if let Some(account) = account {
        let bytes = draft.bytes();
        bytes.belong(account, 0);
        bytes.cover(Amount::of_bytes(len))?;
    }
    let mut done = 0;
    while done < len {
        let piece = COPY_BYTES.min(len - done);
        let read = copy_range(shared, &mut draft, &source, done, piece).at(path)?;
        if read < piece {
            break;
        }
        done += read;
    }
    if done < len || Stat::of(&source).at(path)?.differs(&opened) {
        let words = "changed while its first bytes were copied";
        return Err(refuse(FaultKind::Changed, path, words));
    }
    Ok(Body::Once(draft))
}

fn copy_range(
    shared: &Shared,
    draft: &mut Draft,
    source: impl std::os::fd::AsFd,
    offset: u64,
    len: u64,
) -> Result<u64, Errno> {
    let bytes = draft.bytes();
    let mut wrote = Ok(());
    let read = scratch::read_range(source, offset, len, |piece| {
        if wrote.is_ok() {
            wrote = bytes.write(piece);
        }
    })?;
    wrote?;
    if shared.safety.is_due(bytes) {
        sys::sync_data(bytes.file())?;
        bytes.note_synced();
    }
    Ok(read)
}

fn behind(path: &VPath, at: u64, len: u64) -> Fault {
    let words = format!("{at} is behind the end of what is there, {len}");
    refuse(FaultKind::BadRange, path, &words)
}

fn moved_on(path: &VPath) -> Fault {
    uncertain(path, "it is not as long as SIZE told; ask again")
}

fn uncertain(path: &VPath, words: &str) -> Fault {
    refuse(FaultKind::Busy, path, words)
}
