//! `MakeDir`, `Rename` and `Remove`.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use ftp_proto::Durability;
use ftp_proto::session::{FaultKind, Outcome};
use ftp_store::Options;

use crate::common::*;

fn levels() -> [Case; 2] {
    [Durability::None, Durability::Full].map(|durability| {
        Case::with(Options {
            durability,
            ..Options::default()
        })
    })
}

#[test]
fn folders_are_made_with_and_without_parents() {
    for case in levels() {
        assert_eq!(case.op(make_dir("a", false)), Outcome::Ended);
        assert_eq!(case.op(make_dir("x/y/z", true)), Outcome::Ended);
        assert_eq!(case.op(make_dir("x/y/z", true)), Outcome::Ended);
        assert_eq!(case.op(make_dir("", true)), Outcome::Ended);
        case.plant("f", "");
        case.link("a", "to-a");
        case.link("nowhere", "dangling");
        assert_eq!(case.op(make_dir("to-a/b", true)), Outcome::Ended);
        assert!(case.file("a/b").is_dir() && case.file("x/y/z").is_dir());
        for (path, parents, kind) in [
            ("a", false, FaultKind::Exists),
            ("", false, FaultKind::Exists),
            ("p/q", false, FaultKind::NotFound),
            ("f", true, FaultKind::Exists),
            ("f/g", true, FaultKind::NotADirectory),
            ("dangling/d", true, FaultKind::NotFound),
        ] {
            assert_eq!(case.fails(make_dir(path, parents)), kind, "{path}");
        }
    }
}

#[test]
fn a_rename_moves_files_folders_and_links() {
    for case in levels() {
        case.plant("f", "file");
        case.plant("d/inner", "inner");
        case.link("/etc/passwd", "l");
        for (from, to) in [("f", "d/g"), ("d", "e"), ("l", "m"), ("e/g", "e/g2")] {
            assert_eq!(case.op(rename(from, to, false)), Outcome::Ended);
        }
        assert_eq!(case.read("e/g2"), b"file");
        assert_eq!(case.read("e/inner"), b"inner");
        assert!(case.file("m").is_symlink());
        assert_eq!(case.names(""), ["e", "m"]);
    }
}

#[test]
fn a_rename_replaces_only_if_asked() {
    for case in levels() {
        case.plant("a", "a");
        case.plant("b", "b");
        assert_eq!(case.fails(rename("a", "b", false)), FaultKind::Exists);
        assert_eq!(case.read("b"), b"b");
        assert_eq!(case.op(rename("a", "b", true)), Outcome::Ended);
        assert_eq!(case.read("b"), b"a");
        assert_eq!(case.names(""), ["b"]);
    }
}

#[test]
fn a_rename_that_cannot_be_is_told_for_what_it_is() {
    let case = Case::new();
    case.plant("f", "");
    case.plant("d/inner", "");
    case.plant("full/inner", "");
    for (from, to, replace, kind) in [
        ("none", "x", false, FaultKind::NotFound),
        ("f", "none/x", false, FaultKind::NotFound),
        ("", "x", false, FaultKind::Denied),
        ("f", "", true, FaultKind::Denied),
        ("d", "d/below", false, FaultKind::Denied),
        ("d", "d/below", true, FaultKind::Denied),
        ("d", "full", true, FaultKind::NotEmpty),
        ("d", "full", false, FaultKind::Exists),
        ("f", "d", true, FaultKind::IsADirectory),
        ("d", "f", true, FaultKind::NotADirectory),
        ("f/x", "y", false, FaultKind::NotADirectory),
    ] {
        let got = case.fails(rename(from, to, replace));
        assert_eq!(got, kind, "{from} to {to}");
    }
}

#[test]
fn a_remove_takes_files_links_and_empty_folders() {
    for case in levels() {
        case.plant("f", "");
        fs::create_dir(case.file("d")).unwrap();
        case.plant("full/f", "kept");
        case.link("full", "l");
        case.link("/etc/passwd", "out");
        fifo(&case.file("fifo"));
        for path in ["f", "d", "l", "out", "fifo"] {
            assert_eq!(case.op(remove(path, false)), Outcome::Ended, "{path}");
        }
        for (path, recursive, kind) in [
            ("none", false, FaultKind::NotFound),
            ("none", true, FaultKind::NotFound),
            ("", true, FaultKind::Denied),
            ("full", false, FaultKind::NotEmpty),
            ("full/f/x", true, FaultKind::NotADirectory),
        ] {
            assert_eq!(case.fails(remove(path, recursive)), kind, "{path}");
        }
        assert_eq!(case.names(""), ["full"]);
        assert_eq!(case.read("full/f"), b"kept");
    }
}

#[test]
fn a_tree_goes_with_all_that_is_in_it_and_nothing_that_is_not() {
    for case in levels() {
        fs::write(case.outside().join("canary"), "alive").unwrap();
        for n in 0..600 {
            case.plant(&format!("t/many/d{n}/f"), "");
            case.plant(&format!("t/f{n}"), "");
        }
        case.plant("t/.muxftp-t0123", "");
        case.plant("t/e/.muxftp-p0123", "");
        case.link("../..", "t/up");
        case.link(case.outside(), "t/many/absolute");
        fifo(&case.file("t/fifo"));
        fs::write(case.file("t").join(OsStr::from_bytes(b"\xff\n")), "").unwrap();
        let deep = vec!["deep"; 120].join("/");
        case.plant(&format!("t/{deep}/f"), "");
        assert_eq!(case.op(remove("t", true)), Outcome::Ended);
        assert!(case.names("").is_empty());
        assert_eq!(fs::read(case.outside().join("canary")).unwrap(), b"alive");
    }
}

#[test]
fn a_link_to_a_tree_is_removed_and_the_tree_is_not() {
    let case = Case::new();
    case.plant("t/f", "kept");
    case.link("t", "l");
    assert_eq!(case.op(remove("l", true)), Outcome::Ended);
    assert_eq!(case.names(""), ["t"]);
    assert_eq!(case.read("t/f"), b"kept");
}
