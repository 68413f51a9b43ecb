//! The figures of a run.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What was done, and how long each piece of it took.
pub(crate) struct Report {
    began: Instant,
    /// Bytes of files.
    pub(crate) bytes: u64,
    /// One for each piece of work.
    pub(crate) times: Vec<Duration>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            bytes: 0,
            times: Vec::new(),
        }
    }
}

impl Report {
    /// Ends it: the figures, with the time until now.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// One object: seconds, count, bytes, and of the single times the least, median, 99th percentile and greatest.
    pub(crate) fn json(&self) -> Value {
        let seconds = self.began.elapsed().as_secs_f64();
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = |share: f64| quantile(&times, share).as_secs_f64();
        json!({
            "seconds": seconds,
            "count": times.len(),
            "bytes": self.bytes,
            "least": at(0.0),
            "median": at(0.5),
            "p99": at(0.99),
            "greatest": at(1.0),
        })
    }
}

/// The value below which `share` of the sorted values lie (nearest rank); zero if there is none.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rank is small and not negative"
)]
fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let sorted: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        for (share, millis) in [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)] {
            assert_eq!(
                quantile(&sorted, share),
                Duration::from_millis(millis),
                "{share}"
            );
        }
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }
}
