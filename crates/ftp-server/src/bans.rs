//! Floor 4: who guesses passwords is kept out: the bans of a server, for its loops and for those who check log-ins.
//!
//! A lock is held for a look-up and no longer. What a ban is, and how long, says [`ftp_access::bans`]; here it is logged, in
//! a line that other programs read (README, "Against guessing"): its words and the order of its fields stay.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ftp_access::bans::{self, Offence, Policy};

/// The bans of a server; none where there is no policy.
#[derive(Debug, Default)]
pub(crate) struct Bans(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    on: bool,
    bans: bans::Bans,
}

impl Bans {
    /// Nobody is banned yet.
    pub(crate) fn new(policy: Option<Policy>) -> Self {
        let bans = Self::default();
        bans.set_policy(policy);
        bans
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
            true => state.bans.offend(peer, Offence::Login, now),
            false => None,
        };
        drop(state);
        if let Some(ban) = ban {
            let (peer, block) = (peer.to_canonical(), ban.peer);
            let (seconds, strike) = (ban.lasts.as_secs_f64(), ban.strike);
            tracing::warn!(%peer, %block, seconds, strike, "banned");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let bans = Bans::new(None);
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
}
