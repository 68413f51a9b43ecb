//! The files of the repository, as the rules see them. Reads only.

use std::fs;
use std::path::{Path, PathBuf};

/// The top folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap().to_owned()
}

/// Every text file, relative to the top folder, except what is built or fetched.
pub(crate) fn files() -> Vec<String> {
    let root = root();
    let mut open = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                if !["target", ".git", "corpus", "artifacts"].contains(&name.as_str()) {
                    open.push(entry.path());
                }
            } else if kind.is_file() && !["Cargo.lock", ".git"].contains(&name.as_str()) {
                let path = entry.path();
                // A file that others write at this moment may vanish; one that is not text has no lines.
                if fs::read_to_string(&path).is_ok() {
                    let path = path.strip_prefix(&root).unwrap();
                    found.push(path.to_str().unwrap().to_owned());
                }
            }
        }
    }
    found.sort();
    assert!(
        found.len() > 20,
        "the repository is not where it was looked for"
    );
    found
}

/// Every Rust file.
pub(crate) fn rust_files() -> Vec<String> {
    let mut files = files();
    files.retain(|path| path.ends_with(".rs"));
    files
}

/// The text of a file.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The folders of the workspace's crates.
pub(crate) fn crates() -> Vec<String> {
    let manifest = text("Cargo.toml");
    let line = manifest
        .lines()
        .find_map(|line| line.strip_prefix("members = "))
        .expect("members on one line");
    let members: Vec<_> = line
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(members.len() >= 5, "{members:?}");
    members
}
