//! Floor 4: who is let in: passwords and certificates, checked off the loop by a few threads of their own.
//!
//! A check costs tens of milliseconds on purpose. What waits is bounded, in all and for each peer, and peers take
//! turns: whoever guesses passwords by the thousand waits for himself. What is asked yields exactly one verdict. The same
//! threads open the user's folder, which may wait for a disk. Those that work for anybody do so with what processor time
//! others leave; one more works only for those who were let in before. Passwords are never logged.

mod queue;
mod stores;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use ftp_access::{Password, Scratch, User, Users, Verdict};
use ftp_proto::session::Secret;
use ftp_store::Store;

use crate::bans::Bans;
use crate::base::Key;
use crate::quotas::Quotas;

use queue::{Next, Queue, Seat};
pub(crate) use stores::Stores;

/// What a banned peer is told.
const BANNED: &str = "too many log-ins from your address have failed";
/// What a peer is told if too many wait.
const CROWDED: &str = "too many log-ins wait";
/// Threads that check for anybody: guesses by strangers have no more.
const COMMON: usize = 2;
/// By how much they are nicer than the rest of the server (nice(2)): where processors are short they have about a tenth of one, so
/// that strangers wait and nobody starves.
const NICER: i32 = 10;
/// A thread that has nothing to do for so long gives the memory back in which it hashes: 19 MiB, by default. To have it
/// anew costs a log-in half as much again, so it is not given back at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// After this a peer may ask again, if too many waited.
const BUSY: Duration = Duration::from_secs(1);
/// After this a user may come again whose folder cannot be had.
const NO_FOLDER: Duration = Duration::from_secs(10);
/// Most characters of a name that are logged.
const NAME_CHARS: usize = 64;

/// What a peer says of itself.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It knows the user's password.
    Password(String, Secret),
    /// It has shown a certificate of this name, which was verified.
    Certificate(String),
}

/// A question, and who wants the answer.
pub(crate) struct Ask {
    pub(crate) key: Key,
    pub(crate) peer: IpAddr,
    pub(crate) claim: Claim,
    pub(crate) home: Arc<dyn Home>,
}

/// Where verdicts go.
pub(crate) trait Home: Send + Sync {
    /// Takes one.
    fn take(&self, verdict: Ruling);
}

/// What became of a question.
#[derive(Debug)]
pub(crate) struct Ruling {
    /// The session that asked.
    pub(crate) key: Key,
    pub(crate) checked: Checked,
}

/// Who it is.
pub(crate) enum Checked {
    /// This user, whose files are there.
    Admitted(Arc<User>, Arc<Store>),
    /// Nobody we know.
    Refused,
    /// Not to be told now: why, for people, and when it can be.
    Later(&'static str, Duration),
}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Admitted(user, _) => write!(f, "Admitted({})", user.name()),
            Self::Refused => f.write_str("Refused"),
            Self::Later(why, after) => write!(f, "Later({why}, {after:?})"),
        }
    }
}

/// The users of a server, and the threads that check who is one. Dropping it joins them.
pub(crate) struct Logins {
    desk: Arc<Desk>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads share.
struct Desk {
    users: Mutex<Arc<Users>>,
    queue: Queue,
    stores: Stores,
    bans: Arc<Bans>,
    quotas: Quotas,
}

impl Logins {
    /// Starts the threads.
    ///
    /// # Errors
    /// If one cannot be started.
    pub(crate) fn start(
        users: Arc<Users>,
        stores: Stores,
        bans: Arc<Bans>,
        quotas: Quotas,
    ) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            users: Mutex::new(users),
            queue: Queue::default(),
            stores,
            bans,
            quotas,
        });
        let mut logins = Self {
            desk,
            threads: Vec::with_capacity(COMMON + 1),
        };
        for number in 0..COMMON {
            logins.staff(format!("login-{number}"), Seat::Common)?;
        }
        logins.staff("login-known".to_owned(), Seat::Reserved)?;
        Ok(logins)
    }

    fn staff(&mut self, name: String, seat: Seat) -> io::Result<()> {
        let desk = Arc::clone(&self.desk);
        let thread = Builder::new().name(name).spawn(move || desk.run(seat))?;
        self.threads.push(thread);
        Ok(())
    }

    /// Queues a question. If the peer is banned, or there is no room, the verdict is at hand: not now.
    pub(crate) fn ask(&self, ask: Ask) -> Option<Checked> {
        if let Some(left) = self.desk.bans.remaining(ask.peer, Instant::now()) {
            return Some(Checked::Later(BANNED, left));
        }
        let refused = self.desk.queue.push(ask)?;
        tracing::warn!(peer = %refused.peer, "too many log-ins wait; this one was not tried");
        Some(Checked::Later(CROWDED, BUSY))
    }

    /// From now on these are the users.
    pub(crate) fn replace(&self, users: Arc<Users>) {
        self.desk.quotas.replace(&users);
        *lock(&self.desk.users) = users;
    }

    /// The users as they are now.
    pub(crate) fn users(&self) -> Arc<Users> {
        self.desk.users()
    }

    /// The files of a user, with its changes counted where there is a quota. Never waits for a disk.
    pub(crate) fn counted(&self, user: &User, store: &Arc<Store>) -> Arc<Store> {
        self.desk.quotas.counted(user, store)
    }

    /// Something of a user's files changed, and was not counted, though it should be from now on.
    pub(crate) fn count_anew(&self, user: &User, store: &Arc<Store>) {
        self.desk.quotas.count_anew(user, store);
    }

    /// Nobody changes anything any more: what was counted is right, and is written down. Blocks.
    pub(crate) fn close(&self) {
        self.desk.quotas.close();
    }

    /// Visits the folder of every user, until `visit` says `false`. Blocks for the disk.
    pub(crate) fn each_store(&self, visit: &mut dyn FnMut(&Store) -> bool) -> bool {
        let users = self.users();
        let everybody = users.iter().chain(users.anonymous());
        let mut roots: Vec<_> = everybody
            .filter(|user| user.is_enabled())
            .map(|user| (user.grant().root().clone(), user.grant().follows_links()))
            .collect();
        roots.sort();
        // Links make no difference to what is left behind.
        roots.dedup_by(|a, b| a.0 == b.0);
        roots
            .into_iter()
            .all(|(root, links)| match self.desk.stores.open(&root, links) {
                Ok(store) => visit(&self.desk.quotas.counted_for_all(&root, &store)),
                Err(_) => true,
            })
    }
}

impl Drop for Logins {
    fn drop(&mut self) {
        self.desk.queue.stop();
        for thread in std::mem::take(&mut self.threads) {
            if thread.join().is_err() {
                tracing::error!("a thread that checks log-ins had panicked");
            }
        }
    }
}

impl Desk {
    fn users(&self) -> Arc<Users> {
        Arc::clone(&lock(&self.users))
    }

    fn run(&self, seat: Seat) {
        // Of this thread alone (setpriority(2), "C library/kernel differences"). Without it log-ins go on as well.
        if seat == Seat::Common
            && let Err(error) = rustix::process::nice(NICER)
        {
            tracing::debug!(%error, "threads that check log-ins keep the priority of the others");
        }
        let mut scratch = Scratch::default();
        loop {
            let patience = scratch.is_held().then_some(PATIENCE);
            let ask = match self.queue.pop(seat, patience) {
                Next::Check(ask) => ask,
                Next::Rest => {
                    scratch.release();
                    continue;
                }
                Next::Stop => return,
            };
            let Ask {
                key,
                peer,
                claim,
                home,
            } = ask;
            match self.check(claim, peer, &mut scratch) {
                Checked::Admitted(user, store) => self.seat(key, user, store, home),
                checked @ (Checked::Refused | Checked::Later(..)) => {
                    home.take(Ruling { key, checked });
                }
            }
        }
    }

    /// Says that it is the user, as soon as it is known what the user has.
    fn seat(&self, key: Key, user: Arc<User>, store: Arc<Store>, home: Arc<dyn Home>) {
        let (its_user, its_store) = (Arc::clone(&user), Arc::clone(&store));
        let tell = move |counted| {
            let checked = match counted {
                true => Checked::Admitted(its_user, its_store),
                false => Checked::Later("what is stored is being counted", NO_FOLDER),
            };
            home.take(Ruling { key, checked });
        };
        self.quotas.when_counted(&user, &store, Box::new(tell));
    }

    fn check(&self, claim: Claim, peer: IpAddr, scratch: &mut Scratch) -> Checked {
        // It may have been banned while it waited: no work for those.
        if let Some(left) = self.bans.remaining(peer, Instant::now()) {
            return Checked::Later(BANNED, left);
        }
        let users = self.users();
        // A certificate is no guess: its authority was verified.
        let guess = matches!(claim, Claim::Password(..));
        let (name, verdict) = match claim {
            Claim::Password(name, secret) => {
                // One that is too long is nobody's, and costs what the others cost.
                let password = Password::from_secret(secret).or_else(|_| Password::new(""));
                let Ok(password) = password else {
                    return Checked::Refused;
                };
                let verdict = users.check(&name, &password, peer, scratch);
                (name, verdict)
            }
            Claim::Certificate(name) => {
                let verdict = users.check_certificate(&name, peer);
                (name, verdict)
            }
        };
        match verdict {
            Verdict::Accepted(user) => {
                self.queue.remember(peer, true);
                self.admit(user, peer)
            }
            Verdict::Refused(why) => {
                let user: String = name.chars().take(NAME_CHARS).collect();
                let shown = peer.to_canonical();
                tracing::warn!(peer = %shown, user, reason = %why, "login failed");
                self.queue.remember(peer, false);
                if guess {
                    self.bans.login_refused(peer, Instant::now());
                }
                Checked::Refused
            }
        }
    }

    fn admit(&self, user: Arc<User>, peer: IpAddr) -> Checked {
        let grant = user.grant();
        match self.stores.open(grant.root(), grant.follows_links()) {
            Ok(store) => {
                tracing::info!(%peer, user = user.name(), "logged in");
                Checked::Admitted(user, store)
            }
            Err(error) => {
                let root = grant.root().display();
                tracing::error!(user = user.name(), %root, %error, "a user's folder cannot be served");
                Checked::Later("the user's folder cannot be served", NO_FOLDER)
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
