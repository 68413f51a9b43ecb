//! Passwords: kept out of sight, hashed with argon2id, verified in constant time.
//!
//! A hash costs tens of milliseconds and megabytes on purpose: never on a loop, and only as many at a time as
//! the caller has [`Scratch`]es. Nothing here prints a password, or compares one byte by byte.

mod hash;

use std::fmt;

use ftp_proto::session::Secret;

pub(crate) use hash::idle;
pub use hash::{Cost, Hash, HashError, Scratch};

/// Longest password, in bytes. Argon2 takes more; a peer must not make us read it.
pub const PASSWORD_BYTES: usize = 1024;

/// A password in the clear. It zeroes itself and never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Secret);

/// The password is longer than [`PASSWORD_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the password is longer than {PASSWORD_BYTES} bytes")
    }
}

impl std::error::Error for TooLong {}

impl Password {
    /// Takes the bytes over; they are zeroed even if they are refused.
    ///
    /// # Errors
    /// It is too long.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, TooLong> {
        Self::from_secret(Secret::new(bytes.into()))
    }

    /// Takes over what a peer gave.
    ///
    /// # Errors
    /// It is too long.
    pub fn from_secret(secret: Secret) -> Result<Self, TooLong> {
        if secret.bytes().len() > PASSWORD_BYTES {
            return Err(TooLong);
        }
        Ok(Self(secret))
    }

    /// Whether there is nothing. An empty password opens nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.bytes().is_empty()
    }

    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_prints_and_is_bounded() {
        let password = Password::new("correct horse").unwrap();
        assert_eq!(format!("{password:?}"), "Password(…)");
        assert_eq!(format!("{:?}", Some(&password)), "Some(Password(…))");
        assert!(Password::new(vec![b'x'; PASSWORD_BYTES]).is_ok());
        assert_eq!(
            Password::new(vec![b'x'; PASSWORD_BYTES + 1]).unwrap_err(),
            TooLong
        );
    }
}
