//! SIGTERM and SIGINT: the first one asks the server to finish, a later one stops it. SIGHUP: it reads its
//! configuration again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::{Handle as Watch, Signals};

use super::reload::Reload;
use crate::server::Handle;

/// A signal that comes sooner after the first is an echo of it: timeout(1) tells its child and then the child's group, a terminal
/// and a supervisor may both pass a Ctrl-C on.
const ECHO: Duration = Duration::from_secs(1);

/// Signals that are kept until somebody watches.
#[derive(Debug)]
pub(super) struct Kept(Signals);

/// The thread that waits for signals.
#[derive(Debug)]
pub(super) struct Watcher {
    watch: Watch,
    thread: JoinHandle<()>,
}

/// From here on SIGHUP waits for the server, and does not end it while it starts.
///
/// # Errors
/// If a handler cannot be had.
pub(super) fn keep() -> io::Result<Kept> {
    Signals::new([SIGHUP]).map(Kept)
}

impl Kept {
    /// Takes all signals over from here on.
    ///
    /// # Errors
    /// If a handler or the thread cannot be had.
    pub(super) fn watch(self, server: Handle, mut reload: Reload) -> io::Result<Watcher> {
        // A file that grows beyond the process's limit shall fail its own upload (EFBIG), not end the server.
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        let Self(mut signals) = self;
        signals.add_signal(SIGTERM)?;
        signals.add_signal(SIGINT)?;
        let watch = signals.handle();
        let thread = Builder::new().name("signals".to_owned()).spawn(move || {
            let mut asked = None;
            for signal in signals.forever() {
                if signal == SIGHUP {
                    reload.run(&server);
                    continue;
                }
                let now = Instant::now();
                stop(&server, name(signal), Wish::new(asked, now));
                asked.get_or_insert(now);
            }
        })?;
        Ok(Watcher { watch, thread })
    }
}

/// What a signal to end asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// Finish what is under way.
    Drain,
    /// What the signal before has asked for.
    Same,
    /// Break it off.
    Cut,
}

impl Wish {
    /// What one that comes `now` asks for, if the first came at `first`.
    fn new(first: Option<Instant>, now: Instant) -> Self {
        match first {
            None => Self::Drain,
            Some(first) if now.duration_since(first) < ECHO => Self::Same,
            Some(_) => Self::Cut,
        }
    }
}

fn stop(server: &Handle, signal: &str, wish: Wish) {
    match wish {
        Wish::Drain => {
            tracing::info!(
                signal,
                "finishing what is under way; another signal cuts it, a second from now or later"
            );
            server.drain();
        }
        Wish::Same => tracing::info!(
            signal,
            "too soon after the first signal to be another: still finishing"
        ),
        Wish::Cut => {
            tracing::warn!(signal, "another signal: stopping now");
            server.cut();
        }
    }
}

impl Watcher {
    /// Ends the thread.
    pub(super) fn stop(self) {
        self.watch.close();
        if self.thread.join().is_err() {
            tracing::error!("the thread for signals had panicked");
        }
    }
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGTERM => "SIGTERM",
        SIGINT => "SIGINT",
        _ => "another",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_of_the_first_signal_cuts_nothing() {
        let first = Instant::now();
        assert_eq!(Wish::new(None, first), Wish::Drain);
        for (after, wish) in [(0, Wish::Same), (999, Wish::Same), (1000, Wish::Cut)] {
            let now = first + Duration::from_millis(after);
            assert_eq!(Wish::new(Some(first), now), wish, "{after} ms");
        }
    }
}
