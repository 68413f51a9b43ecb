//! A well-behaved session that transfers all the while, beside one that misbehaves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::deadline::{SOON, eventually};
use crate::files::random_bytes;
use crate::peer::Peer;

/// Bytes of each of its transfers.
const BYTES: usize = 3_000_001;

/// The slowest that a round (one upload, one download) may be on a busy machine.
const ROUND: Duration = Duration::from_secs(8);

/// The session, on a thread of its own.
pub struct Bystander {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    thread: Option<JoinHandle<Duration>>,
}

impl Bystander {
    /// Starts it and waits for its first round.
    #[must_use]
    pub fn beside(addr: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let rounds = Arc::new(AtomicU64::new(0));
        let thread = std::thread::spawn({
            let (stop, rounds) = (Arc::clone(&stop), Arc::clone(&rounds));
            move || transfer(addr, &stop, &rounds)
        });
        let this = Self {
            stop,
            rounds,
            thread: Some(thread),
        };
        this.goes_on();
        this
    }

    /// Waits for one more whole round.
    pub fn goes_on(&self) {
        // Two more ends seen: at least one round began after this call.
        let goal = self.rounds.load(Ordering::SeqCst) + 2;
        eventually("the transfer beside goes on", SOON, || {
            self.rounds.load(Ordering::SeqCst) >= goal
                || self.thread.as_ref().is_none_or(JoinHandle::is_finished)
        });
    }

    /// Ends it and asserts that every round was right and none was slow.
    pub fn was_undisturbed(mut self) {
        self.goes_on();
        self.stop.store(true, Ordering::SeqCst);
        let slowest = self
            .thread
            .take()
            .unwrap()
            .join()
            .expect("the transfer beside");
        assert!(slowest < ROUND, "a transfer beside took {slowest:?}");
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn transfer(addr: SocketAddr, stop: &AtomicBool, rounds: &AtomicU64) -> Duration {
    let bytes = random_bytes(77, BYTES);
    let mut peer = Peer::hello(addr);
    let mut slowest = Duration::ZERO;
    while !stop.load(Ordering::SeqCst) {
        let start = Instant::now();
        let answer = peer.put("beside/file", &bytes);
        assert_eq!(answer["size"], BYTES, "{answer}");
        assert!(
            peer.get("beside/file").unwrap() == bytes,
            "other bytes came back"
        );
        slowest = slowest.max(start.elapsed());
        rounds.fetch_add(1, Ordering::SeqCst);
    }
    slowest
}
