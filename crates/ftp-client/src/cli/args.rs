//! `Args`: what was typed. Nothing is decided here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::exit;
use crate::Fingerprint;

/// Where `--help` puts what every verb understands.
const HEADING: &str = "Options of every verb";

/// Moves files to and from an ftp-server, verified end to end.
#[derive(Debug, Parser)]
#[command(name = "ftp-client", version, after_long_help = after(), propagate_version = false)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// What every verb understands.
#[derive(Debug, ClapArgs)]
pub(super) struct Common {
    /// The server: HOST, HOST:PORT or [IPV6]:PORT; muxftps://HOST[:PORT] speaks TLS
    #[arg(short, long, global = true, help_heading = HEADING, value_name = "HOST[:PORT]")]
    #[arg(
        env = "FTP_CLIENT_SERVER",
        default_value = "127.0.0.1:2121",
        hide_env_values = true
    )]
    pub(super) server: String,
    /// Give up after so many seconds in which nothing moves
    #[arg(
        long,
        global = true, help_heading = HEADING,
        value_name = "SECONDS",
        env = "FTP_CLIENT_TIMEOUT"
    )]
    #[arg(default_value = "60", value_parser = seconds, hide_env = true)]
    pub(super) timeout: f64,
    /// Give up connecting after so many seconds
    #[arg(
        long,
        global = true, help_heading = HEADING,
        value_name = "SECONDS",
        env = "FTP_CLIENT_CONNECT_TIMEOUT"
    )]
    #[arg(default_value = "10", value_parser = seconds, hide_env = true)]
    pub(super) connect_timeout: f64,
    /// Try again after passing failures, so many times in a row without getting further
    #[arg(long, global = true, help_heading = HEADING, value_name = "N", env = "FTP_CLIENT_RETRIES")]
    #[arg(default_value = "5", hide_env = true)]
    pub(super) retries: u32,
    /// Carry files over N connections at once
    #[arg(
        short = 'j',
        long,
        global = true, help_heading = HEADING,
        value_name = "N",
        env = "FTP_CLIENT_CONNECTIONS"
    )]
    #[arg(default_value = "2", hide_env = true, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) connections: u16,
    /// Take what is not said here from this profile of config.toml (README: "Users and profiles")
    #[arg(short = 'P', long, global = true, help_heading = HEADING, value_name = "NAME")]
    #[arg(env = "FTP_CLIENT_PROFILE", hide_env_values = true)]
    pub(super) profile: Option<String>,
    /// Log in as this user
    #[arg(short, long, global = true, help_heading = HEADING, value_name = "NAME")]
    #[arg(env = "FTP_CLIENT_USER", hide_env_values = true)]
    pub(super) user: Option<String>,
    /// Read the password from this file's first line; else FTP_CLIENT_PASSWORD, what `login` kept, or a question
    #[arg(long, global = true, help_heading = HEADING, value_name = "FILE")]
    #[arg(env = "FTP_CLIENT_PASSWORD_FILE", hide_env = true)]
    pub(super) password_file: Option<PathBuf>,
    /// Send the password even where everybody on the way can read it (without TLS, to another machine)
    #[arg(long, global = true, help_heading = HEADING)]
    #[arg(env = "FTP_CLIENT_PLAINTEXT_PASSWORD", hide_env = true)]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) plaintext_password: bool,
    /// Speak TLS; `muxftps://HOST` as the server means the same, and so do the flags below
    #[arg(long, global = true, help_heading = HEADING, env = "FTP_CLIENT_TLS", hide_env = true)]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) tls: bool,
    /// Trust servers that these certificate authorities (PEM) vouch for, and no others
    #[arg(long, global = true, help_heading = HEADING, value_name = "FILE")]
    #[arg(env = "FTP_CLIENT_CA", hide_env = true)]
    pub(super) ca: Option<PathBuf>,
    /// Trust the server with this key and no other, whatever its certificate says: SHA256:...
    #[arg(long, global = true, help_heading = HEADING, value_name = "FINGERPRINT")]
    #[arg(env = "FTP_CLIENT_PIN", hide_env = true, value_parser = fingerprint)]
    pub(super) pin: Option<Fingerprint>,
    /// Show this certificate (PEM) to a server that asks for one
    #[arg(long, global = true, help_heading = HEADING, value_name = "FILE")]
    #[arg(env = "FTP_CLIENT_CERT", hide_env = true)]
    pub(super) cert: Option<PathBuf>,
    /// The key of --cert (PEM), if it is not in the same file
    #[arg(long, global = true, help_heading = HEADING, value_name = "FILE", requires = "cert")]
    #[arg(env = "FTP_CLIENT_KEY", hide_env = true)]
    pub(super) key: Option<PathBuf>,
    /// The oldest version of TLS to speak
    #[arg(long, global = true, help_heading = HEADING, value_name = "VERSION")]
    #[arg(env = "FTP_CLIENT_TLS_MIN", hide_env = true, default_value = "1.3", value_parser = ["1.2", "1.3"])]
    pub(super) tls_min: String,
    /// Print errors only
    #[arg(short, long, global = true, help_heading = HEADING, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Tell of every file
    #[arg(short, long, global = true, help_heading = HEADING)]
    pub(super) verbose: bool,
    /// Print one JSON object a line on standard output (JSON.md describes them)
    #[arg(long, global = true, help_heading = HEADING)]
    pub(super) json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Send files and folders to the server
    #[command(after_help = PUT_EXAMPLES)]
    #[command(override_usage = "ftp-client put [OPTIONS] SRC... [DEST]")]
    Put(Put),
    /// Get files and folders from the server
    #[command(after_help = GET_EXAMPLES)]
    #[command(override_usage = "ftp-client get [OPTIONS] SRC... [DEST]")]
    Get(Get),
    /// Print files of the server to standard output
    Cat(Paths),
    /// List a folder of the server
    #[command(disable_help_flag = true)]
    Ls(Ls),
    /// Tell what stands at a path of the server
    Stat(Paths),
    /// Print SHA-256 digests that the server computes, as sha256sum does
    Hash(Hash),
    /// Make folders on the server
    Mkdir(Mkdir),
    /// Rename or move on the server
    #[command(override_usage = "ftp-client mv [OPTIONS] SRC... DEST")]
    Mv(Mv),
    /// Remove files and folders from the server
    Rm(Rm),
    /// Measure round trips to the server
    Ping(Ping),
    /// Try a password, and keep it if the server takes it
    Login(Login),
    /// Forget the passwords that are kept for a server
    Logout(Logout),
    /// List, add or remove servers that are trusted by their key
    Trust(Trust),
}

#[derive(Debug, ClapArgs)]
pub(super) struct Put {
    /// Local files and folders, then the destination on the server; `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<OsString>,
    /// Put all into this folder of the server; then every path is a source
    #[arg(short = 't', long, value_name = "DIR")]
    pub(super) into: Option<String>,
    /// DEST is the very name, never a folder to put things into
    #[arg(short = 'T', long, conflicts_with = "into")]
    pub(super) exact: bool,
    /// Accepted for habit: folders are always sent with all in them
    #[arg(short, long, hide = true)]
    pub(super) recursive: bool,
    /// What to do where a file stands already
    #[arg(long, value_enum, default_value_t = IfExistsArg::Replace, value_name = "WHAT")]
    pub(super) if_exists: IfExistsArg,
    /// Send what symbolic links within a folder point to (else they are left out)
    #[arg(long)]
    pub(super) follow: bool,
    /// Start over instead of going on where an earlier attempt broke
    #[arg(long)]
    pub(super) no_resume: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum IfExistsArg {
    /// Replace it in one step
    Replace,
    /// Fail
    Fail,
    /// Keep it
    Skip,
    /// Replace it only if ours is newer
    Newer,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Get {
    /// Files and folders of the server, then the local destination; `-` is standard output
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<OsString>,
    /// Put all into this local folder (made if missing); then every path is a source
    #[arg(short = 't', long, value_name = "DIR")]
    pub(super) into: Option<PathBuf>,
    /// DEST is the very name, never a folder to put things into
    #[arg(short = 'T', long, conflicts_with = "into")]
    pub(super) exact: bool,
    /// Accepted for habit: folders are always got with all in them
    #[arg(short, long, hide = true)]
    pub(super) recursive: bool,
    /// Sync every file to the disk before it counts as done
    #[arg(long)]
    pub(super) fsync: bool,
    /// Fetch each file of 64 MiB or more over N connections at once (files named, not those in folders)
    #[arg(
        long,
        value_name = "N",
        env = "FTP_CLIENT_STREAMS",
        default_value = "1",
        hide_env = true
    )]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(super) streams: u8,
    /// Do not hash what arrives: a damage on the way that TCP does not see goes unnoticed. What is gone
    /// on with after a break, and what comes over several streams, is verified all the same
    #[arg(long)]
    pub(super) no_verify: bool,
    /// Start over instead of going on where an earlier attempt broke
    #[arg(long)]
    pub(super) no_resume: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Paths {
    /// Paths on the server
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Ls {
    /// Folders or files of the server
    #[arg(value_name = "PATH", default_value = "/")]
    pub(super) paths: Vec<String>,
    /// Mode, size, time (UTC) and name
    #[arg(short)]
    pub(super) long: bool,
    /// Sizes for people (with -l)
    #[arg(short = 'h', long = "human-readable")]
    pub(super) human: bool,
    /// Folders with all in them
    #[arg(short = 'R', long)]
    pub(super) recursive: bool,
    /// Accepted for habit: nothing is hidden
    #[arg(short, long, hide = true)]
    pub(super) all: bool,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    pub(super) help: Option<bool>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Hash {
    /// Files of the server
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<String>,
    /// Compare with this local file, and with its digest end in 0 or 10
    #[arg(long, value_name = "LOCAL")]
    pub(super) check: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Mkdir {
    #[command(flatten)]
    pub(super) paths: Paths,
    /// Make missing folders above; no error if it is there
    #[arg(short, long)]
    pub(super) parents: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Mv {
    /// Paths on the server, then the new name or the folder to move them into
    #[arg(required = true, num_args = 2.., value_name = "PATH")]
    pub(super) paths: Vec<String>,
    /// Replace a file that stands there
    #[arg(short, long)]
    pub(super) force: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Rm {
    #[command(flatten)]
    pub(super) paths: Paths,
    /// Folders with all in them
    #[arg(short, long)]
    pub(super) recursive: bool,
    /// What is not there is no error
    #[arg(short, long)]
    pub(super) force: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Ping {
    /// How often
    #[arg(short, long, default_value = "4", value_name = "N")]
    pub(super) count: u32,
    /// Seconds between two
    #[arg(short, long, default_value = "1", value_name = "SECONDS", value_parser = pause)]
    pub(super) interval: f64,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Login {
    /// HOST, HOST:PORT or [IPV6]:PORT, instead of --server
    #[arg(value_name = "SERVER")]
    pub(super) server: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Logout {
    /// HOST, HOST:PORT or [IPV6]:PORT, instead of --server
    #[arg(value_name = "SERVER")]
    pub(super) server: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Trust {
    #[command(subcommand)]
    pub(super) what: TrustVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum TrustVerb {
    /// List them
    Ls,
    /// Trust a server by its key; without one, connect, show its key and ask
    Add {
        /// HOST, HOST:PORT or [IPV6]:PORT
        #[arg(value_name = "HOST[:PORT]")]
        host: String,
        /// Its key: SHA256:...
        #[arg(value_name = "FINGERPRINT", value_parser = fingerprint)]
        fingerprint: Option<Fingerprint>,
    },
    /// Forget servers
    Rm {
        /// HOST, HOST:PORT or [IPV6]:PORT
        #[arg(required = true, value_name = "HOST[:PORT]")]
        hosts: Vec<String>,
    },
}

fn fingerprint(text: &str) -> Result<Fingerprint, String> {
    text.parse()
        .map_err(|error: ftp_tls::Error| error.to_string())
}

/// A time that is not zero.
fn seconds(text: &str) -> Result<f64, String> {
    pause(text).and_then(|value| {
        if value > 0.0 {
            Ok(value)
        } else {
            Err("a number of seconds above 0".into())
        }
    })
}

fn pause(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('s').parse::<f64>() {
        Ok(value) if (0.0..=1e9).contains(&value) => Ok(value),
        _ => Err("a number of seconds".into()),
    }
}

fn after() -> String {
    format!("{EXAMPLES}\n\n{}", exit::TABLE)
}

const EXAMPLES: &str = "\
Examples:
  ftp-client put report.pdf                    to the server's root, same name
  ftp-client put a.txt b.txt docs/             into a folder
  ftp-client get docs ~/copy                   a folder with all in it
  tar c . | ftp-client put - backup.tar        from a pipe
  ftp-client -s host:2121 ls -l docs

Paths on the server are relative to its root; a `/` in front means the same. A path that
begins with a dash is given after `--` or as `./-name`. Every file is verified by SHA-256
on the other side before it appears there, in one step; an old file survives every failure.";

const PUT_EXAMPLES: &str = "\
With one path, the server takes its name. With more, the last is the destination, as cp has it:
a folder that is there (or a name that ends in `/`) takes things in, any other name is the new name.

Examples:
  ftp-client put a.txt                 a.txt
  ftp-client put a.txt docs/           docs/a.txt
  ftp-client put a.txt b.txt           a.txt, stored as b.txt (or b.txt/a.txt if that is a folder)
  ftp-client put -t docs a.txt b.txt   docs/a.txt and docs/b.txt
  ftp-client put site www              the folder site, as www (or www/site if www is there)
  ftp-client put -T site www           the folder site, as www, whether it is there or not
  pg_dump db | ftp-client put - db.sql
  ftp-client put -- -dash.txt";

const GET_EXAMPLES: &str = "\
With one path, it comes into the current folder under its own name. With more, the last is the
destination, as cp has it. A file appears only when it is complete and verified (--no-verify: complete).

Examples:
  ftp-client get docs/a.txt            ./a.txt
  ftp-client get docs/a.txt b.txt      as b.txt
  ftp-client get docs/a.txt -          to standard output
  ftp-client get a.txt b.txt here/     into a folder
  ftp-client get docs                  the folder docs with all in it
  ftp-client get -T docs copy          its contents into copy, whether copy is there or not";

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
