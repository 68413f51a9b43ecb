//! What is obeyed: made from the settings, with every rule between them checked.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use ftp_access::Users;
use ftp_access::bans::Policy;
use ftp_access::users::{LoadError, UsersFile};
use ftp_proto::{Durability, Limits};

use super::layers::{Loaded, Problem};
use super::settings::{LogFormat, LogLevel, Settings};
use crate::sandbox;
use crate::sandbox::account::Account;
use crate::server::{FtpConfig, Rate, Rates, ServerConfig, TlsConfig, TlsOn, is_loopback};

/// Fewest workers by default: a disk serves several at once even where there is one core.
const WORKERS: usize = 4;

/// Everything that was decided before the start.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) server: ServerConfig,
    /// Whom to become once the ports are bound.
    pub(super) user: Option<Account>,
    /// What to give up besides.
    pub(super) sandbox: sandbox::Mode,
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
        let tls = tls(&settings).map_err(|(name, why)| Problem {
            origin: loaded.origins.get(name).cloned(),
            why,
        })?;
        check_tls(&settings, &tls).map_err(|(name, why)| Problem {
            origin: name.and_then(|name| loaded.origins.get(name).cloned()),
            why,
        })?;
        let users = users(&settings).map_err(|error| Problem {
            origin: loaded.origins.get("users").cloned(),
            why: error.to_string(),
        })?;
        let ftp = ftp(&settings);
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
        let rates = rates(&settings);
        let transfers = Some(settings.max_transfers_per_address).filter(|cap| *cap > 0);
        let transfers = transfers.and_then(|cap| u32::try_from(cap).ok());
        let bans = bans(&settings);
        let slow_disk = u64::try_from(settings.slow_disk_ms).unwrap_or(0);
        Ok(Self {
            server: ServerConfig {
                root: settings.root,
                users,
                listen: settings.listen,
                read_only: settings.read_only,
                durability: settings.durability,
                reactors: settings.reactors,
                workers: settings.workers.unwrap_or_else(|| cores.max(WORKERS)),
                max_connections: settings.max_connections,
                max_per_address: settings.max_per_address,
                proxies: settings.proxy_from,
                buffer_bytes: usize::try_from(settings.buffer_memory).unwrap_or(usize::MAX),
                drain_time: settings.drain_timeout,
                partial_ttl: settings.partial_ttl,
                limits,
                tls,
                rates,
                transfers_per_address: transfers,
                bans,
                ftp,
                slow_disk: (slow_disk > 0).then(|| Duration::from_millis(slow_disk)),
            },
            user: settings.user,
            sandbox: settings.sandbox,
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
            users = server.users.as_ref().map(|users| users.iter().count()),
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

/// 0 is no limit.
fn rates(settings: &Settings) -> Rates {
    let limit = |rate: u64| Some(rate).filter(|rate| *rate > 0);
    Rates {
        upload: Rate {
            all: limit(settings.upload_rate),
            per_address: limit(settings.upload_rate_per_address),
            per_session: limit(settings.upload_rate_per_session),
        },
        download: Rate {
            all: limit(settings.download_rate),
            per_address: limit(settings.download_rate_per_address),
            per_session: limit(settings.download_rate_per_session),
        },
    }
}

/// 0 is no ban.
fn bans(settings: &Settings) -> Option<Policy> {
    let points = u32::try_from(settings.ban_after).unwrap_or(u32::MAX);
    (points > 0).then(|| Policy {
        allow: settings.ban_exempt.clone(),
        points,
        fade: settings.ban_forgive,
        first: settings.ban_time,
        longest: settings.ban_time_max,
        memory: settings.ban_time_max,
        ..Policy::default()
    })
}

fn durability_word(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "full",
        Durability::Data => "data",
        Durability::None => "none",
    }
}

/// Everybody in the users file; blocks for the file.
fn users(settings: &Settings) -> Result<Option<Arc<Users>>, LoadError> {
    let file = settings.users.as_ref().map(UsersFile::at);
    let users = file.map(|file| file.load()).transpose()?;
    Ok(users.map(Arc::new))
}

/// Beyond loopback without users only where it was said.
fn check_listen(settings: &Settings) -> Result<(), String> {
    match addresses(settings).find(|address| !is_loopback(address)) {
        Some(address) if !settings.allow_anonymous && settings.users.is_none() => Err(format!(
            "refusing to listen on {address}: that is beyond this machine, and whoever reaches it could read and \
             write everything in the root. Listen on 127.0.0.1, give --users FILE, or say --allow-anonymous if that is what you want."
        )),
        Some(_) | None => Ok(()),
    }
}

fn ftp(settings: &Settings) -> FtpConfig {
    FtpConfig {
        listen: settings.ftp_listen.clone(),
        implicit: settings.ftps_listen.clone(),
        passive_ports: settings.ftp_passive_ports.clone(),
        masquerade: settings.ftp_masquerade.clone(),
        active: settings.ftp_active,
        resume: settings.ftp_data_tls_resume,
        digesting: settings.ftp_digests,
        plaintext: settings.allow_plaintext,
    }
}

/// Everywhere the server is to listen.
fn addresses(settings: &Settings) -> impl Iterator<Item = &SocketAddr> {
    let ftp = settings.ftp_listen.iter().chain(&settings.ftps_listen);
    settings.listen.iter().chain(ftp)
}

/// What the settings on TLS come to together; or the setting that is wrong, and why.
fn tls(settings: &Settings) -> Result<TlsConfig, (&'static str, String)> {
    let files = match (&settings.tls_cert, &settings.tls_key) {
        (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
        // One file may hold both.
        (Some(both), None) => Some((both.clone(), both.clone())),
        (None, None) => None,
        (None, Some(_)) => {
            let why = "a key needs its certificate: --tls-cert FILE";
            return Err(("tls_key", why.to_owned()));
        }
    };
    let off = settings.tls_mode == TlsOn::Nowhere;
    if off && !settings.ftps_listen.is_empty() {
        let why = "ftps-listen speaks TLS, and --tls-mode off wants none: leave one of them out";
        return Err(("tls_mode", why.to_owned()));
    }
    if off
        && !settings.allow_plaintext
        && let Some(address) = addresses(settings).find(|address| !is_loopback(address))
    {
        let why = format!(
            "refusing to listen on {address} without TLS: that is beyond this machine, and everybody on the way could read and \
             change what is sent. Leave out --tls-mode off, or say --allow-plaintext if that is what you want."
        );
        return Err(("tls_mode", why));
    }
    Ok(TlsConfig {
        on: settings.tls_mode,
        files,
        state: settings.state_dir.clone().unwrap_or_else(state_dir),
        client_ca: settings.tls_client_ca.clone(),
        oldest: settings.tls_min,
    })
}

/// A file that is named is there for something: whoever comes to rely on it shall not learn later that it is no good. The setting that names it,
/// and what is wrong; blocks for the files.
fn check_tls(settings: &Settings, tls: &TlsConfig) -> Result<(), (Option<&'static str>, String)> {
    tls.check().map_err(|error| {
        let named = [
            ("tls_cert", &settings.tls_cert),
            ("tls_key", &settings.tls_key),
            ("tls_client_ca", &settings.tls_client_ca),
        ];
        let named = named
            .iter()
            .find(|(_, file)| file.as_deref() == error.path());
        (named.map(|(name, _)| *name), error.to_string())
    })
}

/// Where a service keeps what it makes: as systemd says, as the user's desktop says, or as is the custom.
fn state_dir() -> PathBuf {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let folder = |name: &str| variable(name).map(PathBuf::from);
    folder("STATE_DIRECTORY")
        .or_else(|| folder("XDG_STATE_HOME").map(|home| home.join("ftp-server")))
        .or_else(|| folder("HOME").map(|home| home.join(".local/state/ftp-server")))
        .unwrap_or_else(|| PathBuf::from("/var/lib/ftp-server"))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
