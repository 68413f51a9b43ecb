//! Uploads that lie, break off, or go on after they were refused.

use std::fs;

use ftp_tests::files::{leftovers, random_bytes, sha256};
use ftp_tests::peer::{code, frame};
use ftp_tests::{Bystander, Options, Peer, SOON, Server, eventually};
use serde_json::json;

const MIB: usize = 1 << 20;

#[test]
fn a_wrong_digest_stores_nothing() {
    let server = Server::start(Options::new());
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::hello(server.addr());
    peer.put("f", b"old");
    let bytes = random_bytes(2, 2 * MIB + 5);
    let id = peer.fresh();
    peer.send(
        &json!({"id": id, "verb": "put", "path": "f"}),
        &bytes[..MIB],
    );
    peer.send(&json!({"id": id}), &bytes[MIB..2 * MIB]);
    peer.send(
        &json!({"id": id, "fin": true, "sha256": sha256(b"not this")}),
        &bytes[2 * MIB..],
    );
    assert_eq!(code(&peer.rest(id).0), "digest_mismatch");
    peer.still_works();
    assert_eq!(fs::read(server.file("f")).unwrap(), b"old");
    beside.was_undisturbed();
    eventually("no temp file stays", SOON, || {
        leftovers(server.root()).is_empty()
    });
}

#[test]
fn more_bytes_than_declared_end_the_upload() {
    let server = Server::start(Options::new());
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::hello(server.addr());
    // More than `size`: refused, in band.
    let id = peer.fresh();
    peer.send(
        &json!({"id": id, "verb": "put", "path": "f", "size": 10}),
        b"0123456789",
    );
    peer.send(&json!({"id": id, "fin": true}), b"and more");
    assert_eq!(code(&peer.rest(id).0), "size_mismatch");
    peer.still_works();
    // More than a frame may carry: refused, and swallowed.
    let id = peer.fresh();
    peer.send(
        &json!({"id": id, "verb": "put", "path": "f", "fin": true}),
        &vec![0; MIB + 1],
    );
    assert_eq!(code(&peer.rest(id).0), "too_large");
    peer.still_works();
    // More than the frame's own `len`: what follows is no header.
    let mut bytes = frame(
        &json!({"id": 900, "verb": "put", "path": "f", "len": 4}),
        b"",
    );
    bytes.extend([0xff; 100]);
    peer.raw(&bytes);
    assert_eq!(code(&peer.rest(900).0), "aborted");
    assert_eq!(code(&peer.rest(0).0), "bad_frame");
    peer.is_closed();
    beside.was_undisturbed();
    assert!(!server.file("f").exists());
}

#[test]
fn a_frame_too_large_to_swallow_closes() {
    let server = Server::start(Options::new());
    let mut peer = Peer::hello(server.addr());
    peer.send(
        &json!({"id": 9, "verb": "put", "path": "f", "len": u64::MAX, "fin": true}),
        b"",
    );
    assert_eq!(code(&peer.answer().0), "too_large");
    let block = vec![0; MIB];
    // Either it closes at once, or after the bound of what it swallows.
    let sent = (0..200)
        .take_while(|_| peer.try_raw(&block).is_ok())
        .count();
    assert!(sent < 200, "it swallowed {sent} MiB");
}

#[test]
fn a_refused_upload_is_swallowed() {
    let server = Server::start(Options::new());
    let beside = Bystander::beside(server.addr());
    fs::create_dir(server.file("dir")).unwrap();
    let mut peer = Peer::hello(server.addr());
    let id = peer.fresh();
    peer.send(&json!({"id": id, "verb": "put", "path": "dir"}), b"");
    let chunk = vec![0; MIB];
    for _ in 0..20 {
        peer.send(&json!({"id": id}), &chunk);
    }
    peer.send(&json!({"id": id, "fin": true}), b"");
    assert_eq!(code(&peer.rest(id).0), "is_a_directory");
    peer.still_works();
    // With `abort` as soon as the refusal is heard, little has to be sent.
    let id = peer.fresh();
    peer.send(&json!({"id": id, "verb": "put", "path": "../x"}), &chunk);
    assert_eq!(code(&peer.rest(id).0), "bad_path");
    peer.send(&json!({"id": id, "verb": "abort", "fin": true}), b"");
    peer.still_works();
    beside.was_undisturbed();
}

#[test]
fn swallowing_has_a_bound() {
    let server = Server::start(Options::new());
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::hello(server.addr());
    peer.send(&json!({"id": 9, "verb": "put", "path": "../x"}), b"");
    let chunk = frame(&json!({"id": 9}), &vec![0; MIB]);
    let sent = (0..200)
        .take_while(|_| peer.try_raw(&chunk).is_ok())
        .count();
    assert!((60..200).contains(&sent), "{sent} MiB");
    beside.was_undisturbed();
}

#[test]
fn abort_ends_an_upload_in_band() {
    let server = Server::start(Options::new());
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::hello(server.addr());
    peer.put("f", b"old");
    for sent in [0, 1, 3] {
        let id = peer.fresh();
        peer.send(&json!({"id": id, "verb": "put", "path": "f"}), b"");
        for _ in 0..sent {
            peer.send(&json!({"id": id}), &vec![1; MIB]);
        }
        peer.send(&json!({"id": id, "verb": "abort", "fin": true}), b"");
        assert_eq!(code(&peer.rest(id).0), "aborted");
        peer.still_works();
    }
    // Of something unknown, or already answered: nothing happens.
    peer.send(&json!({"id": 5555, "verb": "abort", "fin": true}), b"");
    peer.send(&json!({"id": 1, "verb": "abort", "fin": true}), b"");
    peer.still_works();
    beside.was_undisturbed();
    assert_eq!(fs::read(server.file("f")).unwrap(), b"old");
    eventually("no temp file stays", SOON, || {
        leftovers(server.root()).is_empty()
    });
}

#[test]
fn abort_ends_a_download_in_band() {
    let server = Server::start(Options::new());
    let bytes = random_bytes(1, 64 * MIB);
    fs::write(server.file("big"), &bytes).unwrap();
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::hello(server.addr());
    let id = peer.fresh();
    peer.send(
        &json!({"id": id, "verb": "get", "path": "big", "fin": true}),
        b"",
    );
    let mut got = peer.answer().1.len();
    peer.send(&json!({"id": id, "verb": "abort", "fin": true}), b"");
    let last = loop {
        let (head, payload) = peer.answer();
        got += payload.len();
        if head["fin"] == true {
            break head;
        }
    };
    assert_eq!(code(&last), "aborted");
    assert!(got < bytes.len() / 2, "{got} bytes came nevertheless");
    peer.still_works();
    assert!(peer.get("big").unwrap() == bytes);
    beside.was_undisturbed();
}

#[test]
fn a_reset_in_mid_upload_leaves_the_old_file() {
    let server = Server::start(Options::new());
    let beside = Bystander::beside(server.addr());
    Peer::hello(server.addr()).put("f", b"old");
    for round in 0..20 {
        let mut peer = Peer::hello(server.addr());
        peer.send(&json!({"id": 9, "verb": "put", "path": "f"}), b"");
        let bytes = vec![round; MIB];
        for chunk in bytes.chunks(1 + 50_000 * usize::from(round)) {
            peer.send(&json!({"id": 9}), chunk);
        }
        if round % 2 == 0 {
            peer.reset();
        }
    }
    eventually("no temp file stays", SOON, || {
        leftovers(&server.file(""))
            .iter()
            .all(|name| name.starts_with("beside"))
    });
    beside.was_undisturbed();
    assert_eq!(fs::read(server.file("f")).unwrap(), b"old");
}

#[test]
fn two_writers_never_mix() {
    let server = Server::start(Options::new());
    let rounds = 30;
    let writers: Vec<_> = (0..4)
        .map(|n| {
            let addr = server.addr();
            std::thread::spawn(move || {
                let mut peer = Peer::hello(addr);
                let bytes = vec![n; 700_000 + usize::from(n)];
                for _ in 0..rounds {
                    let answer = peer.put("f", &bytes);
                    assert_eq!(answer["size"], bytes.len(), "{answer}");
                }
            })
        })
        .collect();
    let mut reader = Peer::hello(server.addr());
    let mut seen = 0;
    while !writers.iter().all(std::thread::JoinHandle::is_finished) {
        match reader.get("f") {
            Ok(bytes) => {
                let n = bytes[0];
                assert_eq!(bytes.len(), 700_000 + usize::from(n));
                assert!(bytes.iter().all(|byte| *byte == n), "a mixed file");
                seen += 1;
            }
            // Replaced while it was read: refused in band, never a mixture.
            Err(code) => assert!(["not_found", "changed"].contains(&&*code), "{code}"),
        }
    }
    for writer in writers {
        writer.join().expect("a writer");
    }
    assert!(seen > 3, "the reader read {seen} times");
}
