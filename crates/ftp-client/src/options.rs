//! `Options`: how to reach a server, and how patient to be.

use std::time::Duration;

use crate::net::{Login, Tls};

/// How to reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `HOST`, `HOST:PORT` or `[V6]:PORT`; port 2121 if none is named. `muxftps://` in front asks for `tls`.
    pub server: String,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time in which nothing moves.
    pub timeout: Duration,
    /// How often a transfer is tried again after a transient failure without getting any further.
    pub retries: u32,
    /// Connections that carry files at once.
    pub connections: usize,
    /// Speak TLS, and how.
    pub tls: Option<Tls>,
    /// Who to log in as, over every connection.
    pub login: Option<Login>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server: "127.0.0.1:2121".into(),
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            retries: 5,
            connections: 1,
            tls: None,
            login: None,
        }
    }
}
