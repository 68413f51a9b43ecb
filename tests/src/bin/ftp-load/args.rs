//! What was typed.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Puts load on a server of files.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// What to do.
    pub(crate) mode: Mode,
    /// The server.
    #[arg(long)]
    pub(crate) addr: SocketAddr,
    /// What it speaks.
    #[arg(long, default_value = "native")]
    pub(crate) language: Language,
    /// Connections in all.
    #[arg(long, default_value_t = 1)]
    pub(crate) connections: usize,
    /// Connections that are at work at once.
    #[arg(long, default_value_t = 1000)]
    pub(crate) at_once: usize,
    /// Requests on each connection, one after the other (`requests`).
    #[arg(long, default_value_t = 1)]
    pub(crate) requests: u32,
    /// The file to get or put; `{}` becomes a number below `--files`.
    #[arg(long, default_value = "")]
    pub(crate) path: String,
    /// How many files there are.
    #[arg(long, default_value_t = 1)]
    pub(crate) files: usize,
    /// Put a file of this many bytes instead of getting it.
    #[arg(long)]
    pub(crate) put: Option<u64>,
    /// Whom to log in as, with the same password (FTP).
    #[arg(long, default_value = "anonymous")]
    pub(crate) user: String,
    /// Source addresses to spread the connections over: 127.0.0.1 and the following.
    #[arg(long, default_value_t = 1)]
    pub(crate) sources: u8,
    /// Seconds after which all is given up.
    #[arg(long, default_value_t = 300)]
    pub(crate) timeout: u64,
    /// Milliseconds between pings (`ping`).
    #[arg(long, default_value_t = 10)]
    pub(crate) every: u64,
}

impl Args {
    /// When to give up, from now.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Open connections, greet, hold them until standard input ends.
    Idle,
    /// Open a connection, greet, close it; again.
    Connects,
    /// Ask small things on connections that stay.
    Requests,
    /// Transfer one file on each connection.
    Transfers,
    /// One connection, one small request at a time, until standard input ends: how long does each take?
    Ping,
}

/// What the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// muxftp's own protocol.
    Native,
    /// HTTP/1.1 with keep-alive.
    Http,
    /// FTP: the greeting and the login only.
    Ftp,
}
