//! What is obeyed: made from the settings, with every rule between them checked.

use std::net::SocketAddr;
use std::thread::available_parallelism;
use std::time::Duration;

use ftp_proto::{Durability, Limits};

use super::layers::{Loaded, Problem};
use super::settings::{LogFormat, LogLevel, Settings};
use crate::server::ServerConfig;

/// Fewest workers by default: a disk serves several at once even where there is one core.
const WORKERS: usize = 4;

/// Everything that was decided before the start.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) server: ServerConfig,
    pub(super) log_format: LogFormat,
    pub(super) log_level: LogLevel,
}

impl Config {
    /// Decides.
    ///
    /// # Errors
    /// Settings that, each right by itself, are wrong together.
    pub(super) fn new(loaded: &Loaded) -> Result<Self, Problem> {
        let settings = loaded.settings.clone();
        check_listen(&settings).map_err(|why| Problem {
            origin: loaded.origins.get("listen").cloned(),
            why,
        })?;
        let cores = available_parallelism().map_or(1, usize::from);
        let limits = Limits {
            hello_time: settings.hello_timeout,
            idle_time: settings.idle_timeout,
            stall_time: settings.stall_timeout,
            floor_bytes: settings
                .min_rate
                .saturating_mul(settings.stall_timeout.as_secs()),
            ..Limits::default()
        };
        let slow_disk = u64::try_from(settings.slow_disk_ms).unwrap_or(0);
        Ok(Self {
            server: ServerConfig {
                root: settings.root,
                listen: settings.listen,
                read_only: settings.read_only,
                durability: settings.durability,
                reactors: settings.reactors,
                workers: settings.workers.unwrap_or_else(|| cores.max(WORKERS)),
                max_connections: settings.max_connections,
                max_per_address: settings.max_per_address,
                buffer_bytes: usize::try_from(settings.buffer_memory).unwrap_or(usize::MAX),
                drain_time: settings.drain_timeout,
                partial_ttl: settings.partial_ttl,
                limits,
                slow_disk: (slow_disk > 0).then(|| Duration::from_millis(slow_disk)),
            },
            log_format: settings.log_format,
            log_level: settings.log_level,
        })
    }

    /// One line on what was decided, for whoever reads the log later.
    pub(super) fn log(&self, addresses: &[SocketAddr]) {
        let server = &self.server;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            root = %server.root.display(),
            listen = ?addresses,
            read_only = server.read_only,
            durability = durability_word(server.durability),
            reactors = server.reactors,
            workers = server.workers,
            max_connections = server.max_connections,
            max_per_address = server.max_per_address,
            buffer_bytes = server.buffer_bytes,
            "ready"
        );
        if let Some(time) = server.slow_disk {
            tracing::warn!(?time, "the disk is made slow, for tests");
        }
    }
}

fn durability_word(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "full",
        Durability::Data => "data",
        Durability::None => "none",
    }
}

/// Beyond loopback only where it was said: there are no users yet.
fn check_listen(settings: &Settings) -> Result<(), String> {
    let mut listen = settings.listen.iter();
    match listen.find(|address| !is_loopback(address)) {
        Some(address) if !settings.allow_anonymous => Err(format!(
            "refusing to listen on {address}: that is beyond this machine, and whoever reaches it could read and \
             write everything in the root. Listen on 127.0.0.1, or say --allow-anonymous if that is what you want."
        )),
        Some(_) | None => Ok(()),
    }
}

/// Whether only this machine can reach the address.
fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
