//! Who the client is, and how the connections are protected: USER, PASS, ACCT, REIN, HOST (RFC 7151), and
//! AUTH, PBSZ, PROT, CCC (RFC 4217).
//!
//! Nobody can tell an unknown user from a wrong password. A password is passed on, and never kept.

use std::time::Instant;

use super::command::Argument;
use super::reply::Reply;
use super::task::Task;
use super::{Rfc959, Security};
use crate::session::{Channel, LoginOutcome, Secret};

/// How far the client is on its way in.
#[derive(Debug, Default)]
pub(super) struct Access {
    /// Who it says it is: the next `PASS` is this one's.
    named: Option<String>,
    /// Who it is.
    admitted: Option<String>,
    /// The user its certificate stands for.
    certified: Option<String>,
    /// Wrong passwords so far.
    wrong_passwords: u32,
    /// Commands out of place before a login.
    pub(super) wrong_commands: u32,
}

impl Access {
    pub(super) fn is_admitted(&self) -> bool {
        self.admitted.is_some()
    }

    /// The user, once it is known.
    pub(super) fn user(&self) -> Option<&str> {
        self.admitted.as_deref()
    }

    /// The control connection is within TLS: what was said before does not count (RFC 4217, section 4).
    pub(super) fn secured(&mut self, user: Option<String>) {
        self.named = None;
        self.admitted = None;
        self.certified = user;
    }
}

impl Rfc959 {
    /// `USER` (RFC 959, section 4.1.1).
    pub(super) fn user(&mut self, argument: Argument<'_>) -> Reply {
        if self.fx.config.tls == Security::Required && !self.phase.secured {
            return Reply::new(530, "Logins go over TLS here: AUTH TLS first");
        }
        let Ok(name) = argument.text() else {
            return Reply::new(501, "A user's name is UTF-8");
        };
        self.access.admitted = None;
        self.settings.reset();
        self.data.drop(&mut self.fx);
        if self.access.certified.as_deref() == Some(name) {
            self.access.named = None;
            self.access.admitted = Some(name.to_owned());
            return Reply::new(232, "The certificate says so: logged in");
        }
        self.access.named = Some(name.to_owned());
        Reply::new(331, "Password, please")
    }

    /// `PASS` (RFC 959, section 4.1.1).
    pub(super) fn pass(&mut self, argument: Argument<'_>) -> Option<Reply> {
        let Some(user) = self.access.named.take() else {
            return Some(match self.access.admitted {
                Some(_) => Reply::new(202, "Logged in already"),
                None => Reply::new(503, "USER first"),
            });
        };
        if !self.fx.config.login {
            self.access.admitted = Some(user);
            return Some(Reply::new(230, "Logged in"));
        }
        self.task = Task::Login;
        self.fx.login(user, Secret::new(argument.0.to_vec()));
        None
    }

    /// The shell has found out who it is.
    pub(super) fn take_login(&mut self, outcome: LoginOutcome, now: Instant) {
        if !matches!(self.task, Task::Login) {
            return;
        }
        self.task = Task::None;
        match outcome {
            LoginOutcome::Admitted { user } => {
                // The shell knows one user at a time: to it the one of the certificate is gone, and its name alone brings it not back.
                let certified = self.access.certified.take();
                self.access.certified = certified.filter(|name| *name == user);
                self.access.admitted = Some(user);
                self.access.wrong_passwords = 0;
                self.fx.reply(&Reply::new(230, "Logged in"));
            }
            LoginOutcome::Refused => {
                self.access.wrong_passwords += 1;
                if self.access.wrong_passwords >= self.fx.config.limits.login_tries {
                    self.fx
                        .reply(&Reply::new(421, "Not logged in, too often: goodbye"));
                    self.end(true, "too many wrong passwords", now);
                } else {
                    let words = "Not logged in: wrong user or password";
                    self.fx.reply(&Reply::new(530, words));
                }
            }
            LoginOutcome::Later { why, after } => {
                let words = format!("Not now: {why}; try again in {} s", after.as_secs().max(1));
                self.fx.reply(&Reply::new(421, words));
                self.end(true, "logins are refused for now", now);
            }
        }
    }

    /// `REIN` (RFC 959, section 4.1.1).
    pub(super) fn rein(&mut self) -> Reply {
        if self.phase.secured {
            // It would have to take the connection out of TLS again (RFC 4217, section 11).
            return Reply::new(502, "Not within TLS: QUIT and connect anew");
        }
        self.data.drop(&mut self.fx);
        self.settings.reset();
        self.access.admitted = None;
        self.access.named = None;
        Reply::new(220, "Ready for somebody else")
    }

    /// `HOST` (RFC 7151): there is one host here, by any name.
    pub(super) fn host(&self, argument: Argument<'_>) -> Reply {
        if self.access.is_admitted() || self.access.named.is_some() {
            return Reply::new(503, "HOST comes before USER");
        }
        if argument.word().is_empty() {
            return Reply::new(501, "HOST wants a name");
        }
        Reply::new(220, "Every name leads here")
    }

    /// `AUTH` (RFC 4217, section 4).
    pub(super) fn auth(&mut self, argument: Argument<'_>) -> Reply {
        let mechanism = argument.word().to_ascii_uppercase();
        if !matches!(mechanism.as_str(), "TLS" | "TLS-C") {
            return Reply::new(504, "The mechanism is TLS");
        }
        if self.fx.config.tls == Security::Off {
            return Reply::new(502, "There is no TLS here");
        }
        if self.phase.secured {
            return Reply::new(503, "The connection is within TLS");
        }
        // What came with it or after it was not protected, and may be somebody else's.
        self.held.clear();
        self.data.drop(&mut self.fx);
        self.task = Task::Tls;
        Reply::new(234, "Begin TLS")
    }

    /// After the reply to `AUTH`; after any other, nothing.
    pub(super) fn begin_tls(&mut self) {
        if matches!(self.task, Task::Tls) {
            self.fx.start_tls(Channel::CONTROL, false);
        }
    }

    /// `PBSZ` (RFC 4217, section 8): within TLS the size means nothing.
    pub(super) fn pbsz(&mut self, argument: Argument<'_>) -> Reply {
        if !self.phase.secured {
            return Reply::new(503, "AUTH TLS first");
        }
        if argument.word().parse::<u32>().is_err() {
            return Reply::new(501, "PBSZ wants a number");
        }
        self.settings.buffer_agreed = true;
        Reply::new(200, "PBSZ=0")
    }

    /// `PROT` (RFC 4217, section 9).
    pub(super) fn prot(&mut self, argument: Argument<'_>) -> Reply {
        if !self.settings.buffer_agreed {
            return Reply::new(503, "PBSZ first");
        }
        match argument.word().to_ascii_uppercase().as_str() {
            "P" if self.fx.config.data_tls == Security::Off => {
                Reply::new(534, "Data connections are not protected here")
            }
            "P" => {
                self.settings.protect = true;
                Reply::new(200, "Data connections are within TLS")
            }
            "C" if self.fx.config.data_tls == Security::Required => {
                Reply::new(534, "Data connections are within TLS here: PROT P")
            }
            "C" => {
                self.settings.protect = false;
                Reply::new(200, "Data connections are in plain")
            }
            "S" | "E" => Reply::new(536, "TLS protects with PROT P"),
            _ => Reply::new(504, "PROT knows C and P"),
        }
    }
}
