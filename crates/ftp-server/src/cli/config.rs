//! What is obeyed: made from what was typed, with every rule between the flags checked.

use std::fmt;
use std::net::SocketAddr;
use std::thread::available_parallelism;
use std::time::Duration;

use ftp_proto::{Durability, Limits};

use super::args::{Args, DurabilityArg, LogFormat, LogLevel};
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

/// Why the flags, each right by itself, are wrong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConfigError {
    /// Everybody on the network could read and write.
    Anonymous(SocketAddr),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous(address) => write!(
                f,
                "refusing to listen on {address}: that is beyond this machine, and whoever reaches it could read and \
                 write everything in the root. Listen on 127.0.0.1, or say --allow-anonymous if that is what you want."
            ),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Decides.
    pub(super) fn new(args: Args) -> Result<Self, ConfigError> {
        let beyond = args.listen.iter().find(|address| !is_loopback(address));
        if let Some(address) = beyond.filter(|_| !args.allow_anonymous) {
            return Err(ConfigError::Anonymous(*address));
        }
        let cores = available_parallelism().map_or(1, usize::from);
        let limits = Limits {
            hello_time: args.hello_timeout,
            idle_time: args.idle_timeout,
            stall_time: args.stall_timeout,
            floor_bytes: (args.min_rate as u64).saturating_mul(args.stall_timeout.as_secs()),
            ..Limits::default()
        };
        let slow_disk = args.slow_disk_ms.filter(|ms| *ms > 0);
        Ok(Self {
            server: ServerConfig {
                root: args.root,
                listen: args.listen,
                read_only: args.read_only,
                durability: match args.durability {
                    DurabilityArg::Full => Durability::Full,
                    DurabilityArg::Data => Durability::Data,
                    DurabilityArg::None => Durability::None,
                },
                reactors: args.reactors,
                workers: args.workers.unwrap_or_else(|| cores.max(WORKERS)),
                max_connections: args.max_connections,
                max_per_address: args.max_per_address,
                buffer_bytes: args.buffer_memory.saturating_mul(1024 * 1024),
                drain_time: args.drain_timeout,
                partial_ttl: args.partial_ttl,
                limits,
                slow_disk: slow_disk.map(|ms| Duration::from_millis(ms.into())),
            },
            log_format: args.log_format,
            log_level: args.log_level,
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

/// Whether only this machine can reach the address.
fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn config(args: &[&str]) -> Result<Config, String> {
        let args = [&["ftp-server"], args].concat();
        let args = Args::try_parse_from(args).map_err(|error| error.to_string())?;
        Config::new(args).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults() {
        let config = config(&[]).unwrap();
        let server = &config.server;
        assert_eq!(server.root.as_os_str(), ".");
        assert_eq!(server.listen, ["127.0.0.1:2121".parse().unwrap()]);
        assert!(!server.read_only && server.slow_disk.is_none());
        assert_eq!(server.durability, Durability::Full);
        assert_eq!(server.partial_ttl, Duration::from_secs(7 * 24 * 3600));
        assert!(server.workers >= WORKERS);
        assert_eq!(
            (server.max_connections, server.max_per_address),
            (16_384, 4096)
        );
        assert_eq!(server.buffer_bytes, 64 << 20);
        assert_eq!(server.drain_time, Duration::from_secs(30));
        assert_eq!(server.limits, Limits::default());
        assert_eq!(
            (config.log_format, config.log_level),
            (LogFormat::Text, LogLevel::Info)
        );
    }

    #[test]
    fn every_flag_arrives() {
        let check = |args: &[&str], holds: &dyn Fn(&Config) -> bool| {
            let config = config(args).unwrap_or_else(|error| panic!("{args:?}: {error}"));
            assert!(holds(&config), "{args:?}: {config:?}");
        };
        let seconds = Duration::from_secs;
        check(&["--root", "/srv"], &|it| {
            it.server.root.as_os_str() == "/srv"
        });
        check(&["--listen", "127.0.0.1:0", "--listen", "[::1]:9"], &|it| {
            it.server.listen.len() == 2
        });
        check(&["--listen", "127.0.0.1:0,[::1]:9"], &|it| {
            it.server.listen.len() == 2
        });
        check(&["--read-only"], &|it| it.server.read_only);
        check(&["--durability", "data"], &|it| {
            it.server.durability == Durability::Data
        });
        check(&["--durability", "none"], &|it| {
            it.server.durability == Durability::None
        });
        check(&["--partial-ttl", "1h"], &|it| {
            it.server.partial_ttl == seconds(3600)
        });
        check(&["--workers", "7"], &|it| it.server.workers == 7);
        check(&["--max-connections", "8"], &|it| {
            it.server.max_connections == 8
        });
        check(&["--max-per-address", "9"], &|it| {
            it.server.max_per_address == 9
        });
        check(&["--buffer-memory", "2"], &|it| {
            it.server.buffer_bytes == 2 << 20
        });
        check(&["--hello-timeout", "1"], &|it| {
            it.server.limits.hello_time == seconds(1)
        });
        check(&["--idle-timeout", "10m"], &|it| {
            it.server.limits.idle_time == seconds(600)
        });
        check(&["--stall-timeout", "3"], &|it| {
            it.server.limits.stall_time == seconds(3) && it.server.limits.floor_bytes == 192
        });
        check(&["--drain-timeout", "0"], &|it| {
            it.server.drain_time.is_zero()
        });
        check(&["--log-format", "json"], &|it| {
            it.log_format == LogFormat::Json
        });
        check(&["--log-level", "trace"], &|it| {
            it.log_level == LogLevel::Trace
        });
        check(&["--slow-disk-ms", "2000"], &|it| {
            it.server.slow_disk == Some(seconds(2))
        });
        check(&["--slow-disk-ms", "0"], &|it| {
            it.server.slow_disk.is_none()
        });
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |args: &[&str], word: &str| {
            let error = config(args).expect_err("it is wrong");
            assert!(error.contains(word), "{args:?}: {error}");
        };
        check(&["--listen", "localhost"], "127.0.0.1:2121");
        check(&["--workers", "0"], "from 1 to 1024");
        check(&["--workers", "many"], "--workers");
        check(&["--max-connections=-1"], "--max-connections");
        check(&["--idle-timeout", "soon"], "--idle-timeout");
        check(&["--hello-timeout", "0"], "more than 0");
        check(&["--durability", "some"], "full, data, none");
        check(&["--log-level", "loud"], "info");
        check(&["file"], "unexpected argument");
    }

    #[test]
    fn beyond_loopback_only_when_it_is_said() {
        let listen = |address: &str| config(&["--listen", address]);
        for inside in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(listen(inside).is_ok(), "{inside}");
        }
        for beyond in [
            "0.0.0.0:1",
            "[::]:1",
            "192.168.0.1:1",
            "[fe80::1]:1",
            "127.0.0.1:1,8.8.8.8:1",
        ] {
            let error = listen(beyond).expect_err(beyond);
            assert!(error.contains("--allow-anonymous"), "{error}");
            let allowed = config(&["--allow-anonymous", "--listen", beyond]);
            assert!(allowed.is_ok(), "{allowed:?}");
        }
    }
}
