//! SIGTERM and SIGINT: the first one asks the server to finish, the second one stops it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{Builder, JoinHandle};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::{Handle as Watch, Signals};

use crate::server::Handle;

/// The thread that waits for signals.
#[derive(Debug)]
pub(super) struct Watcher {
    watch: Watch,
    thread: JoinHandle<()>,
}

/// Takes the signals over from here on.
///
/// # Errors
/// If a handler or the thread cannot be had.
pub(super) fn watch(server: Handle) -> io::Result<Watcher> {
    // A file that grows beyond the process's limit shall fail its own upload (EFBIG), not end the server.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let watch = signals.handle();
    let thread = Builder::new().name("signals".to_owned()).spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            let signal = name(signal);
            if asked {
                tracing::warn!(signal, "second signal: stopping now");
                server.cut();
            } else {
                tracing::info!(
                    signal,
                    "finishing what is under way; a second signal cuts it"
                );
                server.drain();
            }
            asked = true;
        }
    })?;
    Ok(Watcher { watch, thread })
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
