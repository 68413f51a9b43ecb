//! The users file of a test's server: entries that share one known password, and the sets of rights that matrices try.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ftp_access::password::{Cost, Hash};
use ftp_access::{Password, Right, Rights};

/// Everybody's password.
pub const PASSWORD: &str = "correct horse";

/// One hash for all: it is made slowly on purpose.
static HASH: LazyLock<String> =
    LazyLock::new(|| Hash::make(&Password::new(PASSWORD).unwrap(), Cost::default()).unwrap());

/// The entry of a user: their root, and what else it says.
#[must_use]
pub fn entry(name: &str, root: &Path, more: &str) -> String {
    let (hash, root) = (&*HASH, root.display());
    format!("[[user]]\nname = \"{name}\"\npassword = \"{hash}\"\nroot = \"{root}\"\n{more}\n")
}

/// What an entry says of rights that hold in one folder of the root.
#[must_use]
pub fn rule(folder: &str, rights: Rights) -> String {
    let words: Vec<_> = rights.iter().map(|right| right.word()).collect();
    format!("[[user.rights]]\npath = \"{folder}\"\nallow = {words:?}")
}

/// Replaces the users file of a folder, as an editor does it: nobody reads half of it.
pub fn write(folder: &Path, text: &str) -> PathBuf {
    let (temp, file) = (folder.join("users.new"), folder.join("users.toml"));
    fs::write(&temp, text).unwrap();
    fs::set_permissions(&temp, Permissions::from_mode(0o600)).unwrap();
    fs::rename(temp, &file).unwrap();
    file
}

/// The sets of rights that matrices try: each alone, all but each, all.
#[must_use]
pub fn sets() -> Vec<Rights> {
    let alone = Right::ALL.map(|right| Rights::of(&[right]));
    let all_but = |left_out| {
        Right::ALL
            .into_iter()
            .filter(move |right| *right != left_out)
    };
    let others = Right::ALL.map(|left_out| all_but(left_out).collect());
    [&alone[..], &others, &[Rights::FULL]].concat()
}
