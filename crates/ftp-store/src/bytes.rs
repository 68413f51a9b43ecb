//! `Bytes`: a file that grows at its end, and the running digest of all that is in it.
//!
//! It knows neither its name nor its owner; what it says of its length is what it wrote or read.

use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use ftp_proto::session::Fault;
use ftp_proto::{Amount, Digest};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::block::Block;
use crate::loan::{self, Pace};
use crate::purse::{Account, Purse};
use crate::{scratch, sys};

/// For so many bytes in a row a sender may wait for a digest that nobody asked for: what one burst leaves in the
/// buffers of a connection, or a machine that is busy for a moment, costs no file its digest.
const PATIENCE: u64 = 2 * 1024 * 1024;

/// A growing file. The hasher, if there is one, has always seen exactly the first `len` bytes.
pub(crate) struct Bytes {
    file: Arc<OwnedFd>,
    /// Absent: nobody needs the digest.
    hasher: Option<Sha256>,
    /// For how many bytes more the sender may wait for the hasher before it is given up; `None`: for all.
    patience: Option<u64>,
    len: u64,
    /// How many of them were there at the last sync.
    synced: u64,
    /// Reserved for it, where that is counted.
    purse: Option<Purse>,
}

/// A length that the file had, to which it can be taken back.
#[derive(Clone)]
pub(crate) struct Mark {
    hasher: Option<Sha256>,
    len: u64,
}

impl Bytes {
    /// An empty file.
    pub(crate) fn new(file: OwnedFd) -> Self {
        Self {
            file: Arc::new(file),
            hasher: Some(Sha256::new()),
            patience: None,
            len: 0,
            synced: 0,
            purse: None,
        }
    }

    /// An empty file of whose bytes a digest is taken, unless the sender would have to wait for it for long.
    pub(crate) fn unhurried(file: OwnedFd) -> Self {
        Self {
            patience: Some(PATIENCE),
            ..Self::new(file)
        }
    }

    /// An empty file of whose bytes no digest is taken.
    pub(crate) fn undigested(file: OwnedFd) -> Self {
        Self {
            hasher: None,
            ..Self::new(file)
        }
    }

    pub(crate) fn file(&self) -> &Arc<OwnedFd> {
        &self.file
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Appends.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        // The hash first: it brings the bytes near, which saves the copy more than the other way round.
        let mut hasher = self.hasher.clone();
        if let Some(hasher) = &mut hasher {
            hasher.update(bytes);
        }
        sys::write(&self.file, bytes, self.len)?;
        self.hasher = hasher;
        self.len = self.len.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Appends these, and has them hashed meanwhile, if they are worth it and somebody is there for it. After an error it
    /// ends with the last that was written as a whole.
    pub(crate) fn write_blocks(
        &mut self,
        blocks: &mut Vec<Block>,
        pace: Pace<'_>,
    ) -> Result<(), Errno> {
        let before = self.len;
        let aside = pace.aside.filter(|_| loan::is_worth(blocks));
        let (written, late) = match (&self.hasher, aside) {
            (Some(hasher), Some(aside)) => {
                let shared = Arc::new(mem::take(blocks));
                let lent = loan::lend(hasher, &shared, aside);
                let done = match lent {
                    Some(home) => self.write_beside(&shared, &home),
                    None => (self.write_all(&shared), true),
                };
                // Nobody else holds them any more.
                *blocks = Arc::into_inner(shared).unwrap_or_default();
                done
            }
            (None, _) | (_, None) => (self.write_all(blocks), true),
        };
        self.heed(pace.pressed && late, self.len - before);
        written
    }

    fn write_all(&mut self, blocks: &[Block]) -> Result<(), Errno> {
        blocks.iter().try_for_each(|block| self.write(block))
    }

    /// The sender waited for the digest of so many bytes, or did not.
    fn heed(&mut self, waited: bool, bytes: u64) {
        let Some(patience) = &mut self.patience else {
            return;
        };
        *patience = if waited {
            patience.saturating_sub(bytes)
        } else {
            PATIENCE
        };
        if *patience == 0 {
            self.hasher = None;
        }
    }

    /// Appends blocks whose hasher comes home. Says whether it was waited for, too.
    fn write_beside(
        &mut self,
        blocks: &[Block],
        home: &Receiver<Sha256>,
    ) -> (Result<(), Errno>, bool) {
        let mut whole = 0;
        let written = blocks.iter().try_for_each(|block| {
            sys::write(&self.file, block, self.len)?;
            self.len = self.len.saturating_add(block.len() as u64);
            whole += 1;
            Ok(())
        });
        let (hasher, late) = match home.try_recv() {
            Err(TryRecvError::Empty) => (home.recv().ok(), true),
            there => (there.ok(), false),
        };
        match (hasher, &mut self.hasher) {
            (Some(hasher), _) if written.is_ok() => self.hasher = Some(hasher),
            (_, Some(hasher)) => {
                loan::update(hasher, blocks.get(..whole).unwrap_or_default());
            }
            (_, None) => {}
        }
        (written, late)
    }

    /// Takes in what the file holds already, up to `end`, and returns how far that is.
    pub(crate) fn absorb(&mut self, end: u64) -> Result<u64, Errno> {
        let (hasher, rest) = (&mut self.hasher, end.saturating_sub(self.len));
        self.len += scratch::read_range(&self.file, self.len, rest, |piece| {
            if let Some(hasher) = hasher {
                hasher.update(piece);
            }
        })?;
        Ok(self.len)
    }

    /// Drops everything.
    pub(crate) fn restart(&mut self) -> Result<(), Errno> {
        self.take_back(&Mark::start())
    }

    /// Drops what came after the first `len` bytes, which are read again for their digest.
    ///
    /// Errors: `IO` if there are fewer.
    pub(crate) fn rewind(&mut self, len: u64) -> Result<(), Errno> {
        sys::truncate(&self.file, len)?;
        self.hasher = Some(Sha256::new());
        self.len = 0;
        self.synced = self.synced.min(len);
        if self.absorb(len)? == len {
            Ok(())
        } else {
            Err(Errno::IO)
        }
    }

    /// Drops what came after `mark`.
    pub(crate) fn take_back(&mut self, mark: &Mark) -> Result<(), Errno> {
        sys::truncate(&self.file, mark.len)?;
        self.hasher = mark.hasher.clone();
        self.len = mark.len;
        self.synced = self.synced.min(mark.len);
        Ok(())
    }

    /// Bytes that no sync has covered.
    pub(crate) fn unsynced(&self) -> u64 {
        self.len - self.synced
    }

    /// Everything written so far is on stable storage.
    pub(crate) fn note_synced(&mut self) {
        self.synced = self.len;
    }

    /// It is counted from now on, if it was not; `before` of its bytes were counted as stored.
    pub(crate) fn belong(&mut self, account: &Arc<dyn Account>, before: u64) {
        match &mut self.purse {
            Some(purse) => purse.belong(account),
            None => self.purse = Some(Purse::adopt(account, before, self.len)),
        }
    }

    /// Here is what was reserved for it.
    pub(crate) fn fund(&mut self, purse: Option<Purse>) {
        self.purse = purse;
    }

    /// No more than what is there need be reserved for it.
    pub(crate) fn narrow(&mut self) {
        if let Some(purse) = &mut self.purse {
            purse.narrow(self.len);
        }
    }

    /// Sees to it that so much is reserved for it, if it is counted.
    pub(crate) fn cover(&mut self, need: Amount) -> Result<(), Fault> {
        self.purse
            .as_mut()
            .map_or(Ok(()), |purse| purse.cover(need))
    }

    /// Where it is counted.
    pub(crate) fn account(&self) -> Option<&Arc<dyn Account>> {
        self.purse.as_ref().map(Purse::account)
    }

    /// Its reservation, to be settled by others.
    pub(crate) fn take_purse(&mut self) -> Option<Purse> {
        self.purse.take()
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            hasher: self.hasher.clone(),
            len: self.len,
        }
    }
}

impl Mark {
    /// Of an empty file.
    pub(crate) fn start() -> Self {
        Self {
            hasher: Some(Sha256::new()),
            len: 0,
        }
    }

    /// Whether `file` still begins with the bytes that were there, which is not known without their digest. Reads them all.
    pub(crate) fn holds(&self, file: impl AsFd) -> Result<bool, Errno> {
        let found = digest_of(file, self.len)?;
        Ok(found.is_some() && found == self.digest())
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// SHA-256 of the first [`len`](Self::len) bytes, if it was taken.
    pub(crate) fn digest(&self) -> Option<Digest> {
        let hasher = self.hasher.clone()?;
        Some(Digest(hasher.finalize().into()))
    }
}

/// SHA-256 of a file's first `len` bytes, which are read; `None` if there are fewer.
pub(crate) fn digest_of(file: impl AsFd, len: u64) -> Result<Option<Digest>, Errno> {
    let mut hasher = Sha256::new();
    let read = scratch::read_range(file, 0, len, |piece| hasher.update(piece))?;
    Ok((read == len).then(|| Digest(hasher.finalize().into())))
}

#[cfg(test)]
mod tests {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

    use super::*;
    use crate::loan::Aside;
    use crate::loan::tests::{Busy, Double, blocks};

    fn sha256(bytes: &[u8]) -> Option<Digest> {
        Some(Digest(Sha256::digest(bytes).into()))
    }

    #[test]
    fn the_digest_follows_the_file_forth_and_back() {
        let mut bytes = Bytes::new(tempfile::tempfile().unwrap().into());
        bytes.write(b"abc").unwrap();
        let mark = bytes.mark();
        bytes.write(b"def").unwrap();
        assert_eq!(bytes.mark().digest(), sha256(b"abcdef"));
        bytes.note_synced();
        bytes.take_back(&mark).unwrap();
        assert_eq!((bytes.len(), bytes.unsynced()), (3, 0));
        bytes.write(b"xyz").unwrap();
        assert_eq!((bytes.len(), bytes.unsynced()), (6, 3));
        assert_eq!(bytes.mark().digest(), sha256(b"abcxyz"));
        bytes.rewind(4).unwrap();
        assert_eq!((bytes.len(), bytes.mark().digest()), (4, sha256(b"abcx")));
        bytes.restart().unwrap();
        assert_eq!(bytes.mark().digest(), sha256(b""));
    }

    #[test]
    fn what_stands_in_the_file_is_taken_in() {
        let file = tempfile::tempfile().unwrap();
        sys::write(&file, b"abcdef", 0).unwrap();
        let mut bytes = Bytes::new(file.into());
        assert_eq!(bytes.absorb(3), Ok(3));
        assert_eq!(bytes.mark().digest(), sha256(b"abc"));
        assert_eq!(bytes.absorb(99), Ok(6));
        assert_eq!(bytes.mark().digest(), sha256(b"abcdef"));
    }

    #[test]
    fn without_a_hasher_it_grows_alike_and_knows_no_digest() {
        let mut bytes = Bytes::undigested(tempfile::tempfile().unwrap().into());
        bytes.write(b"abc").unwrap();
        let mark = bytes.mark();
        bytes.write(b"def").unwrap();
        assert_eq!((bytes.len(), bytes.mark().digest()), (6, None));
        bytes.take_back(&mark).unwrap();
        assert_eq!((bytes.len(), bytes.mark().digest()), (3, None));
        assert_eq!(mark.holds(bytes.file()), Ok(false), "nobody can know");
    }

    /// A file that takes so many bytes and no more.
    fn small(bytes: u64) -> OwnedFd {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("small", flags).unwrap();
        ftruncate(&file, bytes).unwrap();
        fcntl_add_seals(&file, SealFlags::GROW).unwrap();
        file
    }

    #[test]
    fn whoever_hashes_the_digest_is_that_of_what_was_written() {
        const BLOCK: usize = 128 * 1024;
        let mut blocks = blocks(3, BLOCK);
        let whole = blocks
            .iter()
            .flat_map(|block| block.as_slice().to_vec())
            .collect::<Vec<u8>>();
        let asides: [Option<&dyn Aside>; 3] = [None, Some(&Double::Works), Some(&Double::Loses)];
        for aside in asides {
            let mut bytes = Bytes::new(small(2 * whole.len() as u64));
            let pace = Pace {
                aside,
                pressed: true,
            };
            for round in 1..=2 {
                bytes.write_blocks(&mut blocks, pace).unwrap();
                let all = whole.repeat(round);
                assert_eq!(bytes.len(), all.len() as u64);
                assert_eq!(bytes.mark().digest(), sha256(&all));
            }
            assert_eq!(bytes.mark().holds(bytes.file()), Ok(true));
            // What fails in the midst leaves the blocks before it, and their digest.
            let mut bytes = Bytes::new(small(2 * BLOCK as u64));
            assert_eq!(bytes.write_blocks(&mut blocks, pace), Err(Errno::PERM));
            assert_eq!(bytes.len(), 2 * BLOCK as u64);
            assert_eq!(bytes.mark().digest(), sha256(&whole[..2 * BLOCK]));
            let mut bytes = Bytes::undigested(small(whole.len() as u64));
            bytes.write_blocks(&mut blocks, pace).unwrap();
            assert_eq!(
                (bytes.len(), bytes.mark().digest()),
                (whole.len() as u64, None)
            );
        }
    }

    #[test]
    fn who_is_kept_waiting_for_long_gets_no_digest_unless_it_has_to_be_taken() {
        const BLOCK: usize = 1024 * 1024;
        let upload = |mut bytes: Bytes, paces: &[(&dyn Aside, bool)]| {
            for &(aside, pressed) in paces {
                let mut blocks = blocks(1, BLOCK);
                let aside = Some(aside);
                bytes
                    .write_blocks(&mut blocks, Pace { aside, pressed })
                    .unwrap();
            }
            assert_eq!(bytes.len(), (paces.len() * BLOCK) as u64);
            let digest = bytes.mark().digest();
            if digest.is_some() {
                assert_eq!(bytes.mark().holds(bytes.file()), Ok(true));
            }
            digest.is_some()
        };
        let file = || OwnedFd::from(tempfile::tempfile().unwrap());
        let waits: (&dyn Aside, bool) = (&Busy, true);
        let short = PATIENCE as usize / BLOCK - 1;
        let once = |other| [vec![waits; short], vec![other], vec![waits; short]].concat();
        assert!(!upload(Bytes::unhurried(file()), &once(waits)));
        assert!(upload(Bytes::new(file()), &once(waits)));
        // The digest was there in time, or there was room for more anyway.
        assert!(upload(
            Bytes::unhurried(file()),
            &once((&Double::Works, true))
        ));
        assert!(upload(Bytes::unhurried(file()), &once((&Busy, false))));
    }
}
