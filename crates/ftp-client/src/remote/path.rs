//! From what a person types to a path on the server.

use ftp_proto::VPath;

use crate::error::{Error, Result};

/// A path as a person typed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteArg {
    /// The path.
    pub path: VPath,
    /// Whether it was written as a folder: `/` at its end, or nothing but `/` or `.`.
    pub is_folder: bool,
}

/// Reads a path as people write them: `/` in front is the server's root as well, `.` and doubled slashes mean
/// nothing, `..` is refused.
///
/// # Errors
/// [`Error::Usage`].
pub fn remote_arg(text: &str) -> Result<RemoteArg> {
    let parts: Vec<&str> = text
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") {
        return Err(Error::Usage(format!(
            "remote path {text:?}: `..` is not allowed; write the path from the server's root"
        )));
    }
    let path = VPath::parse(&parts.join("/"))
        .map_err(|error| Error::Usage(format!("remote path {text:?}: {error}")))?;
    let is_folder = path.is_root() || text.ends_with('/') || text.ends_with("/.");
    Ok(RemoteArg { path, is_folder })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_write_them() {
        for (text, path, is_folder) in [
            ("a", "a", false),
            ("/a/b", "a/b", false),
            ("./a//b/./c", "a/b/c", false),
            ("a/", "a", true),
            ("a/.", "a", true),
            ("", "", true),
            ("/", "", true),
            (".", "", true),
            ("-x", "-x", false),
            ("...", "...", false),
            ("a b/ü", "a b/ü", false),
        ] {
            let arg = remote_arg(text).unwrap();
            assert_eq!(
                (arg.path.as_str(), arg.is_folder),
                (path, is_folder),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_refused() {
        for text in [
            "..",
            "a/..",
            "../a",
            "/..",
            "a\nb",
            ".muxftp-x",
            "a/.muxftp-",
        ] {
            assert!(matches!(remote_arg(text), Err(Error::Usage(_))), "{text:?}");
        }
    }
}
