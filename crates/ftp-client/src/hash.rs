//! `Hasher`: SHA-256 as it goes along.

use std::fmt;
use std::time::Duration;

use ftp_proto::Digest;
use sha2::{Digest as _, Sha256};

/// A server has a second more per so many bytes to hash them.
const BYTES_PER_SECOND: u64 = 32 * 1024 * 1024;

/// A running SHA-256.
#[derive(Clone, Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all so far; more may follow.
    pub(crate) fn so_far(&self) -> Digest {
        self.clone().finish()
    }

    pub(crate) fn finish(self) -> Digest {
        let bytes: [u8; 32] = self.0.finalize().into();
        Digest(bytes)
    }
}

/// The digest of bytes that are all there.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::default();
    hasher.update(bytes);
    hasher.finish()
}

/// How much longer than usual a server may take to hash.
pub(crate) fn time_to_hash(bytes: u64) -> Duration {
    Duration::from_secs(bytes / BYTES_PER_SECOND)
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(
            digest(b"").to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let mut hasher = Hasher::default();
        hasher.update(b"a");
        let prefix = hasher.so_far();
        hasher.update(b"bc");
        assert_eq!(prefix, digest(b"a"));
        assert_eq!(hasher.finish(), digest(b"abc"));
    }
}
