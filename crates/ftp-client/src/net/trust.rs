//! Trust: which server is the one that was meant, by its key or by an authority; and the file of keys seen before.
//!
//! Nothing is believed that cannot be checked: a file that cannot be read is an error, not an empty one.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ftp_tls::Fingerprint;
use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};

/// Most bytes of the file.
const FILE_MAX: u64 = 16 * 1024 * 1024;

/// Keys of servers that were believed at first sight, one a line: `HOST:PORT SHA256:…`. Lines with `#` are remarks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownHosts {
    path: PathBuf,
}

impl KnownHosts {
    /// Kept in this file, which need not be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where people expect it: `$XDG_CONFIG_HOME/ftp-client/known_hosts`, or beneath `~/.config`.
    #[must_use]
    pub fn usual() -> Option<Self> {
        let folder = |name: &str| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        };
        let config = folder("XDG_CONFIG_HOME")
            .or_else(|| folder("HOME").map(|home| home.join(".config")))?;
        Some(Self::new(config.join("ftp-client/known_hosts")))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All of it, in the file's order.
    ///
    /// # Errors
    /// If it cannot be read, or a line cannot be understood.
    pub fn list(&self) -> Result<Vec<(String, Fingerprint)>> {
        let mut all = Vec::new();
        for (number, line) in self.read()?.lines().enumerate() {
            if let Some(entry) = parse(line).map_err(|()| {
                let path = self.path.display();
                Error::Usage(format!(
                    "{path}, line {}: `HOST:PORT SHA256:…` expected; correct or remove it",
                    number + 1
                ))
            })? {
                all.push(entry);
            }
        }
        Ok(all)
    }

    /// The key of `host`, as `HOST:PORT`.
    ///
    /// # Errors
    /// As [`KnownHosts::list`].
    pub fn find(&self, host: &str) -> Result<Option<Fingerprint>> {
        let all = self.list()?;
        Ok(all
            .into_iter()
            .rfind(|(name, _)| name == host)
            .map(|it| it.1))
    }

    /// Believes this key of `host` from now on, instead of any other.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn add(&self, host: &str, key: Fingerprint) -> Result<()> {
        self.edit(host, &format!("{host} {key}\n")).map(drop)
    }

    /// Forgets `host`; `false` if it was not known.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn remove(&self, host: &str) -> Result<bool> {
        self.edit(host, "")
    }

    /// Takes the lines of `host` out and puts `new` at the end; says whether there were any. Whole or not at all, and
    /// one program after the other.
    fn edit(&self, host: &str, new: &str) -> Result<bool> {
        let failed = |error: io::Error| Error::local(self.path.display().to_string(), error);
        if let Some(folder) = self.path.parent() {
            let made = fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder);
            made.map_err(failed)?;
        }
        let beside = |end: &str| {
            let mut name = self.path.clone().into_os_string();
            name.push(end);
            PathBuf::from(name)
        };
        let open = |path: &Path, truncate: bool| {
            fs::OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(truncate)
                .mode(0o600)
                .open(path)
        };
        let lock = open(&beside(".lock"), false).map_err(failed)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|errno| failed(errno.into()))?;
        let old = self.read()?;
        let keep = |line: &&str| !matches!(parse(line), Ok(Some((name, _))) if name == host);
        let mut text = String::new();
        for line in old.lines().filter(keep) {
            text.push_str(line);
            text.push('\n');
        }
        let found = text.lines().count() < old.lines().count();
        text.push_str(new);
        let temp = beside(".tmp");
        let mut file = open(&temp, true).map_err(failed)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        rustix::fs::rename(&temp, &self.path).map_err(|errno| failed(errno.into()))?;
        Ok(found)
    }

    fn read(&self) -> Result<String> {
        let failed = |error| Error::local(self.path.display().to_string(), error);
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
            Err(error) => return Err(failed(error)),
            Ok(meta) if meta.len() > FILE_MAX => {
                return Err(failed(io::ErrorKind::FileTooLarge.into()));
            }
            Ok(_) => {}
        }
        fs::read_to_string(&self.path).map_err(failed)
    }
}

fn parse(line: &str) -> std::result::Result<Option<(String, Fingerprint)>, ()> {
    let line = line.split('#').next().unwrap_or_default().trim();
    if line.is_empty() {
        return Ok(None);
    }
    let (host, key) = line.split_once(char::is_whitespace).ok_or(())?;
    let key = key.trim().parse().map_err(drop)?;
    Ok(Some((host.to_owned(), key)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const ONE: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const TWO: &str = "SHA256:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn keys_are_kept_replaced_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let known = KnownHosts::new(dir.path().join("a/known_hosts"));
        let (one, two) = (ONE.parse().unwrap(), TWO.parse().unwrap());
        assert!(known.list().unwrap().is_empty());
        known.add("a:1", one).unwrap();
        known.add("b:1", one).unwrap();
        known.add("a:1", two).unwrap();
        assert_eq!(known.find("a:1").unwrap(), Some(two));
        assert_eq!(known.find("b:1").unwrap(), Some(one));
        assert_eq!(known.find("a:2").unwrap(), None);
        assert_eq!(known.list().unwrap().len(), 2);
        let mode = fs::metadata(known.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(known.remove("a:1").unwrap());
        assert!(!known.remove("a:1").unwrap());
        assert_eq!(known.list().unwrap(), [("b:1".to_owned(), one)]);
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the test writes its own file")]
    fn remarks_stay_and_nonsense_is_no_trust() {
        let dir = tempfile::tempdir().unwrap();
        let known = KnownHosts::new(dir.path().join("known_hosts"));
        fs::write(known.path(), format!("# mine\n\na:1 {ONE} # home\n")).unwrap();
        known.add("b:1", TWO.parse().unwrap()).unwrap();
        assert!(fs::read_to_string(known.path()).unwrap().contains("# mine"));
        assert!(known.find("a:1").unwrap().is_some());
        for nonsense in ["a:1", "a:1 SHA256:x", "a:1 MD5:00"] {
            fs::write(known.path(), format!("# x\n{nonsense}\n")).unwrap();
            let error = known.find("b:1").unwrap_err().to_string();
            assert!(error.contains("line 2"), "{error}");
        }
    }

    #[test]
    fn editors_at_once_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let known = KnownHosts::new(dir.path().join("known_hosts"));
        std::thread::scope(|scope| {
            for number in 0..8 {
                let known = &known;
                scope.spawn(move || {
                    for port in 0..5 {
                        known
                            .add(&format!("h{number}:{port}"), ONE.parse().unwrap())
                            .unwrap();
                    }
                });
            }
        });
        assert_eq!(known.list().unwrap().len(), 40);
    }
}
