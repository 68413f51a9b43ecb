//! A local tree as a stream: folders are read as they come, nothing is collected, memory is flat.
//!
//! Symbolic links are told and left out unless they are to be followed; a loop of them is noticed.

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use ftp_proto::VPath;
use rustix::fs::{Dir, FileType};

use super::folder::Folder;
use super::partial::is_partial_name;
use crate::error::{Error, Result};

/// One thing found.
#[derive(Debug)]
pub(crate) enum Found {
    /// A regular file (as far as the folder says).
    File {
        folder: Arc<Folder>,
        name: OsString,
        remote: VPath,
    },
    /// A folder with nothing in it that will be sent.
    Empty { shown: String, remote: VPath },
    /// Left out, and why.
    Skipped { shown: String, why: &'static str },
    /// Could not be read or named.
    Failed { shown: String, error: Error },
}

struct Level {
    dir: Dir,
    folder: Arc<Folder>,
    remote: VPath,
    /// Whether something in it is sent, so that the folder comes into being by itself.
    used: bool,
    /// Device and inode, to notice loops.
    identity: (u64, u64),
}

/// Walks the tree beneath `root`, depth first, giving each thing found to `emit`.
///
/// # Errors
/// What `emit` says, at once; [`Error::Local`] if `root` itself cannot be read.
pub(crate) fn walk(
    root: Arc<Folder>,
    remote: VPath,
    follow: bool,
    emit: &mut dyn FnMut(Found) -> Result<()>,
) -> Result<()> {
    let mut levels = vec![level(root, remote)?];
    while let Some(top) = levels.last_mut() {
        let Some(entry) = top.dir.read() else {
            if let Some(done) = levels.pop()
                && !done.used
            {
                emit(Found::Empty {
                    shown: done.folder.shown(),
                    remote: done.remote,
                })?;
            }
            continue;
        };
        let entry = match entry {
            Ok(entry) => entry,
            Err(errno) => {
                let shown = top.folder.shown();
                let error = Error::local(format!("read folder {shown}"), errno);
                // A folder that could not be read is not known to be empty.
                levels.pop();
                emit(Found::Failed { shown, error })?;
                continue;
            }
        };
        let name = file_name(entry.file_name());
        if name == "." || name == ".." {
            continue;
        }
        match look(top, name, entry.file_type(), follow) {
            Step::Emit(found) => {
                top.used |= matches!(found, Found::File { .. });
                emit(found)?;
            }
            Step::Enter(folder, remote) => {
                top.used = true;
                let shown = folder.shown();
                match level(folder, remote) {
                    Ok(next) if levels.iter().any(|level| level.identity == next.identity) => {
                        emit(Found::Skipped {
                            shown,
                            why: "a link to a folder around it",
                        })?;
                    }
                    Ok(next) => levels.push(next),
                    Err(error) => emit(Found::Failed { shown, error })?,
                }
            }
        }
    }
    Ok(())
}

enum Step {
    Emit(Found),
    Enter(Arc<Folder>, VPath),
}

fn look(top: &Level, name: &OsStr, kind: FileType, follow: bool) -> Step {
    let shown = || top.folder.show(name);
    let skipped = |why| {
        Step::Emit(Found::Skipped {
            shown: shown(),
            why,
        })
    };
    let failed = |error| {
        Step::Emit(Found::Failed {
            shown: shown(),
            error,
        })
    };
    if is_partial_name(name) {
        return skipped("a partial download of ours");
    }
    let kind = if kind == FileType::Unknown {
        stat_kind(top, name, false)
    } else {
        Ok(kind)
    };
    let kind = match kind {
        Ok(FileType::Symlink) if !follow => return skipped("a symbolic link (--follow)"),
        Ok(FileType::Symlink) => stat_kind(top, name, true),
        other => other,
    };
    let kind = match kind {
        Ok(kind) => kind,
        Err(error) => return failed(error),
    };
    if !matches!(kind, FileType::RegularFile | FileType::Directory) {
        return skipped("neither a file nor a folder");
    }
    let remote = match remote_child(&top.remote, name) {
        Ok(remote) => remote,
        Err(error) => return failed(error),
    };
    if kind == FileType::RegularFile {
        return Step::Emit(Found::File {
            folder: Arc::clone(&top.folder),
            name: name.to_owned(),
            remote,
        });
    }
    match top.folder.child(name, follow) {
        Ok(folder) => Step::Enter(folder, remote),
        Err(error) => failed(error),
    }
}

/// The remote path of a local name in a remote folder.
///
/// # Errors
/// [`Error::Local`] if the protocol has no such name.
pub(crate) fn remote_child(folder: &VPath, name: &OsStr) -> Result<VPath> {
    let refused = |why: String| {
        Error::local(
            format!("name {name:?}"),
            std::io::Error::new(std::io::ErrorKind::InvalidInput, why),
        )
    };
    let text = name
        .to_str()
        .ok_or_else(|| refused("it is not UTF-8, which the protocol asks for".into()))?;
    folder
        .join(text)
        .map_err(|error| refused(error.to_string()))
}

fn stat_kind(top: &Level, name: &OsStr, follow: bool) -> Result<FileType> {
    top.folder
        .stat(name, follow)
        .map(|stat| FileType::from_raw_mode(stat.st_mode))
        .map_err(|errno| Error::local(format!("stat {}", top.folder.show(name)), errno))
}

fn level(folder: Arc<Folder>, remote: VPath) -> Result<Level> {
    let failed = |errno| Error::local(format!("read folder {}", folder.shown()), errno);
    let dir = Dir::read_from(&*folder).map_err(failed)?;
    let stat = dir.stat().map_err(failed)?;
    Ok(Level {
        dir,
        identity: (stat.st_dev, stat.st_ino),
        folder,
        remote,
        used: false,
    })
}

fn file_name(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    fn touch(path: &Path) {
        std::fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .open(path)
            .unwrap();
    }

    fn tree() -> tempfile::TempDir {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        std::fs::create_dir(at("d")).unwrap();
        std::fs::create_dir(at("empty")).unwrap();
        std::fs::create_dir(at("links")).unwrap();
        touch(&at("a"));
        touch(&at("d/b"));
        touch(&at("d/.c.muxftp-part"));
        touch(&at("d/line\nbreak"));
        touch(&temp.path().join(OsStr::from_bytes(b"\xff")));
        symlink("../a", at("links/file")).unwrap();
        symlink("..", at("links/loop")).unwrap();
        symlink("nowhere", at("links/dangling")).unwrap();
        temp
    }

    fn all(root: &Path, follow: bool) -> Vec<String> {
        let mut seen = Vec::new();
        let root = Folder::open(root).unwrap();
        walk(root, VPath::parse("to").unwrap(), follow, &mut |found| {
            seen.push(match found {
                Found::File { remote, .. } => format!("file {remote}"),
                Found::Empty { remote, .. } => format!("empty {remote}"),
                Found::Skipped { why, .. } => format!("skipped: {why}"),
                Found::Failed { error, .. } => format!("failed: {error}"),
            });
            Ok(())
        })
        .unwrap();
        seen.sort();
        seen
    }

    #[test]
    fn everything_is_told_once() {
        let temp = tree();
        assert_eq!(
            all(temp.path(), false),
            [
                "empty to/empty",
                "empty to/links",
                "failed: name \"\\xFF\": it is not UTF-8, which the protocol asks for",
                "failed: name \"line\\nbreak\": the path holds NUL, CR or LF",
                "file to/a",
                "file to/d/b",
                "skipped: a partial download of ours",
                "skipped: a symbolic link (--follow)",
                "skipped: a symbolic link (--follow)",
                "skipped: a symbolic link (--follow)",
            ]
        );
    }

    #[test]
    fn links_are_followed_once_around() {
        let temp = tree();
        let seen = all(temp.path(), true);
        assert!(seen.contains(&"file to/links/file".to_owned()), "{seen:?}");
        assert!(
            seen.contains(&"skipped: a link to a folder around it".to_owned()),
            "{seen:?}"
        );
        assert!(
            seen.iter().any(|line| line.starts_with("failed: stat")),
            "{seen:?}"
        );
    }

    #[test]
    fn the_receiver_can_stop_it() {
        let temp = tree();
        let mut count = 0;
        let root = Folder::open(temp.path()).unwrap();
        let result = walk(root, VPath::root(), false, &mut |_| {
            count += 1;
            Err(Error::OutputClosed)
        });
        assert!(matches!(result, Err(Error::OutputClosed)));
        assert_eq!(count, 1);
    }
}
