//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// Long enough for a busy machine with two cores, short enough to notice a hang.
pub const SOON: Duration = Duration::from_secs(20);

/// Asks `ready` again and again until it says yes.
///
/// # Panics
/// After `within`, naming `what` was waited for.
pub fn eventually(what: &str, within: Duration, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + within;
    while !ready() {
        assert!(Instant::now() < end, "waited {within:?} in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
