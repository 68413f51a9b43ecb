//! Peers that misbehave: each gets its due answer, and none disturbs a transfer that runs beside it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code fails by panicking, and says what it skips"
)]

#[path = "hostile/framing.rs"]
mod framing;
#[path = "hostile/manners.rs"]
mod manners;
#[path = "hostile/memory.rs"]
mod memory;
#[path = "hostile/paths.rs"]
mod paths;
#[path = "hostile/uploads.rs"]
mod uploads;
