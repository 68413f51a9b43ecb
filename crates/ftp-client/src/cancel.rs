//! `Cancel`: one switch that wakes every wait of the client.
//!
//! Every blocking wait in this crate polls its descriptor beside its own; nothing here knows of signals.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use std::{fmt, io};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::error::{Error, Result};

/// A switch shared by all threads of one run. Once thrown it stays thrown.
#[derive(Clone)]
pub struct Cancel {
    shared: Arc<Shared>,
}

struct Shared {
    /// 0 until it is thrown.
    signal: AtomicI32,
    /// Readable from the moment it is thrown; never read, so that all waiters see it.
    wake: OwnedFd,
}

impl Cancel {
    /// A new switch, not thrown.
    ///
    /// # Errors
    /// eventfd(2): out of descriptors.
    pub fn new() -> io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            shared: Arc::new(Shared {
                signal: AtomicI32::new(0),
                wake,
            }),
        })
    }

    /// Throws the switch; `signal` (not 0) is handed on in [`Error::Interrupted`].
    pub fn cancel(&self, signal: i32) {
        self.shared.signal.store(signal.max(1), Ordering::SeqCst);
        // A full counter is readable as well, which is all that is wanted.
        let _ = rustix::io::write(&self.shared.wake, &1_u64.to_ne_bytes());
    }

    /// The signal, once thrown.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        match self.shared.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }

    /// Ends the caller's work if the switch is thrown.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn check(&self) -> Result<()> {
        self.signal()
            .map_or(Ok(()), |signal| Err(Error::Interrupted(signal)))
    }

    /// Waits, unless the switch is or will be thrown.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn sleep(&self, time: Duration) -> Result<()> {
        let end = std::time::Instant::now() + time;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let mut fds = [PollFd::new(&self.shared.wake, PollFlags::IN)];
            // EINTR and a wake alike: look again.
            let _ = poll(&mut fds, Some(&timespec(left)));
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.shared.wake.as_fd()
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cancel({:?})", self.signal())
    }
}

/// A duration as poll(2) wants it.
pub(crate) fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_sleeper_is_woken() {
        let cancel = Cancel::new().unwrap();
        let other = cancel.clone();
        let started = Instant::now();
        let thread = std::thread::spawn(move || other.sleep(Duration::from_secs(60)));
        cancel.cancel(15);
        assert!(matches!(
            thread.join().unwrap(),
            Err(Error::Interrupted(15))
        ));
        assert!(started.elapsed() < Duration::from_secs(30));
        assert_eq!(cancel.signal(), Some(15));
    }

    #[test]
    fn without_it_the_time_passes() {
        let cancel = Cancel::new().unwrap();
        let started = Instant::now();
        cancel.sleep(Duration::from_millis(20)).unwrap();
        assert!(started.elapsed() >= Duration::from_millis(20));
        assert!(cancel.check().is_ok());
    }
}
