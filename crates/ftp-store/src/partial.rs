//! A partial: what a broken upload left, and how much of it can be believed.
//!
//! Its name binds it to its target, and size if that is known, a lock to one process. How far it was synced is written
//! in an extended attribute, together with the boot it was written in: within one boot the page cache
//! was never lost and the whole file counts; after another, only what the last checkpoint covers.
//! Nothing here is trusted for the final file: its whole digest is checked at the commit. Where the sender knows none
//! (RFC 959), what is kept is read and hashed before more is written behind it.

use std::fs::read_to_string;
use std::os::fd::{AsFd, OwnedFd};

use ftp_proto::path::RESERVED_PREFIX;
use ftp_proto::{Digest, Durability, Kind};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::bytes::Bytes;
use crate::jail::Place;
use crate::meta::Stat;
use crate::sys;
use crate::temp::{self, PARTIAL};

/// What the kernel calls this boot of the machine; read whenever a store is opened (`random(4)`).
pub const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// How often opening is tried again when a sweep takes the name away.
const RACE_TRIES: usize = 8;
/// What stands for a digest that was not taken.
const UNDIGESTED: &str = "-";
/// More than a checkpoint ever takes.
const ATTRIBUTE_BYTES: usize = 256;

/// How uploads of a store are made safe on their way.
#[derive(Clone, Debug)]
pub(crate) struct Safety {
    pub(crate) durability: Durability,
    /// Bytes from one checkpoint to the next.
    pub(crate) every: u64,
    /// Which boot of the machine this is; empty if it cannot be known.
    pub(crate) boot: String,
}

/// What the attribute says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Checkpoint {
    boot: String,
    /// So many bytes are on stable storage…
    len: u64,
    /// …and this is their SHA-256, if it was taken.
    digest: Option<Digest>,
}

/// The partial's name for a target and a size, in the target's folder. Where there are users it is its owner's alone: the
/// digest of what another has sent would tell of bytes that are not theirs.
pub(crate) fn name(target: &str, size: Option<u64>, owner: Option<&str>) -> String {
    let mut hasher = Sha256::new();
    match size {
        Some(size) => hasher.update(size.to_be_bytes()),
        // Longer than any size, and no text begins so.
        None => hasher.update([0xff; 9]),
    }
    hasher.update(target);
    if let Some(owner) = owner {
        // No name has a NUL.
        hasher.update([0]);
        hasher.update(owner);
    }
    let hash = Digest(hasher.finalize().into()).to_string();
    let short = hash.get(..32).unwrap_or_default();
    format!("{RESERVED_PREFIX}{PARTIAL}{short}")
}

/// Opens the partial at `place`, or makes it, and locks it.
///
/// Errors: `WOULDBLOCK` if another process is at work on it.
pub(crate) fn open(place: &Place) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let (dir, name) = (&place.dir, place.name.as_str());
    for _ in 0..RACE_TRIES {
        let file = match openat(dir, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => sys::create(dir, name, temp::file_mode()),
            other => other,
        };
        let file = match file {
            Err(Errno::EXIST) => continue,
            // Somebody planted a link or a FIFO of that name; or a crash came after the file got its mode.
            Err(Errno::LOOP | Errno::NXIO | Errno::ACCESS) => {
                sys::unlink(dir, name)?;
                continue;
            }
            other => other?,
        };
        // Where there are no locks, two processes could mix; the commit's digest would tell.
        if let Err(Errno::WOULDBLOCK) = temp::lock(&file) {
            return Err(Errno::WOULDBLOCK);
        }
        if !place.holds(&file)? {
            continue;
        }
        let stat = Stat::of(&file)?;
        // A file that others can write to under another name, or own, is not ours to continue.
        if stat.kind() == Kind::File && stat.is_only_ours() {
            return Ok(file);
        }
        sys::unlink(dir, name)?;
    }
    Err(Errno::BUSY)
}

impl Safety {
    pub(crate) fn new(durability: Durability, every: u64) -> Self {
        let boot = read_to_string(BOOT_ID).unwrap_or_default();
        Self {
            durability,
            every: every.max(1),
            boot: boot.trim().to_owned(),
        }
    }

    /// Reads a partial of which nothing was read yet, believes what can be believed, and cuts off the rest.
    pub(crate) fn recover(&self, bytes: &mut Bytes, size: u64) -> Result<(), Errno> {
        let len = Stat::of(bytes.file())?.size();
        let (mut believed, check) = match len > size {
            true => (0, None),
            false => self.promised(bytes.file(), len)?,
        };
        if let Some(digest) = check {
            bytes.absorb(believed)?;
            if bytes.mark().digest() != Some(digest) {
                believed = 0;
            }
        }
        if believed < bytes.len() {
            bytes.restart()?;
        }
        bytes.absorb(believed)?;
        if bytes.len() < len {
            let mark = bytes.mark();
            bytes.take_back(&mark)?;
        }
        self.checkpoint(bytes)
    }

    /// How much of `len` bytes can be believed, and the digest that this much must have, if it is not all.
    fn promised(&self, file: impl AsFd, len: u64) -> Result<(u64, Option<Digest>), Errno> {
        Ok(match Checkpoint::read(file) {
            // No attributes here: all we have is the file itself. The sender compares its digest.
            Err(Errno::NOTSUP | Errno::NOSYS) => (len, None),
            other => match other? {
                Some(said) if said.boot == self.boot && !self.boot.is_empty() => (len, None),
                Some(said) if said.len <= len => (said.len, said.digest),
                Some(_) | None => (0, None),
            },
        })
    }

    /// How long the partial at `place` is, as far as that can be said without reading it; `None` if nothing is there.
    pub(crate) fn extent(&self, place: &Place) -> Result<Option<u64>, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&place.dir, place.name.as_str(), flags, Mode::empty()) {
            // A link that somebody planted is not ours.
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            other => other?,
        };
        let stat = Stat::of(&file)?;
        if stat.kind() != Kind::File || !stat.is_only_ours() {
            return Ok(None);
        }
        let (len, _) = self.promised(&file, stat.size())?;
        Ok(Some(len).filter(|len| *len > 0))
    }

    /// Makes everything written so far safe, and notes it in the file.
    pub(crate) fn checkpoint(&self, bytes: &mut Bytes) -> Result<(), Errno> {
        let safe = self.durability != Durability::None;
        if safe {
            // Not only the data: the note of the last checkpoint goes with it.
            sys::sync_all(bytes.file())?;
            bytes.note_synced();
        }
        let mark = bytes.mark();
        let note = Checkpoint {
            boot: self.boot.clone(),
            len: if safe { mark.len() } else { 0 },
            digest: if safe { mark.digest() } else { None },
        };
        note.write(bytes.file())
    }

    /// Makes a partial ready for the next attempt, if there is anything in it.
    pub(crate) fn put_by(&self, place: &Place, bytes: &mut Bytes) {
        if bytes.len() == 0 {
            if place.holds(bytes.file()).unwrap_or(false) {
                sys::unlink(&place.dir, place.name.as_str()).ok();
            }
            return;
        }
        // Best effort, all of it: without it the next attempt believes less. The room kept for the
        // bytes to come goes back to the disk.
        sys::truncate(bytes.file(), bytes.len()).ok();
        self.checkpoint(bytes).ok();
        if self.durability != Durability::None {
            sys::sync_all(bytes.file()).ok();
            sys::sync_dir(&place.dir).ok();
        }
    }

    /// Whether it is time for a checkpoint.
    pub(crate) fn is_due(&self, bytes: &Bytes) -> bool {
        self.durability != Durability::None && bytes.unsynced() >= self.every
    }
}

impl Checkpoint {
    fn read(file: impl AsFd) -> Result<Option<Self>, Errno> {
        let mut text = [0; ATTRIBUTE_BYTES];
        let len = match sys::attribute(file, &mut text) {
            Err(Errno::NODATA | Errno::RANGE) => return Ok(None),
            other => other?,
        };
        let text = text.get(..len).unwrap_or_default();
        Ok(std::str::from_utf8(text).ok().and_then(Self::parse))
    }

    fn write(&self, file: impl AsFd) -> Result<(), Errno> {
        let Self { boot, len, digest } = self;
        let digest = digest.map_or_else(|| UNDIGESTED.to_owned(), |digest| digest.to_string());
        match sys::set_attribute(file, format!("1 {len} {digest} {boot}").as_bytes()) {
            Err(Errno::NOTSUP | Errno::NOSYS) => Ok(()),
            other => other,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(4, ' ');
        if words.next() != Some("1") {
            return None;
        }
        Some(Self {
            len: words.next()?.parse().ok()?,
            digest: match words.next()? {
                UNDIGESTED => None,
                digest => Some(Digest::from_hex(digest)?),
            },
            boot: words.next()?.to_owned(),
        })
    }
}

/// For tests: how many bytes a note speaks of.
#[cfg(test)]
pub(crate) fn noted(note: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(note);
    Checkpoint::parse(&text).map_or(0, |note| note.len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safety(durability: Durability, boot: &str) -> Safety {
        Safety {
            durability,
            every: 4,
            boot: boot.to_owned(),
        }
    }

    fn sha256(bytes: &[u8]) -> Option<Digest> {
        Some(Digest(Sha256::digest(bytes).into()))
    }

    /// A file that was written under `boot`: a checkpoint after `safe`, then `rest` without one.
    fn written(before: &Safety, safe: &[u8], rest: &[u8]) -> OwnedFd {
        let file = OwnedFd::from(tempfile::tempfile().unwrap());
        let mut bytes = recovered(before, file.try_clone().unwrap(), 100);
        bytes.write(safe).unwrap();
        before.checkpoint(&mut bytes).unwrap();
        bytes.write(rest).unwrap();
        file
    }

    fn recovered(safety: &Safety, file: OwnedFd, size: u64) -> Bytes {
        let mut bytes = Bytes::new(file);
        safety.recover(&mut bytes, size).unwrap();
        bytes
    }

    fn found(after: &Safety, file: OwnedFd, size: u64) -> (u64, Option<Digest>, u64) {
        let bytes = recovered(after, file, size);
        let mark = bytes.mark();
        let len = Stat::of(bytes.file()).unwrap().size();
        (mark.len(), mark.digest(), len)
    }

    fn has_attributes() -> bool {
        let file = tempfile::tempfile().unwrap();
        let has = sys::set_attribute(&file, b"x").is_ok();
        if !has {
            println!("skipped: no extended attributes in the temp folder");
        }
        has
    }

    #[test]
    fn within_one_boot_every_byte_counts() {
        let full = safety(Durability::Full, "boot 1");
        let none = safety(Durability::None, "boot 1");
        for safety in [full, none] {
            let file = written(&safety, b"safe", b"rest");
            let want = (8, sha256(b"saferest"), 8);
            assert_eq!(found(&safety, file, 100), want);
        }
    }

    #[test]
    fn after_another_boot_only_the_checkpoint_counts() {
        if !has_attributes() {
            return;
        }
        for (durability, len) in [
            (Durability::Full, 4),
            (Durability::Data, 4),
            (Durability::None, 0),
        ] {
            let before = safety(durability, "boot 1");
            for boot in ["boot 2", ""] {
                let after = safety(durability, boot);
                let file = written(&before, b"safe", b"rest");
                let want = (len as u64, sha256(&b"safe"[..len]), len as u64);
                assert_eq!(found(&after, file, 100), want);
            }
        }
    }

    #[test]
    fn a_prefix_that_is_not_what_was_synced_does_not_count() {
        if !has_attributes() {
            return;
        }
        let before = safety(Durability::Full, "boot 1");
        let after = safety(Durability::Full, "boot 2");
        let file = written(&before, b"safe", b"rest");
        sys::write(&file, b"S", 0).unwrap();
        assert_eq!(found(&after, file, 100), (0, sha256(b""), 0));
        let file = written(&before, b"safe", b"rest");
        sys::truncate(&file, 3).unwrap();
        assert_eq!(found(&after, file, 100), (0, sha256(b""), 0));
    }

    #[test]
    fn what_was_synced_counts_without_its_digest_too() {
        if !has_attributes() {
            return;
        }
        let before = safety(Durability::Full, "boot 1");
        for (boot, want) in [("boot 1", &b"saferest"[..]), ("boot 2", b"safe")] {
            let file = OwnedFd::from(tempfile::tempfile().unwrap());
            let mut bytes = Bytes::undigested(file.try_clone().unwrap());
            bytes.write(b"safe").unwrap();
            before.checkpoint(&mut bytes).unwrap();
            bytes.write(b"rest").unwrap();
            let after = safety(Durability::Full, boot);
            let len = want.len() as u64;
            assert_eq!(found(&after, file, 100), (len, sha256(want), len));
        }
    }

    #[test]
    fn a_file_longer_than_its_target_is_nobodys() {
        let safety = safety(Durability::Full, "boot 1");
        let file = written(&safety, b"safe", b"rest");
        assert_eq!(found(&safety, file, 7), (0, sha256(b""), 0));
    }

    #[test]
    fn nonsense_in_the_attribute_is_no_checkpoint() {
        let safety = safety(Durability::Full, "boot 1");
        let empty = sha256(b"");
        for text in [
            "",
            "1",
            "1 4",
            "1 -4 0 x",
            "2 0 0 x",
            "\u{fffd}",
            &"x".repeat(300),
        ] {
            assert_eq!(Checkpoint::parse(text), None, "{text:?}");
        }
        if !has_attributes() {
            return;
        }
        let file = written(&safety, b"safe", b"rest");
        sys::set_attribute(&file, &[0xff; 300]).unwrap();
        assert_eq!(found(&safety, file, 100), (0, empty, 0));
    }

    /// Between the look at the name and the lock another process may store it: then it is a file, and is not written to.
    #[test]
    fn what_has_got_its_name_meanwhile_is_not_gone_on_with() {
        let root = tempfile::tempdir().unwrap();
        let dir = std::sync::Arc::new(crate::jail::child(rustix::fs::CWD, root.path()).unwrap());
        let place = || Place {
            dir: std::sync::Arc::clone(&dir),
            name: ".muxftp-p0".to_owned(),
        };
        let work = || {
            let place = place();
            for _ in 0..5_000 {
                // The other one may have it, over and over.
                let Ok(file) = open(&place) else {
                    continue;
                };
                assert_eq!(place.holds(&file), Ok(true));
                sys::rename(&dir, &place.name, &dir, "f").unwrap();
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(work);
            work();
        });
    }

    #[test]
    fn names_tell_targets_and_sizes_apart() {
        let plain = |target, size| name(target, size, None);
        let (one, two) = (Some(1), Some(2));
        assert_eq!(plain("a", one), plain("a", one));
        assert_ne!(plain("a", one), plain("a", two));
        assert_ne!(plain("a", one), plain("b", one));
        assert_ne!(plain("a", None), plain("a", one));
        assert_ne!(plain("a", None), plain("a", Some(u64::MAX)));
        let owned = |owner| name("a", one, Some(owner));
        assert_eq!(owned("anna"), owned("anna"));
        assert_ne!(owned("anna"), owned("bert"));
        assert_ne!(owned("anna"), plain("a", one));
        assert_ne!(owned(""), plain("a", one));
        assert_eq!(
            owned("anna").len(),
            RESERVED_PREFIX.len() + 1 + 32,
            "never too long"
        );
    }
}
