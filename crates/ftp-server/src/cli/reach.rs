//! What of the file system the server needs while it runs: what its sandbox leaves in reach, and whether a reload asks for more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::config::Config;
use super::layers::Problem;
use super::settings::Settings;
use crate::sandbox::{Folders, Walls};
use crate::server::BOOT_ID;

/// Everything that is opened by its path once the server runs; `own` is the configuration's file.
pub(super) fn folders(settings: &Settings, config: &Config, own: Option<&Path>) -> Folders {
    let server = &config.server;
    let roots: BTreeSet<_> = roots(config).map(Path::to_owned).collect();
    let roots = roots.into_iter().collect();
    let (mut write, mut read) = match server.read_only {
        true => (Vec::new(), roots),
        false => (roots, Vec::new()),
    };
    // It is made by whoever first keeps something there, which is before the sandbox.
    if server.tls.state.is_dir() {
        write.push(server.tls.state.clone());
    }
    read.push(PathBuf::from(BOOT_ID));
    let folders: BTreeSet<_> = files(settings).chain(own).flat_map(folders_of).collect();
    read.extend(folders);
    Folders { write, read }
}

/// Whether this process may read every file that a reload reads again (`access(2)`).
///
/// # Errors
/// Names the one it may not, and what helps.
pub(super) fn check_readable(settings: &Settings, own: Option<&Path>) -> Result<(), String> {
    for file in files(settings).chain(own) {
        access(file, Access::READ_OK).map_err(|error| {
            format!(
                "cannot read {}: {error}. It is read again on SIGHUP: let its group read it (chgrp, chmod 640)",
                file.display()
            )
        })?;
    }
    Ok(())
}

/// A file that `settings` name and a reload could not read within `walls`.
pub(super) fn check_files(settings: &Settings, walls: &Walls) -> Result<(), Problem> {
    match files(settings).find(|file| !walls.let_read(file)) {
        Some(file) => Err(beyond(file)),
        None => Ok(()),
    }
}

/// A folder that `config` serves and that is not served within `walls`.
pub(super) fn check_roots(config: &Config, walls: &Walls) -> Result<(), Problem> {
    let served = |root: &Path| match config.server.read_only {
        true => walls.let_read(root),
        false => walls.let_write(root),
    };
    match roots(config).find(|root| !served(root)) {
        Some(root) => Err(beyond(root)),
        None => Ok(()),
    }
}

fn beyond(path: &Path) -> Problem {
    let path = path.display();
    Problem {
        origin: None,
        why: format!(
            "{path} is not in reach of the sandbox, which stands as it was at the start: restart the server"
        ),
    }
}

/// The folders that are served.
fn roots(config: &Config) -> impl Iterator<Item = &Path> {
    let users = config.server.users.as_deref();
    let everybody = users.into_iter().flat_map(|users| {
        let all = users.iter().chain(users.anonymous());
        all.map(|user| user.grant().root().as_path())
    });
    let common = users.is_none().then_some(config.server.root.as_path());
    everybody.chain(common)
}

/// The files that a reload reads again, besides the configuration's own.
fn files(settings: &Settings) -> impl Iterator<Item = &Path> {
    let Settings {
        users,
        tls_cert,
        tls_key,
        tls_client_ca,
        ..
    } = settings;
    let files = [users, tls_cert, tls_key, tls_client_ca].into_iter();
    files.flatten().map(PathBuf::as_path)
}

/// Where a file is, and where a link in its place leads. The folders, since a file that took another's place is a new one.
fn folders_of(file: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let real = file.canonicalize().ok();
    let both = [Some(file.to_owned()), real].into_iter().flatten();
    both.map(|file| folder_of(&file).unwrap_or(&file).to_owned())
}

/// The folder of a file; `None` if that is all there is.
fn folder_of(file: &Path) -> Option<&Path> {
    let folder = file.parent()?;
    match folder.parent() {
        Some(_) => Some(folder),
        None if folder.as_os_str().is_empty() => Some(Path::new(".")),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_brings_its_folder() {
        for (file, folder) in [
            ("/etc/ftp/users", Some("/etc/ftp")),
            ("/etc/users", Some("/etc")),
            ("conf/users", Some("conf")),
            ("users", Some(".")),
            // Not all there is for the sake of one file.
            ("/users", None),
        ] {
            assert_eq!(folder_of(Path::new(file)), folder.map(Path::new), "{file}");
        }
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        for folder in ["a", "b"] {
            std::fs::create_dir(real.join(folder)).unwrap();
        }
        std::os::unix::fs::symlink("../b/f", real.join("a/f")).unwrap();
        let before: Vec<_> = folders_of(&real.join("a/f")).collect();
        assert_eq!(before, [real.join("a")], "a link that leads nowhere");
        // Whatever it is: a path is a path.
        std::fs::create_dir(real.join("b/f")).unwrap();
        let folders: Vec<_> = folders_of(&real.join("a/f")).collect();
        assert_eq!(folders, [real.join("a"), real.join("b")]);
    }
}
