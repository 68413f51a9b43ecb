//! `Step`: what the disk was asked for, by a command of which that is all.

use super::hash::Hash;
use super::reply::Reply;
use crate::{Kind, VPath};

/// What an outcome of the disk is wanted for.
#[derive(Debug)]
pub(super) enum Step {
    /// To stand in this folder from now on.
    Enter(VPath),
    /// To rename it next.
    RenameFrom(VPath),
    /// To remove it if it is (not) a folder.
    Remove(VPath, Kind),
    /// To tell its size.
    Size(VPath),
    /// To tell its time.
    Time,
    /// To tell its facts.
    Facts(VPath),
    /// To tell its checksum, as `HASH` does.
    Hash {
        path: VPath,
        hash: Hash,
        offset: u64,
    },
    /// To tell its checksum, and nothing beside it.
    Digest,
    /// To tell how much room there is.
    Room,
    /// To say this if it worked.
    Say(Reply),
}
