//! `Config`: what is obeyed, made from what was typed.

use std::io::IsTerminal as _;
use std::time::Duration;

use super::args::{Args, Common};
use crate::options::Options;

/// How to reach the server and how to speak to the person.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) options: Options,
    pub(super) voice: Voice,
}

/// How much is said, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Voice {
    pub(super) quiet: bool,
    pub(super) verbose: bool,
    /// Events as JSON on standard output, nothing else there.
    pub(super) json: bool,
    /// Progress bars and a last line, on standard error.
    pub(super) progress: bool,
    /// Colours on standard error.
    pub(super) color: bool,
}

impl Config {
    pub(super) fn new(args: &Args) -> Self {
        let Common {
            server,
            timeout,
            connect_timeout,
            retries,
            connections,
            quiet,
            verbose,
            json,
        } = &args.common;
        let terminal = std::io::stderr().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            options: Options {
                server: server.clone(),
                connect_timeout: Duration::from_secs_f64(*connect_timeout),
                timeout: Duration::from_secs_f64(*timeout),
                retries: *retries,
                connections: usize::from(*connections),
            },
            voice: Voice {
                quiet: *quiet,
                verbose: *verbose,
                json: *json,
                progress: terminal && !quiet && !json,
                color: terminal && !no_color,
            },
        }
    }
}
