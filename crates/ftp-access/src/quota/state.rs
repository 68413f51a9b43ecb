//! The figures on the disk: one small file for each user, replaced whole, with a checksum, and a mark whether the server was
//! still counting when it was written.
//!
//! A file that says "counting" when the server starts was left by a crash: what landed after it was written is not in it.
//! Then, and when the file is missing or damaged, the user's root is to be counted again: [`count`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::Amount;
use crate::files;

/// Longest state file, in bytes.
const STATE_BYTES: u64 = 1024;
/// What the text begins with.
const HEAD: &str = "muxftp-quota 1";

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// The figures are right.
    Known(Amount),
    /// They are to be counted again.
    Recount,
}

/// Reads a user's figures. `user` is a name as the users file takes it, which is safe as a file's name.
///
/// # Errors
/// Those of reading, other than that there is no such file.
pub fn load(folder: &Path, user: &str) -> io::Result<Loaded> {
    let text = match files::read(&place(folder, user), STATE_BYTES) {
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
    Ok(match parse(&text, user) {
        Some((amount, false)) => Loaded::Known(amount),
        Some((_, true)) | None => Loaded::Recount,
    })
}

/// Writes a user's figures. `counting`: the server goes on; else it is stopping in good order, and they are final.
///
/// # Errors
/// Those of writing; the old file is then as it was.
pub fn save(folder: &Path, user: &str, amount: Amount, counting: bool) -> io::Result<()> {
    files::replace(
        &place(folder, user),
        text(user, amount, counting).as_bytes(),
    )
}

/// Counts regular files and their bytes beneath a root, links not followed, partials included. Blocking, and long where
/// there is much: for a worker. `go_on` is asked at every folder.
///
/// # Errors
/// Those of reading folders; `Interrupted` if `go_on` says no. What vanishes meanwhile is not counted.
pub fn count(root: &Path, go_on: &mut dyn FnMut() -> bool) -> io::Result<Amount> {
    let mut amount = Amount::default();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        if !go_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder != root => continue,
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            // The entry's own, a link's and not its target's.
            let meta = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            if meta.is_dir() {
                open.push(entry.path());
            } else if meta.is_file() {
                amount.bytes = amount.bytes.saturating_add(meta.len());
                let name = entry.file_name();
                let partial = name
                    .as_encoded_bytes()
                    .starts_with(ftp_proto::path::RESERVED_PREFIX.as_bytes());
                amount.files += u64::from(!partial);
            }
        }
    }
    Ok(amount)
}

fn place(folder: &Path, user: &str) -> PathBuf {
    folder.join(format!("{user}.quota"))
}

fn text(user: &str, amount: Amount, counting: bool) -> String {
    let Amount { bytes, files } = amount;
    let word = if counting { "counting" } else { "closed" };
    let body = format!("{HEAD}\n{user}\n{bytes} {files} {word}\n");
    let sum = checksum(&body);
    format!("{body}{sum}\n")
}

fn parse(text: &str, user: &str) -> Option<(Amount, bool)> {
    let (body, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    if checksum(&format!("{body}\n")) != sum {
        return None;
    }
    let mut lines = body.lines();
    if lines.next()? != HEAD || lines.next()? != user {
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

fn checksum(body: &str) -> String {
    ftp_proto::Digest(Sha256::digest(body).into()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Amount = Amount {
        bytes: 12_345,
        files: 6,
    };

    #[test]
    fn figures_go_round_and_a_crash_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        assert_eq!(load(dir, "anna").unwrap(), Loaded::Recount);
        save(dir, "anna", SOME, false).unwrap();
        assert_eq!(load(dir, "anna").unwrap(), Loaded::Known(SOME));
        save(dir, "anna", SOME, true).unwrap();
        assert_eq!(load(dir, "anna").unwrap(), Loaded::Recount);
        // Another user's file under this name is not this user's.
        save(dir, "ben", SOME, false).unwrap();
        fs::rename(place(dir, "ben"), place(dir, "anna")).unwrap();
        assert_eq!(load(dir, "anna").unwrap(), Loaded::Recount);
    }

    #[test]
    fn no_damage_is_taken_for_figures() {
        let good = text("anna", SOME, false);
        assert_eq!(parse(&good, "anna"), Some((SOME, false)));
        for at in 0..good.len() {
            assert_eq!(parse(&good[..at], "anna"), None, "cut at {at}");
            let mut bytes = good.clone().into_bytes();
            bytes[at] ^= 1;
            let flipped = String::from_utf8_lossy(&bytes);
            assert_eq!(parse(&flipped, "anna"), None, "flipped at {at}");
        }
    }

    #[test]
    fn a_root_is_counted_without_its_links() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        let outside = dir.path().join("outside");
        for (path, len) in [
            (root.join("one"), 10),
            (root.join("a/b/two"), 20),
            (root.join("a/.muxftp-p0"), 5),
            (outside.clone(), 1000),
        ] {
            files::replace(&path, &vec![0; len]).unwrap();
        }
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        std::os::unix::fs::symlink(dir.path(), root.join("up")).unwrap();
        let counted = count(&root, &mut || true).unwrap();
        assert_eq!(
            counted,
            Amount {
                bytes: 35,
                files: 2
            }
        );
        assert!(count(&root, &mut || false).is_err());
        assert!(count(&root.join("none"), &mut || true).is_err());
    }
}
