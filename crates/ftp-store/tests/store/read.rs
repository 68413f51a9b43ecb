//! Downloads and digests: one version of one inode, or `Changed`.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsFd as _;

use ftp_proto::session::{CreateOptions, DiskOp, FaultKind, Outcome};
use ftp_store::Slot;

use crate::common::*;

fn warm(offset: u64, len: u64, digest: bool, last: bool) -> DiskOp {
    DiskOp::Warm {
        offset,
        len,
        digest,
        last,
    }
}

fn opened(case: &Case, path: &str) -> Slot {
    let done = case.run(Slot::default(), vec![step(open(path, 0))]);
    assert!(matches!(
        &done.outcomes[0].1,
        Outcome::Opened { content: None, .. }
    ));
    done.slot
}

#[test]
fn a_small_file_comes_at_once_and_a_large_one_stays_open() {
    let case = Case::new();
    case.plant("f", b"12345");
    for (inline, whole) in [(4, false), (5, true), (6, true)] {
        let done = case.run(Slot::default(), vec![step(open("f", inline))]);
        assert_eq!(done.slot.is_empty(), whole);
        assert_eq!(done.slot.reader().is_none(), whole);
        let Outcome::Opened { meta, content, .. } = only(done) else {
            panic!();
        };
        assert_eq!(meta, case.stat("f"));
        assert_eq!(content.is_some(), whole);
        if let Some(content) = content {
            assert_eq!(content.bytes, b"12345");
            assert_eq!(content.digest, sha256(b"12345"));
        }
    }
    case.plant("empty", b"");
    assert_eq!(case.get("empty").unwrap(), b"");
}

#[test]
fn ranges_are_warmed_and_digested_on_the_way() {
    let case = Case::new();
    let bytes = bytes(1_000_000, 3);
    case.plant("f", &bytes);
    let mut slot = opened(&case, "f");
    let reader = slot.reader().unwrap();
    let mut sent = vec![0; 10];
    rustix::io::pread(reader.as_fd(), &mut sent[..], 5).unwrap();
    assert_eq!(sent, bytes[5..15]);
    for (offset, len, last) in [
        (100_000, 400_000, false),
        (500_000, 300_000, false),
        (800_000, 200_000, true),
    ] {
        let done = case.run(slot, vec![step(warm(offset, len, true, last))]);
        let digest = last.then(|| sha256(&bytes[100_000..]));
        assert_eq!(done.outcomes[0].1, Outcome::Warmed { len, digest });
        slot = done.slot;
    }
    let done = case.run(slot, vec![step(DiskOp::Release)]);
    assert!(done.slot.is_empty());
}

#[test]
fn warming_without_a_digest_tells_what_is_there() {
    let case = Case::new();
    case.plant("f", bytes(100_000, 4));
    let steps = [
        (0, 50_000, false, 50_000),
        (50_000, 100_000, false, 50_000),
        (200_000, 10, false, 0),
        (u64::MAX, u64::MAX, false, 0),
        (0, 0, true, 0),
    ];
    let ops = steps.map(|(offset, len, last, _)| step(warm(offset, len, false, last)));
    let done = case.run(opened(&case, "f"), ops.into());
    for ((_, outcome), (.., there)) in done.outcomes.into_iter().zip(steps) {
        let len = there;
        assert_eq!(outcome, Outcome::Warmed { len, digest: None });
    }
}

#[test]
fn a_file_that_changes_under_a_download_is_told() {
    for change in ["append", "truncate", "replace", "remove"] {
        let case = Case::new();
        case.plant("f", bytes(10_000, 5));
        let slot = opened(&case, "f");
        match change {
            "append" => {
                let mut file = fs::File::options()
                    .append(true)
                    .open(case.file("f"))
                    .unwrap();
                file.write_all(b"more").unwrap();
            }
            "truncate" => {
                let file = fs::File::options()
                    .write(true)
                    .open(case.file("f"))
                    .unwrap();
                file.set_len(5_000).unwrap();
            }
            "replace" => {
                case.put("f", b"other", CreateOptions::default());
            }
            _ => fs::remove_file(case.file("f")).unwrap(),
        }
        let steps = [true, false].map(|digest| step(warm(0, 10_000, digest, true)));
        for (_, outcome) in case.run(slot, steps.into()).outcomes {
            assert_eq!(fault(outcome).kind, FaultKind::Changed, "{change}");
        }
    }
}

#[test]
fn ranges_are_digested_where_they_are() {
    let case = Case::new();
    let bytes = bytes(700_000, 6);
    case.plant("f", &bytes);
    for (offset, len, range) in [
        (0, None, 0..700_000),
        (0, Some(0), 0..0),
        (699_999, None, 699_999..700_000),
        (700_000, None, 700_000..700_000),
        (5, Some(600_000), 5..600_005),
        (5, Some(u64::MAX), 5..700_000),
    ] {
        let outcome = case.op(DiskOp::Digest {
            path: vpath("f"),
            offset,
            len,
        });
        let want = Outcome::Digested {
            digest: sha256(&bytes[range.clone()]),
            len: range.len() as u64,
            meta: case.stat("f"),
        };
        assert_eq!(outcome, want);
    }
    for offset in [700_001, u64::MAX] {
        let op = DiskOp::Digest {
            path: vpath("f"),
            offset,
            len: Some(1),
        };
        assert_eq!(case.fails(op), FaultKind::BadRange);
    }
}

#[test]
fn only_regular_files_are_opened_and_a_fifo_blocks_nobody() {
    let case = Case::new();
    fs::create_dir(case.file("dir")).unwrap();
    fifo(&case.file("fifo"));
    let _socket = std::os::unix::net::UnixListener::bind(case.file("socket")).unwrap();
    case.plant("f", "x");
    for (path, kind) in [
        ("", FaultKind::IsADirectory),
        ("dir", FaultKind::IsADirectory),
        ("fifo", FaultKind::NotAFile),
        ("socket", FaultKind::NotAFile),
        ("none", FaultKind::NotFound),
        ("f/below", FaultKind::NotADirectory),
    ] {
        assert_eq!(case.fails(open(path, 9)), kind, "{path}");
        let digest = DiskOp::Digest {
            path: vpath(path),
            offset: 0,
            len: None,
        };
        assert_eq!(case.fails(digest), kind, "{path}");
    }
}
