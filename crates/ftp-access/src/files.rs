//! Small files of our own, replaced whole: a reader, at any moment and after any crash, finds the old text or the new.
//!
//! Blocking; for command lines and workers, never for a loop.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// For the owner alone.
const PRIVATE: u32 = 0o600;
/// For the owner, and to be read by the group.
const SHARED: u32 = 0o640;

/// Held while a file is read, changed and replaced; goes with its holder, even if that one is killed.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until nobody else holds the lock of `path`: a file beside it, with `.lock` at the end.
    ///
    /// # Errors
    /// Those of `open(2)` and `flock(2)`.
    pub fn of(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(beside(path, ".lock"))?;
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Err(rustix::io::Errno::INTR) => {}
                other => {
                    other?;
                    return Ok(Self { _file: file });
                }
            }
        }
    }
}

/// Reads a text of at most `limit` bytes.
///
/// # Errors
/// Those of `open(2)` and `read(2)`; `FileTooLarge`; `InvalidData` if it is not UTF-8.
pub fn read(path: &Path, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let why = format!("longer than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

/// Puts `bytes` in the place of `path` in one step, on stable storage, readable by its owner alone, or by the group too if the
/// old file was (mode 640). Owner and group of the old file are kept where the system allows it, and so is a link: what it points
/// to is replaced. The caller holds the [`Lock`] if others may write.
///
/// # Errors
/// Those of the file system; the old file is then as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        other => other?,
    };
    let temp = beside(&path, ".new");
    // Only a crash can have left one, or somebody plays tricks: either way a fresh file is made.
    match fs::remove_file(&temp) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let done = write(&temp, bytes, fs::metadata(&path).ok())
        .and_then(|()| fs::rename(&temp, &path))
        .and_then(|()| sync_folder(&path));
    if done.is_err() {
        fs::remove_file(&temp).ok();
    }
    done
}

fn write(temp: &Path, bytes: &[u8], old: Option<fs::Metadata>) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(temp)?;
    let mut mode = PRIVATE;
    if let Some(old) = old {
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            // An administrator edits the file of a service: it stays the service's. Others may not give files away.
            fchown(&file, Some(old.uid()), Some(old.gid())).ok();
        }
        if old.mode() & 0o777 == SHARED && file.metadata()?.gid() == old.gid() {
            mode = SHARED;
        }
    }
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace(&path, b"one").unwrap();
        assert_eq!(read(&path, 3).unwrap(), "one");
        let old = File::open(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        // What a crash left is no hindrance, and a link is not written through.
        let canary = dir.path().join("canary");
        replace(&canary, b"alive").unwrap();
        symlink(&canary, beside(&path, ".new")).unwrap();
        replace(&path, b"second").unwrap();
        assert_eq!(read(&path, 100).unwrap(), "second");
        assert_eq!(read(&canary, 100).unwrap(), "alive");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let mut text = String::new();
        (&old).read_to_string(&mut text).unwrap();
        assert_eq!(text, "one", "an open file stays as it was");
        let names = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 2, "nothing is left behind");
    }

    #[test]
    fn a_group_that_could_read_still_can() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for (before, after) in [
            (0o640, 0o640),
            (0o600, 0o600),
            (0o660, 0o600),
            (0o644, 0o600),
        ] {
            replace(&path, b"one").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
            replace(&path, b"two").unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, after);
        }
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        replace(&real, b"one").unwrap();
        symlink(&real, &link).unwrap();
        replace(&link, b"two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read(&real, 100).unwrap(), "two");
    }

    #[test]
    fn reading_is_bounded_and_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace(&path, b"abcd").unwrap();
        let too_long = read(&path, 3).unwrap_err();
        assert_eq!(too_long.kind(), io::ErrorKind::FileTooLarge);
        replace(&path, b"\xff").unwrap();
        assert_eq!(
            read(&path, 3).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        let missing = read(&dir.path().join("none"), 3).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let lock = Lock::of(&path).unwrap();
        let other = File::open(beside(&path, ".lock")).unwrap();
        let busy = flock(&other, FlockOperation::NonBlockingLockExclusive);
        assert_eq!(busy, Err(rustix::io::Errno::WOULDBLOCK));
        drop(lock);
        assert!(flock(&other, FlockOperation::NonBlockingLockExclusive).is_ok());
    }
}
