//! The disk of a world: what each operation does, with faults now and then.

use std::rc::Rc;

use ftp_proto::session::{Content, DiskOp, Entry, Fault, FaultKind, JobId, Outcome};
use ftp_proto::{Digest, VPath};
use sha2::{Digest as _, Sha256};

use super::fs::{Fs, Inode, digest};
use super::uploads::{Commit, Partials, Unheard, Writing};

/// Which lane of which session: what holds a partial.
pub(crate) type Holder = (usize, u64);

#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) fs: Fs,
    /// What broken uploads left.
    pub(super) partials: Partials,
    /// What got its name, by session, until somebody asks for it.
    pub(super) commits: Vec<(usize, Commit)>,
    /// What got its name, and whose outcome nobody has heard yet: a power cut may take it.
    pub(super) unheard: Vec<Unheard>,
    /// One operation of so many fails; 0: none.
    pub(crate) fault_one_in: u32,
    pub(crate) faults: u64,
    pub(crate) takeovers: u64,
    pub(crate) resumed: u64,
    pub(crate) swept: u64,
}

/// One thing to do with a file.
#[derive(Debug)]
pub(crate) enum Step {
    Write(Vec<u8>),
    Op(JobId, DiskOp),
}

/// What one trip brings home.
#[derive(Debug, Default)]
pub(crate) struct Home {
    pub(crate) fault: Option<Fault>,
    pub(crate) outcomes: Vec<(JobId, Outcome)>,
}

/// What a lane holds.
#[derive(Debug, Default)]
pub(crate) enum Slot {
    #[default]
    Empty,
    Reading {
        inode: Rc<Inode>,
        opened: Vec<u8>,
        hasher: Sha256,
    },
    Writing(Writing),
    Skipped,
    Broken(Fault),
}

pub(super) fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "the disk says so")
}

impl Disk {
    /// Does the steps of one trip.
    pub(crate) fn run(
        &mut self,
        holder: Holder,
        slot: &mut Slot,
        steps: Vec<Step>,
        rng: &mut fastrand::Rng,
    ) -> Home {
        let mut home = Home::default();
        for step in steps {
            let breaks = self.fault_one_in > 0 && rng.u32(..self.fault_one_in) == 0;
            match step {
                Step::Write(bytes) => {
                    if let Err(fault) = self.write(holder, slot, bytes, breaks) {
                        home.fault.get_or_insert(fault);
                    }
                }
                Step::Op(job, op) => {
                    let outcome = self.op(holder, slot, op, breaks);
                    home.outcomes
                        .push((job, outcome.unwrap_or_else(Outcome::Failed)));
                }
            }
        }
        home
    }

    fn op(
        &mut self,
        holder: Holder,
        slot: &mut Slot,
        op: DiskOp,
        breaks: bool,
    ) -> Result<Outcome, Fault> {
        let ends = matches!(op, DiskOp::Abort | DiskOp::Release);
        if breaks && !ends {
            self.faults += 1;
            self.let_go(holder, slot);
            let error = fault(FaultKind::Io);
            *slot = Slot::Broken(error.clone());
            return Err(error);
        }
        match op {
            DiskOp::Open { path, inline } => self.open(slot, &path, inline),
            DiskOp::Warm {
                offset,
                len,
                digest,
                last,
            } => warm(slot, offset, len, digest, last),
            DiskOp::Create { path, options } => self.create(holder, slot, path, options),
            DiskOp::Continue { keep } => self.go_on(holder, slot, keep),
            DiskOp::Commit { digest, size } => self.commit(holder, slot, digest, size),
            DiskOp::Abort | DiskOp::Release => {
                self.leave(holder, slot);
                *slot = Slot::Empty;
                Ok(Outcome::Ended)
            }
            DiskOp::List { .. }
            | DiskOp::Stat { .. }
            | DiskOp::Size { .. }
            | DiskOp::Digest { .. }
            | DiskOp::Checksum { .. }
            | DiskOp::SetMeta { .. }
            | DiskOp::Space { .. }
            | DiskOp::MakeDir { .. }
            | DiskOp::Rename { .. }
            | DiskOp::Remove { .. } => self.by_name(op),
        }
    }

    fn digest(&self, path: &VPath, offset: u64, len: Option<u64>) -> Result<Outcome, Fault> {
        let inode = self.fs.open(path).map_err(fault)?;
        let bytes = inode.bytes.borrow();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = bytes
            .get(offset..)
            .ok_or_else(|| fault(FaultKind::BadRange))?;
        let len = len
            .and_then(|len| usize::try_from(len).ok())
            .unwrap_or(usize::MAX);
        let range = &rest[..len.min(rest.len())];
        let (digest, len) = (digest(range), range.len() as u64);
        Ok(Outcome::Digested {
            digest,
            len,
            meta: inode.meta(),
        })
    }

    /// What needs no open file.
    fn by_name(&mut self, op: DiskOp) -> Result<Outcome, Fault> {
        match op {
            DiskOp::List {
                path,
                after,
                entries,
                bytes,
            } => self.list(&path, after.as_deref(), entries, bytes),
            DiskOp::Stat { path } => {
                let node = self.fs.stat(&path).map_err(fault)?;
                Ok(Outcome::Found(node.meta()))
            }
            DiskOp::Size { path, owner, .. } => self.size(&path, owner),
            DiskOp::Digest { path, offset, len } => self.digest(&path, offset, len),
            DiskOp::Checksum {
                path,
                offset,
                len: asked,
                ..
            } => {
                let len = self.fs.open(&path).map_err(fault)?.meta().size;
                let rest = len.checked_sub(offset);
                let rest = rest.ok_or_else(|| fault(FaultKind::BadRange))?;
                let len = asked.unwrap_or(rest).min(rest);
                let hex = "0".into();
                Ok(Outcome::Summed { hex, len })
            }
            // Nothing of a world depends on times and modes.
            DiskOp::SetMeta { path, .. } => {
                self.fs.stat(&path).map_err(fault)?;
                Ok(Outcome::Ended)
            }
            DiskOp::Space { path } => {
                self.fs.stat(&path).map_err(fault)?;
                Ok(Outcome::Room { bytes: Some(1000) })
            }
            DiskOp::MakeDir { path, parents } => {
                self.fs.make_dir(&path, parents).map_err(fault)?;
                Ok(Outcome::Ended)
            }
            DiskOp::Rename { from, to, replace } => {
                self.fs.rename(&from, &to, replace).map_err(fault)?;
                Ok(Outcome::Ended)
            }
            DiskOp::Remove { path, recursive } => {
                self.fs.remove(&path, recursive).map_err(fault)?;
                Ok(Outcome::Ended)
            }
            DiskOp::Open { .. }
            | DiskOp::Warm { .. }
            | DiskOp::Create { .. }
            | DiskOp::Continue { .. }
            | DiskOp::Commit { .. }
            | DiskOp::Abort
            | DiskOp::Release => Err(fault(FaultKind::Internal)),
        }
    }

    fn open(&self, slot: &mut Slot, path: &VPath, inline: u32) -> Result<Outcome, Fault> {
        let inode = self.fs.open(path).map_err(fault)?;
        let meta = inode.meta();
        let bytes = inode.bytes.borrow().clone();
        if meta.size <= u64::from(inline) {
            let digest = digest(&bytes);
            return Ok(Outcome::Opened {
                meta,
                content: Some(Content { bytes, digest }),
                digest: None,
            });
        }
        // Every other size comes with a digest that was stored before.
        let known = (bytes.len() % 2 == 0).then(|| digest(&bytes));
        let (opened, hasher) = (bytes, Sha256::new());
        *slot = Slot::Reading {
            inode,
            opened,
            hasher,
        };
        Ok(Outcome::Opened {
            meta,
            content: None,
            digest: known,
        })
    }

    fn list(
        &self,
        path: &VPath,
        after: Option<&str>,
        most: u32,
        bytes: u32,
    ) -> Result<Outcome, Fault> {
        let all = self.fs.list(path).map_err(fault)?;
        let mut rest = all
            .into_iter()
            .filter(|(name, _)| after.is_none_or(|after| name.as_str() > after))
            .map(|(name, meta)| Entry { name, meta })
            .peekable();
        let (mut entries, mut used): (Vec<Entry>, _) = (Vec::new(), 0);
        while let Some(entry) = rest.next_if(|entry| {
            used += entry.wire_bytes();
            entries.len() < most as usize && used <= bytes as usize
        }) {
            entries.push(entry);
        }
        let last = entries.last().filter(|_| rest.peek().is_some());
        let next = last.map(|entry| entry.name.clone());
        Ok(Outcome::Listed { entries, next })
    }
}

fn warm(
    slot: &mut Slot,
    offset: u64,
    len: u64,
    digest: bool,
    last: bool,
) -> Result<Outcome, Fault> {
    let Slot::Reading {
        inode,
        opened,
        hasher,
    } = slot
    else {
        assert!(
            matches!(slot, Slot::Broken(_)),
            "nothing open to warm: {slot:?}"
        );
        return Err(fault(FaultKind::Io));
    };
    let bytes = inode.bytes.borrow();
    let (from, to) = (
        usize::try_from(offset).unwrap(),
        usize::try_from(offset + len).unwrap(),
    );
    let range = &bytes[from.min(bytes.len())..to.min(bytes.len())];
    if digest {
        hasher.update(range);
    }
    if last && *bytes != *opened {
        return Err(fault(FaultKind::Changed));
    }
    Ok(Outcome::Warmed {
        len: range.len() as u64,
        digest: last.then(|| Digest(hasher.clone().finalize().into())),
    })
}
