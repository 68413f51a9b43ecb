//! What a session has chosen, until it chooses otherwise or somebody else logs in.

use super::hash::Hash;
use super::listing::Facts;
use crate::VPath;

/// The choices.
#[derive(Debug)]
pub(super) struct Settings {
    /// The working folder.
    pub(super) here: VPath,
    /// `TYPE`: lists are lines in either; files go as they are in either.
    pub(super) ascii: bool,
    /// `REST`: where the next transfer begins.
    pub(super) rest: u64,
    /// `SIZE`: what was told last, for the next `APPE`.
    pub(super) told: Option<(VPath, u64)>,
    /// `RNFR`: what the next `RNTO` is about.
    pub(super) rename_from: Option<VPath>,
    /// `OPTS MLST`: which facts are told.
    pub(super) facts: Facts,
    /// `OPTS HASH`: what `HASH` tells.
    pub(super) hash: Hash,
    /// `RANG`: which bytes the next `HASH` is of, both ends included.
    pub(super) range: Option<(u64, u64)>,
    /// `EPSV ALL`: no other way to a data connection is taken any more (RFC 2428, section 4).
    pub(super) epsv_all: bool,
    /// `PBSZ` was said.
    pub(super) buffer_agreed: bool,
    /// `PROT P`: data connections are within TLS.
    pub(super) protect: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            here: VPath::root(),
            ascii: true,
            rest: 0,
            told: None,
            rename_from: None,
            facts: Facts::ALL,
            hash: Hash::default(),
            range: None,
            epsv_all: false,
            buffer_agreed: false,
            protect: false,
        }
    }
}

impl Settings {
    /// Somebody else: all but what protects the connections is as at the beginning.
    pub(super) fn reset(&mut self) {
        *self = Self {
            buffer_agreed: self.buffer_agreed,
            protect: self.protect,
            ..Self::default()
        };
    }
}
