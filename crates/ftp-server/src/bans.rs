//! Floor 4: who guesses passwords is kept out: the bans of a server, for its loops and for those who check log-ins.
//!
//! A lock is held for a look-up, or a copy once a second, and no longer. What a ban is, and how long, says [`ftp_access::bans`];
//! here it is logged, in a line that other programs read (README, "Against guessing"): its words and the order of its fields stay.
//! A thread of its own writes new bans down, never a loop; if it cannot, the server goes on, and says so.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use ftp_access::bans::{self, Policy, state};

/// However many bans begin, they are written down no more often.
const PAUSE: Duration = Duration::from_secs(1);

/// The bans of a server; none where there is no policy. Dropping it writes down what is not yet, and joins its thread.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    desk: Arc<Desk>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Desk {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct State {
    on: bool,
    bans: bans::Bans,
    /// There are bans that are not written down.
    news: bool,
    stopping: bool,
}

/// Where bans are kept, in the folder for what the server keeps.
fn file(folder: &Path) -> PathBuf {
    folder.join("bans")
}

impl Bans {
    /// Those that were kept in `folder`, if it is named, go on, and new ones are kept there. Blocks for the disk.
    ///
    /// # Errors
    /// If the thread that writes cannot be started.
    pub(crate) fn start(policy: Option<Policy>, folder: &Path) -> io::Result<Self> {
        let mut bans = Self::default();
        bans.set_policy(policy);
        if folder.as_os_str().is_empty() {
            return Ok(bans);
        }
        let path = file(folder);
        match state::load(&path) {
            Ok(standing) => {
                let (now, wall) = (Instant::now(), SystemTime::now());
                let count = bans.lock().bans.restore(&standing, now, wall);
                if count > 0 {
                    tracing::info!(count, "bans go on");
                }
            }
            Err(error) => {
                let file = path.display();
                tracing::error!(%file, %error, "the bans cannot be read; the server starts without those in it");
            }
        }
        let desk = Arc::clone(&bans.desk);
        let thread = Builder::new()
            .name("bans".to_owned())
            .spawn(move || desk.keep(&path))?;
        bans.thread = Mutex::new(Some(thread));
        Ok(bans)
    }

    /// Other rules from now on. Without any, nobody is kept out; bans that were given are found again if rules come back.
    pub(crate) fn set_policy(&self, policy: Option<Policy>) {
        let mut state = self.lock();
        state.on = policy.is_some();
        if let Some(policy) = policy {
            state.bans.set_policy(policy);
        }
    }

    /// How much longer a peer is kept out; `None` if it is not.
    pub(crate) fn remaining(&self, peer: IpAddr, now: Instant) -> Option<Duration> {
        let state = self.lock();
        state.bans.remaining(peer, now).filter(|_| state.on)
    }

    /// A log-in of this peer was refused.
    pub(crate) fn login_refused(&self, peer: IpAddr, now: Instant) {
        let mut state = self.lock();
        let ban = match state.on {
            true => state.bans.offend(peer, now),
            false => None,
        };
        state.news |= ban.is_some();
        drop(state);
        if let Some(ban) = ban {
            self.desk.bell.notify_one();
            let (peer, block) = (peer.to_canonical(), ban.peer);
            let (seconds, strike) = (ban.lasts.as_secs_f64(), ban.strike);
            tracing::warn!(%peer, %block, seconds, strike, "banned");
        }
    }

    /// Writes down what is not yet. Blocks.
    pub(crate) fn close(&self) {
        self.lock().stopping = true;
        self.desk.bell.notify_all();
        let thread = self.thread.lock();
        let thread = thread.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps bans had panicked");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.desk.lock()
    }
}

impl Drop for Bans {
    fn drop(&mut self) {
        self.close();
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, path: &Path) {
        loop {
            let state = self.lock();
            let idle = |state: &mut State| !state.news && !state.stopping;
            let state = self.bell.wait_while(state, idle);
            let mut state = state.unwrap_or_else(PoisonError::into_inner);
            if !std::mem::take(&mut state.news) {
                return;
            }
            let standing = state.bans.standing(Instant::now(), SystemTime::now());
            drop(state);
            if let Err(error) = state::save(path, standing) {
                let file = path.display();
                tracing::error!(%file, %error, "bans cannot be written down; a restart will forget them");
            }
            let going_on = |state: &mut State| !state.stopping;
            let rested = self.bell.wait_timeout_while(self.lock(), PAUSE, going_on);
            drop(rested.unwrap_or_else(PoisonError::into_inner));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_policy_nobody_is_kept_out() {
        let (peer, now) = (IpAddr::from([192, 0, 2, 1]), Instant::now());
        let policy = Policy {
            points: 1,
            ..Policy::default()
        };
        let bans = Bans::start(None, Path::new("")).unwrap();
        for _ in 0..5 {
            bans.login_refused(peer, now);
        }
        assert_eq!(bans.remaining(peer, now), None);
        bans.set_policy(Some(policy.clone()));
        bans.login_refused(peer, now);
        assert_eq!(
            bans.remaining(peer, now),
            None,
            "what was before is not held against it"
        );
        bans.login_refused(peer, now);
        assert_eq!(bans.remaining(peer, now), Some(policy.first));
        bans.set_policy(None);
        assert_eq!(bans.remaining(peer, now), None);
    }

    #[test]
    fn bans_outlive_the_server_and_a_bad_file_does_not_stop_it() {
        let dir = tempfile::tempdir().unwrap();
        let (peer, now) = (IpAddr::from([192, 0, 2, 1]), Instant::now());
        let policy = Policy {
            points: 1,
            ..Policy::default()
        };
        let start = |policy| Bans::start(policy, dir.path()).unwrap();
        let bans = start(Some(policy.clone()));
        for _ in 0..2 {
            bans.login_refused(peer, now);
        }
        drop(bans);
        let bans = start(Some(policy.clone()));
        let left = bans.remaining(peer, now).unwrap();
        assert!(left <= policy.first + now.elapsed(), "{left:?}");
        drop(bans);
        // Without rules it waits for them.
        let bans = start(None);
        assert_eq!(bans.remaining(peer, now), None);
        bans.set_policy(Some(policy.clone()));
        assert!(bans.remaining(peer, now).is_some());
        drop(bans);
        ftp_access::files::replace(&file(dir.path()), b"nonsense").unwrap();
        let bans = start(Some(policy.clone()));
        assert_eq!(bans.remaining(peer, now), None);
        for _ in 0..2 {
            bans.login_refused(peer, now);
        }
        drop(bans);
        assert!(start(Some(policy.clone())).remaining(peer, now).is_some());
        // No folder, no file: it goes on all the same.
        let bans = Bans::start(Some(policy), &dir.path().join("none")).unwrap();
        for _ in 0..2 {
            bans.login_refused(peer, now);
        }
        assert!(bans.remaining(peer, now).is_some());
    }
}
