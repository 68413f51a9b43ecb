//! End to end: the real daemon, the real client, and peers that speak by hand. Loopback only.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code fails by panicking, and says what it skips"
)]

#[path = "e2e/bandwidth.rs"]
mod bandwidth;
#[path = "e2e/bans.rs"]
mod bans;
#[path = "e2e/config.rs"]
mod config;
#[path = "e2e/few.rs"]
mod few;
#[path = "e2e/large.rs"]
mod large;
#[path = "e2e/lifecycle.rs"]
mod lifecycle;
#[path = "e2e/limits.rs"]
mod limits;
#[path = "e2e/logged_in.rs"]
mod logged_in;
#[path = "e2e/logs.rs"]
mod logs;
#[path = "e2e/many.rs"]
mod many;
#[path = "e2e/matrix.rs"]
mod matrix;
#[path = "e2e/pipeline.rs"]
mod pipeline;
#[path = "e2e/proxied.rs"]
mod proxied;
#[path = "e2e/python.rs"]
mod python;
#[path = "e2e/quota.rs"]
mod quota;
#[path = "e2e/reactors.rs"]
mod reactors;
#[path = "e2e/resume.rs"]
mod resume;
#[path = "e2e/tls.rs"]
mod tls;
#[path = "e2e/transfers.rs"]
mod transfers;
#[path = "e2e/user_command.rs"]
mod user_command;
#[path = "e2e/users.rs"]
mod users;
#[path = "e2e/verbs.rs"]
mod verbs;
#[path = "e2e/walls.rs"]
mod walls;
