//! `Digest`: a SHA-256 value (FIPS 180-4), as bytes in memory and as 64 hex digits on the wire.
//!
//! This module computes nothing; hashing belongs to those who hold the bytes.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// 32 bytes of SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Reads exactly 64 hex digits, of either case.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let pairs = text.as_bytes().as_chunks::<2>().0;
        let mut out = [0; 32];
        // Wrong digits are looked for once, at the end.
        let mut seen = text.len() ^ 64;
        for (byte, [high, low]) in out.iter_mut().zip(pairs) {
            let (high, low) = (nibble(*high), nibble(*low));
            *byte = (high << 4) | (low & 15);
            seen |= usize::from((high | low) & WRONG);
        }
        (seen == 0).then_some(Self(out))
    }

    /// Its 64 digits.
    fn hex(&self) -> [[u8; 2]; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        self.0.map(|byte| [digit(byte >> 4), digit(byte & 15)])
    }
}

/// What [`nibble`] sets for anything but a digit.
const WRONG: u8 = 0xf0;

fn nibble(digit: u8) -> u8 {
    const VALUES: [u8; 256] = values();
    VALUES.get(usize::from(digit)).copied().unwrap_or(WRONG)
}

const fn values() -> [u8; 256] {
    let mut values = [WRONG; 256];
    let mut digit: u8 = 0;
    while digit < 16 {
        let shift = digit as usize;
        if digit < 10 {
            values[b'0' as usize + shift] = digit;
        } else {
            values[b'a' as usize + shift - 10] = digit;
            values[b'A' as usize + shift - 10] = digit;
        }
        digit += 1;
    }
    values
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.hex();
        f.pad(std::str::from_utf8(text.as_flattened()).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.hex();
        serializer.serialize_str(std::str::from_utf8(text.as_flattened()).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Hex)
    }
}

/// Takes the text where it stands, without a copy.
struct Hex;

impl Visitor<'_> for Hex {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("64 hex digits")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Digest, E> {
        Digest::from_hex(text).ok_or_else(|| E::custom("sha256 must be 64 hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_round() {
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let digest = Digest::from_hex(text).unwrap();
        assert_eq!(digest.to_string(), text);
        assert_eq!(Digest::from_hex(&text.to_uppercase()), Some(digest));
    }

    #[test]
    fn wrong_hex_is_refused() {
        assert_eq!(Digest::from_hex(""), None);
        assert_eq!(Digest::from_hex(&"g".repeat(64)), None);
        assert_eq!(Digest::from_hex(&"é".repeat(32)), None);
        for wrong in ["/", ":", "@", "`", "g", "G", "\0", "\u{7f}"] {
            for at in [0, 1, 62, 63] {
                let mut text = "0".repeat(64);
                text.replace_range(at..=at, wrong);
                assert_eq!(Digest::from_hex(&text), None, "{wrong:?} at {at}");
            }
        }
        for len in [63, 65, 66, 128] {
            assert_eq!(Digest::from_hex(&"0".repeat(len)), None, "{len}");
        }
    }
}
