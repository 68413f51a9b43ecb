//! The command line: from what was typed to a running server, and from its end to an exit code.
//!
//! Standard output gets one line when the server is ready; everything else goes to standard error.

mod args;
mod config;
mod descriptors;
mod logging;
mod signals;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser as _;

use self::args::Args;
use self::config::Config;
use crate::server::{Ended, Server};

/// Stopped in order: everything under way was finished, or its time was up.
const OK: u8 = 0;
/// It could not start, it broke, or it was cut by a second signal.
const FAILED: u8 = 1;
/// The command line or the environment is wrong.
const USAGE: u8 = 2;

/// Runs the program: reads its arguments and environment, serves until a signal, returns the exit code.
pub fn main() -> ExitCode {
    let config = match Args::try_parse() {
        Ok(args) => Config::new(args),
        Err(error) => {
            // Help and version go to standard output and are no failure. If the stream is closed, nobody listens.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { OK });
        }
    };
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            complain(&error);
            return ExitCode::from(USAGE);
        }
    };
    let log = logging::start(config.log_format, config.log_level);
    let code = serve(config).unwrap_or_else(|why| {
        complain(&why);
        FAILED
    });
    log.finish();
    ExitCode::from(code)
}

fn serve(config: Config) -> Result<u8, String> {
    descriptors::raise(config.server.max_connections);
    let server = Server::bind(config.server.clone()).map_err(|error| error.to_string())?;
    let signals = signals::watch(server.handle())
        .map_err(|error| format!("cannot listen for signals: {error}"))?;
    config.log(server.local_addrs());
    announce(server.local_addrs());
    let ended = server.run();
    signals.stop();
    match ended {
        Ok(Ended::Drained) => Ok(OK),
        Ok(Ended::Cut) => Ok(FAILED),
        Err(error) => Err(format!("the loop broke: {error}")),
    }
}

/// The one line on standard output, with real ports.
fn announce(addresses: &[SocketAddr]) {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "listening on {}", addresses.join(", "));
    if let Err(error) = written.and_then(|()| stdout.flush()) {
        tracing::debug!(%error, "nobody reads standard output");
    }
}

/// Tells the person at the terminal, in plain words, whatever the log is set to.
fn complain(why: &dyn Display) {
    // If standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "ftp-server: {why}");
}
