//! `login`, and who may ask for what before and after it.
//!
//! Whether somebody is who they say is found out by the shell; this machine only keeps the order: while it is being
//! found out, no request begins, and a log-in begins when everything before it is answered. So each request is that of
//! exactly one user.

use super::Native;
use super::queue::Task;
use super::reader::Frame;
use super::reply::{self, Answer};
use crate::session::{LoginOutcome, Secret};
use crate::wire::{Code, ErrorBody, LoginWanted, ReplyHead};

/// Who a connection is where nobody has to log in (RFC 1635).
const GUEST: &str = "anonymous";

/// Who the peer is.
#[derive(Debug, Default)]
pub(super) struct Login {
    user: Option<String>,
    asking: Option<Asking>,
    /// It was asked whether the peer may be a guest.
    guest_asked: bool,
    failures: u32,
}

/// For whom it is being found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    /// A guest, who did not ask.
    Guest,
    /// The `login` of this number.
    Request(u64),
}

/// Whether a request may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// It may.
    Open,
    /// Not before it is known who asks, or before what was asked earlier is answered.
    Wait,
    /// Somebody has to log in first.
    Closed,
}

impl Login {
    /// Who logged in.
    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether so many log-ins failed that the connection is not to go on.
    pub(super) fn is_spent(&self, most: u32) -> bool {
        self.failures >= most.max(1)
    }

    /// The request of this number asks who the peer is.
    pub(super) fn asks(&mut self, seq: u64) {
        self.asking = Some(Asking::Request(seq));
    }
}

impl Native {
    /// Whether the request that begins with `frame` may begin now. May ask whether the peer is let in as a guest.
    pub(super) fn passage(&mut self, frame: &Frame) -> Passage {
        if self.login.asking.is_some() {
            return Passage::Wait;
        }
        let Some(wanted) = self.fx.config.login else {
            return Passage::Open;
        };
        match frame.verb() {
            Some("login") if self.queue.is_empty() && self.fx.order.is_idle() => Passage::Open,
            Some("login") => Passage::Wait,
            // A header that cannot be read says nothing of users: its answer is why.
            Some("hello" | "ping") | None => Passage::Open,
            Some(_) if self.login.user.is_some() => Passage::Open,
            Some(_) if wanted == LoginWanted::Optional && !self.login.guest_asked => {
                self.login.guest_asked = true;
                self.login.asking = Some(Asking::Guest);
                self.fx.login(GUEST.to_owned(), Secret::new(Vec::new()));
                Passage::Wait
            }
            Some(_) => Passage::Closed,
        }
    }

    /// A `login`.
    ///
    /// # Errors
    /// There is nobody to be here.
    pub(super) fn make_login(
        &self,
        user: String,
        password: Secret,
    ) -> Result<(Task, Option<Answer>), ErrorBody> {
        if self.fx.config.login.is_none() {
            let why = "this server has no users; ask without `login`";
            return Err(reply::error(Code::BadRequest, why));
        }
        Ok((Task::Login(Some((user, password))), None))
    }

    /// The peer is this user, who need not log in.
    pub(super) fn admit(&mut self, user: String) {
        self.login.user = Some(user);
        if self.phase.greeted {
            self.deadlines.greeted();
        }
    }

    /// It is known who the peer is, or is not.
    pub(super) fn take_login(&mut self, outcome: LoginOutcome) {
        let Some(asking) = self.login.asking.take() else {
            return;
        };
        let answer = match outcome {
            LoginOutcome::Admitted { user } => {
                let head = ReplyHead {
                    user: Some(user.clone()),
                    ..ReplyHead::default()
                };
                self.admit(user);
                Answer::ok(head)
            }
            LoginOutcome::Refused => {
                let why = "no such user, or not the password";
                Answer::error(reply::error(Code::LoginFailed, why))
            }
            LoginOutcome::Later { why, after } => {
                // Rounded up: who waits so long comes late enough.
                let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
                let why = format!("{why}; try again in {seconds} s");
                Answer::error(ErrorBody {
                    retry_after: Some(seconds),
                    ..reply::error(Code::LoginLater, why)
                })
            }
        };
        let Asking::Request(seq) = asking else {
            return;
        };
        let failed = answer.head.error.is_some();
        if let Some(entry) = self.queue.unanswered_mut(seq) {
            entry.answer = Some(answer);
        }
        if failed {
            self.login.failures += 1;
            if self.login.is_spent(self.fx.config.limits.login_tries) {
                self.stop_reading(Code::LoginFailed, "too many log-ins failed");
            }
        }
    }
}
