//! `VPath`: a path on the server, parsed once and safe from then on.
//!
//! A `VPath` in hand has no `..`, no empty part, no NUL, CR or LF and no reserved name, so no later
//! code has to ask again. It is still only a name: turning it into a file is the jail's business.

use std::fmt;

/// Longest path, in bytes (Linux `PATH_MAX` less its NUL).
pub const PATH_BYTES: usize = 4095;
/// Longest component, in bytes (Linux `NAME_MAX`).
pub const NAME_BYTES: usize = 255;
/// Most components in one path.
pub const PATH_DEPTH: usize = 128;
/// Names that begin with this belong to the server: temp files and partials. Never listed, never reached.
pub const RESERVED_PREFIX: &str = ".muxftp-";

/// A path relative to the server's root; the empty path is the root itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VPath(String);

/// Why a text is not a path. The message is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathError {
    /// Longer than [`PATH_BYTES`].
    TooLong,
    /// A component longer than [`NAME_BYTES`].
    NameTooLong,
    /// More than [`PATH_DEPTH`] components.
    TooDeep,
    /// Begins with `/`: paths are relative to the server's root.
    Absolute,
    /// Two slashes in a row, or one at the end.
    EmptyPart,
    /// A component `.` or `..`.
    Dots,
    /// NUL, CR or LF.
    Control,
    /// A name that begins with [`RESERVED_PREFIX`].
    Reserved,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the path is longer than {PATH_BYTES} bytes"),
            Self::NameTooLong => write!(f, "a name in the path is longer than {NAME_BYTES} bytes"),
            Self::TooDeep => write!(f, "the path has more than {PATH_DEPTH} parts"),
            Self::Absolute => {
                f.write_str("the path is absolute; give it relative to the server's root")
            }
            Self::EmptyPart => f.write_str("the path has an empty part (`//`, or `/` at the end)"),
            Self::Dots => f.write_str("the path has a part `.` or `..`"),
            Self::Control => f.write_str("the path holds NUL, CR or LF"),
            Self::Reserved => write!(
                f,
                "names that begin with `{RESERVED_PREFIX}` are the server's own"
            ),
        }
    }
}

impl std::error::Error for PathError {}

/// Checks one component.
///
/// # Errors
/// The first rule of [`PathError`] that the name breaks.
pub fn check_name(name: &str) -> Result<(), PathError> {
    if name.is_empty() || name.contains('/') {
        return Err(PathError::EmptyPart);
    }
    if name == "." || name == ".." {
        return Err(PathError::Dots);
    }
    if name.len() > NAME_BYTES {
        return Err(PathError::NameTooLong);
    }
    if name.bytes().any(|b| matches!(b, 0 | b'\r' | b'\n')) {
        return Err(PathError::Control);
    }
    if name.starts_with(RESERVED_PREFIX) {
        return Err(PathError::Reserved);
    }
    Ok(())
}

impl VPath {
    /// The server's root.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Parses a path as it stands on the wire.
    ///
    /// # Errors
    /// The first rule of [`PathError`] that the text breaks.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        if text.len() > PATH_BYTES {
            return Err(PathError::TooLong);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        let mut depth = 0;
        for name in text.split('/') {
            check_name(name)?;
            depth += 1;
        }
        if depth > PATH_DEPTH {
            return Err(PathError::TooDeep);
        }
        Ok(Self(text.to_owned()))
    }

    /// The path as text, without a leading slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the server's root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The components, from the root down.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// The folder and the last name; `None` for the root, which has neither.
    #[must_use]
    pub fn split_last(&self) -> Option<(Self, &str)> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.rsplit_once('/') {
            Some((dir, name)) => (Self(dir.to_owned()), name),
            None => (Self::root(), self.0.as_str()),
        })
    }

    /// This path with one more component.
    ///
    /// # Errors
    /// As [`VPath::parse`].
    pub fn join(&self, name: &str) -> Result<Self, PathError> {
        check_name(name)?;
        if self.is_root() {
            Self::parse(name)
        } else {
            Self::parse(&format!("{}/{name}", self.0))
        }
    }
}

impl fmt::Display for VPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            f.write_str("/")
        } else {
            f.write_str(&self.0)
        }
    }
}

impl fmt::Debug for VPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VPath({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_ordinary_names() {
        for text in [
            "",
            "a",
            "a/b",
            "a b/ü/日本",
            "-dash",
            "...",
            "..a",
            "a.",
            "tab\there",
            "back\\slash",
        ] {
            assert_eq!(VPath::parse(text).unwrap().as_str(), text, "{text:?}");
        }
    }

    #[test]
    fn refuses_what_could_climb_or_confuse() {
        let long_name = "x".repeat(256);
        let long_path = "x/".repeat(2100);
        let deep = vec!["d"; 129].join("/");
        for (text, why) in [
            ("/etc/passwd", PathError::Absolute),
            ("..", PathError::Dots),
            ("a/../b", PathError::Dots),
            ("./a", PathError::Dots),
            ("a//b", PathError::EmptyPart),
            ("a/", PathError::EmptyPart),
            ("a\0b", PathError::Control),
            ("a\rb", PathError::Control),
            ("a\nb", PathError::Control),
            (".muxftp-tmp", PathError::Reserved),
            ("d/.muxftp-x/y", PathError::Reserved),
            (long_name.as_str(), PathError::NameTooLong),
            (long_path.as_str(), PathError::TooLong),
            (deep.as_str(), PathError::TooDeep),
        ] {
            assert_eq!(VPath::parse(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn splits_and_joins() {
        let path = VPath::parse("a/b/c").unwrap();
        let (dir, name) = path.split_last().unwrap();
        assert_eq!((dir.as_str(), name), ("a/b", "c"));
        assert_eq!(dir.join(name).unwrap(), path);
        assert!(VPath::root().split_last().is_none());
        assert_eq!(VPath::root().join("a").unwrap().as_str(), "a");
        assert_eq!(path.join("../x"), Err(PathError::EmptyPart));
    }
}
