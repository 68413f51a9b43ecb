//! `Sink`: where received bytes go, hashed on the way unless that was asked for; a file only comes into being in
//! [`Sink::finish`].

use std::fmt;
use std::io::Write;

use ftp_proto::Digest;

use super::hashing::hash_more;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::hash::Hasher;
use crate::local::{Meta, Partial};

/// Partials of at least this size are kept for a later run.
pub(super) const KEEP_BYTES: u64 = 1024 * 1024;

/// Bytes on their way to a file or a stream.
#[derive(Debug)]
pub(crate) struct Sink {
    out: Out,
    /// `None`: not to be verified.
    hasher: Option<Hasher>,
    /// Bytes written, and hashed if there is a hash, from the file's first on.
    written: u64,
    /// The state of the remote file that these bytes belong to.
    pub(super) etag: Option<String>,
}

/// The kinds of places.
pub(crate) enum Out {
    /// A file that is not complete yet.
    File(Partial),
    /// A stream that takes what comes; what is wrong shows only at its end.
    Stream(Box<dyn Write + Send>),
    /// Nowhere: all is dropped, as by `/dev/null`.
    Nothing,
}

impl Sink {
    /// An empty one; one that is not to `verify` believes the server.
    pub(crate) fn new(out: Out, verify: bool) -> Self {
        Self {
            out,
            hasher: verify.then(Hasher::default),
            written: 0,
            etag: None,
        }
    }

    /// One that goes on behind a proven beginning of `len` bytes, whose hash is running.
    pub(super) fn behind(partial: Partial, hasher: Hasher, len: u64, etag: Option<String>) -> Self {
        Self {
            out: Out::File(partial),
            hasher: Some(hasher),
            written: len,
            etag,
        }
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn is_stream(&self) -> bool {
        matches!(self.out, Out::Stream(_) | Out::Nothing)
    }

    /// Whether what arrives is compared with the server's digest in the end.
    pub(super) fn verifies(&self) -> bool {
        self.hasher.is_some()
    }

    /// Whether nobody looks at the bytes.
    pub(super) fn is_blind(&self) -> bool {
        matches!(self.out, Out::Nothing) && !self.verifies()
    }

    /// So many bytes came, and nobody looked at them.
    pub(super) fn skip(&mut self, count: u64) {
        self.written += count;
    }

    /// Before it is gone on with: what was written to a file and not hashed is hashed now, so that the whole
    /// will be verified. What went into a stream cannot be read again.
    ///
    /// # Errors
    /// [`Error::Local`], [`Error::Interrupted`].
    pub(super) fn look_back(&mut self, cancel: &Cancel) -> Result<()> {
        if let Out::File(partial) = &self.out
            && self.hasher.is_none()
            && self.written > 0
        {
            let mut hasher = Hasher::default();
            hash_more(partial, &mut hasher, 0, self.written, cancel)?;
            self.hasher = Some(hasher);
        }
        Ok(())
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Error::Local`]; [`Error::OutputClosed`] for a pipe that nobody reads.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.put(bytes)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
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
            Out::Nothing => {}
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// The running hash, if there is one, to be given back by [`Sink::give_hasher`] with all in it that was
    /// [put](Sink::put).
    pub(super) fn take_hasher(&mut self) -> Option<Hasher> {
        self.hasher.take()
    }

    /// The hash is home again.
    pub(super) fn give_hasher(&mut self, hasher: Option<Hasher>) {
        self.hasher = hasher;
    }

    /// All is there: compares size and digest, and lets the file appear.
    ///
    /// # Errors
    /// [`Error::Integrity`] and [`Error::Local`]; no file has appeared then, the old one is as it was.
    pub(super) fn finish(self, size: u64, sha256: Digest, meta: Meta) -> Result<()> {
        let ours = self.hasher.map(Hasher::finish);
        if self.written != size || ours.is_some_and(|ours| ours != sha256) {
            let ours = ours.map_or_else(String::new, |ours| format!(" with SHA-256 {ours}"));
            return Err(Error::Integrity(format!(
                "{} bytes{ours} arrived, but the server says {size} bytes with {sha256}",
                self.written
            )));
        }
        match self.out {
            Out::File(partial) => partial.commit(meta),
            Out::Stream(mut stream) => stream
                .flush()
                .map_err(|error| Error::local("write to the output", error)),
            Out::Nothing => Ok(()),
        }
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
            Self::Nothing => f.write_str("Nothing"),
        }
    }
}
