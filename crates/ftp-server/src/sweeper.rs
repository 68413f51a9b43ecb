//! Removes what dead uploads and old partials left behind: once at the start, then now and then.
//!
//! A thread of its own, since a tree is large and a disk is slow; it works in small portions with
//! rests between them, so that transfers hardly notice.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, SystemTime};
use std::{io, mem};

use ftp_store::Store;

/// Names looked at in one portion.
const PORTION: usize = 512;
/// Rest between two portions.
const REST: Duration = Duration::from_millis(20);
/// From the first walk to the second: by then nothing is left that the first found too young to judge.
const SECOND: Duration = Duration::from_secs(120);
/// Time between two walks of the whole tree.
const PERIOD: Duration = Duration::from_secs(3600);

/// The sweeping thread; dropping it stops and joins it.
pub(crate) struct Sweeper {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Bell {
    stopping: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    /// Waits; `false` says that it is time to stop.
    fn rest(&self, time: Duration) -> bool {
        let stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .rung
            .wait_timeout_while(stopping, time, |stopping| !*stopping);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn stop(&self) {
        *self.stopping.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.rung.notify_all();
    }
}

impl Sweeper {
    /// Begins with a walk of the whole tree of each store that `each` visits; `now` tells the age of files.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn start(
        each: impl Fn(&mut dyn FnMut(&Store) -> bool) -> bool + Send + 'static,
        now: impl Fn() -> SystemTime + Send + 'static,
    ) -> io::Result<Self> {
        let bell = Arc::new(Bell::default());
        let its_bell = Arc::clone(&bell);
        let thread = Builder::new().name("sweep".to_owned()).spawn(move || {
            let mut period = SECOND;
            while each(&mut |store| walk(store, &its_bell, now())) && its_bell.rest(period) {
                period = PERIOD;
            }
        })?;
        Ok(Self {
            bell,
            thread: Some(thread),
        })
    }
}

/// One walk of the tree; `false` says that it is time to stop.
fn walk(store: &Store, bell: &Bell, now: SystemTime) -> bool {
    let (mut examined, mut removed) = (0, 0);
    loop {
        #[allow(
            clippy::disallowed_methods,
            reason = "the age of files is on the wall clock"
        )]
        let report = store.sweep(now, PORTION);
        examined += report.examined;
        removed += report.removed;
        if report.complete {
            break;
        }
        if !bell.rest(REST) {
            return false;
        }
    }
    if removed > 0 {
        tracing::info!(examined, removed, "swept leftovers of broken uploads");
    } else {
        tracing::debug!(examined, "nothing to sweep");
    }
    true
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.bell.stop();
        if let Some(thread) = mem::take(&mut self.thread)
            && thread.join().is_err()
        {
            tracing::error!("the sweeping thread had panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    #[allow(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "the test plays the dead process"
    )]
    fn it_sweeps_at_the_start_and_stops_when_asked() {
        let root = tempfile::tempdir().unwrap();
        let leftover = root.path().join(".muxftp-tdead");
        std::fs::write(&leftover, b"half").unwrap();
        std::fs::write(root.path().join("whole"), b"whole").unwrap();
        let store = Store::open(root.path(), ftp_store::Options::default()).unwrap();
        let sweeper = Sweeper::start(
            move |visit| visit(&store),
            || SystemTime::now() + Duration::from_secs(3600),
        )
        .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while leftover.exists() {
            assert!(Instant::now() < deadline, "the leftover was not swept");
            std::thread::yield_now();
        }
        drop(sweeper);
        assert!(root.path().join("whole").exists());
    }
}
