//! The disk of a world: uploads, what they leave when they break, and what is said to be safe.

use std::collections::BTreeMap;
use std::rc::Rc;

use fastrand::Rng;
use ftp_proto::session::{CreateOptions, Fault, FaultKind, Outcome, Partial, Start};
use ftp_proto::{Digest, Durability, VPath};

use super::disk::{Disk, Holder, Slot, fault};
use super::fs::{Inode, Node, digest};

/// Which partial: of a target and a size, or of a target and a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Sized(String, u64),
    Owned(String, Option<String>),
}

/// What broken uploads left, and who works on it.
pub(crate) type Partials = BTreeMap<Key, (Vec<u8>, Option<Holder>)>;

/// A file on its way in.
#[derive(Debug)]
pub(crate) struct Writing {
    path: VPath,
    options: CreateOptions,
    /// The bytes, unless they stand in a partial.
    bytes: Vec<u8>,
    /// The partial they stand in.
    key: Option<Key>,
    /// Where the bytes are left if the upload breaks.
    leaves: Option<Key>,
    /// How many of the bytes were there before.
    base: usize,
}

/// A file that got its name.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) path: VPath,
    /// How many of its bytes were there before this upload.
    pub(crate) base: usize,
    pub(crate) bytes: Rc<Vec<u8>>,
}

/// A file that got its name, and what it took it from.
#[derive(Debug)]
pub(crate) struct Unheard {
    holder: Holder,
    path: VPath,
    new: Rc<Inode>,
    old: Option<Node>,
}

impl Disk {
    /// Forgets partials that nobody works on.
    pub(crate) fn sweep(&mut self) {
        let before = self.partials.len();
        self.partials.retain(|_, (_, holder)| holder.is_some());
        self.swept += (before - self.partials.len()) as u64;
    }

    /// The first file of a session that got its name and was not asked for yet.
    pub(crate) fn take_commit(&mut self, session: usize) -> Option<Commit> {
        let of_it = |(of, _): &(usize, Commit)| *of == session;
        let at = self.commits.iter().position(of_it)?;
        Some(self.commits.remove(at).1)
    }

    /// The outcomes of a trip are heard: what they say is true for good.
    pub(crate) fn heard(&mut self, holder: Holder) {
        self.unheard.retain(|unheard| unheard.holder != holder);
    }

    /// The power fails. What nobody has heard of may be as it was; what was on its way in is gone.
    pub(crate) fn cut(&mut self, rng: &mut Rng) {
        for unheard in std::mem::take(&mut self.unheard).into_iter().rev() {
            if rng.bool() {
                self.fs.put_back(&unheard.path, &unheard.new, unheard.old);
            }
        }
        for (bytes, holder) in self.partials.values_mut() {
            *holder = None;
            bytes.truncate(rng.usize(..=bytes.len()));
        }
        self.commits.clear();
    }

    /// Nobody works on anything.
    pub(crate) fn check_idle(&self) {
        let held = self
            .partials
            .iter()
            .find(|(_, (_, holder))| holder.is_some());
        assert!(held.is_none(), "somebody still works on it: {held:?}");
        assert!(self.unheard.is_empty(), "an outcome nobody heard");
    }

    pub(super) fn write(
        &mut self,
        holder: Holder,
        slot: &mut Slot,
        bytes: Vec<u8>,
        breaks: bool,
    ) -> Result<(), Fault> {
        let Slot::Writing(writing) = slot else {
            let told = matches!(slot, Slot::Broken(_) | Slot::Skipped);
            assert!(
                told,
                "payload for a file that is not being uploaded: {slot:?}"
            );
            return Ok(());
        };
        let result = match self.content(holder, writing) {
            Err(fault) => Err(fault),
            Ok(_) if breaks => {
                self.faults += 1;
                Err(fault(FaultKind::NoSpace))
            }
            Ok(content) => {
                content.extend(bytes);
                Ok(())
            }
        };
        if let Err(fault) = &result {
            self.let_go(holder, slot);
            *slot = Slot::Broken(fault.clone());
        }
        result
    }

    pub(super) fn create(
        &mut self,
        holder: Holder,
        slot: &mut Slot,
        path: VPath,
        options: CreateOptions,
    ) -> Result<Outcome, Fault> {
        assert!(matches!(slot, Slot::Empty), "a lane holds one file");
        let began = match self.fs.may_put(&path, &options) {
            Ok(true) => match options.start {
                Some(start) => self
                    .start(holder, path, options, start)
                    .map(|writing| (writing, None)),
                None => Ok(self.claim(holder, path, options)),
            },
            Ok(false) => {
                *slot = Slot::Skipped;
                return Ok(Outcome::Skipped);
            }
            Err(kind) => Err(fault(kind)),
        };
        let (writing, partial) = began.inspect_err(|fault| *slot = Slot::Broken(fault.clone()))?;
        *slot = Slot::Writing(writing);
        Ok(Outcome::Created { partial })
    }

    /// For a sender that knows the size, and is asked whether it goes on.
    fn claim(
        &mut self,
        holder: Holder,
        path: VPath,
        options: CreateOptions,
    ) -> (Writing, Option<Partial>) {
        let size = options.size.filter(|_| options.resume);
        let key = size.map(|size| Key::Sized(path.as_str().to_owned(), size));
        let mut partial = None;
        if let Some(key) = &key {
            let (bytes, owner) = self.partials.entry(key.clone()).or_default();
            self.takeovers += u64::from(owner.is_some());
            *owner = Some(holder);
            if !bytes.is_empty() {
                self.resumed += 1;
                let (offset, digest) = (bytes.len() as u64, digest(bytes));
                partial = Some(Partial { offset, digest });
            }
        }
        let writing = Writing {
            path,
            options,
            bytes: Vec::new(),
            key,
            leaves: None,
            base: 0,
        };
        (writing, partial)
    }

    /// For a sender that says by a number where it begins.
    fn start(
        &mut self,
        holder: Holder,
        path: VPath,
        options: CreateOptions,
        start: Start,
    ) -> Result<Writing, Fault> {
        let owned = Key::Owned(path.as_str().to_owned(), options.owner.clone());
        let kept = self.partials.get(&owned).filter(|_| options.resume);
        let kept = kept.map(|(bytes, owner)| (bytes.len() as u64, owner.is_some()));
        let kept = kept.filter(|kept| *kept != (0, false));
        let old = self.fs.open(&path).ok();
        let old = old.map(|inode| inode.bytes.borrow().clone());
        let mut writing = Writing {
            path,
            leaves: None,
            options,
            bytes: Vec::new(),
            key: None,
            base: 0,
        };
        let at = match (start, kept, &old) {
            (Start::At(0), ..) => {
                if let Some((_, false)) = kept {
                    self.partials.remove(&owned);
                }
                writing.leaves = Some(owned).filter(|_| writing.options.resume);
                return Ok(writing);
            }
            (Start::At(_) | Start::End { .. }, Some((_, true)), _) => {
                return Err(fault(FaultKind::Busy));
            }
            (Start::At(at), Some((len, false)), _) if at <= len => at,
            (Start::At(at), None, Some(old)) if at <= old.len() as u64 => {
                writing.bytes = old[..usize::try_from(at).unwrap()].to_vec();
                writing.base = writing.bytes.len();
                return Ok(writing);
            }
            (Start::At(_), ..) => return Err(fault(FaultKind::BadRange)),
            (Start::End { told }, _, Some(old)) => {
                self.partials.remove(&owned);
                if told.is_some_and(|told| told != old.len() as u64) {
                    return Err(fault(FaultKind::Busy));
                }
                writing.base = old.len();
                writing.bytes.clone_from(old);
                return Ok(writing);
            }
            (Start::End { told: Some(told) }, Some((len, false)), None) if told == len => len,
            (
                Start::End {
                    told: None | Some(0),
                },
                None,
                None,
            ) => return Ok(writing),
            (Start::End { .. }, ..) => return Err(fault(FaultKind::Busy)),
        };
        self.resumed += 1;
        writing.base = usize::try_from(at).unwrap();
        if let Some((bytes, owner)) = self.partials.get_mut(&owned) {
            bytes.truncate(writing.base);
            *owner = Some(holder);
        }
        writing.key = Some(owned);
        Ok(writing)
    }

    pub(super) fn go_on(
        &mut self,
        holder: Holder,
        slot: &mut Slot,
        keep: bool,
    ) -> Result<Outcome, Fault> {
        let Slot::Writing(writing) = slot else {
            panic!("a continue without an upload: {slot:?}");
        };
        match self.content(holder, writing) {
            Ok(bytes) => {
                if !keep {
                    bytes.clear();
                }
                Ok(Outcome::Continued)
            }
            Err(error) => {
                *slot = Slot::Broken(error.clone());
                Err(error)
            }
        }
    }

    pub(super) fn commit(
        &mut self,
        holder: Holder,
        slot: &mut Slot,
        said: Option<Digest>,
        size: Option<u64>,
    ) -> Result<Outcome, Fault> {
        let mut writing = match std::mem::take(slot) {
            Slot::Writing(writing) => writing,
            Slot::Skipped => return Ok(Outcome::Skipped),
            Slot::Broken(fault) => return Err(fault),
            other @ (Slot::Empty | Slot::Reading { .. }) => panic!("nothing to commit: {other:?}"),
        };
        let bytes = std::mem::take(self.content(holder, &mut writing)?);
        if let Some(key) = &writing.key {
            self.partials.remove(key);
        }
        let is = digest(&bytes);
        if size.is_some_and(|size| size != bytes.len() as u64) {
            return Err(fault(FaultKind::SizeMismatch));
        }
        if said.is_some_and(|said| said != is) {
            return Err(fault(FaultKind::DigestMismatch));
        }
        let old = self.fs.stat(&writing.path).ok();
        let size = bytes.len() as u64;
        let commit = Commit {
            path: writing.path.clone(),
            base: writing.base,
            bytes: Rc::new(bytes.clone()),
        };
        match self.fs.put(&writing.path, bytes, &writing.options) {
            Ok(true) => {
                let new = self.fs.open(&writing.path).map_err(fault)?;
                let path = writing.path;
                self.unheard.push(Unheard {
                    holder,
                    path,
                    new,
                    old,
                });
                self.commits.push((holder.0, commit));
                Ok(Outcome::Committed {
                    size,
                    digest: Some(is),
                    durability: Durability::Full,
                })
            }
            Ok(false) => Ok(Outcome::Skipped),
            Err(kind) => Err(fault(kind)),
        }
    }

    /// How long a file is, and how much is kept beside it.
    pub(super) fn size(&self, path: &VPath, owner: Option<String>) -> Result<Outcome, Fault> {
        let found = self.fs.stat(path).map(|node| node.meta());
        let key = Key::Owned(path.as_str().to_owned(), owner);
        let kept = self.partials.get(&key);
        let kept = kept
            .map(|(bytes, _)| bytes.len() as u64)
            .filter(|len| *len > 0);
        match found {
            Err(kind) if kind != FaultKind::NotFound || kept.is_none() => Err(fault(kind)),
            found => Ok(Outcome::Sized {
                found: found.ok(),
                kept,
            }),
        }
    }

    /// The bytes of an upload, if its lane still holds them.
    fn content<'a>(
        &'a mut self,
        holder: Holder,
        writing: &'a mut Writing,
    ) -> Result<&'a mut Vec<u8>, Fault> {
        let Some(key) = &writing.key else {
            return Ok(&mut writing.bytes);
        };
        match self.partials.get_mut(key) {
            Some((bytes, owner)) if *owner == Some(holder) => Ok(bytes),
            Some(_) | None => Err(fault(FaultKind::Busy)),
        }
    }

    /// An upload is given up: what has come stays, where that was agreed on.
    pub(super) fn leave(&mut self, holder: Holder, slot: &mut Slot) {
        if let Slot::Writing(writing) = slot
            && let Some(key) = writing.leaves.take()
            && !writing.bytes.is_empty()
        {
            let bytes = std::mem::take(&mut writing.bytes);
            // Somebody may be going on with an older one.
            if self
                .partials
                .get(&key)
                .is_none_or(|(_, held)| held.is_none())
            {
                self.partials.insert(key, (bytes, None));
            }
        }
        self.let_go(holder, slot);
    }

    /// Leaves a partial to whoever comes next.
    pub(super) fn let_go(&mut self, holder: Holder, slot: &Slot) {
        let Slot::Writing(Writing { key: Some(key), .. }) = slot else {
            return;
        };
        if let Some((_, owner)) = self.partials.get_mut(key)
            && *owner == Some(holder)
        {
            *owner = None;
        }
    }
}
