//! Pages of a folder.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use ftp_proto::Kind;
use ftp_proto::session::{DiskOp, FaultKind, Outcome};

use crate::common::*;

#[test]
fn five_thousand_names_in_pages_none_twice_none_missing() {
    let case = Case::new();
    let mut names: Vec<String> = (0..5_000).map(|n| format!("{:x}", n * 7919)).collect();
    for name in &names {
        case.plant(name, "");
    }
    names.sort();
    for entries in [1_000, 1_024, 4_999, 5_000, 5_001] {
        let mut got = Vec::new();
        let mut pages = 0;
        loop {
            let after = got.last().cloned();
            let (page, more) = case.page("", after.as_deref(), entries);
            assert!(page.len() <= entries as usize);
            got.extend(page.into_iter().map(|entry| entry.name));
            pages += 1;
            if !more {
                break;
            }
        }
        assert!(got == names);
        assert_eq!(pages, 5_000_u32.div_ceil(entries));
    }
}

#[test]
fn a_page_keeps_to_its_bytes_but_always_moves_on() {
    let case = Case::new();
    for name in ["a", "b", "c"] {
        case.plant(name, "");
    }
    let page = |bytes| match case.op(DiskOp::List {
        path: vpath(""),
        after: None,
        entries: 10,
        bytes,
    }) {
        Outcome::Listed { entries, next } => (entries.len(), next.is_some()),
        other => panic!("{other:?}"),
    };
    assert_eq!(page(0), (1, true));
    assert_eq!(page(129), (1, true));
    assert_eq!(page(258), (2, true));
    assert_eq!(page(387), (3, false));
    assert_eq!(case.page("", None, 0).0.len(), 1);
}

#[test]
fn each_entry_is_told_for_what_it_is() {
    let case = Case::new();
    fs::create_dir(case.file("dir")).unwrap();
    fifo(&case.file("fifo"));
    case.plant("file", "12345");
    case.link("/etc/passwd", "link");
    let (entries, _) = case.page("", None, 100);
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.meta.kind))
        .collect();
    let want = [
        ("dir", Kind::Dir),
        ("fifo", Kind::Other),
        ("file", Kind::File),
        ("link", Kind::Link),
    ];
    assert_eq!(told, want);
    assert_eq!(entries[2].meta, case.stat("file"));
    assert_eq!(entries[3].meta.size, "/etc/passwd".len() as u64);
}

#[test]
fn names_nobody_could_ask_for_are_not_shown() {
    let case = Case::new();
    for name in [
        &b"new\nline"[..],
        b"re\rturn",
        b"not \xff utf-8",
        b".muxftp-t1",
    ] {
        fs::write(case.root().join(OsStr::from_bytes(name)), "").unwrap();
    }
    for name in ["ünicode", " space ", "-dash", ".hidden"] {
        case.plant(name, "");
    }
    assert_eq!(case.listed(""), [" space ", "-dash", ".hidden", "ünicode"]);
}

#[test]
fn only_folders_are_listed() {
    let case = Case::new();
    case.plant("d/f", "");
    case.link("d", "l");
    case.link("/", "out");
    assert_eq!(case.listed("l"), ["f"]);
    for (path, kind) in [
        ("none", FaultKind::NotFound),
        ("d/f", FaultKind::NotADirectory),
        ("out", FaultKind::Denied),
    ] {
        let op = DiskOp::List {
            path: vpath(path),
            after: None,
            entries: 1,
            bytes: 1,
        };
        assert_eq!(case.fails(op), kind, "{path}");
    }
    fs::create_dir(case.file("empty")).unwrap();
    assert!(case.listed("empty").is_empty());
}

#[test]
fn a_folder_that_changes_between_pages_loses_nothing_that_stays_and_tells_nothing_twice() {
    let case = Case::new();
    let name = |n: usize| format!("{n:05}");
    for n in (0..2_000).step_by(2) {
        case.plant(&name(n), "");
    }
    let mut got: Vec<String> = Vec::new();
    let mut more = true;
    while more {
        let after = got.last().cloned();
        let (page, again) = case.page("", after.as_deref(), 100);
        more = again;
        got.extend(page.into_iter().map(|entry| entry.name));
        // Of what is still to come, one goes, one comes; and of what was told.
        let at = got.len() * 2;
        for (gone, new) in [(at + 10, at + 11), (at - 100, at - 101)] {
            fs::remove_file(case.file(&name(gone))).ok();
            case.plant(&name(new), "");
        }
        if more {
            assert!(
                !case.listed("").is_empty(),
                "another one lists it meanwhile"
            );
        }
    }
    assert!(got.is_sorted_by(|a, b| a < b), "none twice");
    for n in (0..2_000).step_by(2) {
        if case.file(&name(n)).exists() {
            assert!(got.contains(&name(n)), "{n} stood all the time");
        }
    }
    assert!(got.len() > 900);
    for name in &got {
        assert_eq!(name.len(), 5);
    }
}

#[test]
fn a_cursor_made_up_sees_what_was_made_just_now() {
    let case = Case::new();
    for name in ["a", "b", "c"] {
        case.plant(name, "");
    }
    assert!(case.page("", None, 1).1);
    case.plant("bb", "");
    let (page, more) = case.page("", Some("b"), 1);
    assert_eq!((page[0].name.as_str(), more), ("bb", true));
    // It is not there to be told when its page is made.
    fs::remove_file(case.file("c")).unwrap();
    assert!(case.page("", Some("bb"), 1).0.is_empty());
}
