//! `Sink`: where received bytes go, hashed on the way; a file only comes into being in [`Sink::finish`].

use std::fmt;
use std::io::Write;

use ftp_proto::Digest;

use crate::error::{Error, Result};
use crate::hash::Hasher;
use crate::local::{Meta, Partial};

/// Partials of at least this size are kept for a later run.
pub(super) const KEEP_BYTES: u64 = 1024 * 1024;

/// Bytes on their way to a file or a stream.
#[derive(Debug)]
pub(crate) struct Sink {
    out: Out,
    hasher: Hasher,
    /// Bytes written and hashed, from the file's first on.
    written: u64,
    /// The state of the remote file that these bytes belong to.
    pub(super) etag: Option<String>,
}

/// The two kinds of places.
pub(crate) enum Out {
    /// A file that is not complete yet.
    File(Partial),
    /// A stream that takes what comes; what is wrong shows only at its end.
    Stream(Box<dyn Write + Send>),
}

impl Sink {
    /// An empty one.
    pub(crate) fn new(out: Out) -> Self {
        Self {
            out,
            hasher: Hasher::default(),
            written: 0,
            etag: None,
        }
    }

    /// One that goes on behind a proven beginning of `len` bytes, whose hash is running.
    pub(super) fn behind(partial: Partial, hasher: Hasher, len: u64, etag: Option<String>) -> Self {
        Self {
            out: Out::File(partial),
            hasher,
            written: len,
            etag,
        }
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn is_stream(&self) -> bool {
        matches!(self.out, Out::Stream(_))
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Error::Local`]; [`Error::OutputClosed`] for a pipe that nobody reads.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.put(bytes)?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Writes the next bytes; who has taken the hash hashes them.
    ///
    /// # Errors
    /// As [`Sink::write`].
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.out {
            Out::File(partial) => partial.write_at(bytes, self.written)?,
            Out::Stream(stream) => stream.write_all(bytes).map_err(|error| {
                if error.kind() == std::io::ErrorKind::BrokenPipe {
                    Error::OutputClosed
                } else {
                    Error::local("write to the output", error)
                }
            })?,
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// The running hash, to be given back by [`Sink::give_hasher`] with all in it that was [put](Sink::put).
    pub(super) fn take_hasher(&mut self) -> Hasher {
        std::mem::take(&mut self.hasher)
    }

    /// The hash is home again.
    pub(super) fn give_hasher(&mut self, hasher: Hasher) {
        self.hasher = hasher;
    }

    /// All is there: compares size and digest, and lets the file appear.
    ///
    /// # Errors
    /// [`Error::Integrity`] and [`Error::Local`]; no file has appeared then, the old one is as it was.
    pub(super) fn finish(self, size: u64, sha256: Digest, meta: Meta) -> Result<Digest> {
        let ours = self.hasher.finish();
        if self.written != size || ours != sha256 {
            return Err(Error::Integrity(format!(
                "{} bytes with SHA-256 {ours} arrived, but the server says {size} bytes with {sha256}",
                self.written
            )));
        }
        match self.out {
            Out::File(partial) => partial.commit(meta)?,
            Out::Stream(mut stream) => stream
                .flush()
                .map_err(|error| Error::local("write to the output", error))?,
        }
        Ok(ours)
    }

    /// Leaves a partial for a later run, if it is worth it.
    pub(super) fn keep(self) {
        if let Out::File(partial) = self.out
            && self.written >= KEEP_BYTES
            // Without a cut a longer leftover of ours could be taken for more than was written.
            && partial.truncate(self.written).is_ok()
        {
            partial.keep();
        }
    }
}

impl fmt::Debug for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(partial) => partial.fmt(f),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}
