//! The store from outside: every operation, every fault, the jail, group commit.

#![allow(
    clippy::disallowed_methods,
    reason = "a test looks at the disk past the jail"
)]
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic"
)]

mod common;
mod jail;
mod list;
mod names;
mod read;
mod resume;
mod sweep;
mod sync;
mod upload;
