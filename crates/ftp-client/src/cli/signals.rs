//! Ctrl-C, SIGTERM and SIGHUP: the first lets partials be kept and says how to go on, the second cuts.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cancel::Cancel;

/// Starts to listen, on a thread of its own.
///
/// # Errors
/// sigaction(2), or no thread.
pub(super) fn listen(cancel: &Cancel) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    // Who was started by nohup(1) stays.
    if !is_ignored(SIGHUP) {
        signals.add_signal(SIGHUP)?;
    }
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

/// Whether whoever started this program had it ignore a signal (proc(5), `SigIgn`).
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
