//! Many small files that must be on stable storage: one round of syncing for many, against one for each.

use ftp_proto::Durability;
use ftp_proto::session::CreateOptions;
use ftp_store::{Run, Slot, sync_round};

use crate::meter::Meter;
use crate::small::{BYTES, steps};
use crate::{Bench, check, noise};

/// Commits that wait when a round begins: as many requests as one session may have in the pipeline.
const ROUND: usize = 256;

/// What everybody does who does it at all: write, `fsync`, rename, `fsync` the folder, for each file.
pub(crate) fn naive(bench: &Bench) {
    rounds(bench, "sync-naive", 1);
}

pub(crate) fn round(bench: &Bench) {
    for waiting in [4, 16, 64, ROUND] {
        rounds(bench, &format!("sync-round {waiting}"), waiting);
    }
}

fn rounds(bench: &Bench, name: &str, waiting: usize) {
    let case = bench.case(Durability::Full);
    std::fs::create_dir_all(case.root().join("a/b")).unwrap();
    let bytes = noise(BYTES);
    let jobs: Vec<_> = (0..bench.files)
        .map(|number| steps(&format!("a/b/{number}"), &bytes, CreateOptions::default()))
        .collect();
    let mut parked = Vec::new();
    let meter = Meter::start();
    for job in jobs {
        match case.run(Slot::default(), job) {
            Run::Parked(job) => parked.push(job),
            Run::Home(done) => panic!("{done:?}"),
        }
        if parked.len() == waiting {
            sync_round(std::mem::take(&mut parked))
                .iter()
                .for_each(check);
        }
    }
    sync_round(parked).iter().for_each(check);
    meter.per_item(name, bench.files);
}
