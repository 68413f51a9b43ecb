//! A disk that runs full: told as what it is, the old file untouched, nothing left behind.

use std::path::{Path, PathBuf};
use std::process::Command;

use ftp_proto::Durability;
use ftp_proto::session::{CreateOptions, FaultKind};
use ftp_store::{Options, Slot};

use crate::common::*;

/// A tmpfs of 2 MiB, while it lives.
struct Mount(PathBuf);

impl Mount {
    fn new(on: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "none"])
            .arg(on)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            println!("skipped: a tmpfs cannot be mounted here");
        }
        mounted.then(|| Self(on.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).output().ok();
    }
}

#[test]
fn a_full_disk_ends_the_upload_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::new(temp.path()) else {
        return;
    };
    let case = Case::on(
        temp,
        Options {
            durability: Durability::None,
            ..Options::default()
        },
    );
    let old = bytes(500_000, 1);
    case.put("f", &old, CreateOptions::default());
    for resume in [false, true] {
        let options = CreateOptions {
            size: Some(1_000_004),
            resume,
            ..CreateOptions::default()
        };
        let done = case.run(Slot::default(), vec![step(create("f", options))]);
        // Somebody else takes the room that was there.
        case.plant("hog", bytes(1_000_000, 2));
        let done = case.run(done.slot, vec![write(&bytes(1_000_000, 3)), write(b"more")]);
        assert_eq!(done.fault.unwrap().kind, FaultKind::NoSpace);
        assert_eq!(case.names(""), ["f", "hog"], "its room is free at once");
        let done = case.run(done.slot, vec![step(commit(b""))]);
        assert_eq!(fault(only(done)).kind, FaultKind::NoSpace);
        assert!(case.read("f") == old);
        std::fs::remove_file(case.file("hog")).unwrap();
    }
    let large = CreateOptions {
        size: Some(3_000_000),
        ..CreateOptions::default()
    };
    assert_eq!(case.fails(create("f", large)), FaultKind::NoSpace);
    case.put("g", &bytes(1_000_000, 4), CreateOptions::default());
    assert_eq!(case.names(""), ["f", "g"]);
}
