//! The harness of the suites: the real programs on loopback, and peers that misbehave.
//!
//! It never uses a fixed port, never touches a file outside its own temp folders, never waits without a
//! deadline, and leaves no process behind. It fails by panicking: it is test code.

#![allow(
    clippy::unwrap_used,
    reason = "a harness that cannot go on fails the test"
)]

pub mod bystander;
pub mod certs;
pub mod client;
pub mod deadline;
pub mod files;
pub mod peer;
pub mod process;
pub mod proxy;
pub mod rogue;
pub mod server;
pub mod terminal;
pub mod users;

pub use bystander::Bystander;
pub use client::{Client, RUN, Ran};
pub use deadline::{SOON, eventually};
pub use files::Scratch;
pub use peer::Peer;
pub use proxy::{Fault, Proxy, Way};
pub use rogue::Rogue;
pub use server::{Options, Server};
pub use terminal::Terminal;
