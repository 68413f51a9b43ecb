//! What can be typed: flags, their environment variables, their defaults. Obeys nothing; see `config`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Parser, ValueEnum};

/// The longest time that can be asked for; more would be a slip.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The muxftp server: many verified transfers at once, over one port.
///
/// Prints `listening on ADDR` on standard output when it is ready; the log goes to standard error. SIGTERM or SIGINT lets transfers
/// finish and ends it with 0; a second signal cuts them and ends it with 1.
#[derive(Debug, Parser)]
#[command(name = "ftp-server", version, max_term_width = 110)]
pub(super) struct Args {
    /// The folder to serve.
    #[arg(
        long,
        env = "FTP_SERVER_ROOT",
        value_name = "DIR",
        default_value = ".",
        hide_env_values = true
    )]
    pub(super) root: PathBuf,

    /// Where to listen; may be given more than once. Port 0 takes a free one.
    #[arg(long, env = "FTP_SERVER_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:2121",
          value_delimiter = ',', value_parser = address, hide_env_values = true)]
    pub(super) listen: Vec<SocketAddr>,

    /// Listen beyond loopback although there are no users: whoever reaches the port may read and write.
    #[arg(long, env = "FTP_SERVER_ALLOW_ANONYMOUS", value_parser = FalseyValueParser::new(), hide_env_values = true)]
    pub(super) allow_anonymous: bool,

    /// Refuse every change.
    #[arg(long, env = "FTP_SERVER_READ_ONLY", value_parser = FalseyValueParser::new(), hide_env_values = true)]
    pub(super) read_only: bool,

    /// How safe an upload is when it is answered.
    #[arg(
        long,
        env = "FTP_SERVER_DURABILITY",
        value_name = "LEVEL",
        default_value = "full",
        hide_env_values = true
    )]
    pub(super) durability: DurabilityArg,

    /// How long a broken upload can be resumed before it is removed.
    #[arg(
        long,
        env = "FTP_SERVER_PARTIAL_TTL",
        value_name = "TIME",
        default_value = "7d",
        value_parser = duration,
        hide_env_values = true
    )]
    pub(super) partial_ttl: Duration,

    /// Loops that serve connections, each on a thread of its own.
    #[arg(long, env = "FTP_SERVER_REACTORS", value_name = "N", default_value = "1",
          value_parser = count::<1, 256>, hide_env_values = true)]
    pub(super) reactors: usize,

    /// Threads for disk work [default: one per core, at least 4].
    #[arg(long, env = "FTP_SERVER_WORKERS", value_name = "N",
          value_parser = count::<1, 1024>, hide_env_values = true)]
    pub(super) workers: Option<usize>,

    /// Most connections at once; more wait in the kernel.
    #[arg(long, env = "FTP_SERVER_MAX_CONNECTIONS", value_name = "N", default_value = "16384",
          value_parser = count::<1, 10_000_000>, hide_env_values = true)]
    pub(super) max_connections: usize,

    /// Most connections of one address at once; more are refused.
    #[arg(long, env = "FTP_SERVER_MAX_PER_ADDRESS", value_name = "N", default_value = "4096",
          value_parser = count::<1, 10_000_000>, hide_env_values = true)]
    pub(super) max_per_address: usize,

    /// Memory for payload on its way between network and disk, in MiB, for all connections together.
    #[arg(long, env = "FTP_SERVER_BUFFER_MEMORY", value_name = "MIB", default_value = "64",
          value_parser = count::<1, 1_048_576>, hide_env_values = true)]
    pub(super) buffer_memory: usize,

    /// Close a connection that says nothing for so long after it was made.
    #[arg(long, env = "FTP_SERVER_HELLO_TIMEOUT", value_name = "TIME", default_value = "10",
          value_parser = timeout, hide_env_values = true)]
    pub(super) hello_timeout: Duration,

    /// Close a connection without a request for so long.
    #[arg(long, env = "FTP_SERVER_IDLE_TIMEOUT", value_name = "TIME", default_value = "300",
          value_parser = timeout, hide_env_values = true)]
    pub(super) idle_timeout: Duration,

    /// Break off a transfer in which the peer moves less than `--min-rate` for so long.
    #[arg(long, env = "FTP_SERVER_STALL_TIMEOUT", value_name = "TIME", default_value = "60",
          value_parser = timeout, hide_env_values = true)]
    pub(super) stall_timeout: Duration,

    /// Least bytes a second of a transfer, taken over each `--stall-timeout`; 0 asks for one byte in all.
    #[arg(long, env = "FTP_SERVER_MIN_RATE", value_name = "BYTES", default_value = "64",
          value_parser = count::<0, 1_000_000_000>, hide_env_values = true)]
    pub(super) min_rate: usize,

    /// After a signal, let transfers finish for so long. Times are seconds, or `500ms`, `10m`, `2h`, `1d`.
    #[arg(long, env = "FTP_SERVER_DRAIN_TIMEOUT", value_name = "TIME", default_value = "30",
          value_parser = duration, hide_env_values = true)]
    pub(super) drain_timeout: Duration,

    /// Log lines for people or for programs.
    #[arg(
        long,
        env = "FTP_SERVER_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        hide_env_values = true
    )]
    pub(super) log_format: LogFormat,

    /// Log this and what is graver.
    #[arg(
        long,
        env = "FTP_SERVER_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info",
        hide_env_values = true
    )]
    pub(super) log_level: LogLevel,

    /// For tests: every disk job sleeps so many milliseconds first.
    #[arg(long, env = "FTP_SERVER_SLOW_DISK_MS", value_name = "MS", hide = true)]
    pub(super) slow_disk_ms: Option<u32>,
}

/// `--durability`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DurabilityArg {
    /// Data, metadata and the name are on stable storage.
    Full,
    /// Data is on stable storage; the name may need the next sync.
    Data,
    /// The operating system writes when it likes.
    None,
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// One line an event, control characters escaped.
    Text,
    /// One JSON object an event.
    Json,
}

/// `--log-level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    /// Faults of the server's own.
    Error,
    /// What an operator should look at.
    Warn,
    /// Sessions and transfers.
    Info,
    /// Decisions.
    Debug,
    /// Every read and write.
    Trace,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "an IP address and a port are needed, such as 127.0.0.1:2121 or [::1]:2121".to_owned()
    })
}

fn count<const MIN: usize, const MAX: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (MIN..=MAX).contains(number));
    number.ok_or_else(|| format!("a number from {MIN} to {MAX} is needed"))
}

/// A time that may not be 0.
fn timeout(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() {
        return Err("a time of more than 0 is needed".to_owned());
    }
    Ok(time)
}

/// Seconds, or a number with a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 24.0 * 3600.0,
        _ => return Err("the units of time are ms, s, m, h and d".to_owned()),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number = digits.parse::<f64>().ok().filter(|_| plain);
    let number = number.ok_or("a number of seconds, or a time such as 10m, is needed")?;
    Duration::try_from_secs_f64(number * unit)
        .ok()
        .filter(|time| *time <= LONGEST)
        .ok_or_else(|| "that is more than a year".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_flag_has_its_variable() {
        for arg in Args::command().get_arguments() {
            let Some(long) = arg
                .get_long()
                .filter(|it| !["help", "version"].contains(it))
            else {
                continue;
            };
            let variable = format!("FTP_SERVER_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(arg.get_env().and_then(|it| it.to_str()), Some(&*variable));
        }
    }

    #[test]
    fn times_are_read() {
        let check = |text: &str, want: Option<u64>| {
            let got = duration(text).ok().map(|time| time.as_millis());
            assert_eq!(got, want.map(u128::from), "{text}");
        };
        check("300", Some(300_000));
        check("0.5", Some(500));
        check("250ms", Some(250));
        check("10m", Some(600_000));
        check("2h", Some(7_200_000));
        check("365d", Some(31_536_000_000));
        check("0", Some(0));
        for wrong in [
            "",
            "s",
            "-1",
            "+1",
            "1e3",
            "inf",
            "nan",
            "soon",
            "1 s",
            "1y",
            "366d",
            "1.2.3",
            "99999999999999999999999",
            "1µs",
            "ms",
        ] {
            check(wrong, None);
        }
        assert!(timeout("0").is_err() && timeout("0.0s").is_err());
    }
}
