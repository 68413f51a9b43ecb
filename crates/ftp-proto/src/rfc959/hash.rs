//! Which checksums there are, and their names.

use crate::session::Algorithm;

/// What `HASH` can be of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hash {
    /// Known without reading where the file was uploaded here.
    #[default]
    Sha256,
    Other(Algorithm),
}

/// Every one, with its name.
const HASHES: [(Hash, &str); 3] = [
    (Hash::Sha256, "SHA-256"),
    (Hash::Other(Algorithm::Crc32), "CRC32"),
    (Hash::Other(Algorithm::Md5), "MD5"),
];

impl Hash {
    /// The one of that name.
    pub(super) fn parse(word: &str) -> Option<Self> {
        let found = HASHES
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(word));
        found.map(|(hash, _)| *hash)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        let found = HASHES.iter().find(|(hash, _)| *hash == self);
        found.map_or("SHA-256", |(_, name)| name)
    }

    /// `SHA-256*;CRC32;MD5`: as FEAT lists them, the chosen one with a mark.
    pub(super) fn feature(self) -> String {
        let names = HASHES.map(|(hash, name)| {
            let mark = if hash == self { "*" } else { "" };
            format!("{name}{mark}")
        });
        names.join(";")
    }
}
