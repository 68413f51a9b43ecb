//! What a machine may ask of the disk, and what it may hear back.

use std::fmt;

use crate::{Digest, Durability, IfExists, Kind, VPath};

/// What is known of a file without reading it, all from one inode at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Modification time: seconds since 1970-01-01 UTC.
    pub mtime: i64,
    /// Modification time: nanoseconds within the second.
    pub mtime_ns: u32,
    /// Permission bits, `0o777` at most.
    pub mode: u32,
    /// Changes whenever the file's content may have changed: device, inode, size, mtime and ctime, with dots
    /// between. For a peer it is opaque.
    pub etag: String,
}

impl Meta {
    /// The part of the etag that names the file itself, whatever its content: device and inode.
    #[must_use]
    pub fn unique(&self) -> &str {
        let end = self.etag.match_indices('.').nth(1);
        end.and_then(|(at, _)| self.etag.get(..at))
            .unwrap_or(&self.etag)
    }
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, UTF-8.
    pub name: String,
    /// What stands there.
    pub meta: Meta,
}

impl Entry {
    /// An upper estimate of this entry's share of a list page, in bytes.
    #[must_use]
    pub fn wire_bytes(&self) -> usize {
        let escapes = self
            .name
            .bytes()
            .filter(|b| *b < 0x20 || *b == b'"' || *b == b'\\')
            .count();
        self.name.len() + 5 * escapes + 128
    }
}

/// How an upload begins.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CreateOptions {
    /// The whole size in bytes, where the sender knows it.
    pub size: Option<u64>,
    /// Modification time to set: seconds and nanoseconds.
    pub mtime: Option<(i64, u32)>,
    /// Permission bits to set.
    pub mode: Option<u32>,
    /// Make missing parent folders.
    pub parents: bool,
    /// What to do where the target stands.
    pub if_exists: IfExists,
    /// Look for a partial of an earlier attempt, and leave one behind if this attempt breaks.
    pub resume: bool,
    /// Where a sender begins that can prove nothing about what was sent before; `None` for one that is asked
    /// by [`Outcome::Created`].
    pub start: Option<Start>,
    /// When its digest is taken.
    pub digesting: Digesting,
    /// Whose upload it is, where there are users: nobody else goes on with its partial. Set by the shell.
    pub owner: Option<String>,
}

/// When the SHA-256 of an upload is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Digesting {
    /// As its bytes come, so that it is known when the file is.
    #[default]
    Upload,
    /// Likewise, unless the sender would have to wait for it for long: then when somebody asks.
    Unhurried,
    /// When somebody asks for it, by reading the file. A digest that the sender says at the commit is compared all the
    /// same, and what is written behind the bytes of an earlier attempt is digested as it comes.
    OnDemand,
}

/// Where an upload begins whose sender says so without a digest (RFC 3659, section 5; RFC 959, section 4.1.3).
///
/// What is kept of it has a name by target and owner alone, so it is another than that of a sender who knows the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At this byte. At 0 what an earlier attempt left is dropped, and what this one leaves is kept; else it goes
    /// on in what is kept, or in a copy of the file's first bytes, and never behind their end.
    At(u64),
    /// At the end of the file, in a copy of it; or of what is kept, where there is no file and that is as long as
    /// was told.
    End {
        /// The size that the sender was told.
        told: Option<u64>,
    },
}

/// Checksums that others speak of, none of which proves anything against ill will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// CRC-32 as in ISO 3309, Ethernet and zip.
    Crc32,
    /// MD5 (RFC 1321).
    Md5,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskOp {
    /// Open a regular file for reading. Outcome: [`Outcome::Opened`].
    Open {
        /// Which file.
        path: VPath,
        /// Read and digest it whole if it is no longer than this.
        inline: u32,
    },
    /// Bring a range of the open file into memory (the page cache), so that sending it waits for no
    /// disk, and digest it on the way if asked. Ranges are asked in order. Outcome: [`Outcome::Warmed`].
    Warm {
        /// First byte.
        offset: u64,
        /// How many bytes.
        len: u64,
        /// Feed the file's running digest.
        digest: bool,
        /// This is the last range: finish the digest.
        last: bool,
    },
    /// Begin an upload into a temp file beside the target. Outcome: [`Outcome::Created`] or [`Outcome::Skipped`].
    Create {
        /// The target.
        path: VPath,
        /// How.
        options: CreateOptions,
    },
    /// Go on from the partial's end (`true`) or drop what it holds and start at 0 (`false`), after a
    /// `Created` that named a partial. Outcome: [`Outcome::Continued`].
    Continue {
        /// Keep the partial's bytes.
        keep: bool,
    },
    /// Verify, make durable, put under the final name. Outcome: [`Outcome::Committed`] or [`Outcome::Skipped`].
    Commit {
        /// The sender's digest of the whole file.
        digest: Option<Digest>,
        /// The sender's size of the whole file.
        size: Option<u64>,
    },
    /// Give an upload up: keep it as a partial if it was begun with `resume`, else remove it. Outcome: [`Outcome::Ended`].
    Abort,
    /// Close a file that was read. Outcome: [`Outcome::Ended`].
    Release,
    /// One page of a folder, sorted by name. Outcome: [`Outcome::Listed`].
    List {
        /// The folder.
        path: VPath,
        /// Only names after this one.
        after: Option<String>,
        /// Most entries.
        entries: u32,
        /// Most bytes, by [`Entry::wire_bytes`].
        bytes: u32,
    },
    /// What stands at a path. Outcome: [`Outcome::Found`].
    Stat {
        /// Which path.
        path: VPath,
    },
    /// How long a file is, and how much is kept of an upload that broke and began as [`Start`] says.
    /// Outcome: [`Outcome::Sized`].
    Size {
        /// Which path.
        path: VPath,
        /// Look for what is kept.
        resume: bool,
        /// Whose upload, where there are users. Set by the shell.
        owner: Option<String>,
    },
    /// SHA-256 of a range. Outcome: [`Outcome::Digested`].
    Digest {
        /// Which file.
        path: VPath,
        /// First byte.
        offset: u64,
        /// How many bytes; `None` is "to the end".
        len: Option<u64>,
    },
    /// A checksum of a range that is no SHA-256. Outcome: [`Outcome::Summed`].
    Checksum {
        /// Which file.
        path: VPath,
        /// Of which kind.
        algorithm: Algorithm,
        /// First byte.
        offset: u64,
        /// How many bytes; `None` is "to the end".
        len: Option<u64>,
    },
    /// Give a file or folder another time or mode. Outcome: [`Outcome::Ended`].
    SetMeta {
        /// Which.
        path: VPath,
        /// Modification time: seconds and nanoseconds.
        mtime: Option<(i64, u32)>,
        /// Permission bits, `0o777` at most.
        mode: Option<u32>,
    },
    /// How much may still be written in a folder. Outcome: [`Outcome::Room`].
    Space {
        /// Which.
        path: VPath,
    },
    /// Make a folder. Outcome: [`Outcome::Ended`].
    MakeDir {
        /// Which.
        path: VPath,
        /// Make missing parents, and be content if it is there already.
        parents: bool,
    },
    /// Give a file or folder another name. Outcome: [`Outcome::Ended`].
    Rename {
        /// The old name.
        from: VPath,
        /// The new name.
        to: VPath,
        /// Replace what stands there (else refuse with `exists`).
        replace: bool,
    },
    /// Remove a file or a folder. Outcome: [`Outcome::Ended`].
    Remove {
        /// Which.
        path: VPath,
        /// A folder with all that is in it.
        recursive: bool,
    },
}

/// A small file's bytes, read when it was opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// All of them.
    pub bytes: Vec<u8>,
    /// Their SHA-256.
    pub digest: Digest,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes, {})", self.bytes.len(), self.digest)
    }
}

/// What an earlier attempt left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// Bytes that are on stable storage.
    pub offset: u64,
    /// Their SHA-256.
    pub digest: Digest,
}

/// How a disk operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `Open`: the file is open for `Warm` and `SendFile`, unless its content came along, in which case it is closed again.
    Opened {
        /// What it is.
        meta: Meta,
        /// Its bytes, if it was small.
        content: Option<Content>,
        /// SHA-256 of the whole file, where it is known without reading it.
        digest: Option<Digest>,
    },
    /// `Warm`.
    Warmed {
        /// Bytes of the range that are there; fewer than asked if the file ended.
        len: u64,
        /// The running digest, after the last range.
        digest: Option<Digest>,
    },
    /// `Create`.
    Created {
        /// What an earlier attempt left, if it was asked for and found.
        partial: Option<Partial>,
    },
    /// `Continue`.
    Continued,
    /// `Commit`.
    Committed {
        /// Bytes in the file.
        size: u64,
        /// SHA-256 of the file, if it was taken.
        digest: Option<Digest>,
        /// How safe it is now.
        durability: Durability,
    },
    /// `Create` or `Commit`: the target was kept as it was, by the rule of [`IfExists`].
    Skipped,
    /// `List`.
    Listed {
        /// The page.
        entries: Vec<Entry>,
        /// After which name the next page begins; `None` if this is the last. The page may be empty, and the name
        /// one that is not in it.
        next: Option<String>,
    },
    /// `Stat`.
    Found(Meta),
    /// `Size`: at least one of the two.
    Sized {
        /// What stands there.
        found: Option<Meta>,
        /// Bytes of an upload that broke.
        kept: Option<u64>,
    },
    /// `Digest`.
    Digested {
        /// SHA-256 of the range.
        digest: Digest,
        /// Bytes in the range.
        len: u64,
        /// The file it was taken from.
        meta: Meta,
    },
    /// `Checksum`.
    Summed {
        /// In hexadecimal digits, small letters.
        hex: String,
        /// Bytes in the range.
        len: u64,
    },
    /// `Space`.
    Room {
        /// Bytes; `None` where the file system does not count.
        bytes: Option<u64>,
    },
    /// `Abort`, `Release`, `SetMeta`, `MakeDir`, `Rename`, `Remove`.
    Ended,
    /// It did not work.
    Failed(Fault),
}

/// What went wrong on the server's side of a request, and on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which kind, for programs.
    pub kind: FaultKind,
    /// What exactly, for people; never a path outside the root.
    pub detail: String,
}

impl Fault {
    /// A fault with its story.
    #[must_use]
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

/// The kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Nothing stands at that name.
    NotFound,
    /// A part of the path is not a folder.
    NotADirectory,
    /// A folder stands where a file is needed.
    IsADirectory,
    /// Neither a regular file nor a folder.
    NotAFile,
    /// The folder is not empty.
    NotEmpty,
    /// Something stands there already.
    Exists,
    /// The operating system or a rule refuses it.
    Denied,
    /// The server or its file system takes no writes.
    ReadOnly,
    /// The disk is full, or a file is too large for it.
    NoSpace,
    /// A quota is used up.
    Quota,
    /// The name cannot be stored.
    BadName,
    /// The bytes that came do not have the digest that was said.
    DigestMismatch,
    /// There are more or fewer bytes than was said.
    SizeMismatch,
    /// The file changed while it was read.
    Changed,
    /// Another session works on the same partial.
    Busy,
    /// A range beyond the end of the file.
    BadRange,
    /// The device failed.
    Io,
    /// A fault of the server's own; its log says more.
    Internal,
}
