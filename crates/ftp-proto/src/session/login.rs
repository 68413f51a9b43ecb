//! Who the peer is: what the machine passes on, and what it may hear back. Never shown, never logged.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

/// A password on its way to be checked. It prints as dots and leaves no trace in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for checking.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How an attempt to log in ended. Nobody can tell an unknown user from a wrong password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// It is the user, whose rights hold from now on.
    Admitted {
        /// The user's name.
        user: String,
    },
    /// It is not.
    Refused,
    /// Too many wrong attempts, or too many sessions: not now.
    Later {
        /// When it may be tried again.
        after: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new(b"hunter2".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.bytes(), b"hunter2");
    }
}
