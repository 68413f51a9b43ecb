//! `Open` and `Warm`: a file on its way out.
//!
//! What is sent is one version of one inode: a file that changes meanwhile ends as `Changed`.

use std::os::fd::AsFd;
use std::sync::Arc;

use ftp_proto::session::{Content, Fault, FaultKind, Outcome};
use ftp_proto::{Digest, VPath};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::guards::vacant;
use crate::error::{At, misuse, refuse};
use crate::meta::Stat;
use crate::shared::Shared;
use crate::slot::{ReadFile, Reading, Slot, State};
use crate::{pages, scratch};

/// How often a small file is opened anew because somebody replaced it under our eyes.
const TRIES: usize = 4;

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
        pages::touch(file.as_fd(), offset, len).at(path)?
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

fn changed(path: &VPath) -> Fault {
    refuse(FaultKind::Changed, path, "changed while it was read")
}
