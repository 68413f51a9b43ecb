//! The native machine under a seeded simulator: any split of the bytes, any order of completions, faults
//! of the disk, of the connection and of the peer.
//!
//! One seed is one world: one or two sessions of [`ftp_proto::native::Native`], each with a model of the shell
//! and a client, over one disk in memory. `MUXFTP_SIM_SEEDS=10000` plays more of them, `MUXFTP_SIM_SEED=17`
//! plays one and tells what happens.

#![allow(clippy::unwrap_used, reason = "test code fails by panicking")]
#![allow(clippy::print_stdout, reason = "a seed played alone tells its story")]

#[path = "sim/client.rs"]
mod client;
#[path = "sim/disk.rs"]
mod disk;
#[path = "sim/fs.rs"]
mod fs;
#[path = "sim/judge.rs"]
mod judge;
#[path = "sim/lanes.rs"]
mod lanes;
#[path = "sim/plan.rs"]
mod plan;
#[path = "sim/shell.rs"]
mod shell;
#[path = "sim/world.rs"]
mod world;

use std::env;
use std::panic::{self, AssertUnwindSafe};

/// Seeds that the gate plays.
const SEEDS: u64 = 1024;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn every_seed_keeps_the_contract() {
    if let Some(seed) = number("MUXFTP_SIM_SEED") {
        println!("{:?}", world::play(seed, true));
        return;
    }
    let seeds = number("MUXFTP_SIM_SEEDS").unwrap_or(SEEDS);
    let mut sum = world::Summary::default();
    for seed in 0..seeds {
        match panic::catch_unwind(AssertUnwindSafe(|| world::play(seed, false))) {
            Ok(summary) => sum.add(&summary),
            Err(_) => panic!("seed {seed} failed: MUXFTP_SIM_SEED={seed} plays it alone"),
        }
    }
    println!("{seeds} seeds: {sum:?}");
    // A simulator that no longer reaches what it is for would pass in silence.
    assert!(sum.ok > 10 * seeds, "too little was done: {sum:?}");
    for (what, count) in sum.rare() {
        assert!(
            count > 0 || seeds < SEEDS,
            "never happened: {what}: {sum:?}"
        );
    }
}
