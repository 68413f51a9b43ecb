//! What is known of whole files without reading them.
//!
//! A digest is learned once: when an upload is committed, or when somebody has read the whole file.
//! In memory it is kept with the file's [`Version`], so any change is noticed that moves the ctime,
//! which nobody can set. For the next process it also stands in an extended attribute of each file
//! that was uploaded, written before the file gets its name. That note cannot hold the ctime, which
//! the note itself moves; it holds the inode, the size and the mtime, and is believed only if the
//! ctime is of the time of writing. What is left: a file that was changed in place, its size and
//! mtime put back to the nanosecond, within [`SETTLING`] of its upload and before a restart, is sent
//! with the digest of its old content, and the receiver refuses it.
//!
//! A wrong digest can never make a receiver believe wrong bytes. A file that others own or wrote gets
//! no note: that would change its ctime, and with it its etag.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ftp_proto::Digest;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::meta::{Identity, Stat, Version, file_clock};
use crate::sys;

/// Smaller files are not worth a system call more: reading them costs about as much.
pub(crate) const FROM_BYTES: u64 = 64 * 1024;
/// Most files that are remembered, in two generations.
const ENTRIES: usize = 65_536;
/// How long after writing the note an upload may still be on its way to its name.
const SETTLING: Duration = Duration::from_secs(30);

/// The first byte of a note.
const FORMAT: u8 = 1;
/// With its name this just fits into an ext4 inode of 256 bytes; longer, each would cost a block.
const NOTE_BYTES: usize = 1 + 32 + 8 + 8;

/// The digests that are known.
pub(crate) struct Digests {
    /// Held for a look-up only, never over a system call.
    memory: Mutex<Memory>,
    /// How long a file must have been left alone before a digest read from it is kept.
    age: Duration,
}

#[derive(Default)]
struct Memory {
    /// Takes all that is new, up to half of the bound; then it is the old one.
    young: HashMap<Identity, Known>,
    old: HashMap<Identity, Known>,
    /// File systems without extended attributes.
    plain: BTreeSet<u64>,
}

#[derive(Clone, Copy)]
struct Known {
    version: Version,
    digest: Digest,
}

/// What the attribute says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    digest: Digest,
    /// Of inode, size and mtime.
    fingerprint: [u8; 8],
    /// When it was written, by the clock that stamps files: nanoseconds since 1970.
    written: i64,
}

impl Digests {
    pub(crate) fn new(age: Duration) -> Self {
        Self {
            memory: Mutex::default(),
            age,
        }
    }

    /// The digest of an open file, which `stat` was just asked of.
    pub(crate) fn find(&self, file: impl AsFd, stat: &Stat) -> Option<Digest> {
        if stat.size() < FROM_BYTES {
            return None;
        }
        let version = stat.version();
        let mut memory = self.memory();
        if let Some(known) = memory.recall(version.identity) {
            // Another version is a change that was seen: then the note is not asked, which may not see it.
            return (known.version == version).then_some(known.digest);
        }
        if memory.plain.contains(&version.identity.device) {
            return None;
        }
        drop(memory);
        let digest = self.read(file, &version)?;
        self.memory().keep(Known { version, digest });
        Some(digest)
    }

    /// Whether a digest that is read from now on may be [kept](Self::learn). A file that was changed
    /// just now may change again without its times telling: clocks tick, and stores to mapped memory
    /// are stamped at the first one only, until the page is written back.
    pub(crate) fn is_settled(&self, stat: &Stat) -> bool {
        let age = file_clock() - stat.version().changed;
        let old = u128::try_from(age).is_ok_and(|age| age >= self.age.as_nanos());
        stat.size() >= FROM_BYTES && (old || self.age.is_zero())
    }

    /// Keeps what was read from a file that was settled before and is the same now.
    pub(crate) fn learn(&self, stat: &Stat, digest: Digest) {
        let version = stat.version();
        self.memory().keep(Known { version, digest });
    }

    /// Writes the note into an upload that has all but its mode and its name, and takes down what it
    /// is now, for [`Digests::settle`].
    ///
    /// Without it nothing breaks, so nothing that goes wrong here is an error.
    pub(crate) fn note(&self, file: impl AsFd, digest: Digest) -> Option<Version> {
        let version = Stat::of(&file).ok()?.version();
        if version.size < FROM_BYTES {
            return None;
        }
        if !self.memory().plain.contains(&version.identity.device) {
            self.write(file, digest, &version);
        }
        Some(version)
    }

    /// Remembers an upload that has just got its name, if nobody has touched it since it was noted.
    pub(crate) fn settle(&self, file: impl AsFd, noted: &Version, digest: Digest) {
        let Ok(stat) = Stat::of(file) else {
            return;
        };
        let version = stat.version();
        let expected = Version {
            changed: version.changed,
            ..*noted
        };
        if version == expected {
            self.memory().keep(Known { version, digest });
        }
    }

    /// A file has got another name, which moves its ctime and nothing else.
    pub(crate) fn follow(&self, before: &Version, after: &Stat) {
        let version = after.version();
        let mut memory = self.memory();
        let known = memory.recall(before.identity);
        if let Some(known) = known.filter(|known| known.version == *before) {
            let expected = Version {
                changed: version.changed,
                ..*before
            };
            if version == expected {
                let digest = known.digest;
                memory.keep(Known { version, digest });
            }
        }
    }

    fn read(&self, file: impl AsFd, version: &Version) -> Option<Digest> {
        let mut bytes = [0; NOTE_BYTES];
        match sys::stored_digest(file, &mut bytes) {
            Ok(NOTE_BYTES) => Note::parse(&bytes)?.read(version),
            // Longer ones are not ours: they fail with `RANGE`.
            Ok(_) => None,
            Err(errno) => {
                self.give_up(version, errno);
                None
            }
        }
    }

    fn write(&self, file: impl AsFd, digest: Digest, version: &Version) {
        let Ok(written) = i64::try_from(file_clock()) else {
            return;
        };
        let note = Note {
            digest,
            fingerprint: fingerprint(version),
            written,
        };
        if let Err(errno) = sys::store_digest(&file, &note.bytes()) {
            self.give_up(version, errno);
            // One that an earlier attempt left must not stay.
            sys::forget_digest(file).ok();
        }
    }

    /// Does not try again where it cannot be.
    fn give_up(&self, version: &Version, errno: Errno) {
        if matches!(errno, Errno::NOTSUP | Errno::NOSYS) {
            self.memory().plain.insert(version.identity.device);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // It is whole between any two statements, so a panic elsewhere does not spoil it.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// What is known of a file, which is young again.
    fn recall(&mut self, identity: Identity) -> Option<Known> {
        if let Some(known) = self.young.get(&identity) {
            return Some(*known);
        }
        let known = self.old.remove(&identity)?;
        self.keep(known);
        Some(known)
    }

    fn keep(&mut self, known: Known) {
        self.young.insert(known.version.identity, known);
        if self.young.len() >= ENTRIES / 2 {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

impl Note {
    fn bytes(&self) -> [u8; NOTE_BYTES] {
        let mut bytes = [0; NOTE_BYTES];
        let parts = [FORMAT]
            .into_iter()
            .chain(self.digest.0)
            .chain(self.fingerprint)
            .chain(self.written.to_le_bytes());
        for (byte, part) in bytes.iter_mut().zip(parts) {
            *byte = part;
        }
        bytes
    }

    fn parse(bytes: &[u8; NOTE_BYTES]) -> Option<Self> {
        let (format, rest) = bytes.split_first()?;
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        let (fingerprint, written) = rest.split_first_chunk::<8>()?;
        (*format == FORMAT).then_some(Self {
            digest: Digest(*digest),
            fingerprint: *fingerprint,
            written: i64::from_le_bytes(*written.first_chunk()?),
        })
    }

    /// The digest, if it is still the file's.
    fn read(&self, version: &Version) -> Option<Digest> {
        let age = version.changed - i128::from(self.written);
        let in_time = u128::try_from(age).is_ok_and(|age| age <= SETTLING.as_nanos());
        (in_time && self.fingerprint == fingerprint(version)).then_some(self.digest)
    }
}

/// All that a note is bound to in few bytes: nobody gains by finding another file with the same ones.
fn fingerprint(version: &Version) -> [u8; 8] {
    let mut hasher = Sha256::new();
    hasher.update(version.identity.inode.to_le_bytes());
    hasher.update(version.size.to_le_bytes());
    hasher.update(version.modified.to_le_bytes());
    let hash: [u8; 32] = hasher.finalize().into();
    hash.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(inode: u64) -> Version {
        let identity = Identity { device: 1, inode };
        Version {
            identity,
            size: 100_000,
            modified: 5,
            changed: 1_000_000_007,
        }
    }

    fn note() -> Note {
        Note {
            digest: Digest([7; 32]),
            fingerprint: fingerprint(&version(3)),
            written: 1_000_000_000,
        }
    }

    #[test]
    fn a_note_is_read_back_and_fits_an_inode() {
        let bytes = note().bytes();
        assert_eq!(Note::parse(&bytes), Some(note()));
        // In an ext4 inode of 256 bytes: two words around all, a header and the name, each rounded up to 4.
        let ext4 =
            8 + 16 + "muxftp.sha256".len().next_multiple_of(4) + NOTE_BYTES.next_multiple_of(4);
        assert!(ext4 <= 256 - 128 - 32, "{ext4}");
        let mut other = bytes;
        other[0] = 2;
        assert_eq!(Note::parse(&other), None);
    }

    #[test]
    fn a_note_is_true_of_one_version_only() {
        let right = version(3);
        assert_eq!(note().read(&right), Some(Digest([7; 32])));
        let late = i128::try_from(SETTLING.as_nanos()).unwrap();
        for other in [
            version(4),
            Version {
                size: 100_001,
                ..right
            },
            Version {
                modified: 6,
                ..right
            },
            Version {
                changed: 999_999_999,
                ..right
            },
            Version {
                changed: 1_000_000_001 + late,
                ..right
            },
        ] {
            assert_eq!(note().read(&other), None, "{other:?}");
        }
        let device = 2;
        let moved = Version {
            // A disk may get another number at the next start.
            identity: Identity { device, inode: 3 },
            changed: 1_000_000_000 + late,
            ..right
        };
        assert!(note().read(&moved).is_some());
    }

    #[test]
    fn a_file_system_without_attributes_is_asked_once() {
        let file = std::fs::File::options()
            .read(true)
            .open("/proc/self/stat")
            .unwrap();
        let digests = Digests::new(Duration::ZERO);
        let version = Stat::of(&file).unwrap().version();
        let plain = || digests.memory().plain.contains(&version.identity.device);
        assert!(!plain());
        assert_eq!(digests.read(&file, &version), None);
        assert!(plain());
        digests.memory().plain.clear();
        digests.write(&file, Digest([0; 32]), &version);
        assert!(plain());
    }

    #[test]
    fn memory_is_bounded_and_keeps_what_is_asked_for() {
        let mut memory = Memory::default();
        let known = |inode| Known {
            version: version(inode),
            digest: Digest([0; 32]),
        };
        let identity = |inode| version(inode).identity;
        memory.keep(known(0));
        for inode in 1..3 * ENTRIES as u64 {
            memory.keep(known(inode));
            assert!(memory.recall(identity(0)).is_some());
            assert!(memory.young.len() + memory.old.len() <= ENTRIES);
        }
        assert!(memory.recall(identity(1)).is_none());
        assert!(memory.recall(identity(3 * ENTRIES as u64 - 1)).is_some());
    }
}
