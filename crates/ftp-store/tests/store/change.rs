//! Times, modes, room and checksums.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use ftp_proto::session::{Algorithm, DiskOp, FaultKind, Outcome};
use ftp_store::Options;

use crate::common::*;

fn set(path: &str, mtime: Option<(i64, u32)>, mode: Option<u32>) -> DiskOp {
    let path = vpath(path);
    DiskOp::SetMeta { path, mtime, mode }
}

fn sum(path: &str, algorithm: Algorithm, offset: u64, len: Option<u64>) -> DiskOp {
    let path = vpath(path);
    DiskOp::Checksum {
        path,
        algorithm,
        offset,
        len,
    }
}

#[test]
fn a_file_and_a_folder_get_a_time_and_a_mode() {
    let case = Case::with(Options::default());
    case.plant("d/f", "content");
    for path in ["d/f", "d"] {
        assert_eq!(
            case.op(set(path, Some((77, 5)), Some(0o750))),
            Outcome::Ended
        );
        let found = fs::metadata(case.file(path)).unwrap();
        assert_eq!((found.mtime(), found.mtime_nsec()), (77, 5));
        assert_eq!(found.permissions().mode() & 0o7777, 0o750);
        assert_eq!(case.op(set(path, None, Some(0o700))), Outcome::Ended);
        assert_eq!(case.stat(path).mtime, 77, "what is not named stays");
    }
    assert_eq!(
        case.fails(set("none", Some((1, 0)), None)),
        FaultKind::NotFound
    );
    assert_eq!(case.fails(set("", None, Some(0o700))), FaultKind::Denied);
}

#[test]
fn nothing_outside_and_nothing_on_a_server_that_takes_no_changes() {
    let case = Case::new();
    fs::write(case.outside().join("secret"), "x").unwrap();
    case.link("../secret", "way");
    let before = fs::metadata(case.outside().join("secret")).unwrap();
    assert_eq!(
        case.fails(set("way", Some((1, 0)), Some(0o777))),
        FaultKind::Denied
    );
    let after = fs::metadata(case.outside().join("secret")).unwrap();
    assert_eq!(
        (before.mtime(), before.mode()),
        (after.mtime(), after.mode())
    );
    case.plant("f", "x");
    let case = case.restart(Options {
        read_only: true,
        ..Options::default()
    });
    assert_eq!(
        case.fails(set("f", Some((1, 0)), None)),
        FaultKind::ReadOnly
    );
}

#[test]
fn a_digest_outlives_a_new_time() {
    let case = Case::new();
    let whole = bytes(100_000, 3);
    case.put("f", &whole, Default::default());
    assert_eq!(
        case.op(set("f", Some((77, 0)), Some(0o600))),
        Outcome::Ended
    );
    // Told at the opening only where it is known without reading.
    match case.op(open("f", 0)) {
        Outcome::Opened { digest, .. } => assert_eq!(digest, Some(sha256(&whole))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn checksums_of_a_file_and_of_a_part() {
    let case = Case::new();
    case.plant("f", "123456789");
    case.plant("g", "xx123456789yy");
    for (algorithm, hex) in [
        (Algorithm::Crc32, "cbf43926"),
        (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
    ] {
        let want = Outcome::Summed {
            hex: hex.into(),
            len: 9,
        };
        assert_eq!(case.op(sum("f", algorithm, 0, None)), want);
        assert_eq!(case.op(sum("f", algorithm, 0, Some(99))), want);
        assert_eq!(case.op(sum("g", algorithm, 2, Some(9))), want);
        assert_eq!(
            case.fails(sum("f", algorithm, 10, None)),
            FaultKind::BadRange
        );
        assert_eq!(
            case.fails(sum("none", algorithm, 0, None)),
            FaultKind::NotFound
        );
    }
}

#[test]
fn room_is_told_of_a_folder() {
    let case = Case::new();
    case.plant("d/f", "x");
    for path in ["", "d"] {
        let path = vpath(path);
        match case.op(DiskOp::Space { path }) {
            Outcome::Room { bytes: Some(bytes) } => assert!(bytes > 0),
            other => panic!("{other:?}"),
        }
    }
    let path = vpath("d/f");
    assert_eq!(case.fails(DiskOp::Space { path }), FaultKind::NotADirectory);
}
