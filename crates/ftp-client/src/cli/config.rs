//! `Config`: what is obeyed, made from what was typed.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use super::args::{Args, Common, Login, Trust, TrustVerb, Verb};
use super::trust;
use crate::Oldest;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::net::{Ask, KnownHosts, Tls, TlsOptions};
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
    /// Decides; `cancel` ends what is asked of a person.
    ///
    /// # Errors
    /// [`Error::Usage`] for files of certificates that cannot be used.
    pub(super) fn new(args: &Args, cancel: &Cancel) -> Result<Self> {
        let Common {
            server,
            timeout,
            connect_timeout,
            retries,
            connections,
            ..
        } = &args.common;
        let server = match &args.verb {
            Verb::Trust(Trust {
                what: TrustVerb::Add { host, .. },
            }) => host,
            Verb::Login(Login {
                server: Some(named),
            }) => named,
            Verb::Put(_)
            | Verb::Get(_)
            | Verb::Cat(_)
            | Verb::Ls(_)
            | Verb::Stat(_)
            | Verb::Hash(_)
            | Verb::Mkdir(_)
            | Verb::Mv(_)
            | Verb::Rm(_)
            | Verb::Ping(_)
            | Verb::Login(_)
            | Verb::Logout(_)
            | Verb::Trust(_) => server,
        };
        Ok(Self {
            options: Options {
                tls: tls(args, server, cancel)?,
                server: server.clone(),
                connect_timeout: Duration::from_secs_f64(*connect_timeout),
                timeout: Duration::from_secs_f64(*timeout),
                retries: *retries,
                connections: usize::from(*connections),
                login: None,
            },
            voice: voice(&args.common),
        })
    }
}

/// How much is to be said, and how.
pub(super) fn voice(common: &Common) -> Voice {
    let terminal = std::io::stderr().is_terminal();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Voice {
        quiet: common.quiet,
        verbose: common.verbose,
        json: common.json,
        progress: terminal && !common.quiet && !common.json,
        color: terminal && !no_color,
    }
}

/// TLS, where a flag or the server's scheme asks for it.
fn tls(args: &Args, server: &str, cancel: &Cancel) -> Result<Option<Tls>> {
    let common = &args.common;
    let asked = common.tls
        || server.starts_with("muxftps://")
        || common.ca.is_some()
        || common.pin.is_some()
        || common.cert.is_some()
        || matches!(args.verb, Verb::Trust(_));
    if !asked {
        return Ok(None);
    }
    let key = common.key.as_ref().or(common.cert.as_ref());
    let alone = !common.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    Tls::new(TlsOptions {
        ca: common.ca.clone(),
        pin: common.pin,
        known_hosts: KnownHosts::usual(),
        ask: alone.then(|| asking(cancel.clone())),
        identity: common.cert.clone().zip(key.cloned()),
        oldest: match common.tls_min.as_str() {
            "1.2" => Oldest::Tls12,
            _ => Oldest::Tls13,
        },
    })
    .map(Some)
}

fn asking(cancel: Cancel) -> Ask {
    Arc::new(move |server, key| trust::ask(server, key, &cancel))
}
