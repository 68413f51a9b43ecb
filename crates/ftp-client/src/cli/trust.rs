//! `trust`: the servers that are believed by their key, and the question at first sight.

use super::Scene;
use super::args::{Trust, TrustVerb};
use super::exit::Exit;
use super::json::Line;
use super::question;
use crate::Fingerprint;
use crate::cancel::Cancel;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::net::{KnownHosts, address, label};
use crate::text;

pub(super) fn run(scene: &Scene, args: &Trust) -> Result<Exit> {
    let known = KnownHosts::usual().ok_or_else(|| {
        Error::Usage("no place for known hosts: neither XDG_CONFIG_HOME nor HOME is set".into())
    })?;
    match &args.what {
        TrustVerb::Ls => {
            for (host, key) in known.list()? {
                let key = key.to_string();
                scene.out.json(&Line::Trusted {
                    host: &host,
                    key: &key,
                })?;
                scene.out.line(&format!("{} {key}", text::escape(&host)))?;
            }
        }
        TrustVerb::Add {
            host,
            fingerprint: Some(key),
        } => known.add(&named(host)?, *key)?,
        // The handshake asks, and remembers.
        TrustVerb::Add {
            host,
            fingerprint: None,
        } => {
            Client::connect(&scene.config.options, &scene.cancel)?;
            if known.find(&named(host)?)?.is_none() {
                scene.out.note(&format!(
                    "{host} is vouched for by an authority; its key need not be remembered"
                ));
            }
        }
        TrustVerb::Rm { hosts } => {
            for host in hosts {
                if !known.remove(&named(host)?)? {
                    return Err(Error::Usage(format!("{host} is not among the trusted")));
                }
            }
        }
    }
    Ok(Exit::Ok)
}

/// Asks at the terminal whether a server is the one that was meant. No answer is none.
pub(super) fn ask(server: &str, key: Fingerprint, cancel: &Cancel) -> bool {
    let question = format!(
        "Nobody vouches for {}. Its key is\n  {key}\nThe server printed its key when it first started. Is it the same, and \
         is the server to be trusted from now on (yes/no)? ",
        text::escape(server)
    );
    question::ask(&question, cancel).is_ok_and(|answer| matches!(answer.trim(), "yes" | "y"))
}

fn named(server: &str) -> Result<String> {
    let (host, port) = address(server)?;
    Ok(label(&host, port))
}
