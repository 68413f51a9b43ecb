//! `Source`: a regular file opened for upload, and what is known of it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;

use super::folder::Folder;
use crate::error::{Error, Result};

/// A regular file, open at its start.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    /// Path to show.
    pub(crate) shown: String,
    /// Bytes when it was opened.
    pub(crate) size: u64,
    /// Modification time: seconds since 1970 and nanoseconds.
    pub(crate) mtime: (i64, u32),
    /// Permission bits.
    pub(crate) mode: u32,
}

impl Source {
    /// Opens a file in `folder`.
    ///
    /// # Errors
    /// [`Error::Local`], also where no regular file stands.
    pub(crate) fn open(folder: &Folder, name: &OsStr, follow: bool) -> Result<Self> {
        let shown = folder.show(name);
        let failed = |error: io::Error| Error::local(format!("open {shown}"), error);
        let file = folder.open_file(name, follow).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() {
            let kind = if meta.is_dir() {
                "it is a folder"
            } else {
                "it is no regular file"
            };
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, kind)));
        }
        Ok(Self {
            size: meta.len(),
            mtime: (
                meta.mtime(),
                u32::try_from(meta.mtime_nsec()).unwrap_or_default(),
            ),
            mode: meta.mode() & 0o777,
            file,
            shown,
        })
    }

    /// Reads the next bytes, as many as `out` takes if there are as many.
    ///
    /// # Errors
    /// [`Error::Local`], read(2).
    pub(crate) fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        read_full(&mut self.file, out)
            .map_err(|error| Error::local(format!("read {}", self.shown), error))
    }

    /// Reads all of a small file; `buffer` is reused.
    ///
    /// # Errors
    /// [`Error::Local`]; [`Error::Changed`] if it is not as long as it was.
    pub(crate) fn read_small(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        // One byte more shows whether the file has grown.
        buffer.resize(size.saturating_add(1), 0);
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..)
            && !rest.is_empty()
        {
            match self.file.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::local(format!("read {}", self.shown), error)),
            }
            if filled == size {
                break;
            }
        }
        buffer.truncate(filled);
        if filled == size {
            Ok(())
        } else {
            Err(self.changed())
        }
    }

    /// Whether it still is as it was when it was opened.
    ///
    /// # Errors
    /// [`Error::Changed`], [`Error::Local`].
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        let meta = self
            .file
            .metadata()
            .map_err(|error| Error::local(format!("stat {}", self.shown), error))?;
        let mtime = (
            meta.mtime(),
            u32::try_from(meta.mtime_nsec()).unwrap_or_default(),
        );
        if (meta.len(), mtime) == (self.size, self.mtime) {
            Ok(())
        } else {
            Err(self.changed())
        }
    }

    /// The error for a file that is not as it was.
    pub(crate) fn changed(&self) -> Error {
        Error::Changed(format!("{} changed while it was read", self.shown))
    }

    /// Goes to a place.
    ///
    /// # Errors
    /// [`Error::Local`], lseek(2).
    pub(crate) fn seek(&mut self, offset: u64) -> Result<()> {
        io::Seek::seek(&mut self.file, io::SeekFrom::Start(offset))
            .map(drop)
            .map_err(|error| Error::local(format!("seek in {}", self.shown), error))
    }
}

/// Reads until `out` is full or the input ends.
///
/// # Errors
/// What the input says, except for interruptions.
fn read_full(input: &mut dyn io::Read, out: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = out.get_mut(filled..)
        && !rest.is_empty()
    {
        match input.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads what comes first; 0 is the end.
///
/// # Errors
/// What the input says, except for interruptions.
pub(crate) fn read_some(input: &mut dyn io::Read, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn changes_are_seen() {
        let temp = tempfile::tempdir().unwrap();
        let mut file = tempfile::Builder::new().tempfile_in(temp.path()).unwrap();
        file.write_all(b"12345").unwrap();
        file.as_file()
            .set_modified(SystemTime::now() - Duration::from_secs(10))
            .unwrap();
        let name = file.path().file_name().unwrap().to_owned();
        let folder = Folder::open(temp.path()).unwrap();
        let mut source = Source::open(&folder, &name, false).unwrap();
        let mut buffer = Vec::new();
        source.read_small(&mut buffer).unwrap();
        assert_eq!(buffer, b"12345");
        source.check_unchanged().unwrap();
        file.write_all(b"6").unwrap();
        assert!(matches!(source.check_unchanged(), Err(Error::Changed(_))));
        source.size = 9;
        source.seek(0).unwrap();
        assert!(matches!(
            source.read_small(&mut buffer),
            Err(Error::Changed(_))
        ));
    }

    #[test]
    fn only_regular_files_and_no_waiting_for_a_fifo() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::open(temp.path()).unwrap();
        rustix::fs::mkfifoat(&*folder, "fifo", rustix::fs::Mode::RWXU).unwrap();
        for name in ["fifo", ".", "missing"] {
            let error = Source::open(&folder, OsStr::new(name), false).unwrap_err();
            assert!(matches!(error, Error::Local { .. }), "{name}: {error}");
        }
    }
}
