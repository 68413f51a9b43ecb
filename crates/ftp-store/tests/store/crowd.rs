//! Many threads upload to one name, break off, come back and take over: what stands there is always
//! one of the files that were sent, whole.

use std::thread;

use ftp_proto::Durability;
use ftp_proto::session::{CreateOptions, DiskOp, FaultKind, Outcome};
use ftp_store::{Options, Slot};

use crate::common::*;

const LEN: usize = 40_000;

fn files() -> [Vec<u8>; 3] {
    [1, 2, 3].map(|seed| bytes(LEN, seed))
}

/// One attempt; how far it got depends on `rng` and on the others.
fn attempt(case: &Case, file: &[u8], rng: &mut fastrand::Rng) -> Option<Outcome> {
    let options = CreateOptions {
        size: Some(LEN as u64),
        resume: rng.u8(..4) > 0,
        ..CreateOptions::default()
    };
    let done = case.run(Slot::default(), vec![step(create("f", options))]);
    let (mut slot, mut sent) = (done.slot, 0);
    match done.outcomes.into_iter().next().unwrap().1 {
        Outcome::Created { partial: None } => {}
        Outcome::Created {
            partial: Some(partial),
        } => {
            let len = usize::try_from(partial.offset).unwrap();
            let keep = partial.digest == sha256(&file[..len]);
            sent = if keep { len } else { 0 };
            let mut done = case.run(slot, vec![step(DiskOp::Continue { keep })]);
            if let Outcome::Failed(fault) = done.outcomes.remove(0).1 {
                assert_eq!(fault.kind, FaultKind::Busy);
                return None;
            }
            slot = done.slot;
        }
        other => {
            assert_eq!(fault(other).kind, FaultKind::Busy);
            return None;
        }
    }
    while sent < LEN {
        if rng.u8(..20) == 0 {
            return None;
        }
        let end = (sent + rng.usize(1..8_000)).min(LEN);
        let done = case.run(slot, vec![write(&file[sent..end])]);
        if let Some(fault) = done.fault {
            assert_eq!(fault.kind, FaultKind::Busy);
            return None;
        }
        (slot, sent) = (done.slot, end);
    }
    Some(only(case.run(slot, vec![step(commit(file))])))
}

#[test]
fn whoever_wins_the_file_is_whole() {
    for durability in [Durability::None, Durability::Full] {
        let case = Case::with(Options {
            durability,
            checkpoint_bytes: 10_000,
            ..Options::default()
        });
        let files = files();
        let stored: usize = thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|seed| {
                    let (case, files) = (&case, &files);
                    scope.spawn(move || {
                        let mut rng = fastrand::Rng::with_seed(seed);
                        let mut stored = 0;
                        for _ in 0..60 {
                            let file = &files[rng.usize(..files.len())];
                            match attempt(case, file, &mut rng) {
                                Some(Outcome::Committed { digest, .. }) => {
                                    assert_eq!(digest, Some(sha256(file)));
                                    stored += 1;
                                }
                                Some(other) => assert_eq!(fault(other).kind, FaultKind::Busy),
                                None => {}
                            }
                            if case.file("f").exists() {
                                let found = case.read("f");
                                assert!(files.contains(&found), "seed {seed}: mixed");
                            }
                        }
                        stored
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .sum()
        });
        assert!(stored > 10, "only {stored} came through");
    }
}
