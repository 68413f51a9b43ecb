//! Digests that are known without reading, and changes that make them unknown.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::time::Duration;

use ftp_proto::session::{CreateOptions, DiskOp, Outcome};
use ftp_proto::{Digest, Durability};
use ftp_store::{Options, Slot};
use rustix::fs::{XattrFlags, getxattr, setxattr};

use crate::common::*;

const ATTRIBUTE: &str = "user.muxftp.sha256";
const LEN: usize = 200_000;

fn options() -> Options {
    Options {
        durability: Durability::None,
        ..Options::default()
    }
}

/// What opening says without reading.
fn known(case: &Case, path: &str) -> Option<Digest> {
    let done = case.run(Slot::default(), vec![step(open(path, 64 * 1024))]);
    match &done.outcomes[0].1 {
        Outcome::Opened { digest, .. } => *digest,
        other => panic!("{other:?}"),
    }
}

fn digested(case: &Case, path: &str) -> Digest {
    let (offset, len) = (0, None);
    let path = vpath(path);
    match case.op(DiskOp::Digest { path, offset, len }) {
        Outcome::Digested { digest, len, .. } => {
            assert_eq!(len, LEN as u64);
            digest
        }
        other => panic!("{other:?}"),
    }
}

fn uploaded(options: Options) -> (Case, Vec<u8>) {
    let case = Case::with(options);
    let bytes = bytes(LEN, 1);
    let outcome = case.put("f", &bytes, CreateOptions::default());
    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    (case, bytes)
}

fn attribute(case: &Case, path: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 256];
    let len = getxattr(case.file(path), ATTRIBUTE, &mut value[..]).ok()?;
    value.truncate(len);
    Some(value)
}

fn has_attributes(case: &Case) -> bool {
    let has = attribute(case, "f").is_some();
    if !has {
        println!("skipped: no extended attributes in the temp folder");
    }
    has
}

/// Writes over some bytes in place; with `restore` the mtime is put back to the nanosecond.
fn scribble(case: &Case, restore: bool) {
    let path = case.file("f");
    let file = fs::File::options().write(true).open(&path).unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    file.write_all_at(b"other", 1000).unwrap();
    if restore {
        file.set_modified(modified).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), modified);
    }
}

#[test]
fn an_upload_is_known_at_once_and_after_a_restart() {
    for durability in [Durability::None, Durability::Data, Durability::Full] {
        let options = Options {
            durability,
            ..Options::default()
        };
        let (case, bytes) = uploaded(options.clone());
        let digest = sha256(&bytes);
        assert_eq!(known(&case, "f"), Some(digest));
        assert_eq!(digested(&case, "f"), digest);
        if !has_attributes(&case) {
            continue;
        }
        let case = case.restart(options.clone());
        assert_eq!(known(&case, "f"), Some(digest));
        let read_only = true;
        let case = case.restart(Options {
            read_only,
            ..options
        });
        assert_eq!(known(&case, "f"), Some(digest));
    }
}

#[test]
fn time_and_mode_of_the_sender_do_not_hide_it() {
    for (mode, resume) in [(0o444, false), (0o640, false), (0o444, true)] {
        let case = Case::new();
        let bytes = bytes(LEN, 2);
        let options = CreateOptions {
            size: Some(LEN as u64),
            mtime: Some((1_600_000_000, 7)),
            mode: Some(mode),
            resume,
            ..CreateOptions::default()
        };
        let outcome = case.put("f", &bytes, options);
        assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
        assert_eq!(case.stat("f").mode, mode);
        assert_eq!(known(&case, "f"), Some(sha256(&bytes)));
        if has_attributes(&case) {
            let case = case.restart(self::options());
            assert_eq!(known(&case, "f"), Some(sha256(&bytes)));
        }
    }
}

#[test]
fn what_is_known_is_not_read_again() {
    let (case, _) = uploaded(options());
    if !has_attributes(&case) {
        return;
    }
    // A note that says something else can only be believed if nobody reads the file.
    let mut value = attribute(&case, "f").unwrap();
    value[1..33].fill(9);
    setxattr(case.file("f"), ATTRIBUTE, &value, XattrFlags::empty()).unwrap();
    let case = case.restart(options());
    assert_eq!(known(&case, "f"), Some(Digest([9; 32])));
    assert_eq!(digested(&case, "f"), Digest([9; 32]));
    // The digest of a part is not that of the whole.
    let (offset, len) = (1, Some(5));
    let path = vpath("f");
    let outcome = case.op(DiskOp::Digest { path, offset, len });
    assert!(matches!(outcome, Outcome::Digested { digest, .. } if digest != Digest([9; 32])));
}

#[test]
fn a_change_is_noticed() {
    for restart in [false, true] {
        for change in ["in place", "longer", "replaced"] {
            let (mut case, _) = uploaded(options());
            assert!(known(&case, "f").is_some());
            match change {
                "in place" => scribble(&case, false),
                "longer" => fs::File::options()
                    .write(true)
                    .open(case.file("f"))
                    .unwrap()
                    .set_len(LEN as u64 + 1)
                    .unwrap(),
                _ => {
                    // With the attribute and the mtime of the old file.
                    let modified = fs::metadata(case.file("f")).unwrap().modified().unwrap();
                    case.plant("g", bytes(LEN, 3));
                    if let Some(value) = attribute(&case, "f") {
                        setxattr(case.file("g"), ATTRIBUTE, &value, XattrFlags::empty()).unwrap();
                    }
                    let file = fs::File::options()
                        .write(true)
                        .open(case.file("g"))
                        .unwrap();
                    file.set_modified(modified).unwrap();
                    fs::rename(case.file("g"), case.file("f")).unwrap();
                }
            }
            if restart {
                case = case.restart(options());
            }
            assert_eq!(known(&case, "f"), None, "{change}, {restart}");
        }
    }
}

#[test]
fn a_change_that_puts_the_mtime_back_is_noticed() {
    let (case, bytes) = uploaded(options());
    scribble(&case, true);
    assert_eq!(known(&case, "f"), None);
    let now = case.read("f");
    assert_ne!(now, bytes);
    assert_eq!(digested(&case, "f"), sha256(&now));
    // It was the memory that noticed. The next process has none, but the ctime to go by: it is believed
    // for a moment after the upload only, which the unit tests of the note show.
}

#[test]
fn what_somebody_has_read_is_known() {
    let case = Case::with(Options {
        digest_age: Duration::ZERO,
        ..options()
    });
    let bytes = bytes(LEN, 4);
    let warm = |offset: usize, len: usize, digest, last| {
        let (offset, len) = (offset as u64, len as u64);
        step(DiskOp::Warm {
            offset,
            len,
            digest,
            last,
        })
    };
    for (path, ranges, want) in [
        ("whole", vec![warm(0, LEN, true, true)], true),
        (
            "pieces",
            vec![
                warm(0, 100_000, true, false),
                warm(100_000, 100_000, true, true),
            ],
            true,
        ),
        ("a part", vec![warm(0, LEN - 1, true, true)], false),
        ("the end", vec![warm(1, LEN - 1, true, true)], false),
        (
            "a gap",
            vec![
                warm(0, 50_000, true, false),
                warm(50_000, 50_000, false, false),
                warm(100_000, 100_000, true, true),
            ],
            false,
        ),
        ("no digest", vec![warm(0, LEN, false, true)], false),
    ] {
        case.plant(path, &bytes);
        let etag = case.stat(path).etag;
        let mut steps = vec![step(open(path, 0))];
        steps.extend(ranges);
        let done = case.run(Slot::default(), steps);
        assert!(matches!(
            done.outcomes[0].1,
            Outcome::Opened { digest: None, .. }
        ));
        let digest = want.then(|| sha256(&bytes));
        assert_eq!(known(&case, path), digest, "{path}");
        assert_eq!(case.stat(path).etag, etag);
    }
    case.plant("f", &bytes);
    assert_eq!(known(&case, "f"), None);
    assert_eq!(digested(&case, "f"), sha256(&bytes));
    assert_eq!(known(&case, "f"), Some(sha256(&bytes)));
}

#[test]
fn what_was_read_from_a_file_that_may_still_change_is_forgotten() {
    let case = Case::new();
    let bytes = bytes(LEN, 5);
    case.plant("f", &bytes);
    assert_eq!(digested(&case, "f"), sha256(&bytes));
    assert_eq!(known(&case, "f"), None);
}

#[test]
fn another_name_or_mode_is_not_another_content() {
    let (case, bytes) = uploaded(options());
    assert_eq!(case.op(rename("f", "g", false)), Outcome::Ended);
    assert_eq!(known(&case, "g"), Some(sha256(&bytes)));
    // Behind our back it might be one.
    fs::set_permissions(case.file("g"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(known(&case, "g"), None);
}

#[test]
fn small_files_carry_no_note() {
    let case = Case::new();
    case.put("f", &bytes(1000, 6), CreateOptions::default());
    assert_eq!(attribute(&case, "f"), None);
    assert_eq!(known(&case, "f"), None);
}
