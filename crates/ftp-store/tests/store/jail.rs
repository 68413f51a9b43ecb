//! The jail: no path, no link and no device leads out of the root or blocks a worker.

use std::fs;

use ftp_proto::Durability;
use ftp_proto::session::{Algorithm, CreateOptions, DiskOp, FaultKind, Outcome};
use ftp_store::{Options, Store};

use crate::common::*;

/// A root full of traps, and something outside that must not be reached.
fn traps(follow_links: bool) -> Case {
    let case = Case::with(Options {
        durability: Durability::None,
        follow_links,
        ..Options::default()
    });
    fs::create_dir(case.outside().join("secret")).unwrap();
    fs::write(case.outside().join("secret/f"), "secret").unwrap();
    case.plant("in/f", "inside");
    case.link("../secret", "relative");
    case.link(case.outside().join("secret"), "absolute");
    case.link("in/../../secret", "dots");
    case.link("/proc/self/root", "proc");
    case.link(format!("/proc/self/cwd{}", case.root().display()), "cwd");
    case.link("loop", "loop");
    case.link("relative", "chain");
    case
}

fn every_op(path: &str) -> Vec<DiskOp> {
    vec![
        open(path, 100),
        DiskOp::Stat { path: vpath(path) },
        DiskOp::Digest {
            path: vpath(path),
            offset: 0,
            len: None,
        },
        DiskOp::Checksum {
            path: vpath(path),
            algorithm: Algorithm::Md5,
            offset: 0,
            len: None,
        },
        DiskOp::SetMeta {
            path: vpath(path),
            mtime: None,
            mode: Some(0o700),
        },
        DiskOp::Space { path: vpath(path) },
        DiskOp::List {
            path: vpath(path),
            after: None,
            entries: 9,
            bytes: 999,
        },
        create(&format!("{path}/new"), CreateOptions::default()),
        make_dir(&format!("{path}/new"), false),
        make_dir(&format!("{path}/new/er"), true),
        rename("in/f", &format!("{path}/f"), true),
        rename(&format!("{path}/f"), "in/stolen", true),
        remove(&format!("{path}/f"), true),
    ]
}

#[test]
fn no_link_leads_out() {
    for follow_links in [true, false] {
        let case = traps(follow_links);
        for link in [
            "relative", "absolute", "dots", "proc", "loop", "chain", "cwd",
        ] {
            for op in every_op(link) {
                let told = format!("{op:?}");
                assert_eq!(case.fails(op), FaultKind::Denied, "{told}");
            }
        }
        assert_eq!(
            fs::read(case.outside().join("secret/f")).unwrap(),
            b"secret"
        );
        assert_eq!(
            fs::read_dir(case.outside().join("secret")).unwrap().count(),
            1
        );
        assert_eq!(case.names("in"), ["f"]);
        assert_eq!(case.read("in/f"), b"inside");
    }
}

#[test]
fn links_that_stay_inside_are_followed_by_the_kernel_and_refused_by_the_walk() {
    for follow_links in [true, false] {
        let case = traps(follow_links);
        case.link("in", "to-in");
        case.link("to-in/f", "to-f");
        case.plant("a/b/c/f", "deep");
        case.link("../../in/../in/f", "a/b/up");
        for path in ["to-in/f", "to-f", "a/b/up"] {
            if follow_links {
                assert_eq!(case.get(path).unwrap(), b"inside", "{path}");
            } else {
                assert_eq!(case.fails(open(path, 9)), FaultKind::Denied, "{path}");
            }
        }
        assert_eq!(case.get("a/b/c/f").unwrap(), b"deep");
        assert_eq!(case.listed("a/b/c"), ["f"]);
        assert_eq!(case.fails(open("in/f/x", 9)), FaultKind::NotADirectory);
        assert_eq!(case.fails(open("in/none/x", 9)), FaultKind::NotFound);
        assert_eq!(case.fails(open("in", 9)), FaultKind::IsADirectory);
    }
}

#[test]
fn all_works_without_the_kernels_help() {
    let case = Case::with(Options {
        follow_links: false,
        ..Options::default()
    });
    let options = CreateOptions {
        parents: true,
        ..CreateOptions::default()
    };
    let outcome = case.put("a/b/f", b"bytes", options);
    assert!(matches!(outcome, Outcome::Committed { .. }));
    assert_eq!(case.get("a/b/f").unwrap(), b"bytes");
    assert_eq!(case.listed(""), ["a"]);
    assert_eq!(case.op(rename("a/b/f", "g", false)), Outcome::Ended);
    assert_eq!(case.op(remove("a", true)), Outcome::Ended);
    assert_eq!(case.names(""), ["g"]);
    fifo(&case.file("fifo"));
    assert_eq!(case.fails(open("fifo", 9)), FaultKind::NotAFile);
}

#[test]
fn the_root_is_held_wherever_its_name_goes() {
    let case = Case::new();
    case.plant("f", "x");
    fs::rename(case.root(), case.outside().join("moved")).unwrap();
    fs::create_dir(case.root()).unwrap();
    assert_eq!(case.get("f").unwrap(), b"x");
}

#[test]
fn a_root_that_cannot_be_served_is_told_to_people() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    fs::write(&file, "").unwrap();
    for (root, words) in [
        (temp.path().join("none"), "no such file or folder"),
        (file, "not a folder"),
    ] {
        let Err(error) = Store::open(&root, Options::default()) else {
            panic!("{} was opened", root.display());
        };
        let want = format!("cannot serve {}: {words}", root.display());
        assert_eq!(error.to_string(), want);
    }
}

#[test]
fn faults_never_tell_where_the_root_is() {
    let case = traps(true);
    let host = case.outside().display().to_string();
    for link in ["absolute", "relative", "none", "in/f"] {
        for op in every_op(link) {
            if let Outcome::Failed(fault) = case.op(op) {
                assert!(!fault.detail.contains(&host), "{}", fault.detail);
            }
        }
    }
}
