//! Bandwidth: one ledger of token buckets. A transfer is a *flow* that draws from the buckets of its session, its user,
//! its peer's address, and of all, and moves only what every one of them grants.
//!
//! One ledger is for one direction; a server has two. A grant is asked for before bytes move, so `sendfile` keeps its
//! ranges; what was not used is given back. A bucket never holds more than its [`burst`], which bounds what can
//! exceed the rate over any stretch of time.

mod bucket;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test begins at some instant")]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use crate::address::Block;

use bucket::Bucket;
pub use bucket::burst;

/// Most buckets of a ledger; over it no new flow is opened.
pub const BUCKETS: usize = 1 << 20;
/// Closed buckets that are looked at, at each opening, whether they can be forgotten.
const SWEEP: usize = 4;

/// A transfer's name in the ledger. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(u64);

/// Whose bandwidth a flow uses, and the rates of each, in bytes per second (`None`: no limit of its own).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// The session, by a number of the caller's, and its rate.
    pub session: (u64, Option<u64>),
    /// The user, if somebody is logged in.
    pub user: Option<(Arc<str>, Option<u64>)>,
    /// The peer's address.
    pub address: (Block, Option<u64>),
    /// The whole server's rate.
    pub all: Option<u64>,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// So many bytes may move, at least one.
    Granted(u64),
    /// None may, and asking again before that is of no use.
    NotBefore(Instant),
}

/// There are too many flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {BUCKETS} bandwidth limits at a time")
    }
}

impl std::error::Error for TooMany {}

/// Whose bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Session(u64),
    User(Arc<str>),
    Address(Block),
    All,
}

/// A bucket as a flow uses it: where it is, and as which of its sharers.
#[derive(Clone, Copy, Debug)]
struct Share {
    bucket: u64,
    sharer: u64,
}

/// All buckets of one direction.
#[derive(Debug, Default)]
pub struct Ledger {
    flows: HashMap<FlowId, Vec<Share>>,
    names: HashMap<Key, u64>,
    buckets: HashMap<u64, (Key, Bucket)>,
    /// Buckets without a flow, each once; some may be in use again.
    closed: Vec<u64>,
    last: u64,
}

impl Ledger {
    /// Opens a flow. A rate that differs from the one its bucket has is taken over.
    ///
    /// # Errors
    /// There are [`BUCKETS`] already.
    pub fn open(&mut self, sharing: &Sharing, now: Instant) -> Result<FlowId, TooMany> {
        self.sweep(now);
        if self.buckets.len() + 4 > BUCKETS {
            return Err(TooMany);
        }
        let id = self.next();
        let mut shares = Vec::with_capacity(4);
        let mut add = |ledger: &mut Self, key: Key, rate: Option<u64>, sharer: u64| {
            let bucket = ledger.bucket(key, rate, now);
            shares.push(Share { bucket, sharer });
            bucket
        };
        add(self, Key::Session(sharing.session.0), sharing.session.1, id);
        let (block, rate) = &sharing.address;
        let address = add(self, Key::Address(*block), *rate, id);
        // All is shared by users, so that who opens many sessions gets no more; the others by flows.
        let of_all = match &sharing.user {
            Some((user, rate)) => add(self, Key::User(Arc::clone(user)), *rate, id),
            None => address,
        };
        add(self, Key::All, sharing.all, of_all);
        self.flows.insert(FlowId(id), shares);
        Ok(FlowId(id))
    }

    /// Ends a flow. Its buckets stay until they have filled up again: who comes back at once finds them as they were.
    pub fn close(&mut self, flow: FlowId) {
        for share in self.flows.remove(&flow).unwrap_or_default() {
            if let Some((_, bucket)) = self.buckets.get_mut(&share.bucket) {
                bucket.flows = bucket.flows.saturating_sub(1);
                bucket.rest(share.sharer);
                if bucket.flows == 0 && !bucket.awaits_sweep {
                    bucket.awaits_sweep = true;
                    self.closed.push(share.bucket);
                }
            }
        }
    }

    /// Changes the rate of a user's bucket while flows use it.
    pub fn set_user_rate(&mut self, user: &Arc<str>, rate: Option<u64>, now: Instant) {
        self.set_rate(&Key::User(Arc::clone(user)), rate, now);
    }

    /// Changes the rate of the bucket of all while flows use it.
    pub fn set_rate_of_all(&mut self, rate: Option<u64>, now: Instant) {
        self.set_rate(&Key::All, rate, now);
    }

    /// May the flow move up to `want` bytes? A flow that is not open may not, for an hour.
    pub fn draw(&mut self, flow: FlowId, want: u64, now: Instant) -> Draw {
        let Some(shares) = self.flows.get(&flow) else {
            return Draw::NotBefore(now + std::time::Duration::from_secs(3600));
        };
        let want = want.max(1);
        let (mut grant, mut not_before) = (want, None::<Instant>);
        let mut refused = [false; 4];
        for (share, refused) in shares.iter().zip(&mut refused) {
            let Some((_, bucket)) = self.buckets.get_mut(&share.bucket) else {
                continue;
            };
            match bucket.offer(share.sharer, want, now) {
                Draw::Granted(bytes) => grant = grant.min(bytes),
                Draw::NotBefore(at) => {
                    *refused = true;
                    not_before = Some(not_before.map_or(at, |known| known.max(at)));
                }
            }
        }
        for (share, refused) in shares.iter().zip(refused) {
            let Some((_, bucket)) = self.buckets.get_mut(&share.bucket) else {
                continue;
            };
            match not_before {
                None => bucket.take(share.sharer, grant),
                // Who waits for another bucket holds nobody up here.
                Some(_) if !refused => bucket.rest(share.sharer),
                Some(_) => {}
            }
        }
        not_before.map_or(Draw::Granted(grant), Draw::NotBefore)
    }

    /// Gives back what was granted and did not move.
    pub fn give_back(&mut self, flow: FlowId, unused: u64) {
        let Some(shares) = self.flows.get(&flow) else {
            return;
        };
        for share in shares {
            if let Some((_, bucket)) = self.buckets.get_mut(&share.bucket) {
                bucket.give_back(share.sharer, unused);
            }
        }
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn bucket(&mut self, key: Key, rate: Option<u64>, now: Instant) -> u64 {
        let id = match self.names.get(&key) {
            Some(id) => *id,
            None => {
                let id = self.next();
                self.names.insert(key.clone(), id);
                self.buckets.insert(id, (key, Bucket::new(rate, now)));
                id
            }
        };
        if let Some((_, bucket)) = self.buckets.get_mut(&id) {
            bucket.flows += 1;
            bucket.set_rate(rate, now);
        }
        id
    }

    fn set_rate(&mut self, key: &Key, rate: Option<u64>, now: Instant) {
        let bucket = self.names.get(key).and_then(|id| self.buckets.get_mut(id));
        if let Some((_, bucket)) = bucket {
            bucket.set_rate(rate, now);
        }
    }

    /// Forgets closed buckets that are as good as new, a few at a time.
    fn sweep(&mut self, now: Instant) {
        for _ in 0..SWEEP {
            let Some(id) = self.closed.pop() else {
                return;
            };
            let Some((key, bucket)) = self.buckets.get_mut(&id) else {
                continue;
            };
            if bucket.flows > 0 {
                bucket.awaits_sweep = false;
                continue;
            }
            if bucket.is_as_new(now) {
                self.names.remove(key);
                self.buckets.remove(&id);
            } else {
                // To the other end, so that the next look is at another one.
                let last = self.closed.len();
                self.closed.push(id);
                self.closed.swap(0, last);
            }
        }
    }
}
