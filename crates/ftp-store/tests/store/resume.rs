//! Partials: what a broken upload leaves, who may go on with it, and that two never mix.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;

use ftp_proto::Durability;
use ftp_proto::session::{CreateOptions, DiskOp, FaultKind, Outcome, Partial};
use ftp_store::{Options, Slot, Store};
use rustix::io::Errno;

use crate::common::*;

const LEN: usize = 100_000;

fn case() -> Case {
    Case::with(Options {
        checkpoint_bytes: 30_000,
        ..Options::default()
    })
}

fn resumable() -> CreateOptions {
    CreateOptions {
        size: Some(LEN as u64),
        resume: true,
        ..CreateOptions::default()
    }
}

/// A session that begins the upload of `f`, and what it is shown.
fn begin(case: &Case) -> (Slot, Option<Partial>) {
    let done = case.run(Slot::default(), vec![step(create("f", resumable()))]);
    match &done.outcomes[0].1 {
        Outcome::Created { partial } => (done.slot, *partial),
        other => panic!("{other:?}"),
    }
}

fn decide(case: &Case, slot: Slot, keep: bool) -> (Slot, Outcome) {
    let mut done = case.run(slot, vec![step(DiskOp::Continue { keep })]);
    (done.slot, done.outcomes.remove(0).1)
}

#[track_caller]
fn send(case: &Case, slot: Slot, bytes: &[u8]) -> Slot {
    let done = case.run(slot, vec![write(bytes)]);
    assert_eq!(done.fault, None);
    done.slot
}

fn finish(case: &Case, slot: Slot, whole: &[u8]) -> Outcome {
    only(case.run(slot, vec![step(commit(whole))]))
}

#[track_caller]
fn stored(case: &Case, slot: Slot, whole: &[u8]) {
    let outcome = finish(case, slot, whole);
    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    assert!(case.read("f") == whole);
}

fn seen(bytes: &[u8]) -> Option<Partial> {
    let digest = sha256(bytes);
    let offset = bytes.len() as u64;
    Some(Partial { offset, digest })
}

#[test]
fn an_upload_that_breaks_goes_on_where_it_was() {
    for abort in [true, false] {
        for durability in [Durability::Full, Durability::None] {
            let case = Case::with(Options {
                durability,
                checkpoint_bytes: 30_000,
                ..Options::default()
            });
            case.plant("f", "old");
            let whole = bytes(LEN, 1);
            let mut sent = 0;
            for part in [10_000, 45_000, 99_999] {
                let (mut slot, partial) = begin(&case);
                assert_eq!(partial, seen(&whole[..sent]).filter(|_| sent > 0));
                (slot, _) = decide(&case, slot, true);
                slot = send(&case, slot, &whole[sent..part]);
                sent = part;
                if abort {
                    let done = case.run(slot, vec![step(DiskOp::Abort)]);
                    assert_eq!(done.outcomes[0].1, Outcome::Ended);
                    assert!(done.slot.is_empty());
                } else {
                    drop(slot);
                }
                assert_eq!(case.names("").len(), 2, "one partial, however often");
                assert_eq!(case.read("f"), b"old");
            }
            let (slot, partial) = begin(&case);
            assert_eq!(partial, seen(&whole[..sent]));
            let (slot, outcome) = decide(&case, slot, true);
            assert_eq!(outcome, Outcome::Continued);
            let slot = send(&case, slot, &whole[sent..]);
            stored(&case, slot, &whole);
            assert_eq!(case.names(""), ["f"]);
            let mut note = [0; 4096];
            let file = fs::File::open(case.file("f")).unwrap();
            let attribute = rustix::fs::fgetxattr(&file, "user.muxftp.partial", &mut note[..]);
            // Where there are no attributes the answer is another; too little room is none.
            assert!(
                matches!(attribute, Err(Errno::NODATA | Errno::NOTSUP)),
                "no note stays with the file: {attribute:?}"
            );
        }
    }
}

#[test]
fn another_server_on_the_folder_finds_it_too_but_not_while_it_is_in_use() {
    let case = case();
    let other = Store::open(&case.root(), Options::default()).unwrap();
    let whole = bytes(LEN, 2);
    let (slot, _) = begin(&case);
    let slot = send(&case, slot, &whole[..50_000]);
    let begin = || {
        let steps = vec![step(create("f", resumable()))];
        let slot = Slot::default();
        home(other.run(ftp_store::Job::new(slot, steps)))
    };
    assert_eq!(fault(only(begin())).kind, FaultKind::Busy);
    drop(slot);
    let partial = seen(&whole[..50_000]);
    assert_eq!(begin().outcomes[0].1, Outcome::Created { partial });
}

#[test]
fn starting_over_forgets_what_was_there() {
    let case = case();
    let (one, two) = (bytes(LEN, 3), bytes(LEN, 4));
    let (slot, _) = begin(&case);
    drop(send(&case, slot, &one[..60_000]));
    let (slot, partial) = begin(&case);
    assert!(partial.is_some());
    let (slot, outcome) = decide(&case, slot, false);
    assert_eq!(outcome, Outcome::Continued);
    let slot = send(&case, slot, &two);
    stored(&case, slot, &two);
    assert_eq!(case.names(""), ["f"]);
}

#[test]
fn another_target_or_size_is_another_partial() {
    let case = case();
    let (slot, _) = begin(&case);
    drop(send(&case, slot, b"bytes"));
    let larger = CreateOptions {
        size: Some(LEN as u64 + 1),
        ..resumable()
    };
    for op in [create("f", larger), create("g", resumable())] {
        let none = Outcome::Created { partial: None };
        assert_eq!(only(case.run(Slot::default(), vec![step(op)])), none);
    }
    assert!(begin(&case).1.is_some());
}

#[test]
fn nothing_written_is_nothing_kept() {
    let case = case();
    drop(begin(&case));
    assert!(case.names("").is_empty());
}

#[test]
fn a_stale_writer_is_taken_over_and_never_reaches_the_file_again() {
    let case = case();
    let whole = bytes(LEN, 5);
    let (stale, _) = begin(&case);
    let stale = send(&case, stale, &whole[..40_000]);
    let (fresh, partial) = begin(&case);
    assert_eq!(partial, seen(&whole[..40_000]));
    // Until it is decided, the first one goes on undisturbed.
    let stale = send(&case, stale, &whole[40_000..70_000]);
    let (fresh, outcome) = decide(&case, fresh, true);
    assert_eq!(outcome, Outcome::Continued);
    let done = case.run(stale, vec![write(b"garbage"), write(b"more")]);
    assert_eq!(done.fault.unwrap().kind, FaultKind::Busy);
    let done = case.run(done.slot, vec![step(commit(&whole))]);
    assert_eq!(fault(only(done)).kind, FaultKind::Busy);
    let fresh = send(&case, fresh, &whole[40_000..]);
    stored(&case, fresh, &whole);
    assert_eq!(case.names(""), ["f"]);
}

#[test]
fn a_stale_writer_that_has_sent_all_does_not_commit_what_was_taken_over() {
    let case = case();
    let whole = bytes(LEN, 18);
    let (stale, _) = begin(&case);
    let stale = send(&case, stale, &whole);
    let (fresh, partial) = begin(&case);
    assert_eq!(partial, seen(&whole));
    let (fresh, outcome) = decide(&case, fresh, true);
    assert_eq!(outcome, Outcome::Continued);
    assert_eq!(fault(finish(&case, stale, &whole)).kind, FaultKind::Busy);
    stored(&case, fresh, &whole);
}

/// Of three, one goes back behind what another was shown: what stands there now is not what that one compared.
#[test]
fn what_was_shown_and_is_gone_is_not_gone_on_from() {
    for sent in [0, 30_000] {
        let case = case();
        let whole = bytes(LEN, 19);
        let (first, _) = begin(&case);
        let first = send(&case, first, &whole[..40_000]);
        let (second, _) = begin(&case);
        let first = send(&case, first, &whole[40_000..70_000]);
        let (third, partial) = begin(&case);
        assert_eq!(partial, seen(&whole[..70_000]));
        let (second, outcome) = decide(&case, second, true);
        assert_eq!(outcome, Outcome::Continued);
        let second = send(&case, second, &bytes(sent, 20));
        let (third, outcome) = decide(&case, third, true);
        assert_eq!(fault(outcome).kind, FaultKind::Busy);
        drop((first, second, third));
    }
}

#[test]
fn the_end_of_a_stale_writer_leaves_the_new_one_alone() {
    let case = case();
    let whole = bytes(LEN, 6);
    let (stale, _) = begin(&case);
    let stale = send(&case, stale, &whole[..40_000]);
    let (fresh, _) = begin(&case);
    let (fresh, _) = decide(&case, fresh, true);
    drop(stale);
    let fresh = send(&case, fresh, &whole[40_000..80_000]);
    drop(fresh);
    let (last, partial) = begin(&case);
    assert_eq!(partial, seen(&whole[..80_000]));
    let (last, _) = decide(&case, last, true);
    stored(&case, send(&case, last, &whole[80_000..]), &whole);
}

#[test]
fn a_writer_that_ends_while_another_looks_leaves_it_the_partial() {
    for keep in [true, false] {
        let case = case();
        let whole = bytes(LEN, 7);
        let (stale, _) = begin(&case);
        let stale = send(&case, stale, &whole[..40_000]);
        let (fresh, _) = begin(&case);
        drop(stale);
        let (fresh, outcome) = decide(&case, fresh, keep);
        assert_eq!(outcome, Outcome::Continued);
        let from = if keep { 40_000 } else { 0 };
        stored(&case, send(&case, fresh, &whole[from..]), &whole);
        assert_eq!(case.names(""), ["f"]);
    }
}

#[test]
fn a_commit_while_another_looks_sends_that_one_away() {
    let case = case();
    let whole = bytes(LEN, 8);
    let (first, _) = begin(&case);
    let first = send(&case, first, &whole[..40_000]);
    let (second, _) = begin(&case);
    let first = send(&case, first, &whole[40_000..]);
    stored(&case, first, &whole);
    let (second, outcome) = decide(&case, second, true);
    assert_eq!(fault(outcome).kind, FaultKind::Busy);
    drop(second);
    assert_eq!(begin(&case).1, None, "the next attempt begins anew");
    assert_eq!(case.names(""), ["f"]);
}

#[test]
fn two_writers_of_two_files_never_mix_and_the_last_one_wins() {
    let case = case();
    let (one, two) = (bytes(LEN, 9), bytes(LEN, 10));
    let (first, _) = begin(&case);
    let first = send(&case, first, &one[..50_000]);
    let (second, partial) = begin(&case);
    assert!(partial.is_some());
    // It compared, and starts over: the first one is still at work, so each has its own.
    let (second, outcome) = decide(&case, second, false);
    assert_eq!(outcome, Outcome::Continued);
    let second = send(&case, second, &two[..70_000]);
    let first = send(&case, first, &one[50_000..]);
    let second = send(&case, second, &two[70_000..]);
    stored(&case, first, &one);
    stored(&case, second, &two);
    assert_eq!(case.names(""), ["f"]);
}

#[test]
fn two_that_begin_at_once_end_as_one_of_them() {
    let case = case();
    let (one, two) = (bytes(LEN, 11), bytes(LEN, 12));
    let (first, _) = begin(&case);
    let (second, partial) = begin(&case);
    assert_eq!(partial, None);
    let second = send(&case, second, &two);
    let done = case.run(first, vec![write(&one)]);
    assert_eq!(done.fault.unwrap().kind, FaultKind::Busy);
    stored(&case, second, &two);
}

#[test]
fn bytes_that_are_wrong_leave_no_partial() {
    let case = case();
    let whole = bytes(LEN, 13);
    let (slot, _) = begin(&case);
    let slot = send(&case, slot, &bytes(LEN, 14));
    let outcome = finish(&case, slot, &whole);
    assert_eq!(fault(outcome).kind, FaultKind::DigestMismatch);
    assert!(case.names("").is_empty());
    let (slot, _) = begin(&case);
    let slot = send(&case, slot, &whole);
    let done = case.run(slot, vec![write(b"more")]);
    assert_eq!(done.fault.unwrap().kind, FaultKind::SizeMismatch);
    drop(done.slot);
    assert!(case.names("").is_empty());
}

#[test]
fn nothing_is_written_before_it_is_decided() {
    let case = case();
    let whole = bytes(LEN, 15);
    let (slot, _) = begin(&case);
    drop(send(&case, slot, &whole[..10]));
    let (slot, _) = begin(&case);
    let done = case.run(slot, vec![write(b"early")]);
    assert_eq!(done.fault.unwrap().kind, FaultKind::Internal);
    let (slot, _) = begin(&case);
    let outcome = finish(&case, slot, &whole);
    assert_eq!(fault(outcome).kind, FaultKind::Internal);
    assert_eq!(begin(&case).1, seen(&whole[..10]));
}

#[test]
fn a_folder_that_is_made_anew_knows_nothing_of_the_old_one() {
    let case = case();
    let whole = bytes(LEN, 16);
    let begin = || {
        let options = CreateOptions {
            parents: true,
            ..resumable()
        };
        let done = case.run(Slot::default(), vec![step(create("d/f", options))]);
        (done.slot, done.outcomes.into_iter().next().unwrap().1)
    };
    let (old, _) = begin();
    let old = send(&case, old, &whole[..50_000]);
    assert_eq!(case.op(remove("d", true)), Outcome::Ended);
    let (new, outcome) = begin();
    assert_eq!(outcome, Outcome::Created { partial: None });
    let old = send(&case, old, &whole[50_000..]);
    assert_eq!(fault(finish(&case, old, &whole)).kind, FaultKind::Busy);
    let new = send(&case, new, &whole);
    let outcome = finish(&case, new, &whole);
    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    assert!(case.read("d/f") == whole);
}

#[test]
fn what_others_planted_under_the_partials_name_is_not_touched() {
    let whole = bytes(LEN, 17);
    for trap in ["link", "fifo", "hard link"] {
        let case = case();
        let (slot, _) = begin(&case);
        let slot = send(&case, slot, &whole[..10]);
        let name = case.names("").remove(0);
        drop(slot);
        let canary = case.outside().join("canary");
        fs::write(&canary, "alive").unwrap();
        fs::remove_file(case.file(&name)).unwrap();
        match trap {
            "link" => symlink(&canary, case.file(&name)).unwrap(),
            "fifo" => fifo(&case.file(&name)),
            _ => fs::hard_link(&canary, case.file(&name)).unwrap(),
        }
        let (slot, partial) = begin(&case);
        assert_eq!(partial, None, "{trap}");
        stored(&case, send(&case, slot, &whole), &whole);
        assert_eq!(fs::read(&canary).unwrap(), b"alive", "{trap}");
        assert_eq!(case.names(""), ["f"]);
    }
}

/// The partial's file.
fn partial(case: &Case) -> std::path::PathBuf {
    let names = case.names("");
    let mut names = names.iter().filter(|name| *name != "f");
    let name = names.next().expect("a partial");
    assert_eq!(names.next(), None);
    case.file(name)
}

#[test]
fn what_another_hand_wrote_into_a_live_partial_is_never_gone_on_from() {
    let flip = |at: u64| {
        move |path: &Path| {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            file.write_all_at(&[0xee], at).unwrap();
        }
    };
    let set_len = |len: u64| {
        move |path: &Path| {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(len).unwrap();
        }
    };
    type Spoil = Box<dyn Fn(&Path)>;
    let spoils: [Spoil; 5] = [
        Box::new(flip(0)),
        Box::new(flip(49_999)),
        Box::new(flip(60_000)),
        Box::new(set_len(40_000)),
        Box::new(set_len(LEN as u64)),
    ];
    for spoil in spoils {
        let case = case();
        let whole = vec![7; LEN];
        let (slot, _) = begin(&case);
        let stale = send(&case, slot, &whole[..50_000]);
        spoil(&partial(&case));
        let (slot, shown) = begin(&case);
        assert_eq!(shown, None);
        let slot = send(&case, slot, &whole);
        stored(&case, slot, &whole);
        drop(stale);
        assert!(case.read("f") == whole);
    }
}

#[test]
fn a_partial_that_another_hand_made_longer_is_not_stored() {
    let case = case();
    case.plant("f", "old");
    let whole = vec![7; LEN];
    let (slot, _) = begin(&case);
    let slot = send(&case, slot, &whole);
    let path = partial(&case);
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(LEN as u64 + 1).unwrap();
    assert_eq!(fault(finish(&case, slot, &whole)).kind, FaultKind::Changed);
    assert_eq!(case.read("f"), b"old");
    assert_eq!(case.names(""), ["f"]);
}

#[test]
fn a_partial_keeps_no_room_for_what_did_not_come() {
    const LARGE: u64 = 16 << 20;
    let case = case();
    let options = CreateOptions {
        size: Some(LARGE),
        ..resumable()
    };
    let steps = vec![step(create("f", options)), write(b"some")];
    let slot = case.run(Slot::default(), steps).slot;
    let taken = || fs::metadata(partial(&case)).unwrap().blocks() * 512;
    println!("{} bytes of room on its way", taken());
    drop(slot);
    assert!(taken() < LARGE / 2, "{}", taken());
}
