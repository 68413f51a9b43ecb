//! The gate: every operation on the disk passes here before it reaches a lane, and its outcome on the way back.
//!
//! Where there are users a session begins as nobody, and nobody may do anything, whatever its machine asks for. What
//! a user may do says [`Grant::judge`](ftp_access::Grant::judge), and nothing else does.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ftp_access::{Judgement, User};
use ftp_proto::session::{
    Channel, CreateOptions, DiskOp, Fault, FaultKind, FileId, Input, JobId, LoginOutcome, Outcome,
    Secret,
};
use ftp_store::Store;

use super::transfers::Ticket;
use super::{Context, Session};
use crate::logins::{Ask, Checked, Claim, Logins};

/// After this a user may come again who has as many connections as they may.
const SEATS: Duration = Duration::from_secs(1);

/// How sessions of a server begin.
#[derive(Clone)]
pub(crate) enum Entry {
    /// There are no users: everybody has this folder, and may do everything in it.
    Open(Arc<Store>),
    /// Somebody has to log in.
    Users(Arc<Logins>),
}

/// Who the peer is, and what it may do.
pub(super) struct Gate {
    logins: Option<Arc<Logins>>,
    /// Absent where there are no users, and before a log-in.
    user: Option<Arc<User>>,
    store: Option<Arc<Store>>,
    /// What of the outcomes under way may be shown, where that is not all.
    reviews: HashMap<JobId, Judgement>,
    asking: Option<Asking>,
    /// The log-in, as one of the user's.
    seat: Option<Ticket>,
}

/// For what a verdict is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    /// The machine asked.
    Machine,
    /// The handshake is done; the machine does not know yet.
    Certificate,
}

impl Gate {
    pub(super) fn new(entry: Entry) -> Self {
        let (logins, store) = match entry {
            Entry::Open(store) => (None, Some(store)),
            Entry::Users(logins) => (Some(logins), None),
        };
        Self {
            logins,
            user: None,
            store,
            reviews: HashMap::new(),
            asking: None,
            seat: None,
        }
    }

    /// Who is logged in.
    pub(super) fn seated(&self) -> Option<&User> {
        self.user.as_deref()
    }

    /// Whether somebody has to log in, and nobody has.
    pub(super) fn is_nobodys(&self) -> bool {
        self.logins.is_some() && self.user.is_none()
    }

    /// The user's name, for the log.
    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref().map(User::name)
    }

    /// The files of whoever it is.
    pub(super) fn store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref()
    }

    /// Something of the user's files changed uncounted, while a quota came for them.
    pub(super) fn count_anew(&self) {
        if let (Some(logins), Some(user), Some(store)) = (&self.logins, &self.user, &self.store) {
            logins.count_anew(user, store);
        }
    }

    /// Whether text may hold a password that shall leave no trace.
    pub(super) fn is_secretive(&self) -> bool {
        self.logins.is_some() && self.user.as_ref().is_none_or(|user| user.is_guest())
    }

    /// Whether nothing may be read until it is known for whom a certificate stands.
    pub(super) fn is_certifying(&self) -> bool {
        self.asking == Some(Asking::Certificate)
    }

    /// May this be done? The operation is narrowed to what is allowed.
    fn pass(&mut self, job: JobId, op: &mut DiskOp) -> Result<(), Fault> {
        if self.logins.is_none() {
            return Ok(());
        }
        let Some(user) = &self.user else {
            return Err(Fault::new(FaultKind::Denied, "nobody has logged in"));
        };
        let judgement = user.grant().judge(op)?;
        judgement.apply(op);
        if let DiskOp::Create {
            options: CreateOptions { owner, .. },
            ..
        }
        | DiskOp::Size { owner, .. } = op
        {
            *owner = Some(user.name().to_owned());
        }
        if judgement.hides() {
            self.reviews.insert(job, judgement);
        }
        Ok(())
    }

    /// The user as it is now, if what was checked a moment ago still holds and its files are the same.
    fn standing(&self, user: &User, peer: IpAddr) -> Option<Arc<User>> {
        let users = self.logins.as_ref()?.users();
        users
            .standing(user, peer)
            .filter(|now| same_files(now, user))
    }

    /// What of an outcome the machine may see.
    pub(super) fn review(&mut self, job: JobId, outcome: Outcome) -> Outcome {
        if self.reviews.is_empty() {
            return outcome;
        }
        match self.reviews.remove(&job) {
            Some(judgement) => judgement.review(outcome),
            None => outcome,
        }
    }
}

impl Session {
    /// An operation that the machine asks for: to its lane, or back with a refusal.
    pub(super) fn ask_disk(&mut self, job: JobId, file: FileId, mut op: DiskOp, ctx: &Context<'_>) {
        // Closing what is open is nobody's right to refuse.
        let closes =
            matches!(op, DiskOp::Abort | DiskOp::Release) && self.lanes.contains_key(&file);
        let passed = match closes {
            true => Ok(()),
            false => self.gate.pass(job, &mut op),
        };
        // Only what may be done at all counts as a transfer.
        if let Err(fault) = passed.and_then(|()| self.begin_transfer(&op, ctx)) {
            let outcome = Outcome::Failed(fault);
            return self.dialect.handle(Input::Done { job, outcome }, ctx.now);
        }
        let lane = self.lanes.entry(file).or_default();
        lane.belong(self.gate.store());
        lane.push(job, op);
        self.pending.push_back(file);
    }

    /// The machine wants to know whether this is the user.
    pub(super) fn ask_login(&mut self, user: String, password: Secret, ctx: &Context<'_>) {
        let claim = Claim::Password(user, password);
        self.ask(Asking::Machine, claim, ctx);
    }

    /// A handshake is done. Whom a certificate stands for is found out before the machine hears of it.
    pub(super) fn secured(&mut self, channel: Channel, name: Option<String>, ctx: &Context<'_>) {
        match name {
            Some(name) if channel == Channel::CONTROL && self.gate.logins.is_some() => {
                self.ask(Asking::Certificate, Claim::Certificate(name), ctx);
            }
            Some(_) | None => {
                let user = None;
                self.tell(Input::Secured { channel, user }, ctx);
            }
        }
    }

    fn ask(&mut self, asking: Asking, claim: Claim, ctx: &Context<'_>) {
        let Some(logins) = &self.gate.logins else {
            let refused = Input::Login(LoginOutcome::Refused);
            return self.dialect.handle(refused, ctx.now);
        };
        let ask = Ask {
            key: ctx.key,
            peer: self.peer.ip(),
            claim,
            home: Arc::clone(ctx.home),
        };
        let known = logins.ask(ask);
        self.gate.asking = Some(asking);
        if let Some(checked) = known {
            self.take_verdict(checked, ctx);
        }
    }

    /// It is known who the peer is, or is not.
    pub(crate) fn take_verdict(&mut self, checked: Checked, ctx: &Context<'_>) {
        let Some(asking) = self.gate.asking.take() else {
            return;
        };
        let outcome = match checked {
            Checked::Admitted(user, store) => self.seat(&user, store, ctx),
            Checked::Refused => LoginOutcome::Refused,
            Checked::Later(why, after) => LoginOutcome::Later {
                why: why.to_owned(),
                after,
            },
        };
        let input = match (asking, outcome) {
            (Asking::Machine, outcome) => Input::Login(outcome),
            (Asking::Certificate, outcome) => Input::Secured {
                channel: Channel::CONTROL,
                user: match outcome {
                    LoginOutcome::Admitted { user } => Some(user),
                    LoginOutcome::Refused | LoginOutcome::Later { .. } => None,
                },
            },
        };
        self.dialect.handle(input, ctx.now);
    }

    /// Gives the user a seat, unless the users have changed since it was asked, or all of theirs are taken.
    fn seat(&mut self, user: &User, store: Arc<Store>, ctx: &Context<'_>) -> LoginOutcome {
        let Some(now) = self.gate.standing(user, self.peer.ip()) else {
            return LoginOutcome::Refused;
        };
        let name = now.name().to_owned();
        let again = self.gate.user() == Some(now.name());
        if !again {
            match ctx.transfers.seat(&now) {
                Ok(seat) => self.gate.seat = Some(seat),
                Err(full) => {
                    let (peer, user) = (self.peer, name);
                    tracing::warn!(%peer, user, why = %full, "login refused");
                    let why = format!("{full} of one user");
                    return LoginOutcome::Later { why, after: SEATS };
                }
            }
        }
        tracing::debug!(session = self.id, user = name, "the session is the user's");
        let logins = self.gate.logins.as_ref();
        self.gate.store = logins.map(|logins| logins.counted(&now, &store));
        self.gate.user = Some(now);
        self.meter(ctx);
        LoginOutcome::Admitted { user: name }
    }

    /// The users have changed: the session goes on with the rights of now, or ends.
    pub(crate) fn recheck(&mut self, ctx: &Context<'_>) {
        let (Some(logins), Some(user)) = (&self.gate.logins, &self.gate.user) else {
            return;
        };
        let Some(now) = logins.users().standing(user, self.peer.ip()) else {
            return self.cut("the user may not be logged in any more", ctx);
        };
        let same = same_files(&now, user);
        let allowed = now.grant() == user.grant()
            || self.lanes.values().all(|lane| {
                let opening = lane.opening();
                opening.is_none_or(|op| now.grant().judge(op).is_ok())
            });
        if same && allowed {
            let before = self.gate.store.take();
            let store = before.as_ref().map(|store| logins.counted(&now, store));
            for lane in self.lanes.values_mut() {
                lane.recount(before.as_ref(), store.as_ref());
            }
            let begins = |(before, now): (&Arc<Store>, &Arc<Store>)| {
                !before.is_counted() && now.is_counted()
            };
            let begins = before.as_ref().zip(store.as_ref()).is_some_and(begins);
            self.gate.store = store;
            self.gate.user = Some(now);
            if begins {
                self.gate.count_anew();
            }
        } else {
            self.cut("what the user may do was changed", ctx);
        }
    }
}

/// Whether what is open for the one can go on for the other.
fn same_files(now: &User, before: &User) -> bool {
    let (now, before) = (now.grant(), before.grant());
    now.root() == before.root() && now.follows_links() == before.follows_links()
}

#[cfg(test)]
mod tests {
    use ftp_access::Users;
    use ftp_proto::VPath;

    use super::*;
    use crate::logins::Stores;
    use crate::quotas::Quotas;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// `anna`, whose files are at `root`.
    fn users(root: &str) -> Arc<Users> {
        let text = format!(
            "[[user]]\nname = \"anna\"\nroot = \"{root}\"\npreset = \"full\"\ncertificates = [\"anna\"]\n"
        );
        Arc::new(Users::parse(&text).unwrap())
    }

    fn anna(users: &Users) -> Arc<User> {
        users.iter().next().map(Arc::clone).unwrap()
    }

    fn gate(users: &Arc<Users>, state: &std::path::Path) -> (Gate, Arc<Logins>) {
        let quotas = Quotas::start(state.to_owned(), users).unwrap();
        let stores = Stores::new(ftp_store::Options::default());
        let logins = Logins::start(Arc::clone(users), stores, Arc::default(), quotas);
        let logins = Arc::new(logins.unwrap());
        (Gate::new(Entry::Users(Arc::clone(&logins))), logins)
    }

    /// Whatever a machine may ask for.
    #[test]
    fn before_a_log_in_nothing_passes() {
        let state = tempfile::tempdir().unwrap();
        let users = users("/one");
        let (mut gate, _) = gate(&users, state.path());
        let remove = || DiskOp::Remove {
            path: VPath::parse("f").unwrap(),
            recursive: false,
        };
        let fault = gate.pass(JobId(1), &mut remove()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Denied);
        gate.user = Some(anna(&users));
        gate.pass(JobId(2), &mut remove()).unwrap();
    }

    /// The check of a password takes a while, in which the users may be read anew.
    #[test]
    fn who_has_another_folder_by_now_gets_no_seat_in_the_old_one() {
        let state = tempfile::tempdir().unwrap();
        let before = users("/one");
        let (gate, logins) = gate(&before, state.path());
        let checked = anna(&before);
        assert!(gate.standing(&checked, PEER).is_some());
        logins.replace(users("/two"));
        assert!(gate.standing(&checked, PEER).is_none());
    }
}
