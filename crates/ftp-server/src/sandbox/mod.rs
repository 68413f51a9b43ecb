//! What the process gives up before it starts its first thread: the paths it has no business with, and the system calls.
//!
//! Everything here holds for the calling thread and those it starts later, so it is called while there is no other; nothing
//! of it can be taken back. Knows nothing of the server. `account` is the third part: another user.

pub(crate) mod account;
mod calls;
mod paths;
mod table;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

/// How much of it there is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// What the kernel can do.
    Auto,
    /// All, or no start.
    On,
    /// Nothing.
    Off,
}

/// The paths that stay within reach, with everything beneath them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folders {
    /// Read, and change.
    pub(crate) write: Vec<PathBuf>,
    /// Read.
    pub(crate) read: Vec<PathBuf>,
}

/// What is enforced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walls {
    /// What of it stands, for people.
    pub(crate) enforced: Vec<String>,
    /// What was wanted and cannot be had, for people.
    pub(crate) missing: Vec<String>,
    /// Folders that were to stay in reach and are not there: what comes to be in their place is out of reach.
    pub(crate) absent: Vec<PathBuf>,
    /// The paths that are within reach, without links; `None`: all are.
    reach: Option<Folders>,
}

impl Walls {
    /// Whether a file at `path` can be read, as far as these walls go. Blocks for the disk.
    #[must_use]
    pub(crate) fn let_read(&self, path: &Path) -> bool {
        let readable = |reach: &Folders| holds(&reach.read, path) || holds(&reach.write, path);
        self.reach.as_ref().is_none_or(readable)
    }

    /// Whether a file at `path` can be changed, as far as these walls go. Blocks for the disk.
    #[must_use]
    pub(crate) fn let_write(&self, path: &Path) -> bool {
        let writable = |reach: &Folders| holds(&reach.write, path);
        self.reach.as_ref().is_none_or(writable)
    }
}

/// Gives up everything but `folders` and the calls of the table, as far as `mode` asks and the kernel can.
///
/// # Errors
/// With [`Mode::On`], if anything cannot be enforced: says what, and why.
pub(crate) fn enter(mode: Mode, folders: &Folders) -> Result<Walls, String> {
    let mut walls = Walls::default();
    if mode == Mode::Off {
        return Ok(walls);
    }
    if let Some(threads) = threads().filter(|threads| *threads > 1) {
        let why = format!("{threads} threads run already, and only this one is held");
        walls.missing.push(why);
    }
    match rustix::thread::set_no_new_privs(true) {
        Ok(()) => walls.enforced.push("no_new_privs".to_owned()),
        Err(error) => walls.missing.push(format!("no_new_privs: {error}")),
    }
    match paths::restrict(folders) {
        Ok(held) => {
            walls.enforced.push(held.words);
            walls.missing.extend(held.less);
            walls.absent = held.absent;
            walls.reach = Some(held.reach);
        }
        Err(why) => walls.missing.push(why),
    }
    match calls::restrict() {
        Ok(words) => walls.enforced.push(words),
        Err(why) => walls.missing.push(why),
    }
    if mode == Mode::On && !walls.missing.is_empty() {
        let missing = walls.missing.join("; ");
        return Err(format!(
            "the sandbox cannot be had as a whole: {missing}. Say --sandbox auto to start with what there is."
        ));
    }
    Ok(walls)
}

fn holds(folders: &[PathBuf], path: &Path) -> bool {
    let path = paths::real(path);
    folders.iter().any(|folder| path.starts_with(folder))
}

/// How many threads this process has, if that can be told.
#[allow(
    clippy::disallowed_methods,
    reason = "not a file that is served, and no loop runs yet"
)]
fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}
