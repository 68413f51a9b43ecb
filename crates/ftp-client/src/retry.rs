//! `Backoff`: how often and how long to wait before a transfer is tried again.
//!
//! Exponential with full jitter, so that many clients of a server that restarts do not return at once.

use std::time::Duration;

use crate::cancel::Cancel;
use crate::error::Result;

/// The first wait is up to this.
const BASE: Duration = Duration::from_millis(200);
/// No wait is longer than this.
const CAP: Duration = Duration::from_secs(10);

/// Counts failures without progress.
#[derive(Debug)]
pub(crate) struct Backoff {
    /// Failures in a row that are forgiven.
    retries: u32,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(retries: u32) -> Self {
        Self {
            retries,
            failures: 0,
        }
    }

    /// Something was achieved: the count starts anew.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// One more failure: how long to wait before the next attempt, or `None` if it was the last.
    pub(crate) fn failed(&mut self) -> Option<Duration> {
        if self.failures >= self.retries {
            return None;
        }
        let wait = jittered(self.failures);
        self.failures += 1;
        Some(wait)
    }

    /// Which attempt failed last, from 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.failures
    }

    /// Waits.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`].
    pub(crate) fn wait(time: Duration, cancel: &Cancel) -> Result<()> {
        cancel.sleep(time)
    }
}

fn jittered(failures: u32) -> Duration {
    let most = BASE.saturating_mul(2_u32.saturating_pow(failures)).min(CAP);
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(fastrand::u64(0..=nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_bounds() {
        for failures in 0..80 {
            let most = BASE
                .checked_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX))
                .map_or(CAP, |most| most.min(CAP));
            let waits: Vec<_> = (0..200).map(|_| jittered(failures)).collect();
            assert!(waits.iter().all(|wait| *wait <= most), "{failures}");
            // Full jitter: the lower half is used as well as the upper.
            assert!(waits.iter().any(|wait| *wait < most / 2), "{failures}");
            assert!(waits.iter().any(|wait| *wait > most / 2), "{failures}");
        }
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let mut backoff = Backoff::new(2);
        assert!(backoff.failed().is_some());
        assert!(backoff.failed().is_some());
        assert!(backoff.failed().is_none());
        backoff.reset();
        assert!(backoff.failed().is_some());
        assert_eq!(backoff.attempt(), 1);
        assert!(Backoff::new(0).failed().is_none());
    }
}
