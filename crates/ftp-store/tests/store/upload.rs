//! Uploads: nothing under the final name before all of it is right.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use ftp_proto::session::{CreateOptions, DiskOp, FaultKind, JobId, Outcome};
use ftp_proto::{Durability, IfExists};
use ftp_store::{Options, Slot, Step};

use crate::common::*;

#[test]
fn every_size_arrives_whole_at_every_level() {
    for durability in [Durability::None, Durability::Data, Durability::Full] {
        let case = Case::with(Options {
            durability,
            ..Options::default()
        });
        for len in [0, 1, 4096, 1024 * 1024 + 1] {
            let bytes = bytes(len, 7);
            let name = format!("f{len}");
            let committed = Outcome::Committed {
                size: len as u64,
                digest: Some(sha256(&bytes)),
                durability,
            };
            for size in [None, Some(len as u64)] {
                let options = CreateOptions {
                    size,
                    ..CreateOptions::default()
                };
                assert_eq!(case.put(&name, &bytes, options), committed);
            }
            assert!(case.read(&name) == bytes);
            assert!(case.get(&name).unwrap() == bytes);
        }
        assert_eq!(case.names("").len(), 4, "no temp file stays");
    }
}

#[test]
fn the_slot_carries_an_upload_over_many_jobs() {
    let case = Case::new();
    let bytes = bytes(300_000, 1);
    let mut slot = Slot::default();
    let done = case.run(slot, vec![step(create("f", CreateOptions::default()))]);
    slot = done.slot;
    assert!(!slot.is_empty());
    for piece in bytes.chunks(70_000) {
        let done = case.run(slot, vec![write(piece)]);
        assert!(done.outcomes.is_empty() && done.fault.is_none());
        assert_eq!(done.blocks.len(), 1);
        assert!(done.blocks[0].is_empty() && done.blocks[0].capacity() >= piece.len());
        slot = done.slot;
        assert!(!case.file("f").exists(), "not there before it is whole");
    }
    assert!(case.listed("").is_empty(), "temp names are not listed");
    let done = case.run(slot, vec![step(commit(&bytes))]);
    assert!(done.slot.is_empty());
    assert!(matches!(only(done), Outcome::Committed { .. }));
    assert!(case.read("f") == bytes);
}

#[test]
fn what_was_not_sent_as_said_is_not_stored() {
    let case = Case::new();
    case.plant("f", "old");
    let wrong_digest = DiskOp::Commit {
        digest: Some(sha256(b"other")),
        size: None,
    };
    let wrong_size = DiskOp::Commit {
        digest: None,
        size: Some(4),
    };
    for (op, kind) in [
        (wrong_digest, FaultKind::DigestMismatch),
        (wrong_size, FaultKind::SizeMismatch),
    ] {
        let steps = vec![
            step(create("f", CreateOptions::default())),
            write(b"new"),
            step(op),
        ];
        let done = case.run(Slot::default(), steps);
        assert_eq!(fault(done.outcomes[1].1.clone()).kind, kind);
    }
    let declared = CreateOptions {
        size: Some(7),
        ..CreateOptions::default()
    };
    let short = DiskOp::Commit {
        digest: None,
        size: None,
    };
    let steps = vec![step(create("f", declared)), write(b"new"), step(short)];
    let done = case.run(Slot::default(), steps);
    assert_eq!(
        fault(done.outcomes[1].1.clone()).kind,
        FaultKind::SizeMismatch
    );
    assert_eq!(case.names(""), ["f"]);
    assert_eq!(case.read("f"), b"old");
}

#[test]
fn more_bytes_than_were_said_are_told_at_once_and_once() {
    let case = Case::new();
    let options = CreateOptions {
        size: Some(4),
        ..CreateOptions::default()
    };
    let done = case.run(
        Slot::default(),
        vec![
            step(create("f", options)),
            write(b"1234"),
            write(b"5"),
            write(b"6"),
        ],
    );
    let told = done.fault.unwrap();
    assert_eq!(told.kind, FaultKind::SizeMismatch);
    assert!(case.names("").is_empty(), "the temp file went at once");
    // The next job: later writes are swallowed, the commit fails alike, an abort works.
    let done = case.run(
        done.slot,
        vec![write(b"7"), step(commit(b"1234")), step(DiskOp::Abort)],
    );
    assert_eq!(done.fault, None);
    assert_eq!(done.outcomes[0].1, Outcome::Failed(told));
    assert_eq!(done.outcomes[1].1, Outcome::Ended);
    assert!(done.slot.is_empty());
}

#[test]
fn a_create_that_failed_fails_its_commit_and_swallows_its_bytes() {
    let case = Case::new();
    let steps = put_steps("no/such/folder", b"bytes", CreateOptions::default());
    let done = case.run(Slot::default(), steps);
    assert_eq!(done.outcomes.len(), 2);
    assert_eq!(done.fault, None);
    assert_eq!(done.blocks.len(), 2);
    for (_, outcome) in done.outcomes {
        assert_eq!(fault(outcome).kind, FaultKind::NotFound);
    }
}

#[test]
fn abort_and_drop_leave_nothing() {
    let case = Case::new();
    case.plant("f", "old");
    let begun = || {
        let steps = vec![step(create("f", CreateOptions::default())), write(b"new")];
        case.run(Slot::default(), steps).slot
    };
    let slot = begun();
    assert_eq!(case.names("").len(), 2);
    drop(slot);
    assert_eq!(case.names(""), ["f"]);
    assert_eq!(
        only(case.run(begun(), vec![step(DiskOp::Abort)])),
        Outcome::Ended
    );
    assert_eq!(
        only(case.run(Slot::default(), vec![step(DiskOp::Abort)])),
        Outcome::Ended
    );
    assert_eq!(case.names(""), ["f"]);
    assert_eq!(case.read("f"), b"old");
}

#[test]
fn mode_and_time_are_kept() {
    let case = Case::new();
    for (mode, mtime) in [
        (0o600, (1_000_000_000, 123_456_789)),
        (0o755, (-5, 0)),
        (0o4777, (7, 5)),
    ] {
        let options = CreateOptions {
            mode: Some(mode),
            mtime: Some(mtime),
            ..CreateOptions::default()
        };
        case.put("f", b"x", options);
        let meta = case.stat("f");
        assert_eq!(meta.mode, mode & 0o777);
        assert_eq!((meta.mtime, meta.mtime_ns), mtime);
        let real = fs::metadata(case.file("f")).unwrap().permissions().mode();
        assert_eq!(real & 0o7000, 0, "no set-user-id by upload");
    }
    case.put("g", b"x", CreateOptions::default());
    assert_eq!(case.stat("g").mode & !0o644, 0);
    let odd = CreateOptions {
        mtime: Some((1, u32::MAX)),
        ..CreateOptions::default()
    };
    case.put("h", b"x", odd);
    assert_eq!(case.stat("h").mtime, 1);
}

#[test]
fn the_rule_for_a_target_that_stands_is_obeyed() {
    let case = Case::new();
    let rule = |if_exists, mtime: Option<i64>| CreateOptions {
        if_exists,
        mtime: mtime.map(|seconds| (seconds, 0)),
        ..CreateOptions::default()
    };
    for (if_exists, mtime, content) in [
        (IfExists::Replace, Some(1), "new"),
        (IfExists::Fail, Some(1000), "old"),
        (IfExists::Skip, Some(1000), "old"),
        (IfExists::Newer, Some(1000), "new"),
        (IfExists::Newer, Some(500), "old"),
        (IfExists::Newer, Some(100), "old"),
        (IfExists::Newer, None, "old"),
    ] {
        case.put("f", b"old", rule(IfExists::Replace, Some(500)));
        let outcome = case.put("f", b"new", rule(if_exists, mtime));
        match (if_exists, content) {
            (IfExists::Fail, _) => assert_eq!(fault(outcome).kind, FaultKind::Exists),
            (_, "old") => assert_eq!(outcome, Outcome::Skipped),
            _ => assert!(matches!(outcome, Outcome::Committed { .. })),
        }
        assert_eq!(
            case.read("f"),
            content.as_bytes(),
            "{if_exists:?} {mtime:?}"
        );
        assert_eq!(case.names(""), ["f"]);
        fs::remove_file(case.file("f")).unwrap();
        let fresh = case.put("f", b"new", rule(if_exists, mtime));
        assert!(matches!(fresh, Outcome::Committed { .. }));
    }
}

#[test]
fn the_rule_holds_again_at_the_commit() {
    for durability in [Durability::None, Durability::Full] {
        let case = Case::with(Options {
            durability,
            ..Options::default()
        });
        for if_exists in [IfExists::Fail, IfExists::Skip, IfExists::Newer] {
            let options = CreateOptions {
                if_exists,
                mtime: Some((1, 0)),
                ..CreateOptions::default()
            };
            let begun = case.run(
                Slot::default(),
                vec![step(create("f", options)), write(b"new")],
            );
            assert!(matches!(begun.outcomes[0].1, Outcome::Created { .. }));
            case.plant("f", "in between");
            let outcome = only(case.run(begun.slot, vec![step(commit(b"new"))]));
            match if_exists {
                IfExists::Fail => assert_eq!(fault(outcome).kind, FaultKind::Exists),
                _ => assert_eq!(outcome, Outcome::Skipped),
            }
            assert_eq!(case.read("f"), b"in between");
            assert_eq!(case.names(""), ["f"]);
            fs::remove_file(case.file("f")).unwrap();
        }
    }
}

#[test]
fn only_files_are_replaced() {
    let case = Case::new();
    fs::create_dir(case.file("dir")).unwrap();
    fifo(&case.file("fifo"));
    case.link("dir", "to-dir");
    case.plant("target", "target");
    case.link("target", "to-file");
    case.link("../outside", "out");
    for (path, kind) in [
        ("", FaultKind::IsADirectory),
        ("dir", FaultKind::IsADirectory),
        ("to-dir", FaultKind::IsADirectory),
        ("fifo", FaultKind::NotAFile),
        ("target/below", FaultKind::NotADirectory),
        ("nowhere/below", FaultKind::NotFound),
        ("out/below", FaultKind::Denied),
    ] {
        let outcome = case.put(path, b"x", CreateOptions::default());
        assert_eq!(fault(outcome).kind, kind, "{path}");
    }
    // A link to a file, or to nowhere, is replaced; what it points to is not touched.
    for path in ["to-file", "out"] {
        case.put(path, b"x", CreateOptions::default());
        assert!(case.file(path).symlink_metadata().unwrap().is_file());
    }
    assert_eq!(case.read("target"), b"target");
    assert!(!case.outside().join("outside").exists());
}

#[test]
fn a_folder_that_came_in_between_is_not_replaced() {
    let case = Case::new();
    let steps = vec![step(create("f", CreateOptions::default())), write(b"new")];
    let begun = case.run(Slot::default(), steps);
    fs::create_dir(case.file("f")).unwrap();
    let outcome = only(case.run(begun.slot, vec![step(commit(b"new"))]));
    assert_eq!(fault(outcome).kind, FaultKind::IsADirectory);
    assert_eq!(case.names(""), ["f"]);
}

#[test]
fn missing_folders_are_made_if_asked() {
    for durability in [Durability::None, Durability::Full] {
        let case = Case::with(Options {
            durability,
            ..Options::default()
        });
        let options = CreateOptions {
            parents: true,
            ..CreateOptions::default()
        };
        let outcome = case.put("a/b/c/f", b"x", options.clone());
        assert!(matches!(outcome, Outcome::Committed { .. }));
        assert_eq!(case.read("a/b/c/f"), b"x");
        let below_a_file = case.put("a/b/c/f/g/h", b"x", options);
        assert_eq!(fault(below_a_file).kind, FaultKind::NotADirectory);
    }
}

#[test]
fn a_file_larger_than_the_disk_is_refused_before_its_first_byte() {
    let case = Case::new();
    for size in [1 << 60, u64::MAX] {
        let options = CreateOptions {
            size: Some(size),
            ..CreateOptions::default()
        };
        assert_eq!(case.fails(create("f", options)), FaultKind::NoSpace);
    }
    assert!(case.names("").is_empty());
}

#[test]
fn a_store_that_is_read_only_changes_nothing() {
    let case = Case::with(Options {
        read_only: true,
        ..Options::default()
    });
    case.plant("f", "old");
    for op in [
        create("new", CreateOptions::default()),
        make_dir("dir", true),
        rename("f", "g", true),
        remove("f", true),
    ] {
        assert_eq!(case.fails(op), FaultKind::ReadOnly);
    }
    assert!(case.store.read_only());
    assert_eq!(case.names(""), ["f"]);
    assert_eq!(case.get("f").unwrap(), b"old");
}

#[test]
fn what_makes_no_sense_is_an_internal_fault_and_no_panic() {
    let case = Case::new();
    case.plant("f", "old");
    for op in [
        commit(b""),
        DiskOp::Continue { keep: true },
        DiskOp::Warm {
            offset: 0,
            len: 1,
            digest: true,
            last: true,
        },
    ] {
        assert_eq!(case.fails(op), FaultKind::Internal);
    }
    let done = case.run(Slot::default(), vec![write(b"lost")]);
    assert_eq!(done.fault.unwrap().kind, FaultKind::Internal);
    // A second file on a lane that still has one open.
    let steps = vec![
        step(open("f", 0)),
        step(open("f", 0)),
        step(create("g", CreateOptions::default())),
        step(commit(b"")),
        step(DiskOp::Release),
    ];
    let done = case.run(Slot::default(), steps);
    let kinds: Vec<_> = done
        .outcomes
        .iter()
        .map(|(_, outcome)| match outcome {
            Outcome::Failed(fault) => Some(fault.kind),
            _ => None,
        })
        .collect();
    let internal = Some(FaultKind::Internal);
    assert_eq!(kinds, [None, internal, internal, internal, None]);
    assert_eq!(case.names(""), ["f"]);
}

#[test]
fn every_operation_has_its_outcome_under_its_own_number() {
    let case = Case::new();
    let steps = [
        create("f", CreateOptions::default()),
        commit(b"other"),
        DiskOp::Abort,
        DiskOp::Stat { path: vpath("f") },
    ];
    let steps = steps.into_iter().zip(10..).map(|(op, job)| Step::Op {
        job: JobId(job),
        op,
    });
    let done = case.run(Slot::default(), steps.collect());
    let jobs: Vec<u64> = done.outcomes.iter().map(|(job, _)| job.0).collect();
    assert_eq!(jobs, [10, 11, 12, 13]);
}
