//! How an attempt to log in ended.

use std::time::Duration;

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
        /// Why, for people.
        why: String,
        /// When it may be tried again.
        after: Duration,
    },
}
