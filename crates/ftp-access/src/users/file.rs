//! The users file on the disk: read whole, changed under a lock, replaced in one step.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{EditError, FileError, Users};
use crate::files::{self, Lock};

/// Longest users file, in bytes.
pub const USERS_FILE_BYTES: u64 = 64 << 20;
/// What others may not do with a file that holds hashes: anything. The group may read it, to let a service do so.
const FORBIDDEN_MODE: u32 = 0o027;

/// Where the users stand.
#[derive(Clone, Debug)]
pub struct UsersFile {
    path: PathBuf,
}

/// Why the file cannot be used or changed. For people: what, where, what to do.
#[derive(Debug)]
pub enum LoadError {
    /// It cannot be read or written.
    Io(PathBuf, io::Error),
    /// Others may read or change it. The mode it has.
    Open(PathBuf, u32),
    /// What it says is not good.
    File(PathBuf, FileError),
    /// It cannot be changed like that.
    Edit(PathBuf, EditError),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Open(path, mode) => write!(
                f,
                "{}: mode {mode:o} lets others read or change it; `chmod 600` it (or 640)",
                path.display()
            ),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Edit(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for LoadError {}

impl UsersFile {
    /// The file at that path. It is not looked at yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads everybody.
    ///
    /// # Errors
    /// It cannot be read, is open to others, or is not good in any part.
    pub fn load(&self) -> Result<Users, LoadError> {
        let text = self.text()?;
        Users::parse(&text).map_err(|error| LoadError::File(self.path.clone(), error))
    }

    /// Changes the file: nobody else changes it meanwhile, and a reader finds the old text or the new. A file that is not
    /// there counts as empty.
    ///
    /// # Errors
    /// As [`load`](Self::load), those of the change, and those of writing; the file is then as it was.
    pub fn edit(
        &self,
        change: impl FnOnce(&str) -> Result<String, EditError>,
    ) -> Result<(), LoadError> {
        let io = |error| LoadError::Io(self.path.clone(), error);
        let _lock = Lock::of(&self.path).map_err(io)?;
        let before = match self.text() {
            Err(LoadError::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => {
                String::new()
            }
            other => other?,
        };
        let after = change(&before).map_err(|error| LoadError::Edit(self.path.clone(), error))?;
        files::replace(&self.path, after.as_bytes()).map_err(io)
    }

    fn text(&self) -> Result<String, LoadError> {
        let io = |error| LoadError::Io(self.path.clone(), error);
        let text = files::read(&self.path, USERS_FILE_BYTES).map_err(io)?;
        let mode = fs::metadata(&self.path).map_err(io)?.permissions().mode() & 0o777;
        if mode & FORBIDDEN_MODE != 0 {
            return Err(LoadError::Open(self.path.clone(), mode));
        }
        Ok(text)
    }
}
