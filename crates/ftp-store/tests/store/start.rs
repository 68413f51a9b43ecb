//! Uploads that go on by a number alone: what they go behind is what was there, or they are refused.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ftp_proto::session::{CreateOptions, DiskOp, FaultKind, Outcome, Start};
use ftp_proto::{Durability, IfExists};
use ftp_store::{Options, Slot};

use crate::common::*;

const LEN: usize = 100_000;

fn case() -> Case {
    Case::with(Options {
        checkpoint_bytes: 30_000,
        ..Options::default()
    })
}

fn options(start: Start) -> CreateOptions {
    CreateOptions {
        resume: true,
        start: Some(start),
        ..CreateOptions::default()
    }
}

fn owned(start: Start, owner: &str) -> CreateOptions {
    CreateOptions {
        owner: Some(owner.to_owned()),
        ..options(start)
    }
}

const fn told(len: u64) -> Start {
    Start::End { told: Some(len) }
}

const APPEND: Start = Start::End { told: None };

/// Begins an upload of `f`, sends, and breaks it.
#[track_caller]
fn break_off(case: &Case, start: Start, bytes: &[u8]) {
    let steps = vec![step(create("f", options(start))), write(bytes)];
    let done = case.run(Slot::default(), steps);
    assert!(
        matches!(done.outcomes[0].1, Outcome::Created { .. }),
        "{done:?}"
    );
    let done = case.run(done.slot, vec![step(DiskOp::Abort)]);
    assert_eq!(done.outcomes[0].1, Outcome::Ended);
}

fn last() -> DiskOp {
    DiskOp::Commit {
        digest: None,
        size: None,
    }
}

/// Uploads `bytes` from there on. The digest that is told is that of the whole.
fn send(case: &Case, options: CreateOptions, bytes: &[u8]) -> Outcome {
    let steps = vec![step(create("f", options)), write(bytes), step(last())];
    let mut done = case.run(Slot::default(), steps);
    assert!(done.slot.is_empty());
    let outcome = done.outcomes.remove(0).1;
    if matches!(outcome, Outcome::Failed(_)) {
        return outcome;
    }
    let outcome = done.outcomes.remove(0).1;
    if let Outcome::Committed { digest, size, .. } = &outcome {
        let whole = case.read("f");
        let known = Some(sha256(&whole));
        assert_eq!((*digest, *size), (known, whole.len() as u64));
    }
    outcome
}

#[track_caller]
fn stores(case: &Case, start: Start, bytes: &[u8], whole: &[u8]) {
    let outcome = send(case, options(start), bytes);
    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    assert!(case.read("f") == whole);
    assert_eq!(case.names(""), ["f"], "nothing is kept");
}

/// Refused, and all is as it was.
#[track_caller]
fn refuses(case: &Case, start: Start, kind: FaultKind) {
    let (names, size) = (case.names(""), size(case));
    assert_eq!(fault(send(case, options(start), b"wrong")).kind, kind);
    assert_eq!((case.names(""), self::size(case)), (names, size));
}

/// What stands there, and what is kept.
fn size_of(
    case: &Case,
    owner: Option<&str>,
    resume: bool,
) -> Result<(Option<u64>, Option<u64>), FaultKind> {
    let (path, owner) = (vpath("f"), owner.map(str::to_owned));
    match case.op(DiskOp::Size {
        path,
        resume,
        owner,
    }) {
        Outcome::Sized { found, kept } => Ok((found.map(|meta| meta.size), kept)),
        other => Err(fault(other).kind),
    }
}

fn size(case: &Case) -> Result<(Option<u64>, Option<u64>), FaultKind> {
    size_of(case, None, true)
}

#[test]
fn what_broke_is_told_and_gone_on_with() {
    let whole = bytes(LEN, 1);
    for durability in [Durability::Full, Durability::None] {
        let case = Case::with(Options {
            durability,
            ..Options::default()
        });
        assert_eq!(size(&case), Err(FaultKind::NotFound));
        break_off(&case, Start::At(0), &whole[..40_000]);
        assert_eq!(size(&case), Ok((None, Some(40_000))));
        break_off(&case, Start::At(40_000), &whole[40_000..50_000]);
        break_off(&case, told(50_000), &whole[50_000..60_000]);
        assert_eq!(size(&case), Ok((None, Some(60_000))));
        let case = case.restart(Options::default());
        // Before its end, too: what was behind is gone.
        stores(&case, Start::At(55_000), &whole[55_000..], &whole);
        assert_eq!(size(&case), Ok((Some(LEN as u64), None)));
    }
}

#[test]
fn a_lane_that_is_dropped_leaves_as_much() {
    let (case, whole) = (case(), bytes(LEN, 2));
    for taken in [false, true] {
        if taken {
            case.plant("f", "old");
        }
        let steps = vec![step(create("f", options(Start::At(0)))), write(&whole[..9])];
        drop(case.run(Slot::default(), steps));
        let old = taken.then_some(3);
        assert_eq!(size(&case), Ok((old, Some(9))));
    }
    stores(&case, Start::At(9), &whole[9..], &whole);
}

#[test]
fn nothing_is_kept_of_nothing_nor_of_what_the_disk_refused_nor_without_the_right() {
    let case = case();
    break_off(&case, Start::At(0), b"");
    assert_eq!(case.names(""), [""; 0]);
    let no = CreateOptions {
        resume: false,
        ..options(Start::At(0))
    };
    let steps = vec![step(create("f", no.clone())), write(b"abc")];
    drop(case.run(Slot::default(), steps));
    assert_eq!(case.names(""), [""; 0]);
    // Nor is what another attempt left to be had.
    break_off(&case, Start::At(0), b"abc");
    let on = CreateOptions {
        start: Some(Start::At(3)),
        ..no
    };
    assert_eq!(fault(send(&case, on, b"def")).kind, FaultKind::BadRange);
    assert_eq!(size_of(&case, None, false), Err(FaultKind::NotFound));
}

#[test]
fn behind_the_end_nothing_goes_on() {
    let case = case();
    refuses(&case, Start::At(1), FaultKind::BadRange);
    case.plant("f", "old");
    refuses(&case, Start::At(4), FaultKind::BadRange);
    fs::remove_file(case.file("f")).unwrap();
    break_off(&case, Start::At(0), b"abc");
    refuses(&case, Start::At(4), FaultKind::BadRange);
    refuses(&case, Start::At(u64::MAX), FaultKind::BadRange);
    stores(&case, Start::At(3), b"def", b"abcdef");
}

#[test]
fn an_append_goes_behind_what_was_told_or_nowhere() {
    let case = case();
    break_off(&case, Start::At(0), b"abc");
    for start in [APPEND, told(2), told(4), told(0)] {
        refuses(&case, start, FaultKind::Busy);
    }
    stores(&case, told(3), b"def", b"abcdef");
    refuses(&case, told(5), FaultKind::Busy);
    stores(&case, told(6), b"g", b"abcdefg");
    stores(&case, APPEND, b"h", b"abcdefgh");
    fs::remove_file(case.file("f")).unwrap();
    refuses(&case, told(8), FaultKind::Busy);
    stores(&case, APPEND, b"new", b"new");
}

#[test]
fn where_there_is_a_file_its_bytes_are_copied() {
    let case = case();
    let old = bytes(LEN, 3);
    case.plant("f", &old);
    fs::set_permissions(case.file("f"), fs::Permissions::from_mode(0o640)).unwrap();
    let before = case.stat("f");
    // What breaks leaves nothing but the file, so that its size stays the one to go on from.
    break_off(&case, Start::At(70_000), b"xyz");
    break_off(&case, APPEND, b"xyz");
    assert_eq!(case.names(""), ["f"]);
    assert_eq!(case.stat("f"), before);
    let mut whole = old;
    whole.extend_from_slice(b"tail");
    stores(&case, APPEND, b"tail", &whole);
    assert_eq!(case.stat("f").mode, 0o640);
    assert_ne!(
        case.stat("f").unique(),
        before.unique(),
        "it was not written to"
    );
    whole.truncate(70_000);
    whole.extend_from_slice(b"xyz");
    stores(&case, Start::At(70_000), b"xyz", &whole);
    // What may not be replaced may not be gone on with either.
    let fail = CreateOptions {
        if_exists: IfExists::Fail,
        ..options(APPEND)
    };
    assert_eq!(fault(send(&case, fail, b"x")).kind, FaultKind::Exists);
    assert!(case.read("f") == whole);
}

#[test]
fn beside_a_file_the_partial_is_what_a_number_means_and_the_file_what_appending_means() {
    let case = case();
    let both = || {
        case.plant("f", "file");
        break_off(&case, Start::At(0), b"partial");
        assert_eq!(size(&case), Ok((Some(4), Some(7))));
        assert_eq!(case.read("f"), b"file");
    };
    both();
    stores(&case, Start::At(4), b"y", b"party");
    both();
    stores(&case, APPEND, b"s", b"files");
    both();
    stores(&case, Start::At(0), b"new", b"new");
}

#[test]
fn beginning_anew_drops_what_was_kept_and_keeps_the_new() {
    let case = case();
    break_off(&case, Start::At(0), b"first");
    break_off(&case, Start::At(0), b"two");
    assert_eq!(size(&case), Ok((None, Some(3))));
    stores(&case, told(3), b"!", b"two!");
}

#[test]
fn each_owner_goes_on_with_his_own() {
    let case = case();
    for (owner, bytes) in [("anna", &b"aaa"[..]), ("bert", b"bb")] {
        let steps = vec![step(create("f", owned(Start::At(0), owner))), write(bytes)];
        drop(case.run(Slot::default(), steps));
    }
    assert_eq!(size_of(&case, Some("anna"), true), Ok((None, Some(3))));
    assert_eq!(size_of(&case, Some("bert"), true), Ok((None, Some(2))));
    assert_eq!(size(&case), Err(FaultKind::NotFound));
    send(&case, owned(told(2), "bert"), b"!");
    assert_eq!(case.read("f"), b"bb!");
}

#[test]
fn two_that_go_on_with_one_partial_never_mix() {
    let case = case();
    break_off(&case, Start::At(0), b"abc");
    let begin = |start| {
        let mut done = case.run(Slot::default(), vec![step(create("f", options(start)))]);
        (done.slot, done.outcomes.remove(0).1)
    };
    let created = Outcome::Created { partial: None };
    let (first, outcome) = begin(Start::At(3));
    assert_eq!(outcome, created);
    let done = case.run(first, vec![write(b"FIRST")]);
    let first = done.slot;
    assert_eq!(size(&case), Ok((None, Some(8))));
    // It has moved on since.
    for start in [Start::At(3), told(3)] {
        assert_eq!(fault(begin(start).1).kind, FaultKind::Busy);
    }
    // Whoever knows how far it is goes on, and the other is refused.
    let (second, outcome) = begin(told(8));
    assert_eq!(outcome, created);
    let done = case.run(first, vec![write(b"lost")]);
    assert_eq!(done.fault.unwrap().kind, FaultKind::Busy);
    // Nor does one that begins anew and breaks take it away.
    break_off(&case, Start::At(0), b"zzzzzzzzzzzzzzzz");
    let done = case.run(second, vec![write(b"!"), step(last())]);
    assert!(
        matches!(done.outcomes[0].1, Outcome::Committed { .. }),
        "{done:?}"
    );
    assert_eq!(case.read("f"), b"abcFIRST!");
    assert_eq!(case.names(""), ["f"]);
}

#[test]
fn what_another_hand_planted_is_not_gone_on_with() {
    for hard in [false, true] {
        let case = case();
        break_off(&case, Start::At(0), b"abc");
        let name = case.names("").remove(0);
        case.plant("elsewhere", "secret");
        if hard {
            // Ours, but under a name of somebody's, who may write to it.
            fs::remove_file(case.file("elsewhere")).unwrap();
            fs::hard_link(case.file(&name), case.file("elsewhere")).unwrap();
        } else {
            fs::remove_file(case.file(&name)).unwrap();
            case.link("elsewhere", &name);
        }
        assert_eq!(size(&case), Err(FaultKind::NotFound));
        let outcome = send(&case, options(Start::At(6)), b"wrong");
        assert_eq!(fault(outcome).kind, FaultKind::BadRange);
        assert_eq!(case.names(""), ["elsewhere"]);
        let kept = if hard { &b"abc"[..] } else { b"secret" };
        assert_eq!(case.read("elsewhere"), kept);
    }
}

#[test]
fn a_copy_of_what_changes_meanwhile_is_not_gone_on_with() {
    let case = case();
    case.plant("f", vec![7; 24 << 20]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::File::options().append(true).open(case.file("f"));
            while !done.load(Ordering::Relaxed) {
                file.as_mut().unwrap().write_all(b"more").unwrap();
            }
        });
        let begun = case.op(create("f", options(APPEND)));
        done.store(true, Ordering::Relaxed);
        assert_eq!(fault(begun).kind, FaultKind::Changed);
    });
    assert_eq!(case.names(""), ["f"]);
}
