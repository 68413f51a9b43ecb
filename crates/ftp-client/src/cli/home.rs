//! The client's own folder, `$XDG_CONFIG_HOME/ftp-client`, and files that hold secrets: for their owner alone.
//!
//! A secret file that others may open is refused, not repaired: what it held may have been read already.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::text;

/// Bits that let anybody but the owner in.
const OTHERS: u32 = 0o077;

/// `$XDG_CONFIG_HOME/ftp-client`, or beneath `~/.config` (XDG Base Directory Specification).
pub(super) fn folder() -> Option<PathBuf> {
    let named = |name: &str| {
        let value = std::env::var_os(name).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    };
    let config =
        named("XDG_CONFIG_HOME").or_else(|| named("HOME").map(|home| home.join(".config")))?;
    Some(config.join("ftp-client"))
}

/// A file in that folder.
///
/// # Errors
/// [`Error::Usage`] if there is no such folder.
pub(super) fn file(name: &str) -> Result<PathBuf> {
    folder().map(|folder| folder.join(name)).ok_or_else(|| {
        let why = "no place for the client's files: neither XDG_CONFIG_HOME nor HOME is set";
        Error::Usage(why.into())
    })
}

/// The text of a secret file, at most `most` bytes.
///
/// # Errors
/// [`Error::Local`]: it cannot be read, others may open it, it is too long. Nothing of its contents is in the error.
pub(super) fn read_secret(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>> {
    let failed = |error: io::Error| Error::local(format!("read {}", path.display()), error);
    let file = fs::File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    let denied = |why: String| failed(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if meta.mode() & OTHERS != 0 {
        let shown = text::shell_word(&path.display().to_string());
        let mode = meta.mode() & 0o7777;
        return Err(denied(format!(
            "others may open it (mode {mode:04o}), and it holds a secret; make it yours alone: chmod 600 {shown}"
        )));
    }
    let us = rustix::process::geteuid().as_raw();
    if meta.uid() != us && meta.uid() != 0 && us != 0 {
        return Err(denied(
            "it holds a secret, and somebody else owns it".into(),
        ));
    }
    // Of full size from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        let why = format!("longer than {most} bytes");
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, why)));
    }
    Ok(bytes)
}

/// Reads, changes and replaces a secret file: whole or not at all, one program after the other. `change` says what it is
/// to hold; `None` leaves it as it is.
///
/// # Errors
/// As [`read_secret`], where a file that is missing is an empty one; what `change` says; those of the file system.
pub(super) fn edit_secret(
    path: &Path,
    most: usize,
    change: impl FnOnce(&[u8]) -> Result<Option<Zeroizing<String>>>,
) -> Result<()> {
    let failed = |error: io::Error| Error::local(format!("write {}", path.display()), error);
    if let Some(folder) = path.parent() {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder);
        made.map_err(failed)?;
    }
    let lock = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(beside(path, ".lock"))
        .map_err(failed)?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|errno| failed(errno.into()))?;
    let old = match read_secret(path, most) {
        Err(Error::Local { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Zeroizing::default()
        }
        other => other?,
    };
    let Some(new) = change(&old)? else {
        return Ok(());
    };
    replace(path, new.as_bytes()).map_err(failed)
}

/// A link is kept: what it points to is replaced.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let temp = beside(&path, ".new");
    // Only a crash can have left one.
    match fs::remove_file(&temp) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&temp)?;
    let done = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| Ok(rustix::fs::rename(&temp, &path)?));
    if done.is_err() {
        // The first failure is the one to tell.
        let _ = fs::remove_file(&temp);
    }
    done
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn make(path: &Path, text: &str, mode: u32) {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_may_open_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a secret");
        for mode in [0o600, 0o400, 0o700] {
            make(&path, "hunter2", mode);
            assert_eq!(**read_secret(&path, 100).unwrap(), *b"hunter2", "{mode:o}");
        }
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644] {
            make(&path, "hunter2", mode);
            let error = read_secret(&path, 100).unwrap_err().to_string();
            assert!(error.contains(&format!("mode 0{mode:o}")), "{error}");
            let command = format!("chmod 600 '{}'", path.display());
            assert!(error.contains(&command), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
            // Nor is it repaired by writing it.
            let error = edit_secret(&path, 100, |_| Ok(Some(String::new().into())));
            assert!(matches!(error, Err(Error::Local { .. })), "{mode:o}");
        }
        make(&path, "hunter2", 0o600);
        assert!(read_secret(&path, 6).is_err(), "too long");
        assert!(read_secret(&path, 7).is_ok());
    }

    #[test]
    fn what_is_written_is_for_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/secret");
        let put = |text: &str, old: &str| {
            edit_secret(&path, 100, |found| {
                assert_eq!(found, old.as_bytes());
                Ok(Some(text.to_owned().into()))
            })
            .unwrap();
        };
        put("one", "");
        // A crash left this behind, open to all.
        make(&beside(&path, ".new"), "junk of a crash", 0o644);
        put("two", "one");
        edit_secret(&path, 100, |_| Ok(None)).unwrap();
        assert_eq!(**read_secret(&path, 100).unwrap(), *b"two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let folder = fs::metadata(path.parent().unwrap()).unwrap();
        assert_eq!(folder.mode() & 0o077, 0);
    }
}
