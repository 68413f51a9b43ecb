//! `PutOptions`: how files are to be put.

use ftp_proto::IfExists;

/// How files are to be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutOptions {
    /// What to do where the target stands already.
    pub if_exists: IfExists,
    /// Whether missing folders are made.
    pub parents: bool,
    /// Whether large files go on where an earlier attempt broke, after comparing what is there.
    pub resume: bool,
    /// Whether symbolic links within a tree count as what they point to.
    pub follow: bool,
}

impl Default for PutOptions {
    fn default() -> Self {
        Self {
            if_exists: IfExists::Replace,
            parents: true,
            resume: true,
            follow: false,
        }
    }
}
