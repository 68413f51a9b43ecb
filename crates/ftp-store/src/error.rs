//! The only mapper from the operating system's errors to [`Fault`]s.
//!
//! A fault names the virtual path and what happened in words; it never holds a path of the host.

use std::fmt;
use std::path::{Path, PathBuf};

use ftp_proto::VPath;
use ftp_proto::session::{Fault, FaultKind};
use rustix::io::Errno;

/// Why a folder cannot be served. For people.
#[derive(Debug)]
pub struct OpenError {
    root: PathBuf,
    cause: Errno,
}

impl OpenError {
    pub(crate) fn new(root: &Path, cause: Errno) -> Self {
        Self {
            root: root.to_owned(),
            cause,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, words) = explain(self.cause);
        write!(f, "cannot serve {}: {words}", self.root.display())
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// Puts the path to an error of the operating system.
pub(crate) trait At<T> {
    /// The same result, its error told as a fault on `path`.
    fn at(self, path: &VPath) -> Result<T, Fault>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, path: &VPath) -> Result<T, Fault> {
        self.map_err(|errno| fault(path, errno))
    }
}

/// The fault that an error number means on `path`.
pub(crate) fn fault(path: &VPath, errno: Errno) -> Fault {
    let (kind, words) = explain(errno);
    refuse(kind, path, &words)
}

/// A fault of our own finding.
pub(crate) fn refuse(kind: FaultKind, path: &VPath, words: &str) -> Fault {
    Fault::new(kind, format!("{path}: {words}"))
}

/// As [`At::at`], where "in use" has one meaning.
pub(crate) fn told(path: &VPath, errno: Errno) -> Fault {
    if errno == Errno::WOULDBLOCK {
        return refuse(FaultKind::Busy, path, "another session uploads this file");
    }
    fault(path, errno)
}

/// The contract between the machines and the store was broken: a bug, never a peer's doing.
pub(crate) fn misuse(words: &str) -> Fault {
    Fault::new(FaultKind::Internal, words)
}

fn explain(errno: Errno) -> (FaultKind, String) {
    let (kind, words) = match errno {
        Errno::NOENT => (FaultKind::NotFound, "no such file or folder"),
        Errno::NOTDIR => (FaultKind::NotADirectory, "not a folder"),
        Errno::ISDIR => (FaultKind::IsADirectory, "is a folder"),
        Errno::NOTEMPTY => (FaultKind::NotEmpty, "the folder is not empty"),
        Errno::EXIST => (FaultKind::Exists, "exists already"),
        Errno::ACCESS | Errno::PERM => (FaultKind::Denied, "permission denied"),
        Errno::XDEV => (
            FaultKind::Denied,
            "leads out of the root or its file system",
        ),
        Errno::LOOP => (FaultKind::Denied, "a symbolic link that is not followed"),
        Errno::ROFS => (FaultKind::ReadOnly, "the file system is read-only"),
        Errno::NOSPC => (FaultKind::NoSpace, "no space left on the disk"),
        Errno::FBIG => (FaultKind::NoSpace, "too large for the file system"),
        Errno::DQUOT => (FaultKind::Quota, "the disk quota is used up"),
        Errno::NAMETOOLONG => (FaultKind::BadName, "the name is too long"),
        Errno::ILSEQ => (FaultKind::BadName, "the file system cannot store the name"),
        Errno::NXIO | Errno::NODEV => (FaultKind::NotAFile, "not a regular file"),
        Errno::MFILE | Errno::NFILE => (FaultKind::Busy, "out of file descriptors"),
        Errno::NOMEM => (FaultKind::Busy, "out of memory"),
        Errno::AGAIN | Errno::BUSY | Errno::TXTBSY => (FaultKind::Busy, "in use"),
        Errno::IO => (FaultKind::Io, "the device reports an error"),
        other => return (FaultKind::Io, std::io::Error::from(other).to_string()),
    };
    (kind, words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_kind_and_its_path() {
        let path = VPath::parse("docs/a.txt").unwrap();
        for (errno, kind) in [
            (Errno::NOENT, FaultKind::NotFound),
            (Errno::NOTDIR, FaultKind::NotADirectory),
            (Errno::ISDIR, FaultKind::IsADirectory),
            (Errno::NOTEMPTY, FaultKind::NotEmpty),
            (Errno::EXIST, FaultKind::Exists),
            (Errno::ACCESS, FaultKind::Denied),
            (Errno::XDEV, FaultKind::Denied),
            (Errno::LOOP, FaultKind::Denied),
            (Errno::ROFS, FaultKind::ReadOnly),
            (Errno::NOSPC, FaultKind::NoSpace),
            (Errno::DQUOT, FaultKind::Quota),
            (Errno::NAMETOOLONG, FaultKind::BadName),
            (Errno::NXIO, FaultKind::NotAFile),
            (Errno::MFILE, FaultKind::Busy),
            (Errno::IO, FaultKind::Io),
            (Errno::NOSYS, FaultKind::Io),
        ] {
            let fault = fault(&path, errno);
            assert_eq!(fault.kind, kind, "{errno}");
            assert!(fault.detail.starts_with("docs/a.txt: "), "{fault:?}");
        }
        assert_eq!(
            fault(&path, Errno::NOENT).detail,
            "docs/a.txt: no such file or folder"
        );
    }

    #[test]
    fn the_root_that_is_not_there_is_told_by_its_name() {
        let error = OpenError::new(Path::new("nowhere"), Errno::NOENT);
        assert_eq!(
            error.to_string(),
            "cannot serve nowhere: no such file or folder"
        );
    }
}
