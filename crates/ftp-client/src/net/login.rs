//! `Login`: who we are to a server; and over which connections a password may leave.
//!
//! A password is never printed, never put into an error, and never sent where others can read it unless a person
//! said so.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use ftp_proto::Secret;
use ftp_proto::wire::{Code, ErrorBody, LoginWanted, RequestHead};

use super::transport::Transport;
use crate::error::{Error, Result};

/// Longest password, in bytes: what the server takes.
const PASSWORD_BYTES: usize = 1024;
/// Longest name, in bytes. Servers take less.
const USER_BYTES: usize = 256;

/// A user's name and password, for all connections of a client. Clones are the same.
#[derive(Clone)]
pub struct Login(Arc<Inner>);

struct Inner {
    user: String,
    password: Secret,
    in_the_open: bool,
    /// What the server said when it did not take them; nobody asks it again, for that may shut the user out.
    refused: OnceLock<ErrorBody>,
}

impl Login {
    /// Takes name and password; the latter is wiped from memory with the last clone.
    ///
    /// # Errors
    /// [`Error::Usage`] if one of them is empty or too long, or the password is not UTF-8.
    pub fn new(user: impl Into<String>, password: impl Into<Vec<u8>>) -> Result<Self> {
        let (user, password) = (user.into(), Secret::new(password.into()));
        let wrong = |why: &str| Err(Error::Usage(why.to_owned()));
        if user.is_empty() || user.len() > USER_BYTES {
            return wrong("a user's name has 1 to 256 bytes");
        }
        if password.bytes().is_empty() {
            return wrong("the password is empty");
        }
        if password.bytes().len() > PASSWORD_BYTES {
            return wrong("the password is longer than 1024 bytes");
        }
        if std::str::from_utf8(password.bytes()).is_err() {
            return wrong("the password is not UTF-8");
        }
        Ok(Self(Arc::new(Inner {
            user,
            password,
            in_the_open: false,
            refused: OnceLock::new(),
        })))
    }

    /// The same, but others on the way may read the password: it goes over connections without TLS to other machines.
    #[must_use]
    pub fn in_the_open(self, allowed: bool) -> Self {
        Self(Arc::new(Inner {
            user: self.0.user.clone(),
            password: self.0.password.clone(),
            in_the_open: allowed,
            refused: OnceLock::new(),
        }))
    }

    /// The user's name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.0.user
    }

    pub(crate) fn password(&self) -> &Secret {
        &self.0.password
    }

    /// The request that logs in over this connection.
    ///
    /// # Errors
    /// [`Error::Usage`] if others could read it; what the server said if it has refused these before.
    pub(crate) fn request(&self, server: &str, transport: &Transport) -> Result<RequestHead> {
        if let Some(body) = self.0.refused.get() {
            return Err(Error::Remote(body.clone()));
        }
        if !self.0.in_the_open && !is_private(transport).unwrap_or(false) {
            return Err(Error::Usage(format!(
                "the password of {} would go to {server} in plain text, for everybody on the way to read: \
                 use --tls (or say --plaintext-password if that is what you want)",
                self.0.user
            )));
        }
        Ok(RequestHead {
            verb: Some("login".into()),
            fin: true,
            user: Some(self.0.user.clone()),
            password: Some(self.0.password.clone()),
            ..RequestHead::default()
        })
    }

    /// What it means that the server did not let us in; `wanted` is what its `hello` said of users.
    pub(crate) fn refused(&self, mut body: ErrorBody, wanted: Option<LoginWanted>) -> Error {
        let user = &self.0.user;
        body.message = match (body.code, wanted) {
            (Code::UnknownVerb | Code::BadRequest, None) => {
                body.code = Code::LoginFailed;
                format!("user {user}: the server has no users")
            }
            _ => format!("user {user}: {}", body.message),
        };
        if body.code == Code::LoginFailed {
            // Only the first is kept, and the others say the same.
            let _ = self.0.refused.set(body.clone());
        }
        Error::Remote(body)
    }
}

impl PartialEq for Login {
    fn eq(&self, other: &Self) -> bool {
        let (own, other) = (&*self.0, &*other.0);
        own.user == other.user
            && own.in_the_open == other.in_the_open
            && own.password == other.password
    }
}

impl Eq for Login {}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.0.user)
            .finish_non_exhaustive()
    }
}

/// Whether nobody but the two ends can read what goes over a connection.
fn is_private(transport: &Transport) -> io::Result<bool> {
    match transport {
        Transport::Tls(..) => Ok(true),
        Transport::Plain(stream) => Ok(stream.peer_addr()?.ip().to_canonical().is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_bounded_and_never_shown() {
        let login = Login::new("anna", "hunter2").unwrap();
        assert_eq!(format!("{login:?}"), r#"Login { user: "anna", .. }"#);
        for (user, password) in [
            ("", b"x".to_vec()),
            ("a", vec![]),
            ("a", vec![b'x'; PASSWORD_BYTES + 1]),
            ("a", vec![0xff]),
        ] {
            let error = Login::new(user, password).unwrap_err();
            assert!(matches!(error, Error::Usage(_)), "{error}");
        }
        assert_ne!(login, Login::new("anna", "hunter3").unwrap());
        assert_eq!(login, login.clone());
        assert_ne!(login, login.clone().in_the_open(true));
    }

    #[test]
    fn what_was_refused_is_not_tried_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream =
            std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_secs(30));
        let transport = Transport::Plain(stream.unwrap());
        let login = Login::new("anna", "hunter2").unwrap();
        let head = login.request("here", &transport).unwrap();
        assert_eq!(head.user.as_deref(), Some("anna"));
        assert!(!format!("{head:?}").contains("hunter2"));
        // Later may be tried later; wrong stays wrong.
        let later = ErrorBody::new(Code::LoginLater, "not now");
        assert!(login.refused(later, None).is_transient());
        login.request("here", &transport).unwrap();
        let failed = ErrorBody::new(Code::LoginFailed, "no");
        login.refused(failed, None);
        let error = login.request("here", &transport).unwrap_err();
        assert_eq!(error.to_string(), "user anna: no (login_failed)");
        assert!(!error.is_transient());
    }
}
