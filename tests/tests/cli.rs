//! The command line: what a person or a script sees of the client.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code fails by panicking, and says what it skips"
)]

#[path = "cli/exits.rs"]
mod exits;
#[path = "cli/interrupt.rs"]
mod interrupt;
#[path = "cli/json.rs"]
mod json;
#[path = "cli/login.rs"]
mod login;
#[path = "cli/manage.rs"]
mod manage;
#[path = "cli/output.rs"]
mod output;
#[path = "cli/rogue.rs"]
mod rogue;
#[path = "cli/streams.rs"]
mod streams;
#[path = "cli/transfer.rs"]
mod transfer;
#[path = "cli/tree.rs"]
mod tree;
#[path = "cli/trust.rs"]
mod trust;

use ftp_tests::{Client, Options, Server};

/// A server that syncs nothing: these tests are not about that.
fn server() -> Server {
    Server::start(Options::new().args(["--durability", "none"]))
}

/// A client of it.
fn client(server: &Server) -> Client {
    Client::of(server.addr())
}
