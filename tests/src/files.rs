//! Temp folders, files of repeatable random bytes, and their digests.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use ftp_proto::Digest;
use sha2::{Digest as _, Sha256};

/// A temp folder of a test's own, removed when dropped.
pub struct Scratch {
    dir: tempfile::TempDir,
}

impl Scratch {
    /// A folder named after the test.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix(&format!("muxftp-{name}-"))
            .tempdir()
            .unwrap();
        Self { dir }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A name within it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a file of `len` bytes that depend on `seed` alone.
    pub fn file(&self, name: impl AsRef<Path>, seed: u64, len: u64) -> PathBuf {
        let path = self.join(name);
        write_random(&path, seed, len);
        path
    }
}

/// `len` bytes that depend on `seed` alone.
#[must_use]
pub fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// Writes a file of `len` bytes that depend on `seed` alone, with its parent folders.
pub fn write_random(path: &Path, seed: u64, len: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = File::create(path).unwrap();
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut block = vec![0; 1 << 20];
    let mut left = len;
    while left > 0 {
        rng.fill(&mut block);
        let now = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        file.write_all(&block[..now]).unwrap();
        left -= now as u64;
    }
}

/// SHA-256 of some bytes, in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes).into())
}

/// SHA-256 of a file, in hex.
#[must_use]
pub fn sha256_of(path: &Path) -> String {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    digest_of(file)
}

fn digest_of(mut file: File) -> String {
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block).unwrap() {
            0 => return hex(hasher.finalize().into()),
            len => hasher.update(&block[..len]),
        }
    }
}

fn hex(digest: [u8; 32]) -> String {
    Digest(digest).to_string()
}

/// Every regular file beneath a folder, as relative path and digest, sorted. One that vanishes under the look (a temp
/// file whose upload just ended) is not there.
#[must_use]
pub fn tree(dir: &Path) -> Vec<(String, String)> {
    let digest = |name: String| match File::open(dir.join(&name)) {
        Ok(file) => Some((name, digest_of(file))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("{name}: {error}"),
    };
    names(dir).into_iter().filter_map(digest).collect()
}

/// Names of the server's own temp files beneath a folder; some of them may vanish meanwhile.
#[must_use]
pub fn leftovers(dir: &Path) -> Vec<String> {
    let mut names = names(dir);
    names.retain(|name| name.contains(ftp_proto::path::RESERVED_PREFIX));
    names
}

/// Everything beneath a folder that is no folder, sorted.
fn names(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(dir).unwrap().to_owned();
                found.push(name.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}
