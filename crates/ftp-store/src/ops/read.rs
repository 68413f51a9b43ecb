//! `Open` and `Warm`: a file on its way out.
//!
//! What is sent is one version of one inode: a file that changes meanwhile ends as `Changed`.

use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::sync::Arc;

use ftp_proto::session::{Content, Fault, FaultKind, Outcome};
use ftp_proto::{Digest, VPath};
use rustix::fs::{Advice, fadvise};
use rustix::io::{Errno, pread, retry_on_intr};
use sha2::{Digest as _, Sha256};

use super::vacant;
use crate::error::{At, misuse, refuse};
use crate::meta::Stat;
use crate::scratch;
use crate::slot::{ReadFile, Reading, Slot, State};
use crate::store::Shared;

/// How often a small file is opened anew because somebody replaced it under our eyes.
const TRIES: usize = 4;
/// Bytes from one touch to the next: pages so near to each other come from the disk together.
const STRETCH: u64 = 16 * 1024;

pub(super) fn open(
    shared: &Shared,
    slot: &mut Slot,
    path: VPath,
    inline: u32,
) -> Result<Outcome, Fault> {
    vacant(slot)?;
    slot.state = State::Empty;
    for _ in 0..TRIES {
        let (fd, opened) = shared.jail.file(&path)?;
        if opened.size() > u64::from(inline) {
            let digest = shared.digests.find(&fd, &opened);
            slot.state = State::Reading(Box::new(Reading {
                path,
                file: Arc::new(ReadFile::new(fd)),
                opened,
                hasher: Sha256::new(),
                whole: shared.digests.is_settled(&opened).then_some(0),
            }));
            return Ok(Outcome::Opened {
                meta: opened.meta(),
                content: None,
                digest,
            });
        }
        if let Some(content) = whole(&fd, &opened).at(&path)? {
            return Ok(Outcome::Opened {
                meta: opened.meta(),
                content: Some(content),
                digest: None,
            });
        }
    }
    Err(changed(&path))
}

/// All of a small file, unless it changed while it was read.
fn whole(file: impl AsFd, opened: &Stat) -> Result<Option<Content>, Errno> {
    let len = usize::try_from(opened.size()).unwrap_or_default();
    let bytes = scratch::read_whole(&file, len)?;
    if bytes.len() != len || Stat::of(&file)?.differs(opened) {
        return Ok(None);
    }
    let digest = Digest(Sha256::digest(&bytes).into());
    Ok(Some(Content { bytes, digest }))
}

pub(super) fn warm(
    shared: &Shared,
    slot: &mut Slot,
    offset: u64,
    len: u64,
    digest: bool,
    last: bool,
) -> Result<Outcome, Fault> {
    let State::Reading(reading) = &mut slot.state else {
        return Err(misuse("no file is open for reading"));
    };
    let Reading {
        path,
        file,
        opened,
        hasher,
        whole,
    } = &mut **reading;
    let len = if digest {
        scratch::read_range(file.as_fd(), offset, len, |piece| hasher.update(piece)).at(path)?
    } else {
        touch(file.as_fd(), offset, len).at(path)?
    };
    if digest {
        *whole = whole.filter(|end| *end == offset).map(|end| end + len);
    }
    if last && Stat::of(file.as_fd()).at(path)?.differs(opened) {
        return Err(changed(path));
    }
    let digest = (last && digest).then(|| Digest(hasher.finalize_reset().into()));
    if let Some(digest) = digest
        && whole.take() == Some(opened.size())
    {
        shared.digests.learn(opened, digest);
    }
    Ok(Outcome::Warmed { len, digest })
}

/// Brings a range into the page cache: asks for all of it at once, then waits until it is there by
/// reading a byte of each stretch, which costs a quarter of reading all of it.
fn touch(file: impl AsFd, offset: u64, len: u64) -> Result<u64, Errno> {
    let there = len.min(Stat::of(&file)?.size().saturating_sub(offset));
    let Some(range) = NonZeroU64::new(there) else {
        return Ok(0);
    };
    // Only a hint; the reads find out.
    fadvise(&file, offset, Some(range), Advice::WillNeed).ok();
    let mut byte = [0];
    let mut done = 0;
    while done < there {
        retry_on_intr(|| pread(&file, &mut byte[..], offset + done))?;
        done += STRETCH;
    }
    retry_on_intr(|| pread(&file, &mut byte[..], offset + there - 1))?;
    Ok(there)
}

fn changed(path: &VPath) -> Fault {
    refuse(FaultKind::Changed, path, "changed while it was read")
}
