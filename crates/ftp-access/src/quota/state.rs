//! The figures on the disk: one small file for each root, replaced whole, with a checksum, and a mark whether the server was
//! still counting when it was written.
//!
//! A file that says "counting" when the server starts was left by a crash: what landed after it was written is not in it.
//! Then, and when the file is missing or damaged, what stands beneath the root is to be counted again.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ftp_proto::Amount;
use sha2::{Digest as _, Sha256};

use crate::files;

/// Longest state file, in bytes.
const STATE_BYTES: u64 = 32 * 1024;
/// What the text begins with.
const HEAD: &str = "muxftp-quota 1";
/// What the names of state files end with.
const ENDING: &str = "quota";

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// The figures are right.
    Known(Amount),
    /// They are to be counted again.
    Recount,
}

/// Makes the folder for the figures, for its owner alone, if it is not there.
///
/// # Errors
/// Those of `mkdir(2)`.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// Reads the figures of a root.
///
/// # Errors
/// Those of reading, other than that there is no such file.
pub fn load(folder: &Path, root: &Path) -> io::Result<Loaded> {
    let text = match files::read(&place(folder, root), STATE_BYTES) {
        Ok(text) => text,
        Err(error) => {
            let recount = matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge
            );
            return if recount {
                Ok(Loaded::Recount)
            } else {
                Err(error)
            };
        }
    };
    Ok(match parse(&text, root) {
        Some((amount, false)) => Loaded::Known(amount),
        Some((_, true)) | None => Loaded::Recount,
    })
}

/// Writes the figures of a root; the folder has to be there. `counting`: the server goes on; else it is stopping in good order, and they are final.
///
/// # Errors
/// Those of writing; the old file is then as it was.
pub fn save(folder: &Path, root: &Path, amount: Amount, counting: bool) -> io::Result<()> {
    files::replace(
        &place(folder, root),
        text(root, amount, counting).as_bytes(),
    )
}

/// Removes the figures of a root, if there are any.
///
/// # Errors
/// Those of removing.
pub fn remove(folder: &Path, root: &Path) -> io::Result<()> {
    match fs::remove_file(place(folder, root)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes the figures of all roots but those of `keep`: nobody counts there from now on, so what is written would be
/// believed later though it is not true any more. A folder that is not there has none.
///
/// # Errors
/// Those of reading the folder and of removing.
pub fn prune(folder: &Path, keep: &HashSet<PathBuf>) -> io::Result<()> {
    let kept: HashSet<PathBuf> = keep.iter().map(|root| place(folder, root)).collect();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let path = entry?.path();
        let ours = path.extension().is_some_and(|it| it == ENDING);
        if ours && !kept.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Any path is a name so, and one of a bounded length.
fn place(folder: &Path, root: &Path) -> PathBuf {
    let name = sha256(root.as_os_str().as_bytes());
    let short = name.get(..32).unwrap_or_default();
    folder.join(format!("{short}.{ENDING}"))
}

fn text(root: &Path, amount: Amount, counting: bool) -> String {
    let Amount { bytes, files } = amount;
    let word = if counting { "counting" } else { "closed" };
    let body = format!("{HEAD}\n{}\n{bytes} {files} {word}\n", named(root));
    let sum = sha256(body.as_bytes());
    format!("{body}{sum}\n")
}

fn parse(text: &str, root: &Path) -> Option<(Amount, bool)> {
    let (body, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    if sha256(format!("{body}\n").as_bytes()) != sum {
        return None;
    }
    let mut lines = body.lines();
    if lines.next()? != HEAD || lines.next()? != named(root) {
        return None;
    }
    let mut words = lines.next()?.split(' ');
    let bytes = words.next()?.parse().ok()?;
    let files = words.next()?.parse().ok()?;
    let counting = match words.next()? {
        "counting" => true,
        "closed" => false,
        _ => return None,
    };
    Some((Amount { bytes, files }, counting))
}

/// The root in one line, for people too.
fn named(root: &Path) -> String {
    format!("{root:?}")
}

fn sha256(bytes: &[u8]) -> String {
    ftp_proto::Digest(Sha256::digest(bytes).into()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Amount = Amount {
        bytes: 12_345,
        files: 6,
    };

    fn anna() -> &'static Path {
        Path::new("/srv/anna")
    }

    fn ben() -> &'static Path {
        Path::new("/srv/b\"\n\u{e9}n")
    }

    #[test]
    fn figures_go_round_and_a_crash_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        for root in [anna(), ben()] {
            assert_eq!(load(dir, root).unwrap(), Loaded::Recount);
            save(dir, root, SOME, false).unwrap();
            assert_eq!(load(dir, root).unwrap(), Loaded::Known(SOME));
            save(dir, root, SOME, true).unwrap();
            assert_eq!(load(dir, root).unwrap(), Loaded::Recount);
        }
        // Another root's file under this name is not this root's.
        save(dir, ben(), SOME, false).unwrap();
        fs::rename(place(dir, ben()), place(dir, anna())).unwrap();
        assert_eq!(load(dir, anna()).unwrap(), Loaded::Recount);
    }

    #[test]
    fn figures_can_be_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        make_folder(&folder).unwrap();
        make_folder(&folder).unwrap();
        remove(&folder, anna()).unwrap();
        save(&folder, anna(), SOME, false).unwrap();
        remove(&folder, anna()).unwrap();
        assert_eq!(load(&folder, anna()).unwrap(), Loaded::Recount);
    }

    #[test]
    fn figures_that_nobody_goes_on_with_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        prune(&dir.join("none"), &HashSet::new()).unwrap();
        save(dir, anna(), SOME, false).unwrap();
        save(dir, ben(), SOME, false).unwrap();
        files::replace(&dir.join("other"), b"is let be").unwrap();
        prune(dir, &HashSet::from([ben().to_owned()])).unwrap();
        assert_eq!(load(dir, anna()).unwrap(), Loaded::Recount);
        assert_eq!(load(dir, ben()).unwrap(), Loaded::Known(SOME));
        prune(dir, &HashSet::new()).unwrap();
        assert_eq!(load(dir, ben()).unwrap(), Loaded::Recount);
        assert!(dir.join("other").exists());
    }

    #[test]
    fn no_damage_is_taken_for_figures() {
        let good = text(anna(), SOME, false);
        assert_eq!(parse(&good, anna()), Some((SOME, false)));
        for at in 0..good.len() {
            assert_eq!(parse(&good[..at], anna()), None, "cut at {at}");
            let mut bytes = good.clone().into_bytes();
            bytes[at] ^= 1;
            let flipped = String::from_utf8_lossy(&bytes);
            assert_eq!(parse(&flipped, anna()), None, "flipped at {at}");
        }
    }
}
