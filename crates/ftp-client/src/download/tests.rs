//! Downloads against scripted servers: what is believed, what appears, what is gone on with.

use std::path::Path;

use ftp_proto::VPath;
use ftp_proto::wire::Code;

use super::GetOptions;
use crate::cancel::Cancel;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::hash;
use crate::options::Options;
use crate::peer::{Line, Peer};
use crate::run::{GetSource, LocalTarget, get_all};
use crate::transfer::{Event, Observer, Outcome, Silent, Summary};

fn bytes(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(len as u64);
    (0..len).map(|_| random.u8(..)).collect()
}

fn get(peer: &Peer, folder: &Path, retries: u32) -> Result<Outcome> {
    let options = Options {
        retries,
        ..peer.options.clone()
    };
    let mut client = Client::connect(&options, &peer.cancel)?;
    client.get(
        &VPath::parse("from").unwrap(),
        &folder.join("to"),
        &GetOptions::default(),
    )
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// One download over `connections` of this script into a folder where an old file stands.
fn check(
    connections: usize,
    retries: u32,
    script: impl FnMut(usize, &mut Line) + Send + 'static,
) -> (tempfile::TempDir, Result<Outcome>) {
    let temp = tempfile::tempdir().unwrap();
    plant(&temp.path().join("to"), b"old");
    let peer = Peer::start(connections, script);
    let result = get(&peer, temp.path(), retries);
    peer.join();
    (temp, result)
}

fn plant(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
    file.write_all(bytes).unwrap();
    file.persist(path).unwrap();
}

#[test]
fn small_and_large_arrive_whole() {
    for len in [0, 1, 300_001, 5_000_000] {
        let (temp, result) = check(1, 0, move |_, line| {
            line.hello();
            let (head, _) = line.expect("get");
            line.file(head.id, &bytes(len), 0);
            line.until_closed();
        });
        let size = len as u64;
        assert!(matches!(result.unwrap(), Outcome::Moved { size: s, .. } if s == size));
        assert!(std::fs::read(temp.path().join("to")).unwrap() == bytes(len));
        assert_eq!(names(temp.path()), ["to"]);
    }
}

type Script = fn(&mut Line, u64);

/// What a server may say to a `get`, none of it true.
const LIARS: [(&str, Script); 9] = [
    ("wrong digest, small", |line, id| {
        let digest = hash::digest(b"x");
        line.send(
            &format!(r#"{{"id":{id},"fin":true,"size":3,"sha256":"{digest}"}}"#),
            b"abc",
        );
    }),
    ("wrong digest, large", |line, id| {
        line.send(&format!(r#"{{"id":{id},"size":600000}}"#), &[1; 600_000]);
        let digest = hash::digest(b"x");
        line.send(
            &format!(r#"{{"id":{id},"fin":true,"sha256":"{digest}"}}"#),
            &[],
        );
    }),
    ("less than announced", |line, id| {
        line.send(&format!(r#"{{"id":{id},"size":600000}}"#), &[1; 300_000]);
        let digest = hash::digest(&[1; 300_000]);
        line.send(
            &format!(r#"{{"id":{id},"fin":true,"sha256":"{digest}"}}"#),
            &[],
        );
    }),
    ("more than announced", |line, id| {
        line.send(&format!(r#"{{"id":{id},"size":1000}}"#), &[]);
        for _ in 0..64 {
            line.send(&format!(r#"{{"id":{id}}}"#), &[1; 1000]);
        }
    }),
    ("empty frames for ever", |line, id| {
        line.send(&format!(r#"{{"id":{id},"size":1000}}"#), &[]);
        for _ in 0..1000 {
            line.send(&format!(r#"{{"id":{id}}}"#), &[]);
        }
    }),
    ("no digest", |line, id| {
        line.send(&format!(r#"{{"id":{id},"fin":true,"size":3}}"#), b"abc");
    }),
    ("no size", |line, id| {
        line.send(&format!(r#"{{"id":{id},"fin":true}}"#), b"abc");
    }),
    ("another offset", |line, id| {
        line.send(
            &format!(r#"{{"id":{id},"size":9,"offset":3,"length":6}}"#),
            b"abcdef",
        );
    }),
    ("an error in the middle", |line, id| {
        line.send(&format!(r#"{{"id":{id},"size":600000}}"#), &[1; 300_000]);
        line.error(id, "io");
    }),
];

#[test]
fn liars_leave_the_old_file_and_nothing_else() {
    for (name, script) in LIARS {
        let (temp, result) = check(1, 0, move |_, line| {
            line.hello();
            let (head, _) = line.expect("get");
            script(line, head.id);
            line.until_closed();
        });
        let error = result.unwrap_err();
        let right = match name {
            "wrong digest, small" | "wrong digest, large" | "less than announced" => {
                matches!(error, Error::Integrity(_))
            }
            "an error in the middle" => error.code() == Some(Code::Io),
            _ => matches!(error, Error::Protocol(_)),
        };
        assert!(right, "{name}: {error}");
        assert_eq!(names(temp.path()), ["to"], "{name}");
        assert_eq!(
            std::fs::read(temp.path().join("to")).unwrap(),
            b"old",
            "{name}"
        );
    }
}

#[test]
fn a_broken_download_goes_on_in_the_same_run() {
    let all = bytes(6_000_000);
    let expected = all.clone();
    let (temp, result) = check(3, 5, move |number, line| {
        line.hello();
        let (head, _) = line.expect("get");
        let id = head.id;
        let offset = usize::try_from(head.offset.unwrap_or(0)).unwrap();
        if number > 0 {
            assert_eq!(
                (head.digest_from, head.if_etag),
                (Some(0), Some("e".into()))
            );
            assert!(offset >= number * 1_500_000, "{offset}");
        }
        if number == 2 {
            line.file(id, &all, offset);
            line.until_closed();
            return;
        }
        let (size, length) = (all.len(), all.len() - offset);
        let head = format!(
            r#"{{"id":{id},"size":{size},"offset":{offset},"length":{length},"etag":"e"}}"#
        );
        line.send(&head, &all[offset..offset + 1_000_000]);
        line.send(
            &format!(r#"{{"id":{id}}}"#),
            &all[offset + 1_000_000..offset + 2_000_000],
        );
        // Half a frame, and gone.
        let torn = format!(r#"{{"id":{id},"len":1000000}}"#);
        std::io::Write::write_all(
            &mut line.stream,
            &[0, 0, 0, u8::try_from(torn.len()).unwrap()],
        )
        .unwrap();
        std::io::Write::write_all(&mut line.stream, torn.as_bytes()).unwrap();
        line.cut();
    });
    assert!(matches!(result.unwrap(), Outcome::Moved { resumed, .. } if resumed == 4_000_000));
    assert!(std::fs::read(temp.path().join("to")).unwrap() == expected);
    assert_eq!(names(temp.path()), ["to"]);
}

#[test]
fn a_file_that_changed_in_between_is_got_anew() {
    let new = bytes(2_000_000);
    let expected = new.clone();
    let (temp, result) = check(2, 5, move |number, line| {
        line.hello();
        let (head, _) = line.expect("get");
        if number == 0 {
            let head = format!(r#"{{"id":{},"size":3000000,"etag":"old"}}"#, head.id);
            line.send(&head, &[1; 1_000_000]);
            line.cut();
            return;
        }
        assert_eq!(head.if_etag, Some("old".into()));
        line.error(head.id, "changed");
        let (head, _) = line.expect("get");
        assert_eq!((head.offset, head.if_etag), (None, None));
        line.file(head.id, &new, 0);
        line.until_closed();
    });
    assert!(matches!(result.unwrap(), Outcome::Moved { resumed: 0, .. }));
    assert!(std::fs::read(temp.path().join("to")).unwrap() == expected);
}

#[test]
fn a_partial_of_an_earlier_run_must_prove_itself() {
    let all = bytes(5_000_000);
    for (partial, proof) in [(2_000_000, true), (2_000_000, false), (5_000_000, true)] {
        let temp = tempfile::tempdir().unwrap();
        let mut old = all[..partial].to_vec();
        if !proof {
            old[1_234_567] ^= 1;
        }
        plant(&temp.path().join(".to.muxftp-part"), &old);
        let file = all.clone();
        let peer = Peer::start(1, move |_, line| {
            line.hello();
            let (head, _) = line.expect("hash");
            assert_eq!((head.offset, head.length), (Some(0), Some(partial as u64)));
            let digest = hash::digest(&file[..partial]);
            let id = head.id;
            line.send(
                &format!(
                    r#"{{"id":{id},"fin":true,"sha256":"{digest}","offset":0,"length":{partial},"size":{},"etag":"e"}}"#,
                    file.len()
                ),
                &[],
            );
            let (head, _) = line.expect("get");
            let from = if proof { Some(partial as u64) } else { None };
            assert_eq!(head.offset, from);
            line.file(head.id, &file, if proof { partial } else { 0 });
            line.until_closed();
        });
        get(&peer, temp.path(), 0).unwrap();
        peer.join();
        assert!(std::fs::read(temp.path().join("to")).unwrap() == all);
        assert_eq!(names(temp.path()), ["to"]);
    }
}

#[test]
fn what_is_interrupted_is_kept_and_the_old_file_stands() {
    let temp = tempfile::tempdir().unwrap();
    plant(&temp.path().join("to"), b"old");
    let peer = Peer::start(1, |_, line| {
        line.hello();
        let (head, _) = line.expect("get");
        line.send(
            &format!(r#"{{"id":{},"size":9000000}}"#, head.id),
            &[1; 1_000_000],
        );
        line.send(&format!(r#"{{"id":{}}}"#, head.id), &[1; 500_000]);
        line.until_closed();
    });
    let cancel = peer.cancel.clone();
    let client = Client::connect(&peer.options, &cancel).unwrap();
    let source = GetSource {
        remote: VPath::parse("from").unwrap(),
        size: None,
        local: LocalTarget::File(temp.path().join("to")),
    };
    let summary = get_all(
        &peer.options,
        &cancel,
        &CancelAt(cancel.clone(), 1_500_000),
        Some(client),
        vec![source],
        &GetOptions::default(),
    );
    peer.join();
    assert!(
        matches!(summary.errors[..], [Error::Interrupted(2)]),
        "{summary:?}"
    );
    assert_eq!(names(temp.path()), [".to.muxftp-part", "to"]);
    assert_eq!(std::fs::read(temp.path().join("to")).unwrap(), b"old");
    let kept = std::fs::read(temp.path().join(".to.muxftp-part")).unwrap();
    assert!(kept == [1; 1_500_000]);
}

/// Throws the switch when so many bytes have moved.
struct CancelAt(Cancel, u64);

impl Observer for CancelAt {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Position(_, bytes) if *bytes >= self.1) {
            self.0.cancel(2);
        }
    }
}

/// Gets a tree whose listings are these pages, in the order they are asked for.
fn tree(pages: Vec<(&'static str, &'static str, &'static str)>) -> (tempfile::TempDir, Summary) {
    let temp = tempfile::tempdir().unwrap();
    let peer = Peer::start(2, move |number, line| {
        line.hello();
        if number == 0 {
            for (path, more, entries) in &pages {
                let (head, _) = line.expect("list");
                assert_eq!(head.path.as_deref(), Some(*path));
                line.send(
                    &format!(r#"{{"id":{},"fin":true{more}}}"#, head.id),
                    entries.as_bytes(),
                );
            }
        }
        // The second connection is not looked at before the first has ended, so the first carries all.
        while let Some((head, _)) = line.frame() {
            let bytes = head.path.unwrap().into_bytes();
            line.file(head.id, &bytes, 0);
        }
    });
    let mut client = Client::connect(&peer.options, &peer.cancel).unwrap();
    client.hello().unwrap();
    let summary = get_all(
        &peer.options,
        &peer.cancel,
        &Silent,
        Some(client),
        vec![GetSource {
            remote: VPath::parse("t").unwrap(),
            size: None,
            local: LocalTarget::Folder(temp.path().join("in")),
        }],
        &GetOptions::default(),
    );
    peer.join();
    (temp, summary)
}

const FILE: &str = r#""type":"file","size":3,"mtime":0,"mode":420"#;

#[test]
fn a_tree_with_pages_and_folders() {
    let page = |name: &str| -> &'static str {
        Box::leak(
            format!(
                r#"[{{"name":"{name}",{FILE}}},{{"name":"d{name}","type":"dir","size":0,"mtime":0,"mode":493}}]"#
            )
            .into_boxed_str(),
        )
    };
    let (temp, summary) = tree(vec![
        ("t", r#","cursor":"c""#, page("a")),
        ("t/da", "", "[]"),
        ("t", "", page("b")),
        ("t/db", "", page("deep")),
        ("t/db/ddeep", "", "[]"),
    ]);
    assert_eq!((summary.done, summary.failed), (3, 0), "{summary:?}");
    let root = temp.path().join("in");
    assert_eq!(names(&root), ["a", "b", "da", "db"]);
    assert_eq!(std::fs::read(root.join("db/deep")).unwrap(), b"t/db/deep");
    assert!(root.join("db/ddeep").is_dir());
}

#[test]
fn names_that_climb_or_confuse_are_refused() {
    let mut entries = String::from("[");
    for name in [
        "..",
        ".",
        "",
        "../x",
        "a/b",
        "/etc",
        "nul\\u0000",
        "line\\n",
        ".muxftp-x",
    ] {
        entries += &format!(r#"{{"name":"{name}",{FILE}}},"#);
    }
    entries += &format!(r#"{{"name":".x.muxftp-part",{FILE}}},"#);
    entries += r#"{"name":"l","type":"link","size":1,"mtime":0,"mode":511},"#;
    entries += r#"{"name":"o","type":"from the future","size":1,"mtime":0,"mode":511},"#;
    entries += r#"{"name":"..","type":"dir","size":1,"mtime":0,"mode":511},"#;
    entries += &format!(r#"{{"name":"good",{FILE}}}]"#);
    let (temp, summary) = tree(vec![("t", "", Box::leak(entries.into_boxed_str()))]);
    assert_eq!(
        (summary.done, summary.failed, summary.skipped),
        (1, 10, 3),
        "{summary:?}"
    );
    assert_eq!(names(temp.path()), ["in"]);
    assert_eq!(names(&temp.path().join("in")), ["good"]);
}

#[test]
fn a_listing_that_goes_in_circles_ends() {
    let (_temp, summary) = tree(vec![
        (
            "t",
            r#","cursor":"c""#,
            r#"[{"name":"a","type":"link","size":0,"mtime":0,"mode":0}]"#,
        ),
        ("t", r#","cursor":"c""#, "[]"),
    ]);
    assert_eq!(summary.failed, 1, "{summary:?}");
    let (_temp, summary) = tree(vec![("t", "", "{not json")]);
    assert!(
        matches!(summary.errors[0], Error::Protocol(_)),
        "{summary:?}"
    );
}

#[test]
fn a_link_planted_where_a_folder_goes_is_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    let temp = tempfile::tempdir().unwrap();
    std::fs::create_dir(temp.path().join("in")).unwrap();
    std::os::unix::fs::symlink(outside.path(), temp.path().join("in/d")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("x"), temp.path().join("in/f")).unwrap();
    let peer = Peer::start(2, |number, line| {
        line.hello();
        if number == 0 {
            let (head, _) = line.expect("list");
            let page = format!(
                r#"[{{"name":"d","type":"dir","size":0,"mtime":0,"mode":493}},{{"name":"f",{FILE}}}]"#
            );
            line.send(
                &format!(r#"{{"id":{},"fin":true}}"#, head.id),
                page.as_bytes(),
            );
            let (head, _) = line.expect("list");
            let page = format!(r#"[{{"name":"g",{FILE}}}]"#);
            line.send(
                &format!(r#"{{"id":{},"fin":true}}"#, head.id),
                page.as_bytes(),
            );
        }
        while let Some((head, _)) = line.frame() {
            line.file(head.id, b"abc", 0);
        }
    });
    let mut client = Client::connect(&peer.options, &peer.cancel).unwrap();
    client.hello().unwrap();
    let sources = vec![GetSource {
        remote: VPath::parse("t").unwrap(),
        size: None,
        local: LocalTarget::Folder(temp.path().join("in")),
    }];
    let summary = get_all(
        &peer.options,
        &peer.cancel,
        &Silent,
        Some(client),
        sources,
        &GetOptions::default(),
    );
    peer.join();
    assert_eq!((summary.done, summary.failed), (1, 1), "{summary:?}");
    assert!(names(outside.path()).is_empty());
    assert!(temp.path().join("in/f").is_file());
    assert!(!temp.path().join("in/f").is_symlink());
}
