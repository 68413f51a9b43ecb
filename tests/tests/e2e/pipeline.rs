//! Requests sent ahead of their answers: in order, and with the effect they would have one after the other.

use std::thread;

use ftp_tests::files::{random_bytes, sha256};
use ftp_tests::peer::{code, frame};
use ftp_tests::{Options, Peer, Server};
use serde_json::json;

#[test]
fn everything_goes_out_with_the_hello() {
    let server = Server::start(Options::new());
    let mut peer = Peer::connect(server.addr());
    let mut bytes = frame(
        &json!({"id": 1, "verb": "hello", "version": 1, "fin": true}),
        b"",
    );
    bytes.extend(frame(
        &json!({"id": 2, "verb": "put", "path": "a", "fin": true}),
        b"one",
    ));
    bytes.extend(frame(
        &json!({"id": 3, "verb": "get", "path": "a", "fin": true}),
        b"",
    ));
    bytes.extend(frame(
        &json!({"id": 4, "verb": "put", "path": "a", "fin": true}),
        b"two",
    ));
    bytes.extend(frame(
        &json!({"id": 5, "verb": "rename", "path": "a", "to": "b", "fin": true}),
        b"",
    ));
    bytes.extend(frame(
        &json!({"id": 6, "verb": "get", "path": "a", "fin": true}),
        b"",
    ));
    bytes.extend(frame(
        &json!({"id": 7, "verb": "get", "path": "b", "fin": true}),
        b"",
    ));
    bytes.extend(frame(
        &json!({"id": 8, "verb": "remove", "path": "b", "fin": true}),
        b"",
    ));
    bytes.extend(frame(
        &json!({"id": 9, "verb": "list", "path": "", "fin": true}),
        b"",
    ));
    peer.raw(&bytes);
    assert_eq!(peer.rest(1).0["version"], 1);
    assert_eq!(peer.rest(2).0["sha256"], sha256(b"one"));
    assert_eq!(peer.rest(3).1, b"one");
    assert_eq!(peer.rest(4).0["sha256"], sha256(b"two"));
    assert!(peer.rest(5).0["error"].is_null());
    assert_eq!(code(&peer.rest(6).0), "not_found");
    assert_eq!(peer.rest(7).1, b"two");
    assert!(peer.rest(8).0["error"].is_null());
    assert_eq!(peer.rest(9).1, b"[]");
}

#[test]
fn thousands_of_small_files_in_one_stream() {
    let server = Server::start(Options::new());
    let mut peer = Peer::hello(server.addr());
    let stream = peer.stream().try_clone().unwrap();
    let count = 3000;
    let writer = thread::spawn(move || {
        use std::io::{BufWriter, Write};
        let mut out = BufWriter::new(stream);
        for n in 0..count {
            let bytes = random_bytes(n, 4096);
            let head = json!({"id": 100 + n, "verb": "put", "path": format!("d{}/f{n}", n % 7),
                "parents": true, "sha256": sha256(&bytes), "fin": true});
            out.write_all(&frame(&head, &bytes)).unwrap();
        }
        for n in 0..count {
            let head = json!({"id": 10_000 + n, "verb": "get", "path": format!("d{}/f{n}", n % 7), "fin": true});
            out.write_all(&frame(&head, b"")).unwrap();
        }
        out.flush().unwrap();
    });
    for n in 0..count {
        let (head, _) = peer.rest(100 + n);
        assert_eq!(head["size"], 4096, "{head}");
    }
    for n in 0..count {
        let (head, bytes) = peer.rest(10_000 + n);
        assert!(bytes == random_bytes(n, 4096), "{head}");
    }
    writer.join().unwrap();
}

#[test]
fn a_client_that_is_far_ahead_is_held_back_not_refused() {
    let server = Server::start(Options::new());
    let mut peer = Peer::hello(server.addr());
    let stream = peer.stream().try_clone().unwrap();
    let writer = thread::spawn(move || {
        use std::io::Write;
        let mut out = stream;
        for id in 1000..6000_u64 {
            let head = json!({"id": id, "verb": "ping", "fin": true});
            out.write_all(&frame(&head, &id.to_be_bytes())).unwrap();
        }
    });
    for id in 1000..6000_u64 {
        assert_eq!(peer.rest(id).1, id.to_be_bytes());
    }
    writer.join().unwrap();
}

#[test]
fn an_upload_of_unknown_length_ends_with_fin() {
    let server = Server::start(Options::new());
    let mut peer = Peer::hello(server.addr());
    peer.send(&json!({"id": 40, "verb": "put", "path": "stream"}), b"");
    let bytes = random_bytes(9, 100_000);
    for piece in bytes.chunks(777) {
        peer.send(&json!({"id": 40}), piece);
    }
    peer.send(&json!({"id": 40, "fin": true}), b"");
    let answer = peer.rest(40).0;
    assert_eq!(answer["sha256"], sha256(&bytes), "{answer}");
    assert_eq!(answer["size"], bytes.len());
    assert!(std::fs::read(server.file("stream")).unwrap() == bytes);
}
