//! Ctrl-C and SIGTERM: the first lets partials be kept and says how to go on, the second cuts.

use std::io;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cancel::Cancel;

/// Starts to listen, on a thread of its own.
///
/// # Errors
/// sigaction(2), or no thread.
pub(super) fn listen(cancel: &Cancel) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let cancel = cancel.clone();
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                if cancel.signal().is_some() {
                    signal_hook::low_level::exit(128 + signal);
                }
                cancel.cancel(signal);
            }
        })
        .map(drop)
}
