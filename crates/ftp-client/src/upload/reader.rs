//! `Reader`: a thread that reads and hashes ahead of the sender, a bounded number of blocks.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ftp_proto::Digest;

use crate::error::{Error, Result};
use crate::hash::Hasher;
use crate::local::Source;
use crate::net::{Block, Pool};

/// How long the thread waits for a block before it looks whether anybody still wants one.
const TICK: Duration = Duration::from_millis(200);

/// Where bytes come from.
pub(crate) enum Input {
    /// A file, with the part that the server says it has: so many bytes, and their digest.
    File(Source, Option<Part>),
    /// A stream.
    Stream(Box<dyn Read + Send>),
}

/// A file's beginning that the server says it has.
#[derive(Debug)]
pub(crate) struct Part {
    /// Its bytes.
    pub(crate) len: u64,
    /// Their digest, as the server says.
    pub(crate) digest: Digest,
    /// What an earlier attempt has hashed of it.
    pub(crate) memory: Memory,
}

/// A file's beginning that was hashed once. Should the server not wait that long, the next attempt knows it:
/// the reader goes on hashing although its connection is gone, and the next one waits for it here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Option<Hashed>>>);

#[derive(Debug)]
struct Hashed {
    len: u64,
    hasher: Hasher,
    /// Size and time of the file that it belongs to.
    state: (u64, (i64, u32)),
}

/// What the sender gets.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Where the bytes begin: behind the part that the server has, if it is the file's, else 0.
    From(u64),
    /// The next bytes.
    Data(Block),
    /// That was all: so many bytes of the file, and their digest.
    End(u64, Digest),
    /// It could not be read to its end.
    Failed(Error),
}

/// The receiving end.
pub(crate) struct Reader {
    pieces: Receiver<Piece>,
}

impl Reader {
    /// Starts to read, `chunk` bytes a block at most. The thread ends by itself when the reader is dropped;
    /// one that is stuck in a read of a terminal is left behind.
    pub(crate) fn start(input: Input, pool: Arc<Pool>, chunk: usize) -> Self {
        let (to, pieces) = channel();
        std::thread::spawn(move || {
            let mut feed = Feed {
                to,
                pool,
                chunk,
                hasher: Hasher::default(),
                count: 0,
            };
            let end = match feed.all(input) {
                Ok(()) => Piece::End(feed.count, feed.hasher.finish()),
                Err(error) => Piece::Failed(error),
            };
            // The sender may have gone.
            let _ = feed.to.send(end);
        });
        Self { pieces }
    }

    /// What is read already.
    pub(crate) fn ready(&self) -> Option<Piece> {
        match self.pieces.try_recv() {
            Ok(piece) => Some(piece),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(died()),
        }
    }

    /// The next piece, waiting for it `time` at most.
    pub(crate) fn next(&self, time: Duration) -> Option<Piece> {
        match self.pieces.recv_timeout(time) {
            Ok(piece) => Some(piece),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(died()),
        }
    }
}

fn died() -> Piece {
    Piece::Failed(Error::local(
        "read",
        std::io::Error::other("the reading thread died"),
    ))
}

struct Feed {
    to: Sender<Piece>,
    pool: Arc<Pool>,
    chunk: usize,
    hasher: Hasher,
    /// Bytes hashed.
    count: u64,
}

impl Feed {
    fn all(&mut self, input: Input) -> Result<()> {
        match input {
            Input::Stream(mut stream) => self.blocks(u64::MAX, &mut |out| {
                crate::local::read_some(&mut *stream, out)
                    .map_err(|error| Error::local("read standard input", error))
            }),
            Input::File(mut source, part) => {
                if let Some(part) = part {
                    self.prefix(&mut source, &part)?;
                    self.send(Piece::From(self.count))?;
                }
                let size = source.size;
                self.blocks(size, &mut |out| source.read(out))?;
                source.check_unchanged()?;
                if self.count == size {
                    Ok(())
                } else {
                    Err(source.changed())
                }
            }
        }
    }

    /// Hashes the beginning that the server has; begins anew if it is not the file's.
    fn prefix(&mut self, source: &mut Source, part: &Part) -> Result<()> {
        if part.len == 0 || part.len > source.size {
            return Ok(());
        }
        let mut memory = part.memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = (source.size, source.mtime);
        let known = memory
            .take()
            .filter(|known| known.len == part.len && known.state == state);
        match known {
            Some(known) => {
                self.hasher = known.hasher;
                self.count = known.len;
                source.seek(known.len)?;
            }
            None => self.hash_to(source, part.len)?,
        }
        *memory = Some(Hashed {
            len: part.len,
            hasher: self.hasher.clone(),
            state,
        });
        if self.hasher.so_far() != part.digest {
            self.hasher = Hasher::default();
            self.count = 0;
            source.seek(0)?;
        }
        Ok(())
    }

    fn hash_to(&mut self, source: &mut Source, len: u64) -> Result<()> {
        let mut block = self.block()?;
        while self.count < len {
            let left = usize::try_from(len - self.count).unwrap_or(usize::MAX);
            let out = block.spare(left);
            let count = source.read(out)?;
            if count == 0 {
                return Err(source.changed());
            }
            self.hasher.update(out.get(..count).unwrap_or_default());
            self.count += count as u64;
        }
        Ok(())
    }

    /// Hands over all that `read` gives; what goes beyond `most` bytes ends it and is not sent.
    fn blocks(
        &mut self,
        most: u64,
        read: &mut dyn FnMut(&mut [u8]) -> Result<usize>,
    ) -> Result<()> {
        loop {
            let mut block = self.block()?;
            let count = read(block.spare(self.chunk))?;
            if count == 0 || self.count.saturating_add(count as u64) > most {
                return Ok(());
            }
            block.grow(count);
            self.hasher.update(block.filled());
            self.count += count as u64;
            self.send(Piece::Data(block))?;
        }
    }

    fn block(&self) -> Result<Block> {
        // If the sender goes, all its blocks come home: the wait ends, and the next hand-over fails.
        loop {
            if let Some(block) = self.pool.take(TICK) {
                return Ok(block);
            }
        }
    }

    fn send(&self, piece: Piece) -> Result<()> {
        self.to
            .send(piece)
            .map_err(|_| Error::Lost("the sender has gone".into()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::hash;
    use crate::local::Folder;

    fn source(bytes: &[u8]) -> (tempfile::TempDir, Source) {
        let temp = tempfile::tempdir().unwrap();
        let mut file = tempfile::NamedTempFile::new_in(temp.path()).unwrap();
        file.write_all(bytes).unwrap();
        let (_, path) = file.keep().unwrap();
        let folder = Folder::open(temp.path()).unwrap();
        let source = Source::open(&folder, path.file_name().unwrap(), false).unwrap();
        (temp, source)
    }

    fn collect(reader: &Reader) -> (Option<u64>, Vec<u8>, Piece) {
        let (mut from, mut bytes) = (None, Vec::new());
        loop {
            match reader.next(Duration::from_secs(30)).unwrap() {
                Piece::From(offset) => from = Some(offset),
                Piece::Data(block) => bytes.extend_from_slice(block.filled()),
                end @ (Piece::End(..) | Piece::Failed(_)) => return (from, bytes, end),
            }
        }
    }

    #[test]
    fn all_of_a_file_in_bounded_blocks() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        let (_temp, source) = source(&bytes);
        let reader = Reader::start(Input::File(source, None), Pool::new(4096, 3), 1000);
        let (from, got, end) = collect(&reader);
        assert!(from.is_none() && got == bytes);
        let Piece::End(count, digest) = end else {
            panic!("{end:?}")
        };
        assert_eq!((count, digest), (100_000, hash::digest(&bytes)));
    }

    #[test]
    fn only_a_proven_part_is_left_out() {
        let bytes = vec![7; 50_000];
        for (len, digest, expected) in [
            (20_000, hash::digest(&bytes[..20_000]), 20_000),
            (20_000, hash::digest(b"another"), 0),
            (60_000, hash::digest(&bytes), 0),
            (50_000, hash::digest(&bytes), 50_000),
            (0, hash::digest(b""), 0),
        ] {
            let (_temp, source) = source(&bytes);
            let part = Part {
                len,
                digest,
                memory: Memory::default(),
            };
            let input = Input::File(source, Some(part));
            let reader = Reader::start(input, Pool::new(4096, 3), 4096);
            let (from, got, end) = collect(&reader);
            assert_eq!(from, Some(expected));
            assert_eq!(got.len() as u64, 50_000 - expected);
            assert!(matches!(end, Piece::End(50_000, d) if d == hash::digest(&bytes)));
        }
    }

    #[test]
    fn what_was_hashed_once_is_known_unless_the_file_is_another() {
        let bytes = vec![7; 50_000];
        let memory = Memory::default();
        let other = hash::digest(b"another");
        let attempt = |len, digest, touched: i64| {
            let (_temp, mut source) = source(&bytes);
            source.mtime = (touched, 0);
            let part = Part {
                len,
                digest,
                memory: memory.clone(),
            };
            let mut feed = Feed {
                to: channel().0,
                pool: Pool::new(4096, 3),
                chunk: 4096,
                hasher: Hasher::default(),
                count: 0,
            };
            feed.prefix(&mut source, &part).unwrap();
            let mut rest = vec![0; 60_000];
            let count = source.read(&mut rest).unwrap();
            assert_eq!(count as u64, 50_000 - feed.count);
            feed.count
        };
        let right = hash::digest(&bytes[..20_000]);
        assert_eq!(attempt(20_000, right, 1), 20_000);
        // A memory of these very bytes that is wrong shows that it is used, and only for them.
        let spoil = || {
            let mut memory = memory.0.lock().unwrap();
            memory.as_mut().unwrap().hasher.update(b"x");
        };
        spoil();
        assert_eq!(attempt(20_000, right, 1), 0);
        assert_eq!(attempt(20_000, right, 2), 20_000);
        spoil();
        assert_eq!(attempt(30_000, hash::digest(&bytes[..30_000]), 2), 30_000);
        assert_eq!(attempt(30_000, other, 2), 0);
    }

    #[test]
    fn a_file_that_shrinks_or_grows_fails() {
        for size in [49_999, 50_001] {
            let (_temp, mut source) = source(&[7; 50_000]);
            source.size = size;
            let reader = Reader::start(Input::File(source, None), Pool::new(4096, 3), 4096);
            let (_, _, end) = collect(&reader);
            assert!(matches!(end, Piece::Failed(Error::Changed(_))), "{end:?}");
        }
    }
}
