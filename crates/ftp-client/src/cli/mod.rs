//! The command `ftp-client`: typed arguments become a configuration, verbs do the work, one exit code comes out.
//!
//! Data goes to standard output, everything else to standard error.

mod args;
mod cat;
mod config;
mod credentials;
mod exit;
mod get;
mod hash;
mod home;
mod json;
mod login;
mod ls;
mod manage;
mod names;
mod out;
mod password;
mod ping;
mod profile;
mod progress;
mod put;
mod question;
mod resume;
mod signals;
mod trust;

use std::process::ExitCode;
use std::sync::Arc;

pub use exit::{Exit, TABLE};

use self::args::{Args, Verb};
use self::config::Config;
use self::out::Out;
use crate::cancel::Cancel;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::transfer::Observer;

/// What a verb works with.
struct Scene {
    config: Config,
    cancel: Cancel,
    out: Arc<Out>,
}

impl Scene {
    /// Connects; what is tried again is told.
    ///
    /// # Errors
    /// As [`Client::connect`].
    fn connect(&self) -> Result<Client> {
        let client = Client::connect(&self.config.options, &self.cancel)?;
        Ok(client.observed_by(self.observer()))
    }

    /// Who is told what happens.
    fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.out) as Arc<dyn Observer>
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let args = match profile::parse(&words) {
        Ok(args) => args,
        Err(profile::Failure::Ours(args, error)) => {
            let out = Out::new(config::voice(&args.common), name(&args.verb));
            return fail(&out, &error).into();
        }
        Err(profile::Failure::Clap(error)) => {
            // Help goes to standard output and ends well; nobody can be told if printing fails.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    raise_descriptors();
    let begun = Cancel::new()
        .map_err(|error| Error::local("start", error))
        .and_then(|cancel| Ok((Config::new(&args, &cancel)?, cancel)));
    let (config, cancel) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            let out = Out::new(config::voice(&args.common), name(&args.verb));
            return fail(&out, &error).into();
        }
    };
    let verb = name(&args.verb);
    let out = Out::new(config.voice, verb);
    let exit = start(config, cancel, out, args);
    exit.into()
}

fn start(config: Config, cancel: Cancel, out: Out, args: Args) -> Exit {
    if let Err(error) = signals::listen(&cancel) {
        return fail(&out, &Error::local("listen to signals", error));
    }
    let mut scene = Scene {
        config,
        cancel,
        out: Arc::new(out),
    };
    let result = log_in(&mut scene, &args)
        .and_then(|()| run(&scene, args))
        .and_then(|exit| scene.out.flush().map(|()| exit));
    match result {
        Ok(exit) => exit,
        Err(error) => fail(&scene.out, &error),
    }
}

/// Finds out who is to log in; a person may be asked.
fn log_in(scene: &mut Scene, args: &Args) -> Result<()> {
    // `login` asks for itself, and the others do not talk to a server's users.
    if matches!(args.verb, Verb::Login(_) | Verb::Logout(_) | Verb::Trust(_)) {
        return Ok(());
    }
    let options = &mut scene.config.options;
    options.login = password::login(&args.common, &options.server, &scene.cancel)?;
    if options.login.is_some() {
        password::leave_no_core();
    }
    Ok(())
}

fn run(scene: &Scene, args: Args) -> Result<Exit> {
    let Args { common, verb } = args;
    scene.out.json(&json::Line::Start {
        verb: name(&verb),
        server: &scene.config.options.server,
    })?;
    match verb {
        Verb::Put(args) => put::run(scene, &args),
        Verb::Get(args) => get::run(scene, &args),
        Verb::Cat(args) => cat::run(scene, &args.paths),
        Verb::Ls(args) => ls::run(scene, &args),
        Verb::Stat(args) => manage::stat(scene, &args.paths),
        Verb::Hash(args) => hash::run(scene, &args),
        Verb::Mkdir(args) => manage::mkdir(scene, &args),
        Verb::Mv(args) => manage::mv(scene, &args),
        Verb::Rm(args) => manage::rm(scene, &args),
        Verb::Ping(args) => ping::run(scene, &args),
        Verb::Login(_) => login::login(scene, &common),
        Verb::Logout(args) => login::logout(scene, &common, &args),
        Verb::Trust(args) => trust::run(scene, &args),
    }
}

/// What ends the whole command.
fn fail(out: &Out, error: &Error) -> Exit {
    if let Error::Interrupted(signal) = error {
        out.interrupted(*signal, None);
    } else {
        out.error("", error);
    }
    // What was printed before it is still wanted.
    let _ = out.flush();
    Exit::of(error)
}

fn name(verb: &Verb) -> &'static str {
    match verb {
        Verb::Put(_) => "put",
        Verb::Get(_) => "get",
        Verb::Cat(_) => "cat",
        Verb::Ls(_) => "ls",
        Verb::Stat(_) => "stat",
        Verb::Hash(_) => "hash",
        Verb::Mkdir(_) => "mkdir",
        Verb::Mv(_) => "mv",
        Verb::Rm(_) => "rm",
        Verb::Ping(_) => "ping",
        Verb::Login(_) => "login",
        Verb::Logout(_) => "logout",
        Verb::Trust(_) => "trust",
    }
}

/// Trees hold a folder open for each file under way: as many descriptors as we may have.
fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // With fewer it works as well, with fewer files at once.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}
