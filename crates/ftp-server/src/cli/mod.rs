//! The command line: from what was typed to a running server, and from its end to an exit code.
//!
//! Standard output gets one line when the server is ready; everything else goes to standard error.

mod args;
mod check;
mod config;
mod descriptors;
mod file;
#[doc(hidden)]
pub mod fuzzing;
mod kind;
mod kind_ftp;
mod layers;
mod logging;
mod password;
mod reach;
mod reload;
mod settings;
mod signals;
mod user;

use std::env;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use self::args::Verb;
use self::config::Config;
use self::layers::{Loaded, Problem, Sources};
use self::logging::Log;
use self::reload::Reload;
use crate::sandbox::{self, Walls};
use crate::server::{Bound, Ended, Server};

/// Stopped in order: everything under way was finished, or its time was up.
const OK: u8 = 0;
/// It could not start, it broke, or it was cut by another signal.
const FAILED: u8 = 1;
/// The command line or the environment is wrong.
const USAGE: u8 = 2;

/// Runs the program: reads its arguments and environment, serves until a signal, returns the exit code.
pub fn main() -> ExitCode {
    let matches = match args::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version go to standard output and are no failure. If the stream is closed, nobody listens.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { OK });
        }
    };
    let (verb, sources) = args::sources(&matches, |name| env::var_os(name));
    let check = match verb {
        Verb::Serve => false,
        Verb::Check => true,
        Verb::User(change) => return ExitCode::from(user::run(change, &sources)),
    };
    let (loaded, config) = match decide(&sources) {
        Ok(decided) => decided,
        Err(problems) => {
            for problem in problems {
                complain(&problem);
            }
            return ExitCode::from(USAGE);
        }
    };
    if check {
        return ExitCode::from(check::print(&loaded));
    }
    let (mut log, level) = logging::start(config.log_format, config.log_level);
    let reload = Reload::new(sources, loaded, level);
    let code = serve(&config, reload, &mut log).unwrap_or_else(|why| {
        complain(&why);
        FAILED
    });
    log.finish();
    ExitCode::from(code)
}

/// Reads and decides; or everything that is wrong.
fn decide(sources: &Sources) -> Result<(Loaded, Config), Vec<Problem>> {
    let loaded = sources.load()?;
    let config = Config::new(&loaded).map_err(|problem| vec![problem])?;
    Ok((loaded, config))
}

fn serve(config: &Config, mut reload: Reload, log: &mut Log) -> Result<u8, String> {
    let no_signals = |error| format!("cannot listen for signals: {error}");
    let signals = signals::keep().map_err(no_signals)?;
    descriptors::raise(config.server.max_connections);
    let server = start(config, &mut reload, log)?;
    let signals = signals.watch(server.handle(), reload).map_err(no_signals)?;
    config.log(server.local_addrs());
    introduce(&server);
    if server.certificate().is_none() && config.server.tls.names_files() {
        tracing::warn!(
            "the files of tls-cert, tls-key and tls-client-ca are not used: no address speaks TLS. On this machine's own addresses it is spoken with \
             tls-mode on; for standard FTP it takes a certificate (tls-cert) and no tls-mode off"
        );
    }
    announce(server.local_addrs());
    let ended = server.run();
    signals.stop();
    match ended {
        Ok(Ended::Drained) => Ok(OK),
        Ok(Ended::Cut) => Ok(FAILED),
        Err(error) => Err(format!("the loop broke: {error}")),
    }
}

/// Ports first, for they may need root; then files, as the user who will open them again; then walls; then threads, which
/// stand within them.
fn start(config: &Config, reload: &mut Reload, log: &mut Log) -> Result<Server, String> {
    let bound = Bound::new(config.server.clone()).map_err(|error| error.to_string())?;
    if let Some(account) = &config.user {
        account.assume()?;
        tracing::info!(user = %account, "privileges dropped");
        reload
            .check_readable()
            .map_err(|why| format!("as user {account}: {why}"))?;
    }
    let opened = bound.open().map_err(|error| error.to_string())?;
    let walls = sandbox::enter(config.sandbox, &reload.folders(config))?;
    log.queue();
    tell(&walls);
    reload.hold(walls);
    opened.start().map_err(|error| error.to_string())
}

/// What of the sandbox stands.
fn tell(walls: &Walls) {
    let enforced = match walls.enforced.join(", ") {
        none if none.is_empty() => "nothing".to_owned(),
        some => some,
    };
    tracing::info!(%enforced, "sandbox");
    for why in &walls.missing {
        tracing::warn!(why, "the sandbox is not whole");
    }
    for path in &walls.absent {
        let path = path.display();
        tracing::warn!(%path, "not there, so it stays out of the sandbox's reach: make it and restart the server");
    }
}

/// What a client's user compares at the first connection.
fn introduce(server: &Server) {
    let Some(certificate) = server.certificate() else {
        return;
    };
    let fingerprint = certificate.fingerprint();
    if certificate.is_new() {
        complain(&format_args!(
            "made a certificate that signed itself; its key is {fingerprint}. Clients: ftp-client --pin {fingerprint}"
        ));
    }
    tracing::info!(%fingerprint, "speaking TLS");
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
