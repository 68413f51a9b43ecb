//! Uploads of which no digest is taken as they come: whole, safe and kept like any other, and digested when somebody asks.

use std::fs::File;

use ftp_proto::session::{CreateOptions, Digesting, DiskOp, FaultKind, Outcome, Start};
use ftp_proto::{Digest, Durability};
use ftp_store::{Options, Slot};
use rustix::fs::getxattr;

use crate::common::*;

const LEVELS: [Durability; 3] = [Durability::None, Durability::Data, Durability::Full];
const LEN: usize = 200_000;

fn case(durability: Durability) -> Case {
    Case::with(Options {
        durability,
        checkpoint_bytes: 30_000,
        ..Options::default()
    })
}

fn undigested(start: Option<Start>) -> CreateOptions {
    CreateOptions {
        digesting: Digesting::OnDemand,
        resume: start.is_some(),
        start,
        ..CreateOptions::default()
    }
}

fn last(digest: Option<Digest>) -> DiskOp {
    DiskOp::Commit { digest, size: None }
}

/// Uploads to `f` in pieces, each by a job of its own.
fn send(case: &Case, options: CreateOptions, bytes: &[u8], commit: DiskOp) -> Outcome {
    let mut slot = begun(case, options);
    for piece in bytes.chunks(70_000) {
        let done = case.run(slot, vec![write(piece)]);
        assert_eq!(done.fault, None);
        slot = done.slot;
    }
    only(case.run(slot, vec![step(commit)]))
}

fn begun(case: &Case, options: CreateOptions) -> Slot {
    let done = case.run(Slot::default(), vec![step(create("f", options))]);
    assert!(
        matches!(done.outcomes[0].1, Outcome::Created { .. }),
        "{done:?}"
    );
    done.slot
}

fn taken(outcome: &Outcome) -> Option<Digest> {
    match outcome {
        Outcome::Committed { digest, .. } => *digest,
        other => panic!("{other:?}"),
    }
}

/// How much is kept of what broke.
fn kept(case: &Case) -> Option<u64> {
    let (path, resume, owner) = (vpath("f"), true, None);
    match case.op(DiskOp::Size {
        path,
        resume,
        owner,
    }) {
        Outcome::Sized { kept, .. } => kept,
        other => panic!("{other:?}"),
    }
}

fn asked(case: &Case) -> Digest {
    let (path, offset, len) = (vpath("f"), 0, None);
    match case.op(DiskOp::Digest { path, offset, len }) {
        Outcome::Digested { digest, .. } => digest,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_is_stored_alike_and_digested_when_somebody_asks() {
    for durability in LEVELS {
        for start in [None, Some(Start::At(0)), Some(Start::End { told: None })] {
            let (case, bytes) = (case(durability), bytes(LEN, 1));
            let outcome = send(&case, undigested(start), &bytes, last(None));
            let committed = Outcome::Committed {
                size: LEN as u64,
                digest: None,
                durability,
            };
            assert_eq!(outcome, committed);
            assert!(case.read("f") == bytes);
            assert_eq!(case.names(""), ["f"]);
            let mut note = [0; 64];
            let noted = getxattr(case.file("f"), "user.muxftp.sha256", &mut note[..]);
            assert!(noted.is_err(), "nobody knows a digest to note");
            assert_eq!(asked(&case), sha256(&bytes));
        }
    }
}

#[test]
fn in_the_place_of_a_digested_file_nothing_of_it_is_believed() {
    let case = case(Durability::None);
    let (old, new) = (bytes(LEN, 1), bytes(LEN, 2));
    let digested = send(&case, CreateOptions::default(), &old, last(None));
    assert_eq!(taken(&digested), Some(sha256(&old)));
    let undigested = send(&case, undigested(Some(Start::At(0))), &new, last(None));
    assert_eq!(taken(&undigested), None);
    assert_eq!(asked(&case), sha256(&new));
}

#[test]
fn what_the_sender_says_is_compared_all_the_same() {
    let (case, bytes) = (case(Durability::Full), bytes(LEN, 1));
    let wrong = last(Some(Digest([7; 32])));
    let outcome = send(&case, undigested(None), &bytes, wrong);
    assert_eq!(fault(outcome).kind, FaultKind::DigestMismatch);
    assert!(case.names("").is_empty());
    let right = last(Some(sha256(&bytes)));
    let outcome = send(&case, undigested(None), &bytes, right.clone());
    assert_eq!(taken(&outcome), Some(sha256(&bytes)));
    assert!(case.read("f") == bytes);
    // Of one that another hand has cut off meanwhile there is no such digest.
    let slot = begun(&case, undigested(None));
    let done = case.run(slot, vec![write(&bytes)]);
    let names = case.names("");
    let temp = names.iter().find(|name| *name != "f").unwrap();
    let file = File::options().write(true).open(case.file(temp)).unwrap();
    file.set_len(1000).unwrap();
    let outcome = only(case.run(done.slot, vec![step(right)]));
    assert_eq!(fault(outcome).kind, FaultKind::Changed);
    assert!(case.read("f") == bytes, "the old one stands");
}

#[test]
fn what_broke_is_gone_on_with_and_digested_then() {
    for durability in LEVELS {
        let (case, bytes) = (case(durability), bytes(LEN, 3));
        for (from, to) in [(0, 100_000), (100_000, 150_000)] {
            let slot = begun(&case, undigested(Some(Start::At(from as u64))));
            let done = case.run(slot, vec![write(&bytes[from..to])]);
            let done = case.run(done.slot, vec![step(DiskOp::Abort)]);
            assert_eq!(done.outcomes[0].1, Outcome::Ended);
            assert_eq!(kept(&case), Some(to as u64));
        }
        // Before the end of what is kept.
        let options = undigested(Some(Start::At(140_000)));
        let outcome = send(&case, options, &bytes[140_000..], last(None));
        assert_eq!(taken(&outcome), Some(sha256(&bytes)));
        assert!(case.read("f") == bytes);
        assert_eq!(case.names(""), ["f"]);
    }
}

#[test]
fn behind_a_file_it_goes_too() {
    let (case, bytes) = (case(Durability::Full), bytes(LEN, 4));
    case.plant("f", &bytes[..150_000]);
    let behind = undigested(Some(Start::End { told: None }));
    let outcome = send(&case, behind, &bytes[150_000..], last(None));
    assert_eq!(taken(&outcome), None);
    assert!(case.read("f") == bytes);
    let within = undigested(Some(Start::At(100_000)));
    send(&case, within, &bytes[100_000..], last(None));
    assert!(case.read("f") == bytes);
    assert_eq!(asked(&case), sha256(&bytes));
}
