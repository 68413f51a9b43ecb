//! SIGTERM and SIGINT: the first one asks the server to finish, the second one stops it. SIGHUP: it reads its
//! configuration again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{Builder, JoinHandle};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::{Handle as Watch, Signals};

use super::reload::Reload;
use crate::server::Handle;

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
            let mut asked = false;
            for signal in signals.forever() {
                if signal == SIGHUP {
                    reload.run(&server);
                    continue;
                }
                stop(&server, name(signal), asked);
                asked = true;
            }
        })?;
        Ok(Watcher { watch, thread })
    }
}

fn stop(server: &Handle, signal: &str, again: bool) {
    if again {
        tracing::warn!(signal, "second signal: stopping now");
        server.cut();
    } else {
        tracing::info!(
            signal,
            "finishing what is under way; a second signal cuts it"
        );
        server.drain();
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
