//! Rights: what a user may do, and where.
//!
//! [`Rights`] is a set, [`Rules`] says which set holds at which path, and a [`Grant`] is one user's view with the
//! one gate that every operation passes. Names alone are judged here, never the disk: what a symbolic link
//! makes of a name is the store's business, and [`Grant::follows_links`] tells it what to do with links.

mod grant;
mod judgement;
#[cfg(test)]
mod matrix;
mod rules;

use std::fmt;
use std::ops::{BitAnd, BitOr};

pub use grant::Grant;
pub use judgement::{Judgement, Links, Reveal};
pub use rules::{RULES, Rules, RulesError};

/// One thing that may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// See the names in a folder, and what stands at them.
    List,
    /// Read the bytes of files, and their digests.
    Read,
    /// Put files where nothing stands.
    Write,
    /// Replace files.
    Overwrite,
    /// Remove files and folders.
    Delete,
    /// Give files and folders other names.
    Rename,
    /// Make folders.
    Mkdir,
}

impl Right {
    /// Every right, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::List,
        Self::Read,
        Self::Write,
        Self::Overwrite,
        Self::Delete,
        Self::Rename,
        Self::Mkdir,
    ];

    /// Its word in the users file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Write => "write",
            Self::Overwrite => "overwrite",
            Self::Delete => "delete",
            Self::Rename => "rename",
            Self::Mkdir => "mkdir",
        }
    }

    /// The right of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.word() == word)
    }

    fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rights(u8);

impl Rights {
    /// Nothing may be done.
    pub const NONE: Self = Self(0);
    /// Everything may be done.
    pub const FULL: Self = Self(0x7f);

    /// The set of these.
    #[must_use]
    pub fn of(rights: &[Right]) -> Self {
        rights.iter().copied().collect()
    }

    /// Whether the right is in it.
    #[must_use]
    pub fn has(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    /// Whether all of `other` are in it.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it allows nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members.
    pub fn iter(self) -> impl Iterator<Item = Right> {
        Right::ALL.into_iter().filter(move |right| self.has(*right))
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self(rights.into_iter().fold(0, |bits, right| bits | right.bit()))
    }
}

impl BitAnd for Rights {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Rights {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        for (at, right) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            f.write_str(right.word())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self})")
    }
}

/// Sets that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// See and fetch everything, change nothing.
    ReadOnly,
    /// A drop box: put new files and folders in, see nothing, replace nothing.
    UploadOnly,
    /// Everything.
    Full,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::UploadOnly, Self::Full];

    /// Its word in the users file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::UploadOnly => "upload-only",
            Self::Full => "full",
        }
    }

    /// The preset of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.word() == word)
    }

    /// What it allows.
    #[must_use]
    pub fn rights(self) -> Rights {
        match self {
            Self::ReadOnly => Rights::of(&[Right::List, Right::Read]),
            Self::UploadOnly => Rights::of(&[Right::Write, Right::Mkdir]),
            Self::Full => Rights::FULL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_round() {
        for right in Right::ALL {
            assert_eq!(Right::from_word(right.word()), Some(right));
            assert!(Rights::FULL.has(right) && !Rights::NONE.has(right));
        }
        for preset in Preset::ALL {
            assert_eq!(Preset::from_word(preset.word()), Some(preset));
        }
        assert_eq!(Right::from_word("List"), None);
        assert_eq!(Preset::from_word(""), None);
        assert_eq!(Rights::of(&Right::ALL), Rights::FULL);
    }

    #[test]
    fn sets_behave() {
        let some = Rights::of(&[Right::Read, Right::List]);
        assert_eq!(some.to_string(), "list, read");
        assert_eq!(Rights::NONE.to_string(), "nothing");
        assert!(Rights::FULL.contains(some) && !some.contains(Rights::FULL));
        assert_eq!(
            some & Rights::of(&[Right::Read]),
            Rights::of(&[Right::Read])
        );
        assert_eq!(some | Rights::FULL, Rights::FULL);
        let dropbox = Preset::UploadOnly.rights();
        for hidden in [
            Right::List,
            Right::Read,
            Right::Overwrite,
            Right::Delete,
            Right::Rename,
        ] {
            assert!(!dropbox.has(hidden), "{hidden:?}");
        }
    }
}
