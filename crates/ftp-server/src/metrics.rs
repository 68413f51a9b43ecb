//! What the server counts. Plain atomic counters: nothing waits for anything, nothing is exact to the instant.

use std::sync::atomic::{AtomicU64, Ordering};

use ftp_proto::session::Verb;

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    accepted: AtomicU64,
    refused: AtomicU64,
    ended: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    puts: Transfers,
    gets: Transfers,
    /// Most orders that waited for a worker at once.
    waiting_peak: AtomicU64,
}

/// Transfers of one verb, by how they ended.
#[derive(Debug, Default)]
struct Transfers {
    ok: AtomicU64,
    skipped: AtomicU64,
    failed: AtomicU64,
}

impl Metrics {
    /// A connection was let in: a session began.
    pub(crate) fn count_accepted(&self) {
        add(&self.accepted, 1);
    }

    /// A connection was turned away.
    pub(crate) fn count_refused(&self) {
        add(&self.refused, 1);
    }

    /// A session ended.
    pub(crate) fn count_ended(&self) {
        add(&self.ended, 1);
    }

    /// Bytes came in, payload or not.
    pub(crate) fn add_received(&self, bytes: u64) {
        add(&self.received, bytes);
    }

    /// Bytes went out, payload or not.
    pub(crate) fn add_sent(&self, bytes: u64) {
        add(&self.sent, bytes);
    }

    /// A transfer ended: `ok`, `skipped`, or the code of its error.
    pub(crate) fn count_transfer(&self, verb: Verb, outcome: &str) {
        let transfers = match verb {
            Verb::Put => &self.puts,
            Verb::Get => &self.gets,
        };
        let counter = match outcome {
            "ok" => &transfers.ok,
            "skipped" => &transfers.skipped,
            _ => &transfers.failed,
        };
        add(counter, 1);
    }

    /// So many orders wait for a worker just now.
    pub(crate) fn note_waiting(&self, orders: usize) {
        let orders = u64::try_from(orders).unwrap_or(u64::MAX);
        self.waiting_peak.fetch_max(orders, Ordering::Relaxed);
    }

    /// Sessions that began and have not ended.
    pub(crate) fn live(&self) -> u64 {
        // The end is read first, so that a session between the two reads cannot make it negative.
        let ended = read(&self.ended);
        read(&self.accepted).saturating_sub(ended)
    }

    /// One line with all of it.
    pub(crate) fn log(&self) {
        tracing::info!(
            accepted = read(&self.accepted),
            refused = read(&self.refused),
            live = self.live(),
            received_bytes = read(&self.received),
            sent_bytes = read(&self.sent),
            puts_ok = read(&self.puts.ok),
            puts_skipped = read(&self.puts.skipped),
            puts_failed = read(&self.puts.failed),
            gets_ok = read(&self.gets.ok),
            gets_failed = read(&self.gets.failed) + read(&self.gets.skipped),
            jobs_waiting_peak = read(&self.waiting_peak),
            "counters",
        );
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_there() {
        let metrics = Metrics::default();
        metrics.count_accepted();
        metrics.count_accepted();
        metrics.count_ended();
        assert_eq!(metrics.live(), 1);
        metrics.count_transfer(Verb::Put, "ok");
        metrics.count_transfer(Verb::Put, "no_space");
        metrics.count_transfer(Verb::Get, "skipped");
        let puts = &metrics.puts;
        assert_eq!((read(&puts.ok), read(&puts.failed)), (1, 1));
        assert_eq!(read(&metrics.gets.skipped), 1);
        metrics.note_waiting(5);
        metrics.note_waiting(3);
        assert_eq!(read(&metrics.waiting_peak), 5);
    }
}
