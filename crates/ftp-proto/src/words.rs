//! The few words that the wire and the contract share.

use serde::{Deserialize, Serialize};

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
