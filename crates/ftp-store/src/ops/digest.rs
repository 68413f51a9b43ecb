//! `Digest`: SHA-256 of a range of a file that nobody changes meanwhile; of a whole one perhaps known.

use std::os::fd::AsFd;

use ftp_proto::session::{Fault, FaultKind, Outcome};
use ftp_proto::{Digest, VPath};
use rustix::fs::{Advice, fadvise};
use sha2::{Digest as _, Sha256};

use crate::error::{At, refuse};
use crate::meta::Stat;
use crate::scratch;
use crate::store::Shared;

pub(super) fn digest(
    shared: &Shared,
    path: &VPath,
    offset: u64,
    len: Option<u64>,
) -> Result<Outcome, Fault> {
    let (file, opened) = shared.jail.file(path)?;
    let Some(rest) = opened.size().checked_sub(offset) else {
        let words = format!("{offset} is behind the end, {}", opened.size());
        return Err(refuse(FaultKind::BadRange, path, &words));
    };
    let len = len.map_or(rest, |len| len.min(rest));
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
    if read != len || Stat::of(&file).at(path)?.differs(&opened) {
        return Err(refuse(
            FaultKind::Changed,
            path,
            "changed while it was read",
        ));
    }
    let digest = Digest(hasher.finalize().into());
    if whole && settled {
        shared.digests.learn(&opened, digest);
    }
    Ok(answer(digest))
}
