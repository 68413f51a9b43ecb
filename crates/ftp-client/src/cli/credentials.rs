//! `Credentials`: passwords that `login` keeps, by server and user, in a file for its owner alone.
//!
//! Nothing of the file's text is ever in an error: a line that cannot be read may be a password.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use ftp_proto::Secret;
use zeroize::Zeroizing;

use super::home;
use crate::error::{Error, Result};

/// Most bytes of the file.
const FILE_BYTES: usize = 4 * 1024 * 1024;
/// Its first lines.
const REMARK: &str = "# Passwords for ftp-client, by server and user, for your eyes alone.\n\
                      # `ftp-client login` adds, `ftp-client logout` removes.\n";

/// Passwords by user, by server.
type Servers = BTreeMap<String, BTreeMap<String, Secret>>;

/// The file of credentials. It is read anew whenever it is asked.
pub(super) struct Credentials {
    path: PathBuf,
}

impl Credentials {
    /// Kept in this file, which need not be there.
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// `credentials.toml` in the client's folder.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no such folder.
    pub(super) fn usual() -> Result<Self> {
        home::file("credentials.toml").map(Self::new)
    }

    /// The users of a server (`HOST:PORT`) and their passwords.
    ///
    /// # Errors
    /// [`Error::Local`], [`Error::Usage`]: the file cannot be read or understood, or others may open it.
    pub(super) fn of(&self, server: &str) -> Result<BTreeMap<String, Secret>> {
        match home::read_secret(&self.path, FILE_BYTES) {
            Err(Error::Local { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(BTreeMap::new())
            }
            Err(error) => Err(error),
            Ok(bytes) => Ok(self.parse(&bytes)?.remove(server).unwrap_or_default()),
        }
    }

    /// Keeps a password instead of any other of that user.
    ///
    /// # Errors
    /// As [`Credentials::of`]; the file cannot be written.
    pub(super) fn keep(&self, server: &str, user: &str, password: &Secret) -> Result<()> {
        home::edit_secret(&self.path, FILE_BYTES, |old| {
            let mut servers = self.parse(old)?;
            let users = servers.entry(server.to_owned()).or_default();
            users.insert(user.to_owned(), password.clone());
            self.render(&servers).map(Some)
        })
    }

    /// Forgets a user of a server, or all of them; says whom.
    ///
    /// # Errors
    /// As [`Credentials::keep`].
    pub(super) fn forget(&self, server: &str, user: Option<&str>) -> Result<Vec<String>> {
        let mut gone = Vec::new();
        home::edit_secret(&self.path, FILE_BYTES, |old| {
            let mut servers = self.parse(old)?;
            if let Some(users) = servers.get_mut(server) {
                users.retain(|name, _| {
                    let stays = user.is_some_and(|user| user != name);
                    if !stays {
                        gone.push(name.clone());
                    }
                    stays
                });
            }
            servers.retain(|_, users| !users.is_empty());
            if gone.is_empty() {
                return Ok(None);
            }
            self.render(&servers).map(Some)
        })?;
        Ok(gone)
    }

    fn parse(&self, bytes: &[u8]) -> Result<Servers> {
        let wrong = |line: usize| {
            Error::Usage(format!(
                "{}, line {line}: not as `ftp-client login` writes it; correct or remove the line",
                self.path.display()
            ))
        };
        let line_of = |end: usize| {
            let before = bytes.get(..end).unwrap_or(bytes);
            before.iter().filter(|byte| **byte == b'\n').count() + 1
        };
        let text =
            std::str::from_utf8(bytes).map_err(|error| wrong(line_of(error.valid_up_to())))?;
        toml::from_str(text).map_err(|error: toml::de::Error| {
            wrong(line_of(error.span().map_or(0, |span| span.start)))
        })
    }

    fn render(&self, servers: &Servers) -> Result<Zeroizing<String>> {
        let body = toml::to_string(servers).map(Zeroizing::new).map_err(|_| {
            Error::Usage(format!("{}: a name cannot be written", self.path.display()))
        })?;
        let mut text = Zeroizing::new(String::with_capacity(REMARK.len() + 1 + body.len()));
        text.push_str(REMARK);
        text.push('\n');
        text.push_str(&body);
        if text.len() > FILE_BYTES {
            let why = io::Error::new(io::ErrorKind::FileTooLarge, "too many passwords");
            return Err(Error::local(format!("write {}", self.path.display()), why));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    #[test]
    fn kept_found_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let file = Credentials::new(dir.path().join("new/credentials.toml"));
        assert!(file.of("a:1").unwrap().is_empty());
        assert!(file.forget("a:1", None).unwrap().is_empty());
        let odd = "\" ' \\ = # \u{7f} \n ü [x]";
        for (server, user, password) in [
            ("a:1", "anna", "old"),
            ("a:1", "anna", odd),
            ("a:1", "b o.b", "2"),
            ("[::1]:2", "anna", "3"),
        ] {
            file.keep(server, user, &secret(password)).unwrap();
        }
        let found = file.of("a:1").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found["anna"], secret(odd));
        assert_eq!(file.of("[::1]:2").unwrap()["anna"], secret("3"));
        assert!(file.of("a:2").unwrap().is_empty());
        assert_eq!(file.forget("a:1", Some("b o.b")).unwrap(), ["b o.b"]);
        assert!(file.forget("a:1", Some("b o.b")).unwrap().is_empty());
        assert_eq!(file.forget("a:1", None).unwrap(), ["anna"]);
        assert_eq!(file.of("[::1]:2").unwrap().len(), 1);
        let text = fs::read_to_string(dir.path().join("new/credentials.toml")).unwrap();
        assert!(text.starts_with(REMARK) && !text.contains("a:1"), "{text}");
    }

    #[test]
    fn mistakes_are_told_without_the_passwords() {
        let dir = tempfile::tempdir().unwrap();
        for (number, text) in [
            "[\"a:1\"]\nanna = hunter2\n",
            "\nhunter2 = \"hunter2\"\n",
            "[\"a:1\"]\nanna = { hunter2 = \"hunter2\" }\n",
            "[\"a:1\"]\nanna = [\"hunter2\"]\n",
            "[\"a:1\"]\nanna = \"hunter2\n",
        ]
        .into_iter()
        .enumerate()
        {
            let path = dir.path().join(number.to_string());
            let mut file = fs::OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(&path)
                .unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let file = Credentials::new(&path);
            let error = file.of("a:1").unwrap_err().to_string();
            assert!(error.contains(", line 2: "), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{text}: {error}");
            // What cannot be understood is not written over.
            assert!(file.keep("a:1", "b", &secret("x")).is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
