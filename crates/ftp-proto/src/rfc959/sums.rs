//! Checksums: HASH, RANG (draft-bryan-ftpext-hash, -ftp-range), XSHA256, XCRC, XMD5.

use super::command::Argument;
use super::hash::Hash;
use super::reply::Reply;
use super::step::Step;
use super::{Rfc959, folder};
use crate::session::DiskOp;
use crate::{Digest, VPath};

impl Rfc959 {
    /// `OPTS HASH [name]`.
    pub(super) fn opts_hash(&mut self, word: &str) -> Reply {
        if !word.is_empty() {
            let Some(hash) = Hash::parse(word) else {
                return Reply::new(501, "HASH knows SHA-256, CRC32 and MD5");
            };
            self.settings.hash = hash;
        }
        Reply::new(200, self.settings.hash.name())
    }

    /// `RANG first last`: the bytes of the next `HASH`, both included; `1 0` is all of them.
    pub(super) fn rang(&mut self, argument: Argument<'_>) -> Reply {
        let mut numbers = argument.word().split(' ').map(number);
        let (Some(Some(first)), Some(Some(last)), None) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return Reply::new(501, "RANG wants the first and the last byte");
        };
        if (first, last) == (1, 0) {
            self.settings.range = None;
            return Reply::new(350, "The next HASH is of the whole file");
        }
        if first > last {
            return Reply::new(501, "RANG wants the first byte before the last");
        }
        self.settings.range = Some((first, last));
        Reply::new(
            350,
            format!("The next HASH is of the bytes {first} to {last}"),
        )
    }

    /// `HASH name`.
    pub(super) fn hash(&mut self, path: VPath) {
        let range = self.settings.range.take();
        let (offset, len) = range.map_or((0, None), |(first, last)| {
            (
                first,
                last.checked_sub(first).and_then(|len| len.checked_add(1)),
            )
        });
        let hash = self.settings.hash;
        self.sum(
            path.clone(),
            hash,
            offset,
            len,
            Step::Hash { path, hash, offset },
        );
    }

    /// `XSHA256`, `XCRC`, `XMD5`: `name`, `"name"`, or `"name" from to`, where `to` is the first byte that does not count.
    pub(super) fn xsum(&mut self, argument: Argument<'_>, hash: Hash) -> Result<(), Reply> {
        let (name, numbers) = unquoted(argument);
        let path = self.path(name, 550)?;
        let wrong = || {
            Reply::new(
                501,
                "Behind a name in quotes: from which byte, and up to which",
            )
        };
        let mut numbers = numbers.word().split_ascii_whitespace().map(number);
        let offset = numbers.next().map_or(Some(0), |first| first);
        let end = numbers.next();
        let (Some(offset), None) = (offset, numbers.next()) else {
            return Err(wrong());
        };
        let len = match end {
            None => None,
            Some(end) => Some(
                end.and_then(|end| end.checked_sub(offset))
                    .ok_or_else(wrong)?,
            ),
        };
        self.sum(path, hash, offset, len, Step::Digest);
        Ok(())
    }

    fn sum(&mut self, path: VPath, hash: Hash, offset: u64, len: Option<u64>, step: Step) {
        let op = match hash {
            Hash::Sha256 => DiskOp::Digest { path, offset, len },
            Hash::Other(algorithm) => DiskOp::Checksum {
                path,
                algorithm,
                offset,
                len,
            },
        };
        self.ask(op, step);
    }
}

/// The answer to `HASH`: which bytes, and what they come to.
pub(super) fn hashed(path: &VPath, hash: Hash, offset: u64, len: u64, hex: &str) -> Reply {
    // The draft wants a last byte no less than the first, so that of no bytes there is one too.
    let last = offset.saturating_add(len).saturating_sub(1).max(offset);
    let (name, path) = (hash.name(), folder::absolute(path));
    Reply::exact(213, format!("{name} {offset}-{last} {hex} {path}"))
}

/// The answer to the others.
pub(super) fn summed(hex: String) -> Reply {
    Reply::exact(250, hex)
}

/// In the digits all of them are told in.
pub(super) fn hex(digest: Digest) -> String {
    digest.to_string()
}

fn number(word: &str) -> Option<u64> {
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|_| digits)
}

/// A name in quotes and what stands behind it; without quotes all of it is the name.
fn unquoted(argument: Argument<'_>) -> (Argument<'_>, Argument<'_>) {
    let inner = argument.0.strip_prefix(b"\"");
    let end = inner.and_then(|inner| inner.iter().rposition(|byte| *byte == b'"'));
    let parts = inner
        .zip(end)
        .and_then(|(inner, end)| inner.split_at_checked(end));
    match parts {
        Some((name, rest)) => (Argument(name), Argument(rest.get(1..).unwrap_or_default())),
        None => (argument, Argument(b"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_byte_is_never_before_the_first() {
        let path = VPath::parse("f").unwrap();
        for (offset, len, range) in [(0, 0, "0-0"), (0, 1, "0-0"), (5, 0, "5-5"), (5, 3, "5-7")] {
            let reply = hashed(&path, Hash::Sha256, offset, len, "c0ffee");
            assert_eq!(
                reply,
                Reply::exact(213, format!("SHA-256 {range} c0ffee /f"))
            );
        }
    }

    #[test]
    fn a_name_may_stand_in_quotes() {
        for (text, name, rest) in [
            ("a b", "a b", ""),
            ("\"a b\"", "a b", ""),
            ("\"a\" 1 2", "a", " 1 2"),
            ("\"a\"b\" 1", "a\"b", " 1"),
            ("\"a", "\"a", ""),
        ] {
            let (found, behind) = unquoted(Argument(text.as_bytes()));
            assert_eq!(
                (found.text(), behind.text()),
                (Ok(name), Ok(rest)),
                "{text}"
            );
        }
    }
}
