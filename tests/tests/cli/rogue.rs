//! Servers that lie to the client: nothing gets out of the destination, nothing wrong stays, nothing raw reaches the terminal.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use ftp_tests::files::sha256;
use ftp_tests::peer::{Peer, header};
use ftp_tests::rogue::{greet, rest_of};
use ftp_tests::{Client, Ran, Rogue, SOON, Scratch, eventually};
use serde_json::{Value, json};

fn run(rogue: &Rogue, scratch: &Scratch, args: &[&str]) -> Ran {
    Client::of(rogue.addr())
        .dir(scratch.path())
        .args(["--timeout", "2", "--retries", "0"])
        .args(args)
        .run()
}

/// Answers one `get` with these frames' payloads, announcing `length`, with this digest.
fn serve(peer: &mut Peer, head: &Value, length: usize, bytes: &[u8], digest: &str) {
    let first = json!({"id": head["id"], "size": length, "offset": 0, "length": length, "mtime": 0, "mtime_ns": 0,
        "mode": 0o644, "etag": "e", "fin": true, "sha256": digest});
    peer.send(&first, bytes);
}

/// Answers a `stat` as for a file of this size; `false` if it is another verb.
fn stat(peer: &mut Peer, head: &Value, kind: &str, size: usize) -> bool {
    if head["verb"] != "stat" {
        return false;
    }
    let answer = json!({"id": head["id"], "fin": true, "type": kind, "size": size, "mtime": 0, "mtime_ns": 0,
        "mode": 0o644, "etag": "e"});
    peer.send(&answer, b"");
    true
}

/// Says that `d` is a folder; `false` if something else was asked.
fn folder(peer: &mut Peer, head: &Value) -> bool {
    if head["verb"] != "get" || head["path"] != "d" {
        return head["path"] == "d" && stat(peer, head, "dir", 0);
    }
    let error = json!({"code": "is_a_directory", "message": "d: is a folder", "retryable": false});
    peer.send(&json!({"id": head["id"], "fin": true, "error": error}), b"");
    true
}

#[test]
fn wrong_bytes_are_never_kept() {
    let scratch = Scratch::new("rogue-bytes");
    fs::write(scratch.join("f"), "old").unwrap();
    for (length, bytes, digest) in [
        (4, "evil", sha256(b"good")),
        (4, "evil and more", sha256(b"evil and more")),
        (10, "short", sha256(b"short")),
    ] {
        let rogue = Rogue::polite(move |peer, head, _| {
            if !stat(peer, head, "file", length) {
                serve(peer, head, length, bytes.as_bytes(), &digest);
            }
        });
        let ran = run(&rogue, &scratch, &["get", "f"]);
        assert!([10, 14].contains(&ran.code), "{ran:?}");
        assert_eq!(fs::read_to_string(scratch.join("f")).unwrap(), "old");
        let ran = run(&rogue, &scratch, &["cat", "f"]);
        assert!([10, 14].contains(&ran.code), "{ran:?}");
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
}

#[test]
fn a_claim_of_success_is_checked() {
    let scratch = Scratch::new("rogue-claim");
    fs::write(scratch.join("f"), "text").unwrap();
    for answer in [
        json!({"fin": true, "size": 4, "sha256": sha256(b"other"), "durability": "full"}),
        json!({"fin": true, "size": 5, "sha256": sha256(b"text"), "durability": "full"}),
        json!({"fin": true, "durability": "full"}),
        json!({"fin": true}),
    ] {
        let rogue = Rogue::polite(move |peer, head, payload| {
            if stat(peer, head, "dir", 0) {
                return;
            }
            let _ = rest_of(peer, head, payload);
            let mut answer = answer.clone();
            answer["id"] = head["id"].clone();
            peer.send(&answer, b"");
        });
        let ran = run(&rogue, &scratch, &["put", "-T", "f", "f"]);
        assert!([10, 14].contains(&ran.code), "{ran:?}");
    }
}

#[test]
fn names_that_climb_are_never_made() {
    let scratch = Scratch::new("rogue-names");
    fs::create_dir(scratch.join("inner")).unwrap();
    let canary = scratch.join("canary");
    for name in [
        "../canary",
        "..",
        ".",
        "",
        "a/b",
        "/etc/muxftp",
        "a\0b",
        ".muxftp-x",
        "x\ny",
        "../../../../tmp/muxftp-climbed",
    ] {
        let rogue = Rogue::polite(move |peer, head, _| match head["verb"].as_str() {
            Some("list") => {
                let entry =
                    json!([{"name": name, "type": "file", "size": 4, "mtime": 0, "mode": 0o644}]);
                peer.send(
                    &json!({"id": head["id"], "fin": true}),
                    entry.to_string().as_bytes(),
                );
            }
            Some("get") if head["path"] == "d" => {
                let error = json!({"code": "is_a_directory", "message": "d: is a folder", "retryable": false});
                peer.send(&json!({"id": head["id"], "fin": true, "error": error}), b"");
            }
            Some("get") => serve(peer, head, 4, b"evil", &sha256(b"evil")),
            _ => {
                stat(peer, head, "dir", 0);
            }
        });
        let ran = Client::of(rogue.addr())
            .dir(scratch.join("inner"))
            .args(["--timeout", "2", "--retries", "0", "get", "d"])
            .run();
        assert_ne!(ran.code, 0, "{name:?}: {ran:?}");
        assert!(ran.code < 100, "{name:?}: {ran:?}");
        assert!(!canary.exists(), "{name:?}");
        let outside: Vec<_> = fs::read_dir(scratch.path()).unwrap().collect();
        assert_eq!(outside.len(), 1, "{name:?}: {outside:?}");
    }
    assert!(!std::path::Path::new("/tmp/muxftp-climbed").exists());
}

#[test]
fn a_planted_link_is_not_followed() {
    let scratch = Scratch::new("rogue-link");
    let outside = Scratch::new("rogue-outside");
    fs::create_dir_all(scratch.join("d/sub")).unwrap();
    let (place, target) = (scratch.join("d/sub"), outside.path().to_owned());
    // While the client asks for what is in `d/sub`, that folder becomes a link to the outside.
    let rogue = Rogue::polite(move |peer, head, _| {
        match (head["verb"].as_str(), head["path"].as_str()) {
            (Some("list"), Some("d")) => {
                let page =
                    json!([{"name": "sub", "type": "dir", "size": 0, "mtime": 0, "mode": 0o755}]);
                peer.send(
                    &json!({"id": head["id"], "fin": true}),
                    page.to_string().as_bytes(),
                );
            }
            (Some("list"), _) => {
                drop(fs::remove_dir(&place));
                drop(symlink(&target, &place));
                let page =
                    json!([{"name": "f", "type": "file", "size": 4, "mtime": 0, "mode": 0o644}]);
                peer.send(
                    &json!({"id": head["id"], "fin": true}),
                    page.to_string().as_bytes(),
                );
            }
            (Some("get"), Some("d")) => {
                let error = json!({"code": "is_a_directory", "message": "d: is a folder", "retryable": false});
                peer.send(&json!({"id": head["id"], "fin": true, "error": error}), b"");
            }
            (Some("get"), _) => serve(peer, head, 4, b"evil", &sha256(b"evil")),
            _ => {
                stat(peer, head, "dir", 0);
            }
        }
    });
    let ran = run(&rogue, &scratch, &["get", "-T", "d", "d"]);
    assert!(ran.code < 100, "{ran:?}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "{ran:?}");
}

#[test]
fn a_server_of_another_kind_is_told_as_such() {
    let scratch = Scratch::new("rogue-other");
    for (greeting, speaks) in [
        (
            "220 files.example ready\r\n",
            "it speaks FTP: use curl or lftp",
        ),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks HTTP"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "it speaks SSH"),
    ] {
        let rogue = Rogue::start(move |peer| {
            let _ = peer.try_raw(greeting.as_bytes());
            while peer.frame().is_some() {}
        });
        let ran = run(&rogue, &scratch, &["ls"]);
        assert_eq!(ran.code, 14, "{ran:?}");
        assert!(ran.stderr.contains("is no muxftp server"), "{ran:?}");
        assert!(
            ran.stderr.contains(greeting.lines().next().unwrap()),
            "{ran:?}"
        );
        assert!(ran.stderr.contains(speaks), "{ran:?}");
    }
}

#[test]
fn broken_frames_end_the_run() {
    let scratch = Scratch::new("rogue-frames");
    for (what, bytes) in [
        (
            "a header too long",
            [&[0, 2, 0, 0][..], &[b' '; 140_000]].concat(),
        ),
        (
            "a header of 4 GiB",
            [&[0xff; 4][..], &[b' '; 1000]].concat(),
        ),
        ("an empty header", vec![0; 64]),
        ("not JSON", header(b"ho ho ho")),
        ("another id", header(b"{\"id\":999,\"fin\":true}")),
        (
            "too large a payload",
            header(b"{\"id\":2,\"len\":99999999999,\"fin\":true}"),
        ),
        ("wrong types", header(b"{\"id\":2,\"fin\":\"yes\"}")),
    ] {
        let rogue = Rogue::polite(move |peer, _, _| {
            let _ = peer.try_raw(&bytes);
        });
        for args in [&["ls"][..], &["get", "f"], &["hash", "f"]] {
            let ran = run(&rogue, &scratch, args);
            assert_eq!(ran.code, 14, "{what}, {args:?}: {ran:?}");
        }
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn an_endless_list_has_an_end() {
    let scratch = Scratch::new("rogue-endless");
    let rogue = Rogue::polite(|peer, head, _| {
        if folder(peer, head) {
            return;
        }
        let page = json!([{"name": "same", "type": "link", "size": 4, "mtime": 0, "mode": 0o644}]);
        peer.send(
            &json!({"id": head["id"], "fin": true, "cursor": "again"}),
            page.to_string().as_bytes(),
        );
    });
    // In a tree the rest goes on, and some of it failed.
    for (args, code) in [(&["ls"][..], 14), (&["get", "d"], 11)] {
        let ran = run(&rogue, &scratch, args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
    }
}

/// Commands to a terminal; whoever prints them as they are has obeyed.
const EVIL: &str = "\u{1b}]0;owned\u{7}\u{9b}2J\u{7f}";

#[track_caller]
fn nothing_raw(ran: &Ran) {
    let said = format!("{}{}", ran.text(), ran.stderr);
    let raw = said.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(raw, None, "{said:?}");
}

#[test]
fn no_raw_control_byte_reaches_the_terminal() {
    let scratch = Scratch::new("rogue-terminal");
    let rogue = Rogue::polite(move |peer, head, _| match head["verb"].as_str() {
        Some("list") => {
            let page =
                json!([{"name": EVIL, "type": "file", "size": 4, "mtime": 0, "mode": 0o644}]);
            peer.send(
                &json!({"id": head["id"], "fin": true}),
                page.to_string().as_bytes(),
            );
        }
        _ => {
            let message = format!("{EVIL}\r");
            let error = json!({"code": "denied", "message": message, "retryable": false});
            peer.send(&json!({"id": head["id"], "fin": true, "error": error}), b"");
        }
    });
    for args in [
        &["ls"][..],
        &["ls", "-l"],
        &["ls", "-R"],
        &["--json", "ls"],
        &["get", "f"],
        &["stat", "f"],
        &["rm", "f"],
        &["-v", "hash", "f"],
    ] {
        nothing_raw(&run(&rogue, &scratch, args));
    }
}

#[test]
fn nor_with_what_goes_well_or_is_tried_again() {
    let scratch = Scratch::new("rogue-well");
    let rogue = Rogue::start(|peer| {
        while let Some((head, payload)) = peer.frame() {
            match (head["verb"].as_str(), head["path"].as_str()) {
                (Some("hello"), _) => {
                    let limits =
                        json!({"header": 65_536, "chunk": 1 << 20, "pipeline": 64, "ping": 4096});
                    let answer = json!({"id": head["id"], "fin": true, "version": 1, "server": EVIL,
                        "durability": "none", "features": ["range", "etag"], "limits": limits});
                    peer.send(&answer, b"");
                }
                (Some("ping"), _) => {
                    peer.send(&json!({"id": head["id"], "fin": true}), &payload);
                }
                (Some("stat"), Some("f")) => {
                    let answer = json!({"id": head["id"], "fin": true, "type": "file", "size": 4,
                        "mtime": 0, "mtime_ns": 0, "mode": 0o644, "etag": EVIL});
                    peer.send(&answer, b"");
                }
                (_, Some("busy")) => {
                    let error = json!({"code": "busy", "message": EVIL, "retryable": true});
                    peer.send(&json!({"id": head["id"], "fin": true, "error": error}), b"");
                }
                (Some("list"), Some("deep")) => {
                    let page = json!([{"name": EVIL, "type": "dir", "size": 0, "mtime": 0, "mode": 0o755}]);
                    let head = json!({"id": head["id"], "fin": true});
                    peer.send(&head, page.to_string().as_bytes());
                }
                (Some("list"), _) => {
                    let entry = |name: String, kind| json!({"name": name, "type": kind, "size": 4, "mtime": 0, "mode": 0o644});
                    let page = json!([
                        entry(EVIL.to_owned(), "file"),
                        entry(format!("l{EVIL}"), "link"),
                        entry(format!("x/{EVIL}"), "file"),
                    ]);
                    let head = json!({"id": head["id"], "fin": true});
                    peer.send(&head, page.to_string().as_bytes());
                }
                _ if folder(peer, &head) => {}
                _ => serve(peer, &head, 4, b"evil", &sha256(b"evil")),
            }
        }
    });
    // A word that is said shows that it came so far.
    for (args, word) in [
        (&["ping", "-c", "1"][..], "owned"),
        (&["stat", "f"], "owned"),
        (&["ls", "-R", "deep"], "owned\\x07\\x9b2J\\x7f:"),
        (&["-v", "get", "d"], "left out"),
        (&["-v", "get", "d"], "d/x/"),
        (&["-v", "get", "d"], "4 B"),
        (&["--retries", "1", "get", "busy"], "again in"),
    ] {
        let client = Client::of(rogue.addr()).dir(scratch.path());
        let ran = client.args(["--timeout", "2"]).args(args).run();
        let said = format!("{}{}", ran.text(), ran.stderr);
        assert!(said.contains(word), "{args:?}: {said}");
        nothing_raw(&ran);
    }
}

#[test]
fn nor_by_whoever_lets_in_no_more() {
    let scratch = Scratch::new("rogue-full");
    let (refused, came) = (AtomicBool::new(false), AtomicBool::new(false));
    let rogue = Rogue::start(move |peer| {
        let first = !came.swap(true, Ordering::Relaxed);
        while let Some((head, _)) = peer.frame() {
            match head["verb"].as_str() {
                Some("hello") if !first => {
                    let error = json!({"code": "overloaded", "message": EVIL, "retryable": true});
                    peer.send(&json!({"id": head["id"], "fin": true, "error": error}), b"");
                    refused.store(true, Ordering::Relaxed);
                }
                Some("hello") => greet(peer, &head),
                Some("list") => {
                    let entry = |n| json!({"name": format!("f{n}"), "type": "file", "size": 4, "mtime": 0, "mode": 0o644});
                    let page: Vec<_> = (0..500).map(entry).collect();
                    let head = json!({"id": head["id"], "fin": true});
                    peer.send(&head, json!(page).to_string().as_bytes());
                }
                _ if folder(peer, &head) => {}
                _ => {
                    // Nothing is over before another has come and was sent away.
                    eventually("another comes", SOON, || refused.load(Ordering::Relaxed));
                    serve(peer, &head, 4, b"evil", &sha256(b"evil"));
                }
            }
        }
    });
    let client = Client::of(rogue.addr()).dir(scratch.path());
    let ran = client.args(["-j", "2", "--timeout", "5", "get", "d"]).run();
    assert!(ran.stderr.contains("going on over"), "{}", ran.stderr);
    nothing_raw(&ran);
}
