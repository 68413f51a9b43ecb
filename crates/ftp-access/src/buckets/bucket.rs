//! `Bucket`: one rate, kept exactly, and shared fairly.
//!
//! Tokens are counted in byte-nanoseconds, so that no fraction is ever lost. While the bucket is at most half full, a
//! sharer who is ahead of the one behind all others has to wait; a fuller bucket means that those behind do not
//! take their share, and then anybody may have it: no bandwidth is wasted on the slow.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::Draw;

/// The least burst, in bytes.
const BURST_MIN: u64 = 16 * 1024;
/// A burst is what comes in this part of a second.
const BURST_PART: u64 = 8;
/// A grant is at least what comes in this part of a second (or all that is wanted, if that is less)…
const GRANT_PART: u64 = 64;
/// …but never more than this, in bytes.
const GRANT_MIN: u64 = 64 * 1024;
/// A sharer who has not asked for so long is not waited for.
const ACTIVE: Duration = Duration::from_millis(500);

const SECOND: u128 = 1_000_000_000;

/// Most bytes that a bucket of that rate (bytes per second) holds: those of an eighth of a second, and 16 KiB at least.
#[must_use]
pub fn burst(rate: u64) -> u64 {
    (rate / BURST_PART).max(BURST_MIN)
}

/// One rate, or none.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Flows that use it.
    pub(super) flows: u32,
    /// It stands in the ledger's list of closed ones.
    pub(super) awaits_sweep: bool,
    rate: Option<u64>,
    /// Byte-nanoseconds: bytes × 10⁹. At most the burst.
    level: u128,
    /// When `level` was right.
    at: Instant,
    sharers: Sharers,
}

/// Who asked lately, and how much each was given.
#[derive(Debug, Default)]
struct Sharers {
    by_id: HashMap<u64, (u64, Instant)>,
    by_given: BTreeSet<(u64, u64)>,
    by_last: BTreeSet<(Instant, u64)>,
    /// Where a newcomer begins: what the one behind all others has been given.
    floor: u64,
}

impl Bucket {
    pub(super) fn new(rate: Option<u64>, now: Instant) -> Self {
        let mut bucket = Self {
            flows: 0,
            awaits_sweep: false,
            rate: None,
            level: 0,
            at: now,
            sharers: Sharers::default(),
        };
        bucket.set_rate(rate, now);
        bucket
    }

    /// Half full at first.
    pub(super) fn set_rate(&mut self, rate: Option<u64>, now: Instant) {
        if rate == self.rate {
            return;
        }
        self.fill(now);
        let fresh = self.rate.is_none();
        self.rate = rate;
        if let Some(rate) = rate {
            let full = u128::from(burst(rate)) * SECOND;
            self.level = if fresh {
                full / 2
            } else {
                self.level.min(full)
            };
        }
    }

    /// What a sharer could have now.
    pub(super) fn offer(&mut self, sharer: u64, want: u64, now: Instant) -> Draw {
        self.fill(now);
        let Some(rate) = self.rate else {
            return Draw::Granted(want);
        };
        self.sharers.asks(sharer, now);
        let full = burst(rate);
        let least = want.min((rate / GRANT_PART).clamp(1, GRANT_MIN));
        let has = u64::try_from(self.level / SECOND).unwrap_or(u64::MAX);
        if has < least {
            return Draw::NotBefore(self.when(u128::from(least) * SECOND, rate));
        }
        let half = u128::from(full) * SECOND / 2;
        if self.level <= half && self.sharers.is_ahead(sharer, least) {
            return Draw::NotBefore(self.when(half + 1, rate));
        }
        // No sharer takes it all at once.
        let share = full / 2 / self.sharers.count();
        Draw::Granted(want.min(has).min(share.max(least)))
    }

    /// Takes what was offered, or less.
    pub(super) fn take(&mut self, sharer: u64, bytes: u64) {
        if self.rate.is_some() {
            self.level = self.level.saturating_sub(u128::from(bytes) * SECOND);
            self.sharers.given(sharer, bytes);
        }
    }

    pub(super) fn give_back(&mut self, sharer: u64, bytes: u64) {
        if let Some(rate) = self.rate {
            let full = u128::from(burst(rate)) * SECOND;
            self.level = (self.level + u128::from(bytes) * SECOND).min(full);
            self.sharers.given_back(sharer, bytes);
        }
    }

    /// The sharer does not wait for this bucket.
    pub(super) fn rest(&mut self, sharer: u64) {
        self.sharers.forget(sharer);
    }

    /// Whether nothing would be lost by making it anew.
    pub(super) fn is_as_new(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.rate
            .is_none_or(|rate| self.level >= u128::from(burst(rate)) * SECOND / 2)
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at);
        if let Some(rate) = self.rate {
            let full = u128::from(burst(rate)) * SECOND;
            let more = elapsed.as_nanos().saturating_mul(u128::from(rate));
            self.level = self.level.saturating_add(more).min(full);
        }
        self.at = self.at.max(now);
    }

    /// When the level will be that high, if nobody takes anything. Rounded up: never too early.
    fn when(&self, level: u128, rate: u64) -> Instant {
        let missing = level.saturating_sub(self.level);
        let nanos = missing.div_ceil(u128::from(rate.max(1)));
        let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let wait = wait.max(Duration::from_nanos(1));
        self.at.checked_add(wait).unwrap_or(self.at + ACTIVE)
    }
}

impl Sharers {
    /// Notes that it is here, and forgets who has not been for long.
    fn asks(&mut self, sharer: u64, now: Instant) {
        while let Some((last, idle)) = self.by_last.first().copied() {
            if now.saturating_duration_since(last) < ACTIVE {
                break;
            }
            self.forget(idle);
        }
        match self.by_id.get_mut(&sharer) {
            Some((_, last)) => {
                self.by_last.remove(&(*last, sharer));
                *last = now;
            }
            None => {
                self.by_id.insert(sharer, (self.floor, now));
                self.by_given.insert((self.floor, sharer));
            }
        }
        self.by_last.insert((now, sharer));
    }

    fn count(&self) -> u64 {
        (self.by_id.len() as u64).max(1)
    }

    fn is_ahead(&self, sharer: u64, by: u64) -> bool {
        let behind = self
            .by_given
            .first()
            .map_or(self.floor, |(given, _)| *given);
        let own = self.by_id.get(&sharer).map_or(behind, |(given, _)| *given);
        own > behind.saturating_add(by)
    }

    fn given(&mut self, sharer: u64, bytes: u64) {
        self.set(sharer, |given| given.saturating_add(bytes));
        if let Some((behind, _)) = self.by_given.first() {
            self.floor = self.floor.max(*behind);
        }
    }

    fn given_back(&mut self, sharer: u64, bytes: u64) {
        let floor = self.floor;
        self.set(sharer, |given| given.saturating_sub(bytes).max(floor));
    }

    fn set(&mut self, sharer: u64, change: impl FnOnce(u64) -> u64) {
        if let Some((given, _)) = self.by_id.get_mut(&sharer) {
            self.by_given.remove(&(*given, sharer));
            *given = change(*given);
            self.by_given.insert((*given, sharer));
        }
    }

    fn forget(&mut self, sharer: u64) {
        if let Some((given, last)) = self.by_id.remove(&sharer) {
            self.by_given.remove(&(given, sharer));
            self.by_last.remove(&(last, sharer));
        }
    }
}
