//! `GetOptions`: how files are to be got.

/// How files are to be got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetOptions {
    /// Whether a partial of an earlier run is gone on with, after proving that it is the file's beginning.
    pub resume: bool,
    /// Whether each file and its folder are synced to the disk before it counts as done.
    pub sync: bool,
    /// Connections over which one file of 64 MiB or more comes at once.
    pub streams: u8,
    /// Whether what arrives is hashed and compared with the server's digest. Without it a damage on the way
    /// that TCP does not see goes unnoticed. What is gone on with, and what comes over several streams, is
    /// verified all the same.
    pub verify: bool,
}

impl Default for GetOptions {
    fn default() -> Self {
        Self {
            resume: true,
            sync: false,
            streams: 1,
            verify: true,
        }
    }
}
