//! What the store costs, without a server around it: `cargo bench -p ftp-store --bench store -- [names]`.
//!
//! `MUXFTP_BENCH_DIR` is the folder to work in (the file system matters: try a tmpfs and a disk),
//! `MUXFTP_BENCH_FILES` how many small files, `MUXFTP_BENCH_ENTRIES` how many in the largest folder,
//! `MUXFTP_BENCH_MIB` how large the large file. Processor
//! time is told beside wall time, because the machine may be shared. Not part of any test run.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures time and looks at the disk past the jail"
)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a bench prints, and may panic"
)]

mod large;
mod list;
mod meter;
mod small;
mod sync;

use std::path::{Path, PathBuf};

use ftp_proto::session::{DiskOp, JobId, Outcome};
use ftp_proto::{Digest, Durability, VPath};
use ftp_store::{Done, Job, Options, Run, Slot, Step, Store, sync_round};
use sha2::{Digest as _, Sha256};

/// A name, and what it measures.
type Scenario = (&'static str, fn(&Bench));

const SCENARIOS: [Scenario; 11] = [
    ("put", small::put),
    ("put-attributes", small::put_attributes),
    ("get", small::get),
    ("list", list::list),
    ("write", large::write),
    ("hash", large::hash),
    ("upload", large::upload),
    ("warm", large::warm),
    ("warm-digest", large::warm_digest),
    ("sync-naive", sync::naive),
    ("sync-round", sync::round),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` runs it too, without this word.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let bench = Bench::from_env();
    let wanted: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    for (name, run) in SCENARIOS {
        if wanted.is_empty() || wanted.iter().any(|word| *word == name) {
            run(&bench);
        }
    }
}

/// How much of everything, and where.
pub(crate) struct Bench {
    dir: PathBuf,
    pub(crate) files: usize,
    /// In the largest folder.
    pub(crate) entries: usize,
    pub(crate) bytes: u64,
}

/// A store over a temp folder of its own.
pub(crate) struct Case {
    pub(crate) store: Store,
    temp: tempfile::TempDir,
}

impl Bench {
    fn from_env() -> Self {
        let number = |name: &str, default: u64| {
            let said = std::env::var(name).ok();
            said.map_or(default, |text| text.parse().unwrap())
        };
        Self {
            dir: std::env::var_os("MUXFTP_BENCH_DIR")
                .map_or_else(std::env::temp_dir, PathBuf::from),
            files: usize::try_from(number("MUXFTP_BENCH_FILES", 10_000)).unwrap(),
            entries: usize::try_from(number("MUXFTP_BENCH_ENTRIES", 1_000_000)).unwrap(),
            bytes: number("MUXFTP_BENCH_MIB", 1024) << 20,
        }
    }

    pub(crate) fn case(&self, durability: Durability) -> Case {
        let temp = tempfile::tempdir_in(&self.dir).unwrap();
        let options = Options {
            durability,
            ..Options::default()
        };
        let store = Store::open(temp.path(), options).unwrap();
        Case { store, temp }
    }
}

impl Case {
    pub(crate) fn root(&self) -> &Path {
        self.temp.path()
    }

    pub(crate) fn run(&self, slot: Slot, steps: Vec<Step>) -> Run {
        self.store.run(Job::new(slot, steps))
    }

    /// Runs a job to its end; nothing in it may fail.
    pub(crate) fn done(&self, slot: Slot, steps: Vec<Step>) -> Done {
        let done = match self.run(slot, steps) {
            Run::Home(done) => done,
            Run::Parked(parked) => sync_round(vec![parked]).pop().unwrap(),
        };
        check(&done);
        done
    }
}

/// Nothing in it failed.
pub(crate) fn check(done: &Done) {
    assert!(done.fault.is_none(), "{:?}", done.fault);
    for (_, outcome) in &done.outcomes {
        assert!(!matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    }
}

pub(crate) fn step(op: DiskOp) -> Step {
    Step::Op { job: JobId(1), op }
}

pub(crate) fn vpath(text: &str) -> VPath {
    VPath::parse(text).unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Bytes that no disk can make smaller.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(7).fill(&mut bytes);
    bytes
}
