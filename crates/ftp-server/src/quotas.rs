//! Floor 4: what each root with a quota holds: counted once by a thread of its own, then known.
//!
//! Where some user of a root has a quota there is a [`Ledger`], which is asked before bytes land, whoever sends them. While the
//! server runs its figures are in memory alone, and a file in the state folder says so: after a crash everything is counted
//! again, after a stop in good order the figures are believed. Nobody is seated before it is known what there is.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use ftp_access::quota::state::{self, Loaded};
use ftp_access::quota::{Ledger, Quota};
use ftp_access::{User, Users};
use ftp_proto::Amount;
use ftp_proto::session::Fault;
use ftp_store::{Account, Store};

/// Who waits longer for a count is sent away; the count goes on.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often is counted anew because something changed meanwhile.
const TRIES: usize = 3;

/// Told whether it is known by now.
type Tell = Box<dyn FnOnce(bool) + Send>;

/// The ledgers of all roots. Dropping it joins its thread.
pub(crate) struct Quotas {
    desk: Arc<Desk>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Desk {
    /// Where figures are kept over a stop.
    folder: PathBuf,
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    /// Roots of which some user has a quota.
    wanted: HashSet<PathBuf>,
    /// One for each root that was ever wanted: whoever reserved there gives back there.
    ledgers: HashMap<PathBuf, Arc<Ledger>>,
    /// To be counted, one entry a root.
    queue: VecDeque<(PathBuf, Arc<Store>)>,
    /// Being counted.
    at_work: Option<PathBuf>,
    waiting: Vec<Waiter>,
    /// The figures of roots that are not wanted are to be removed.
    prune: bool,
    stopping: bool,
}

struct Waiter {
    root: PathBuf,
    since: Instant,
    tell: Tell,
}

/// What a user may use of a root.
struct Allowance {
    ledger: Arc<Ledger>,
    user: String,
    quota: Quota,
}

impl Account for Allowance {
    fn take(&self, more: Amount) -> Result<(), Fault> {
        self.ledger.take(&self.user, self.quota, more)
    }

    fn give(&self, back: Amount) {
        self.ledger.give(back);
    }

    fn settle(&self, reserved: Amount, stored: Amount, gone: Amount) {
        self.ledger.settle(reserved, stored, gone);
    }

    fn adopt(&self, gone: Amount, reserved: Amount) {
        self.ledger.adopt(gone, reserved);
    }

    fn left(&self) -> Option<u64> {
        self.ledger.left(self.quota)
    }
}

/// Where figures are kept, in the folder for what the server keeps.
pub(crate) fn folder(state: &Path) -> PathBuf {
    state.join("quota")
}

/// Nobody counts: what was written down will not be true any more.
pub(crate) fn forget(folder: &Path) {
    prune(folder, &HashSet::new());
}

fn prune(folder: &Path, keep: &HashSet<PathBuf>) {
    if let Err(error) = state::prune(folder, keep) {
        let folder = folder.display();
        tracing::error!(%folder, %error, "old figures of quotas cannot be removed; remove them by hand, or they may be believed later");
    }
}

impl Quotas {
    /// Starts the thread that counts.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn start(folder: PathBuf, users: &Users) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            folder,
            state: Mutex::default(),
            bell: Condvar::new(),
        });
        desk.lock().want(users);
        let its_desk = Arc::clone(&desk);
        let thread = Builder::new()
            .name("quota".to_owned())
            .spawn(move || its_desk.run())?;
        Ok(Self {
            desk,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// From now on these are the users.
    pub(crate) fn replace(&self, users: &Users) {
        self.desk.lock().want(users);
        self.desk.bell.notify_one();
    }

    /// The same files, with their changes counted if somebody there has a quota; what is not known yet is counted soon.
    pub(crate) fn counted(&self, user: &User, store: &Arc<Store>) -> Arc<Store> {
        let root = user.grant().root();
        let ledger = self.desk.ledger(root, store);
        let account = ledger.map(|ledger| {
            let (user, quota) = (user.name().to_owned(), quota(user));
            Arc::new(Allowance {
                ledger,
                user,
                quota,
            }) as Arc<dyn Account>
        });
        Arc::new(store.counted(account))
    }

    /// What is known is not true any more: a change of the user's files was counted nowhere, for there was no quota when it
    /// began.
    pub(crate) fn count_anew(&self, user: &User, store: &Arc<Store>) {
        let root = user.grant().root();
        if let Some(ledger) = self.desk.ledger(root, store) {
            ledger.forget();
            self.desk.ledger(root, store);
        }
    }

    /// The same, for changes that are made for no user.
    pub(crate) fn counted_for_all(&self, root: &Path, store: &Store) -> Store {
        let ledger = self.desk.lock().ledgers.get(root).cloned();
        let account = ledger.map(|ledger| {
            Arc::new(Allowance {
                ledger,
                user: String::new(),
                quota: Quota::default(),
            }) as Arc<dyn Account>
        });
        store.counted(account)
    }

    /// Calls `tell` when it is known what the user has: at once, or after a count. `false`: it is not known in time.
    pub(crate) fn when_counted(&self, user: &User, store: &Arc<Store>, tell: Tell) {
        let root = user.grant().root();
        match self.desk.ledger(root, store) {
            Some(ledger) if !ledger.is_counted() => {
                let waiter = Waiter {
                    root: root.clone(),
                    since: Instant::now(),
                    tell,
                };
                let mut state = self.desk.lock();
                // It may have become known since.
                if !ledger.is_counted() && !state.stopping {
                    state.waiting.push(waiter);
                    return;
                }
                drop(state);
                (waiter.tell)(ledger.is_counted());
            }
            Some(_) | None => tell(true),
        }
    }

    /// Nobody changes anything any more: writes the figures down. Blocks.
    pub(crate) fn close(&self) {
        self.stop();
        let known = {
            let state = self.desk.lock();
            let known = state.ledgers.iter().filter_map(|(root, ledger)| {
                let stored = ledger.stored().filter(|_| state.wanted.contains(root))?;
                Some((root.clone(), stored))
            });
            known.collect::<Vec<_>>()
        };
        for (root, stored) in known {
            self.desk.save(&root, stored, false);
        }
    }

    fn stop(&self) {
        self.desk.lock().stopping = true;
        self.desk.bell.notify_all();
        let thread = self.thread.lock();
        let thread = thread.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread that counts for quotas had panicked");
        }
    }
}

impl Drop for Quotas {
    fn drop(&mut self) {
        self.stop();
    }
}

impl State {
    fn want(&mut self, users: &Users) {
        let everybody = users.iter().chain(users.anonymous());
        let limited = everybody.filter(|user| user.is_enabled() && quota(user).is_set());
        self.wanted = limited.map(|user| user.grant().root().clone()).collect();
        for (root, ledger) in &self.ledgers {
            if !self.wanted.contains(root) {
                ledger.forget();
            }
        }
        self.prune = true;
    }

    fn enqueue(&mut self, root: &Path, store: &Arc<Store>) {
        let known = self.at_work.as_deref() == Some(root)
            || self.queue.iter().any(|(queued, _)| queued == root);
        if !known {
            self.queue.push_back((root.to_owned(), Arc::clone(store)));
        }
    }

    /// Takes out who waits for `root`, or has waited too long.
    fn take_waiting(&mut self, over: impl Fn(&Waiter) -> bool) -> Vec<Waiter> {
        self.waiting.extract_if(.., |waiter| over(waiter)).collect()
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ledger of a root, if somebody has a quota there; sees to it that it is counted.
    fn ledger(&self, root: &Path, store: &Arc<Store>) -> Option<Arc<Ledger>> {
        let mut state = self.lock();
        if !state.wanted.contains(root) {
            return None;
        }
        let ledger = Arc::clone(state.ledgers.entry(root.to_owned()).or_default());
        if !ledger.is_counted() && !state.stopping {
            state.enqueue(root, store);
            self.bell.notify_one();
        }
        Some(ledger)
    }

    fn run(&self) {
        let idle = |state: &mut State| !state.stopping && !state.prune && state.queue.is_empty();
        loop {
            let mut state = self
                .bell
                .wait_while(self.lock(), idle)
                .unwrap_or_else(PoisonError::into_inner);
            if state.stopping {
                let waiting = state.take_waiting(|_| true);
                drop(state);
                waiting.into_iter().for_each(|waiter| (waiter.tell)(false));
                return;
            }
            if std::mem::take(&mut state.prune) {
                let wanted = state.wanted.clone();
                drop(state);
                prune(&self.folder, &wanted);
                continue;
            }
            let Some((root, store)) = state.queue.pop_front() else {
                continue;
            };
            state.at_work = Some(root.clone());
            let ledger = state.ledgers.get(&root).cloned();
            drop(state);
            if let Some(ledger) = ledger.filter(|ledger| !ledger.is_counted())
                && let Err(error) = self.find_out(&root, &store, &ledger)
            {
                let root = root.display();
                tracing::error!(%root, %error, "what is stored cannot be counted, for a quota; its users are sent away");
            }
            self.tell(&root);
        }
    }

    /// Believes what was written down, or counts.
    fn find_out(&self, root: &Path, store: &Store, ledger: &Ledger) -> io::Result<()> {
        let mark = ledger.mark();
        let loaded = state::load(&self.folder, root).unwrap_or_else(|error| {
            tracing::warn!(root = %root.display(), %error, "the figures of a quota cannot be read; they are counted again");
            Loaded::Recount
        });
        // From here on what is written down is not to be believed any more.
        let written = self.save(root, Amount::default(), true);
        if let Loaded::Known(stored) = loaded
            && written
            && ledger.counted(mark, stored)
        {
            return Ok(());
        }
        for tries in 1.. {
            let mark = ledger.mark();
            let stored = store.count(&mut || self.go_on())?;
            if ledger.counted(mark, stored) {
                break;
            }
            if tries >= TRIES {
                ledger.estimated(stored);
                tracing::warn!(root = %root.display(), "while it was counted for a quota something changed; the figures may be off by that");
                break;
            }
        }
        let stored = ledger.stored().unwrap_or_default();
        let (bytes, files) = (stored.bytes, stored.files);
        tracing::info!(root = %root.display(), bytes, files, "counted what is stored, for a quota");
        Ok(())
    }

    /// Whether to go on counting; who has waited too long is sent away.
    fn go_on(&self) -> bool {
        let mut state = self.lock();
        let late = state.take_waiting(|waiter| waiter.since.elapsed() >= PATIENCE);
        let stopping = state.stopping;
        drop(state);
        late.into_iter().for_each(|waiter| (waiter.tell)(false));
        !stopping
    }

    /// It is known, or cannot be known.
    fn tell(&self, root: &Path) {
        let mut state = self.lock();
        state.at_work = None;
        let ledger = state.ledgers.get(root);
        if let Some(ledger) = ledger.filter(|_| !state.wanted.contains(root)) {
            // Nobody has told of every change since.
            ledger.forget();
        }
        let known = ledger.is_some_and(|it| it.is_counted()) || !state.wanted.contains(root);
        let waiting = state.take_waiting(|waiter| waiter.root == root);
        drop(state);
        waiting.into_iter().for_each(|waiter| (waiter.tell)(known));
    }

    fn save(&self, root: &Path, stored: Amount, counting: bool) -> bool {
        let saved = state::make_folder(&self.folder)
            .and_then(|()| state::save(&self.folder, root, stored, counting));
        if let Err(error) = &saved {
            // Older ones are not to be believed.
            state::remove(&self.folder, root).ok();
            let (root, folder) = (root.display(), self.folder.display());
            tracing::error!(%root, %folder, %error, "the figures of a quota cannot be written; they are counted again at the next start");
        }
        saved.is_ok()
    }
}

fn quota(user: &User) -> Quota {
    let limits = user.limits();
    Quota {
        bytes: limits.quota_bytes,
        files: limits.quota_files,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(root: &Path, limits: &str) -> Users {
        let root = root.display();
        let text = format!(
            "[[user]]\nname = \"anna\"\nroot = \"{root}\"\npreset = \"full\"\ncertificates = [\"anna\"]\n[user.limits]\n{limits}\n"
        );
        Users::parse(&text).unwrap()
    }

    /// While it was counted the quota was taken away: from then on nobody tells of changes.
    #[test]
    fn a_count_that_ends_when_nobody_wants_it_is_not_believed_later() {
        let folder = tempfile::tempdir().unwrap();
        let (root, limited) = (folder.path(), "quota-files = 9");
        let desk = Desk {
            folder: root.join("state"),
            state: Mutex::default(),
            bell: Condvar::new(),
        };
        let store = Arc::new(Store::open(root, ftp_store::Options::default()).unwrap());
        desk.lock().want(&users(root, limited));
        let ledger = desk.ledger(root, &store).unwrap();
        desk.find_out(root, &store, &ledger).unwrap();
        desk.tell(root);
        assert!(ledger.is_counted());
        // Of one that is known already, too.
        desk.lock().want(&users(root, ""));
        assert!(!ledger.is_counted());
        desk.find_out(root, &store, &ledger).unwrap();
        desk.tell(root);
        assert!(!ledger.is_counted());
        desk.lock().want(&users(root, limited));
        assert!(!desk.ledger(root, &store).unwrap().is_counted());
    }
}
