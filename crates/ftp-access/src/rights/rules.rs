//! `Rules`: which rights hold at which path. The longest folder that leads to a path decides.
//!
//! Paths are compared by whole components: a rule for `in` says nothing about `inner`.

use std::collections::BTreeMap;
use std::fmt;

use ftp_proto::VPath;

use super::Rights;

/// Most rules of one user.
pub const RULES: usize = 256;

/// What holds where. A path that no rule covers allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rules {
    /// By folder. The order of paths as texts does not matter here; the number of them is bounded.
    by_folder: BTreeMap<VPath, Rights>,
}

/// Why a rule cannot be added. The message is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesError {
    /// The folder has a rule already.
    Twice,
    /// More than [`RULES`].
    TooMany,
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice => f.write_str("this folder has a rule already; write one rule for each"),
            Self::TooMany => write!(f, "one user has at most {RULES} rules"),
        }
    }
}

impl std::error::Error for RulesError {}

impl Rules {
    /// The same rights everywhere.
    #[must_use]
    pub fn everywhere(rights: Rights) -> Self {
        let by_folder = BTreeMap::from([(VPath::root(), rights)]);
        Self { by_folder }
    }

    /// Adds a rule for a folder and all beneath it.
    ///
    /// # Errors
    /// The folder has one, or there are too many.
    pub fn add(&mut self, folder: VPath, rights: Rights) -> Result<(), RulesError> {
        if self.by_folder.contains_key(&folder) {
            return Err(RulesError::Twice);
        }
        if self.by_folder.len() >= RULES {
            return Err(RulesError::TooMany);
        }
        self.by_folder.insert(folder, rights);
        Ok(())
    }

    /// Each folder with its rights.
    pub fn iter(&self) -> impl Iterator<Item = (&VPath, Rights)> {
        self.by_folder
            .iter()
            .map(|(folder, rights)| (folder, *rights))
    }

    /// What may be done with what lies *in* the folder at `path`, and with the bytes of a file there.
    #[must_use]
    pub fn within(&self, path: &VPath) -> Rights {
        let mut at = Some(path.clone());
        while let Some(folder) = at {
            if let Some(rights) = self.by_folder.get(&folder) {
                return *rights;
            }
            at = folder.split_last().map(|(above, _)| above);
        }
        Rights::NONE
    }

    /// What may be done with the *name* at `path`: where a rule begins, both its own rule and that of the folder
    /// above must allow it, so that neither "full rights in `in`" removes `in`, nor a rule that
    /// protects a folder is got round from above. The root's name cannot be touched by anybody.
    #[must_use]
    pub fn of_name(&self, path: &VPath) -> Rights {
        match path.split_last() {
            Some((above, _)) => self.within(&above) & self.within(path),
            None => Rights::NONE,
        }
    }

    /// Whether `path` is the folder of a rule that allows something, or leads to one.
    #[must_use]
    pub fn leads_somewhere(&self, path: &VPath) -> bool {
        self.iter()
            .any(|(folder, rights)| !rights.is_empty() && is_within(folder, path))
    }

    /// The rules for folders beneath `path`, or at it.
    pub fn beneath(&self, path: &VPath) -> impl Iterator<Item = (&VPath, Rights)> {
        self.iter().filter(|(folder, _)| is_within(folder, path))
    }

    /// Whether the same rights hold everywhere.
    #[must_use]
    pub fn is_uniform(&self) -> bool {
        let everywhere = self.within(&VPath::root());
        self.by_folder.values().all(|rights| *rights == everywhere)
    }
}

/// Whether `path` is `folder`, or lies beneath it.
pub(super) fn is_within(path: &VPath, folder: &VPath) -> bool {
    let (path, folder) = (path.as_str(), folder.as_str());
    match path.strip_prefix(folder) {
        Some(rest) => folder.is_empty() || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights::Right;

    fn path(text: &str) -> VPath {
        VPath::parse(text).unwrap()
    }

    fn rules(list: &[(&str, Rights)]) -> Rules {
        let mut rules = Rules::default();
        for (folder, rights) in list {
            rules.add(path(folder), *rights).unwrap();
        }
        rules
    }

    #[test]
    fn the_longest_folder_decides_by_whole_components() {
        let read = Rights::of(&[Right::Read]);
        let rules = rules(&[("", read), ("in", Rights::FULL), ("in/deep", Rights::NONE)]);
        for (at, expected) in [
            ("", read),
            ("inner", read),
            ("inner/x", read),
            ("i", read),
            ("in", Rights::FULL),
            ("in/x", Rights::FULL),
            ("in/deeper", Rights::FULL),
            ("in/deep", Rights::NONE),
            ("in/deep/x/y", Rights::NONE),
        ] {
            assert_eq!(rules.within(&path(at)), expected, "{at:?}");
        }
        assert_eq!(rules.of_name(&path("in")), read);
        assert_eq!(rules.of_name(&path("in/deep")), Rights::NONE);
        assert_eq!(rules.of_name(&path("in/deep/x")), Rights::NONE);
        assert_eq!(rules.of_name(&path("in/x")), Rights::FULL);
        assert_eq!(rules.of_name(&VPath::root()), Rights::NONE);
    }

    #[test]
    fn what_no_rule_covers_allows_nothing() {
        let rules = rules(&[("in", Rights::FULL)]);
        for at in ["", "out", "inner", "i/n"] {
            assert_eq!(rules.within(&path(at)), Rights::NONE, "{at:?}");
        }
        assert_eq!(Rules::default().within(&path("a")), Rights::NONE);
        assert!(rules.leads_somewhere(&path("")) && rules.leads_somewhere(&path("in")));
        assert!(!rules.leads_somewhere(&path("in/x")) && !rules.leads_somewhere(&path("i")));
        assert!(!rules.is_uniform());
        assert!(Rules::everywhere(Rights::FULL).is_uniform());
    }

    #[test]
    fn rules_are_bounded_and_single() {
        let mut rules = Rules::everywhere(Rights::NONE);
        assert_eq!(
            rules.add(VPath::root(), Rights::FULL),
            Err(RulesError::Twice)
        );
        for n in 1..RULES {
            rules.add(path(&format!("d{n}")), Rights::FULL).unwrap();
        }
        assert_eq!(rules.add(path("x"), Rights::FULL), Err(RulesError::TooMany));
    }
}
