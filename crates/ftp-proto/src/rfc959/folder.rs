//! Where a session stands in the tree, and what a path means from there (RFC 3659's TVFS, section 6).
//!
//! `.` and `..` are taken out here, in the text; a [`VPath`] never holds one.

use crate::VPath;
use crate::path::{PATH_BYTES, PathError};

/// The path that `text` means from `here`: `/` parts names and leads to the root, `.` stays, `..` climbs
/// and stops at the root.
///
/// # Errors
/// Why it is no path.
pub(super) fn resolve(here: &VPath, text: &str) -> Result<VPath, PathError> {
    // Before it is taken apart: what is too long as it was sent is not made short by `..`.
    if text.len() > PATH_BYTES {
        return Err(PathError::TooLong);
    }
    let mut parts: Vec<&str> = if text.starts_with('/') {
        Vec::new()
    } else {
        here.parts().collect()
    };
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    VPath::parse(&parts.join("/"))
}

/// The path as a client sees it: from the root down.
pub(super) fn absolute(path: &VPath) -> String {
    format!("/{}", path.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved_in_the_text() {
        let here = VPath::parse("a/b").unwrap();
        for (text, path) in [
            ("c", "a/b/c"),
            ("/c", "c"),
            ("/", ""),
            ("", "a/b"),
            (".", "a/b"),
            ("..", "a"),
            ("../..", ""),
            ("../../../../etc", "etc"),
            ("c//d/", "a/b/c/d"),
            ("./c/../d", "a/b/d"),
            ("/../x", "x"),
            (" c ", "a/b/ c "),
        ] {
            assert_eq!(resolve(&here, text).unwrap().as_str(), path, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let here = VPath::root();
        let long = "x".repeat(256);
        let longer = "a/../".repeat(900);
        assert_eq!(resolve(&here, &long), Err(PathError::NameTooLong));
        assert_eq!(resolve(&here, &longer), Err(PathError::TooLong));
        assert_eq!(resolve(&here, ".muxftp-x"), Err(PathError::Reserved));
        assert_eq!(resolve(&here, "a\nb"), Err(PathError::Control));
    }
}
