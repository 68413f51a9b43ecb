//! `Create`, `Continue` and `Commit`: an upload from its first byte to its name.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ftp_proto::session::{CreateOptions, Fault, FaultKind, Outcome};
use ftp_proto::{Digest, Durability, IfExists, VPath};
use rustix::fs::fstatfs;
use rustix::io::Errno;

use super::guards::{vacant, writable};
use crate::draft::Target;
use crate::error::{At, misuse};
use crate::jail::Place;
use crate::job::Effect;
use crate::meta::Stat;
use crate::nearby::Nearby;
use crate::parents::make_parents;
use crate::purse::Account;
use crate::shared::Shared;
use crate::slot::{Slot, State};
use crate::upload::{Upload, Verdict, judge};
use crate::{pages, sys};

/// From this size on the disk is asked for the room before the first byte comes.
const RESERVE_FROM: u64 = 1024 * 1024;
/// Bytes of the largest file that may be written before it is known whether its name is free.
const LOOK_LATE_UP_TO: u64 = 64 * 1024;

pub(super) fn create(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    slot: &mut Slot,
    path: VPath,
    options: CreateOptions,
    nearby: &mut Nearby,
) -> Result<Outcome, Fault> {
    vacant(slot)?;
    match begin(shared, account, path, options, nearby) {
        Ok(Some(upload)) => {
            let partial = upload.partial();
            slot.state = State::Writing(Box::new(upload));
            Ok(Outcome::Created { partial })
        }
        Ok(None) => {
            slot.state = State::Skipped;
            Ok(Outcome::Skipped)
        }
        Err(fault) => {
            slot.state = State::Broken(fault.clone());
            Err(fault)
        }
    }
}

/// The upload, or `None` if the target is to be kept.
fn begin(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    path: VPath,
    options: CreateOptions,
    nearby: &mut Nearby,
) -> Result<Option<Upload>, Fault> {
    writable(shared, &path)?;
    if path.is_root() {
        return Err(Errno::ISDIR).at(&path);
    }
    // Only where a folder that is removed meanwhile is noticed in time to make it anew.
    let near = may_look_late(shared, account, &options)
        .then(|| nearby.place(&shared.jail, &path))
        .flatten();
    if let Some(place) = near {
        match begin_at(shared, account, path.clone(), place, options.clone()) {
            // The folder at hand was removed: perhaps there is a new one, or one is to be made.
            Err(fault) if fault.kind == FaultKind::NotFound => nearby.forget(),
            other => return other,
        }
    }
    let place = match shared.jail.place(&path) {
        Err(fault) if fault.kind == FaultKind::NotFound && options.parents => {
            make_parents(shared, &path)?;
            shared.jail.place(&path)?
        }
        other => other?,
    };
    nearby.keep(&shared.jail, &path, &place);
    begin_at(shared, account, path, place, options)
}

fn begin_at(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    path: VPath,
    place: Place,
    options: CreateOptions,
) -> Result<Option<Upload>, Fault> {
    let target = if may_look_late(shared, account, &options) {
        Target::Unknown
    } else {
        let verdict = judge(&shared.jail, &path, &place, &options)?;
        shared.note_crowded(verdict != Verdict::Create);
        match verdict {
            Verdict::Skip => return Ok(None),
            Verdict::Create => Target::Vacant,
            Verdict::Replace => Target::Taken,
        }
    };
    let mut upload = Upload::begin(shared, account, path, place, options, target)?;
    if upload.partial().is_none() {
        make_room(&mut upload)?;
    }
    Ok(Some(upload))
}

/// Whether it is soon enough to look at what stands under the name when the file is to get it. A small
/// file costs little if that is a refusal; mostly nothing stands there, and the look is saved.
fn may_look_late(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    options: &CreateOptions,
) -> bool {
    let small = options.size.is_some_and(|size| size <= LOOK_LATE_UP_TO);
    let plain = match options.if_exists {
        IfExists::Replace | IfExists::Fail => true,
        IfExists::Skip | IfExists::Newer => false,
    };
    // Whether there will be one file more is counted beforehand.
    account.is_none()
        && small
        && plain
        && !options.resume
        && !shared.crowded.load(Ordering::Relaxed)
}

/// Once it is known where the bytes go.
fn make_room(upload: &mut Upload) -> Result<(), Fault> {
    match upload.size() {
        Some(size) if size >= RESERVE_FROM => upload.inspect(|file, len| reserve(file, len, size)),
        Some(_) | None => Ok(()),
    }
}

/// Refuses a file that the disk has no room for, and keeps the room for one that it has.
fn reserve(file: impl AsFd, len: u64, size: u64) -> Result<(), Errno> {
    if i64::try_from(size).is_err() {
        return Err(Errno::FBIG);
    }
    let system = fstatfs(&file)?;
    let block = u64::try_from(system.f_bsize).unwrap_or(1);
    let need = size.saturating_sub(Stat::of(&file)?.allocated());
    // Zero blocks in all is how a file system says that it does not count.
    if system.f_blocks > 0 && need > system.f_bavail.saturating_mul(block) {
        return Err(Errno::NOSPC);
    }
    // Room reserved in memory is memory touched twice.
    if pages::is_in_memory(&file)? {
        return Ok(());
    }
    sys::reserve(file, len, size.saturating_sub(len))
}

pub(super) fn resume(slot: &mut Slot, keep: bool) -> Result<Outcome, Fault> {
    let fault = match &mut slot.state {
        State::Writing(upload) => match upload.decide(keep).and_then(|()| make_room(upload)) {
            Ok(()) => return Ok(Outcome::Continued),
            Err(fault) => fault,
        },
        State::Broken(fault) => return Err(fault.clone()),
        State::Empty | State::Reading(_) | State::Skipped => {
            return Err(misuse("no partial to continue"));
        }
    };
    slot.state = State::Broken(fault.clone());
    Err(fault)
}

pub(super) fn commit(
    shared: &Shared,
    slot: &mut Slot,
    digest: Option<Digest>,
    size: Option<u64>,
    nearby: &mut Nearby,
) -> Result<Effect, Fault> {
    match std::mem::take(&mut slot.state) {
        State::Writing(upload) => {
            let verified = upload.verify(digest, size, &shared.digests, nearby)?;
            match shared.options.durability {
                Durability::None => Ok(Effect::Told(verified.publish(Durability::None, shared)?)),
                Durability::Full | Durability::Data => Ok(Effect::Verified(Box::new(verified))),
            }
        }
        State::Skipped => Ok(Effect::Told(Outcome::Skipped)),
        State::Broken(fault) => Err(fault),
        State::Empty => Err(misuse("no upload to commit")),
        reading @ State::Reading(_) => {
            slot.state = reading;
            Err(misuse("the file is open for reading"))
        }
    }
}
