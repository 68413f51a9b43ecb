//! The sweep: leftovers go, what is in use or still young stays.

use std::fs;
use std::time::{Duration, SystemTime};

use ftp_proto::session::{CreateOptions, Outcome};
use ftp_store::{Options, Slot, Store, SweepReport};

use crate::common::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Sweeps all of it, `budget` names at a time.
fn sweep(case: &Case, after: Duration, budget: usize) -> SweepReport {
    let mut sum = SweepReport::default();
    while !sum.complete {
        let report = case.store.sweep(now() + after, budget);
        assert!(report.examined <= budget);
        assert!(report.complete || report.examined == budget);
        sum.examined += report.examined;
        sum.removed += report.removed;
        sum.complete = report.complete;
    }
    sum
}

fn now() -> SystemTime {
    SystemTime::now()
}

fn resumable() -> CreateOptions {
    CreateOptions {
        size: Some(100),
        resume: true,
        ..CreateOptions::default()
    }
}

fn partial(case: &Case, path: &str) -> Slot {
    let steps = vec![step(create(path, resumable())), write(b"some")];
    case.run(Slot::default(), steps).slot
}

#[test]
fn leftovers_go_when_their_time_is_over() {
    for budget in [1, 7, 10_000] {
        let case = Case::new();
        case.plant("a/b/c/f", "kept");
        case.plant("a/.muxftp-t00", "of a dead process");
        case.plant("a/b/.muxftp-t01", "of a dead process");
        case.plant("a/b/.muxftp-x", "of a later version");
        drop(partial(&case, "a/b/c/g"));
        let removed = |after| sweep(&case, after, budget).removed;
        assert_eq!(removed(Duration::ZERO), 0, "they may just have begun");
        assert_eq!(removed(DAY), 2);
        assert_eq!(removed(6 * DAY), 0);
        assert_eq!(case.names("a/b/c").len(), 2);
        assert_eq!(removed(8 * DAY), 1);
        assert_eq!(removed(8 * DAY), 0);
        assert_eq!(case.names("a"), ["b"]);
        assert_eq!(case.names("a/b"), [".muxftp-x", "c"]);
        assert_eq!(case.names("a/b/c"), ["f"]);
    }
}

#[test]
fn nobody_who_is_at_work_is_disturbed() {
    let case = Case::new();
    let other = Store::open(&case.root(), Options::default()).unwrap();
    // Where it replaces something, it has a name on its way.
    case.plant("f", "old");
    let steps = vec![
        step(create("f", CreateOptions::default())),
        write(b"uploading"),
    ];
    let upload = case.run(Slot::default(), steps).slot;
    let resumable = partial(&case, "g");
    assert_eq!(
        case.names("").len(),
        3,
        "the old one, and both on their way"
    );
    for store in [&case.store, &other] {
        let report = store.sweep(now() + 30 * DAY, 1000);
        assert_eq!((report.removed, report.complete), (0, true));
    }
    let done = case.run(upload, vec![step(commit(b"uploading"))]);
    assert!(matches!(only(done), Outcome::Committed { .. }));
    drop(resumable);
    assert_eq!(sweep(&case, 30 * DAY, 1000).removed, 1);
}

#[test]
fn links_lead_the_sweep_nowhere() {
    let case = Case::new();
    fs::create_dir(case.outside().join("else")).unwrap();
    fs::write(case.outside().join("else/.muxftp-t0"), "").unwrap();
    case.link("../else", "l");
    case.link("../else/.muxftp-t0", ".muxftp-t1");
    case.link(".", "loop");
    assert_eq!(sweep(&case, 30 * DAY, 1000).removed, 0);
    assert_eq!(
        fs::read_dir(case.outside().join("else")).unwrap().count(),
        1
    );
}

#[test]
fn a_store_that_is_read_only_sweeps_nothing() {
    let case = Case::with(Options {
        read_only: true,
        ..Options::default()
    });
    case.plant(".muxftp-t0", "");
    assert_eq!(sweep(&case, 30 * DAY, 1000).removed, 0);
}

#[test]
fn a_folder_with_nothing_but_leftovers_is_an_empty_one() {
    let case = Case::new();
    case.plant("d/.muxftp-t0", "");
    drop(partial(&case, "d/f"));
    assert!(case.listed("d").is_empty());
    assert_eq!(case.op(remove("d", false)), Outcome::Ended);
    assert!(case.names("").is_empty());
    // Not while somebody is at work in it.
    fs::create_dir(case.file("e")).unwrap();
    let slot = partial(&case, "e/f");
    let kind = case.fails(remove("e", false));
    assert_eq!(kind, ftp_proto::session::FaultKind::NotEmpty);
    drop(slot);
    assert_eq!(case.op(remove("e", false)), Outcome::Ended);
    // Where something else is in it, what can be gone on with stays.
    case.plant("d/else", "");
    drop(partial(&case, "d/f"));
    let kind = case.fails(remove("d", false));
    assert_eq!(kind, ftp_proto::session::FaultKind::NotEmpty);
    assert_eq!(case.names("d").len(), 2);
}
