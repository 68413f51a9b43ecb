//! `Digest`: SHA-256 of a range of a file that nobody changes meanwhile; of a whole one perhaps known.

use std::os::fd::AsFd;

use ftp_proto::session::{Fault, FaultKind, Outcome};
use ftp_proto::{Digest, VPath};
use rustix::fs::{Advice, fadvise};
use sha2::{Digest as _, Sha256};

use crate::error::{At, refuse};
use crate::meta::Stat;
use crate::scratch;
use crate::shared::Shared;

pub(super) fn digest(
    shared: &Shared,
    path: &VPath,
    offset: u64,
    len: Option<u64>,
) -> Result<Outcome, Fault> {
    let (file, opened) = shared.jail.file(path)?;
    let len = range(path, &opened, offset, len)?;
    let answer = |digest| Outcome::Digested {
        digest,
        len,
        meta: opened.meta(),
    };
    let whole = len == opened.size();
    if whole && let Some(digest) = shared.digests.find(&file, &opened) {
        return Ok(answer(digest));
    }
    let settled = shared.digests.is_settled(&opened);
    // Only a hint.
    fadvise(file.as_fd(), offset, None, Advice::Sequential).ok();
    let mut hasher = Sha256::new();
    let read = scratch::read_range(&file, offset, len, |piece| hasher.update(piece)).at(path)?;
    unchanged(path, &file, &opened, read == len)?;
    let digest = Digest(hasher.finalize().into());
    if whole && settled {
        shared.digests.learn(&opened, digest);
    }
    Ok(answer(digest))
}

/// How many bytes there are from `offset` on, `len` at most.
pub(super) fn range(
    path: &VPath,
    opened: &Stat,
    offset: u64,
    len: Option<u64>,
) -> Result<u64, Fault> {
    let Some(rest) = opened.size().checked_sub(offset) else {
        let words = format!("{offset} is behind the end, {}", opened.size());
        return Err(refuse(FaultKind::BadRange, path, &words));
    };
    Ok(len.map_or(rest, |len| len.min(rest)))
}

/// Refuses what was read of a file that was not `all` there, or is another one by now.
pub(super) fn unchanged(
    path: &VPath,
    file: impl AsFd,
    opened: &Stat,
    all: bool,
) -> Result<(), Fault> {
    if all && !Stat::of(file).at(path)?.differs(opened) {
        return Ok(());
    }
    Err(refuse(
        FaultKind::Changed,
        path,
        "changed while it was read",
    ))
}
