//! Where a password comes from: a file, the environment, the file of credentials, a person; in this order.
//!
//! Never from the command line, which everybody on the machine can read.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use ftp_proto::Secret;

use super::args::Common;
use super::credentials::Credentials;
use super::home;
use super::question;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::net::{Login, address, label};
use crate::text;

/// The variable of the environment that holds a password.
const VARIABLE: &str = "FTP_CLIENT_PASSWORD";
/// Most bytes of a password file: only its first line counts.
const FILE_BYTES: usize = 64 * 1024;

/// A question to a person; `None` if there is nobody to ask.
type Ask<'a> = &'a dyn Fn(&str) -> Result<Option<Secret>>;

/// What there is to find a password in.
struct Sources<'a> {
    file: Option<PathBuf>,
    variable: Option<OsString>,
    /// Absent for `login`, which is about to write it.
    credentials: Option<Credentials>,
    ask: Ask<'a>,
}

/// Who to log in as, if anybody.
///
/// # Errors
/// [`Error::Usage`] if a user is named and no password can be had; [`Error::Local`] for files that cannot be
/// read, or that others may open.
pub(super) fn login(common: &Common, server: &str, cancel: &Cancel) -> Result<Option<Login>> {
    let sources = Sources {
        file: common.password_file.clone(),
        variable: std::env::var_os(VARIABLE),
        credentials: home::folder().map(|folder| Credentials::new(folder.join("credentials.toml"))),
        ask: &|question| ask(common, question, cancel),
    };
    let found = find(&sources, common.user.as_deref(), &name_of(server)?)?;
    let Some((user, password)) = found else {
        return Ok(None);
    };
    let login = Login::new(user, password.bytes())?;
    Ok(Some(login.in_the_open(common.plaintext_password)))
}

/// Who to log in as for the first time: the file of credentials is not looked at.
///
/// # Errors
/// As [`login`].
pub(super) fn first_login(common: &Common, server: &str, cancel: &Cancel) -> Result<Login> {
    let user = match &common.user {
        Some(user) => user.clone(),
        None => ask_name(common, server, cancel)?,
    };
    let sources = Sources {
        file: common.password_file.clone(),
        variable: std::env::var_os(VARIABLE),
        credentials: None,
        ask: &|question| ask(common, question, cancel),
    };
    let password = of_user(&sources, &user, &name_of(server)?)?;
    let login = Login::new(user, password.bytes())?;
    Ok(login.in_the_open(common.plaintext_password))
}

/// A server as the file of credentials has it: `HOST:PORT`.
///
/// # Errors
/// [`Error::Usage`].
pub(super) fn name_of(server: &str) -> Result<String> {
    let (host, port) = address(server)?;
    Ok(label(&host, port))
}

fn find(
    sources: &Sources<'_>,
    user: Option<&str>,
    server: &str,
) -> Result<Option<(String, Secret)>> {
    if let Some(user) = user {
        let password = of_user(sources, user, server)?;
        return Ok(Some((user.to_owned(), password)));
    }
    if sources.file.is_some() {
        return Err(Error::Usage("--password-file needs --user".into()));
    }
    let Some(credentials) = &sources.credentials else {
        return Ok(None);
    };
    let mut users = credentials.of(server)?;
    if users.len() > 1 {
        let names: Vec<_> = users.keys().map(|name| text::escape(name)).collect();
        return Err(Error::Usage(format!(
            "passwords of several users of {server} are kept: say which by --user ({})",
            names.join(", ")
        )));
    }
    Ok(users.pop_first())
}

fn of_user(sources: &Sources<'_>, user: &str, server: &str) -> Result<Secret> {
    if let Some(path) = &sources.file {
        return first_line(path);
    }
    if let Some(value) = sources.variable.as_ref().filter(|it| !it.is_empty()) {
        let bytes = std::os::unix::ffi::OsStrExt::as_bytes(value.as_os_str());
        return Ok(Secret::new(bytes.to_vec()));
    }
    if let Some(credentials) = &sources.credentials
        && let Some(password) = credentials.of(server)?.remove(user)
    {
        return Ok(password);
    }
    let (shown, place) = (text::escape(user), text::escape(server));
    if let Some(password) = (sources.ask)(&format!("Password of {shown} at {place}: "))? {
        return Ok(password);
    }
    Err(Error::Usage(format!(
        "no password for {user} at {server}, and no terminal to ask at: give it by --password-file FILE or \
         {VARIABLE}, or keep it with `ftp-client login`"
    )))
}

fn first_line(path: &Path) -> Result<Secret> {
    let bytes = home::read_secret(path, FILE_BYTES)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        let path = path.display();
        return Err(Error::Usage(format!("{path}: its first line is empty")));
    }
    Ok(Secret::new(line.to_vec()))
}

/// Asks at the terminal, without echo; `None` if there is none.
fn ask(common: &Common, question: &str, cancel: &Cancel) -> Result<Option<Secret>> {
    if common.json || !io::stderr().is_terminal() {
        return Ok(None);
    }
    question::ask_hidden(question, cancel).map(Some)
}

fn ask_name(common: &Common, server: &str, cancel: &Cancel) -> Result<String> {
    let nobody = || Error::Usage("who is to log in? say it by --user NAME".into());
    if common.json || !io::stderr().is_terminal() || !io::stdin().is_terminal() {
        return Err(nobody());
    }
    let name = question::ask(&format!("User of {}: ", text::escape(server)), cancel)?;
    match name.trim() {
        "" => Err(nobody()),
        name => Ok(name.to_owned()),
    }
}

/// Keeps a core dump from holding passwords: this process leaves none.
pub(super) fn leave_no_core() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Where even this is forbidden, nothing is lost but the precaution.
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
}

/// Keeps a password; under which server is returned.
///
/// # Errors
/// As [`Credentials::keep`].
pub(super) fn keep(server: &str, login: &Login) -> Result<String> {
    let name = name_of(server)?;
    Credentials::usual()?.keep(&name, login.user(), login.password())?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::*;

    fn file(path: &Path, text: &[u8], mode: u32) -> PathBuf {
        let mut file = fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(mode)
            .open(path)
            .unwrap();
        file.write_all(text).unwrap();
        path.to_owned()
    }

    #[test]
    fn the_order_is_file_variable_credentials_person() {
        let dir = tempfile::tempdir().unwrap();
        let kept = dir.path().join("credentials.toml");
        let credentials = || Some(Credentials::new(&kept));
        let secret = |text: &str| Secret::new(text.into());
        let kept = credentials().unwrap();
        kept.keep("s:1", "anna", &secret("kept")).unwrap();
        let mut sources = Sources {
            file: Some(file(&dir.path().join("f"), b"filed\r\nrest", 0o600)),
            variable: Some("varied".into()),
            credentials: credentials(),
            ask: &|question| {
                assert_eq!(question, "Password of anna at s:1: ");
                Ok(Some(Secret::new(b"asked".to_vec())))
            },
        };
        let of = |sources: &Sources<'_>| {
            let (user, password) = find(sources, Some("anna"), "s:1").unwrap().unwrap();
            assert_eq!(user, "anna");
            String::from_utf8(password.bytes().to_vec()).unwrap()
        };
        assert_eq!(of(&sources), "filed");
        // A file makes no sense without a user.
        assert!(find(&sources, None, "s:1").is_err());
        sources.file = None;
        assert_eq!(of(&sources), "varied");
        sources.variable = Some(OsString::new());
        assert_eq!(of(&sources), "kept");
        // Who alone has a password there is meant where nobody is named.
        let alone = find(&sources, None, "s:1").unwrap();
        assert_eq!(alone, Some(("anna".to_owned(), secret("kept"))));
        assert_eq!(find(&sources, None, "s:2").unwrap(), None);
        kept.keep("s:1", "ben", &secret("x")).unwrap();
        let error = find(&sources, None, "s:1").unwrap_err().to_string();
        assert!(error.contains("(anna, ben)"), "{error}");
        kept.forget("s:1", Some("anna")).unwrap();
        assert_eq!(of(&sources), "asked");
        sources.ask = &|_| Ok(None);
        let error = find(&sources, Some("anna"), "s:1").unwrap_err();
        assert!(error.to_string().contains("--password-file"), "{error}");
    }

    #[test]
    fn password_files_are_for_their_owner() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str, text: &[u8], mode| file(&dir.path().join(name), text, mode);
        let good = first_line(&make("a", b"one\ntwo\n", 0o600)).unwrap();
        assert_eq!(good.bytes(), b"one");
        for (path, why) in [
            (make("b", b"one", 0o640), "chmod 600"),
            (make("c", b"\none\n", 0o600), "first line is empty"),
            (make("d", b"", 0o600), "first line is empty"),
            (dir.path().join("e"), "No such file"),
        ] {
            let error = first_line(&path).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
