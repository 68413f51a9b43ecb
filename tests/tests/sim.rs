//! The machines under a seeded simulator: any split of the bytes, any order of completions, faults of the disk, of the
//! connections and of the peers, a power cut.
//!
//! One seed is one world: sessions of the native dialect, of standard FTP or of both, each with a model of the shell and a
//! client, over one disk in memory. `MUXFTP_SIM_SEEDS=20000` plays more of them, `MUXFTP_SIM_SEED=17` plays one of each kind
//! and tells what happens; `scripts/sim.sh` is the long form.

#![allow(clippy::unwrap_used, reason = "test code fails by panicking")]
#![allow(clippy::print_stdout, reason = "a seed played alone tells its story")]

#[path = "sim/blows.rs"]
mod blows;
#[path = "sim/climate.rs"]
mod climate;
#[path = "sim/disk.rs"]
mod disk;
#[path = "sim/found.rs"]
mod found;
#[path = "sim/fs.rs"]
mod fs;
#[path = "sim/ftp/mod.rs"]
mod ftp;
#[path = "sim/lanes.rs"]
mod lanes;
#[path = "sim/link.rs"]
mod link;
#[path = "sim/names.rs"]
mod names;
#[path = "sim/native/mod.rs"]
mod native;
#[path = "sim/player.rs"]
mod player;
#[path = "sim/second.rs"]
mod second;
#[path = "sim/shell.rs"]
mod shell;
#[path = "sim/summary.rs"]
mod summary;
#[path = "sim/uploads.rs"]
mod uploads;
#[path = "sim/world.rs"]
mod world;

use std::env;
use std::panic::{self, AssertUnwindSafe};

use ftp_proto::rfc959::State;

use ftp::strike::Strike;
use summary::Summary;
use world::Kind;

/// How many seeds of each kind the gate plays.
const SEEDS: u64 = 1024;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Plays the seeds, and returns their account with how many there were; `None` if one was told alone.
fn play(kind: Kind) -> Option<(u64, Summary)> {
    if let Some(seed) = number("MUXFTP_SIM_SEED") {
        println!("{:?}", world::play(kind, seed, true));
        return None;
    }
    let seeds = number("MUXFTP_SIM_SEEDS").unwrap_or(SEEDS);
    let mut sum = Summary::default();
    let first = number("MUXFTP_SIM_FIRST").unwrap_or(0);
    for seed in first..first + seeds {
        match panic::catch_unwind(AssertUnwindSafe(|| world::play(kind, seed, false))) {
            Ok(summary) => sum.add(&summary),
            Err(_) => panic!("{kind:?}: seed {seed} failed: MUXFTP_SIM_SEED={seed} plays it alone"),
        }
    }
    println!("{kind:?}: {seeds} seeds: {sum:?}");
    Some((seeds, sum))
}

/// A simulator that no longer reaches what it is for would pass in silence.
fn check_reach(seeds: u64, sum: &Summary, rare: Vec<(String, u64)>) {
    assert!(sum.ok > 8 * seeds, "too little was done: {sum:?}");
    let never = rare.into_iter().filter(|(_, count)| *count == 0);
    let never: Vec<String> = never.map(|(what, _)| what).collect();
    let few = seeds < SEEDS;
    assert!(
        few || never.is_empty(),
        "never happened: {never:?}: {sum:?}"
    );
}

#[test]
fn every_seed_keeps_the_contract() {
    if let Some((seeds, sum)) = play(Kind::Native) {
        check_reach(seeds, &sum, sum.rare());
    }
}

#[test]
fn standard_ftp_keeps_the_contract() {
    if let Some((seeds, sum)) = play(Kind::Standard) {
        check_reach(seeds, &sum, sum.rare_of_ftp());
    }
}

/// Both dialects at the same files: nobody ever sees a part of one, or of two.
#[test]
fn both_dialects_keep_the_contract() {
    if let Some((seeds, sum)) = play(Kind::Both) {
        check_reach(seeds, &sum, Vec::new());
    }
}

/// Every state of the machine is interrupted in every way in which it can be, by `ABOR`, `QUIT`, `STAT`, the end of either
/// connection or of the server.
#[test]
fn every_state_is_struck_in_every_way() {
    for strike in Strike::ALL {
        for state in State::ALL {
            if let Some(why) = strike.why_never(state) {
                println!("{state:?} is never struck by {strike:?}: {why}");
            }
        }
    }
    if let Some((seeds, sum)) = play(Kind::Struck) {
        check_reach(seeds, &sum, sum.strikes());
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    for kind in [Kind::Native, Kind::Standard, Kind::Both, Kind::Struck] {
        let mut worlds = Vec::new();
        for seed in 0..48 {
            let history = world::play(kind, seed, false).history;
            assert_eq!(
                history,
                world::play(kind, seed, false).history,
                "seed {seed}"
            );
            worlds.push(history);
        }
        worlds.sort_unstable();
        worlds.dedup();
        assert_eq!(worlds.len(), 48, "{kind:?}: two seeds, one world");
    }
}
