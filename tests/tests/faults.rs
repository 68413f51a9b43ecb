//! Faults put in on purpose: dead servers, full disks, missing descriptors, bad networks. Each test has a longer
//! form that a script asks for by an environment variable.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code fails by panicking, and says what it skips"
)]

#[path = "faults/corrupt.rs"]
mod corrupt;
#[path = "faults/crash.rs"]
mod crash;
#[path = "faults/descriptors.rs"]
mod descriptors;
#[path = "faults/hold.rs"]
mod hold;
#[path = "faults/network.rs"]
mod network;
#[path = "faults/permissions.rs"]
mod permissions;
#[path = "faults/race.rs"]
mod race;
#[path = "faults/restart.rs"]
mod restart;
#[path = "faults/silence.rs"]
mod silence;
#[path = "faults/soak.rs"]
mod soak;
#[path = "faults/space.rs"]
mod space;

/// A number from the environment, or the gate's own.
fn knob(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}
