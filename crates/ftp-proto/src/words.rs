//! The few words that the wire and the contract share.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// What stands at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link; listed, never followed out of the root.
    Link,
    /// A device, FIFO or socket (or a kind from a later version); listed, never opened.
    #[serde(other)]
    Other,
}

/// So much of what is stored, where it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Amount {
    /// Bytes.
    pub bytes: u64,
    /// Files.
    pub files: u64,
}

impl Amount {
    /// Bytes, and no file.
    #[must_use]
    pub fn of_bytes(bytes: u64) -> Self {
        Self { bytes, files: 0 }
    }

    /// Both together; what no number can tell is as much as a number can.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(more.bytes),
            files: self.files.saturating_add(more.files),
        }
    }

    /// What is left of it; never less than nothing.
    #[must_use]
    pub fn minus(self, less: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(less.bytes),
            files: self.files.saturating_sub(less.files),
        }
    }
}

/// How safe an upload is when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Data, metadata and the directory entry are on stable storage.
    #[default]
    Full,
    /// Data is on stable storage; the name may need the next sync.
    Data,
    /// The operating system writes when it likes.
    None,
}

/// What to do where the target of an upload or a rename already stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfExists {
    /// Replace it in one step.
    #[default]
    Replace,
    /// Refuse with `exists`.
    Fail,
    /// Keep it and answer `skipped`.
    Skip,
    /// Replace it only by a newer modification time, else answer `skipped`.
    Newer,
}

/// A password on its way to be checked. It prints as dots, compares in constant time, and leaves no trace in memory.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for checking.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (own, other) = (self.bytes(), other.bytes());
        let differing = own.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
        own.len() == other.len() && std::hint::black_box(differing) == 0
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// For the frame that carries it, and for nothing else: the text goes out as it is.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(self.bytes()).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SecretText)
    }
}

/// Reads a secret straight out of the text it stands in.
struct SecretText;

impl Visitor<'_> for SecretText {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text.as_bytes().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_but_on_the_wire() {
        let secret = Secret::new(b"hunter2".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.bytes(), b"hunter2");
        let text = serde_json::to_string(&secret).unwrap();
        assert_eq!(text, r#""hunter2""#);
        assert_eq!(serde_json::from_str::<Secret>(&text).unwrap(), secret);
        for other in ["hunter", "hunter3", "hunter22", ""] {
            assert_ne!(Secret::new(other.into()), secret, "{other}");
        }
    }

    #[test]
    fn a_secret_of_the_wrong_kind_is_refused() {
        for json in ["271828", "[1]", "null", "true"] {
            assert!(serde_json::from_str::<Secret>(json).is_err(), "{json}");
        }
    }
}
