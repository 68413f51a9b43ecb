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
        Outcome::Listed { entries, more } => (entries.len(), more),
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
