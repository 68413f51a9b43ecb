//! The store from outside: every operation, every fault, the jail, group commit.

#![allow(
    clippy::disallowed_methods,
    reason = "a test looks at the disk past the jail"
)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and says what it skips"
)]

mod change;
mod common;
mod crowd;
mod digests;
mod jail;
mod list;
mod names;
mod near;
mod ondemand;
mod quota;
mod race;
mod read;
mod resume;
mod space;
mod start;
mod sweep;
mod sync;
mod upload;
