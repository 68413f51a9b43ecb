//! The muxftp daemon, as a library: `main.rs` is one line.
//!
//! Floors, each importing only what stands before it: `base` · `bans` · `pool` · `conn` · `session` ·
//! `reactor` · `server` · `cli`; `sandbox` stands by itself.

mod bans;
mod base;
pub mod cli;
mod conn;
mod logins;
mod metrics;
mod pool;
mod quotas;
mod reactor;
mod sandbox;
pub mod server;
mod session;
mod sweeper;
