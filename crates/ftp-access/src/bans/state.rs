//! The bans on the disk: one small file, replaced whole, with a checksum.
//!
//! It only ever makes a server stricter: one that is missing or damaged costs the bans in it and nothing else.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use super::Standing;
use crate::address::Block;
use crate::files;

/// Most bans that are written: of more, those that last longest.
pub const KEPT: usize = 1 << 14;
/// Longest file, in bytes: no line is longer than 80.
const STATE_BYTES: u64 = 80 * (KEPT as u64 + 2);
/// What the text begins with.
const HEAD: &str = "muxftp-bans 1";

/// Reads the bans; none if there is no file.
///
/// # Errors
/// Those of reading; `InvalidData` and `FileTooLarge` if it is damaged.
pub fn load(path: &Path) -> io::Result<Vec<Standing>> {
    let text = match files::read(path, STATE_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    parse(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is damaged"))
}

/// Writes the bans; the folder has to be there.
///
/// # Errors
/// Those of writing; the old file is then as it was.
pub fn save(path: &Path, mut standing: Vec<Standing>) -> io::Result<()> {
    standing.sort_by_key(|ban| std::cmp::Reverse((ban.until, ban.peer)));
    standing.truncate(KEPT);
    files::replace(path, text(&standing).as_bytes())
}

/// A line a ban: who, until when in milliseconds of Unix time, the how manieth.
fn text(standing: &[Standing]) -> String {
    let mut text = format!("{HEAD}\n");
    for Standing {
        peer,
        until,
        strike,
    } in standing
    {
        let until = until.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Writing to a string cannot fail.
        writeln!(text, "{peer} {} {strike}", until.as_millis()).ok();
    }
    let sum = sha256(&text);
    writeln!(text, "sha256 {sum}").ok();
    text
}

fn parse(text: &str) -> Option<Vec<Standing>> {
    let at = text.strip_suffix('\n')?.rfind('\n')? + 1;
    let (body, last) = text.split_at_checked(at)?;
    if last.strip_prefix("sha256 ")?.strip_suffix('\n')? != sha256(body) {
        return None;
    }
    let bans = body.strip_prefix(HEAD)?.strip_prefix('\n')?;
    bans.lines().map(ban).collect()
}

fn ban(line: &str) -> Option<Standing> {
    let mut words = line.split(' ');
    let peer = words.next()?;
    let peer = peer.strip_suffix("/64").unwrap_or(peer).parse().ok()?;
    let until: SystemTime =
        UNIX_EPOCH.checked_add(Duration::from_millis(words.next()?.parse().ok()?))?;
    let strike = words.next()?.parse().ok()?;
    words.next().is_none().then_some(Standing {
        peer: Block::of(peer),
        until,
        strike,
    })
}

fn sha256(text: &str) -> String {
    ftp_proto::Digest(Sha256::digest(text.as_bytes()).into()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(peer: &str, until: u64, strike: u32) -> Standing {
        Standing {
            peer: Block::of(peer.parse().unwrap()),
            until: UNIX_EPOCH + Duration::from_millis(until),
            strike,
        }
    }

    fn some() -> Vec<Standing> {
        vec![
            ban("2001:db8:1:2::1", 1_800_000_000_123, 2),
            ban("192.0.2.7", 1_700_000_000_000, 1),
        ]
    }

    #[test]
    fn bans_go_round() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bans");
        assert_eq!(load(&path).unwrap(), []);
        for standing in [some(), Vec::new()] {
            save(&path, standing.clone()).unwrap();
            assert_eq!(load(&path).unwrap(), standing);
        }
    }

    #[test]
    fn what_is_written_is_bounded_and_lasts_longest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bans");
        let longest = u64::MAX / 1_000_000;
        let many = (0..KEPT as u128 + 100).map(|n| {
            let site = std::net::Ipv6Addr::from_bits(u128::MAX - (n << 64)).to_string();
            ban(&site, longest + u64::try_from(n).unwrap(), u32::MAX)
        });
        save(&path, many.collect()).unwrap();
        let kept = load(&path).unwrap();
        assert_eq!(kept.len(), KEPT);
        let least = kept.iter().map(|ban| ban.until).min();
        assert_eq!(
            least,
            Some(UNIX_EPOCH + Duration::from_millis(longest + 100))
        );
    }

    #[test]
    fn no_damage_is_taken_for_bans() {
        let good = text(&some());
        assert_eq!(parse(&good), Some(some()));
        for at in 0..good.len() {
            assert_eq!(parse(&good[..at]), None, "cut at {at}");
            let mut bytes = good.clone().into_bytes();
            bytes[at] ^= 1;
            let flipped = String::from_utf8_lossy(&bytes);
            assert_eq!(parse(&flipped), None, "flipped at {at}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bans");
        files::replace(&path, b"nonsense").unwrap();
        let damaged = load(&path).unwrap_err();
        assert_eq!(damaged.kind(), io::ErrorKind::InvalidData);
        let long = vec![b'x'; usize::try_from(STATE_BYTES).unwrap() + 1];
        files::replace(&path, &long).unwrap();
        let long = load(&path).unwrap_err();
        assert_eq!(long.kind(), io::ErrorKind::FileTooLarge);
    }
}
