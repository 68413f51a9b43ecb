//! Bytes that are no frames, and frames that are no requests.

use ftp_tests::files::random_bytes;
use ftp_tests::peer::{code, frame, header};
use ftp_tests::{Bystander, Options, Peer, Server};
use serde_json::json;

/// Sends raw bytes on a session and returns the code that the server says before it closes.
#[track_caller]
fn closes_with(server: &Server, bytes: &[u8]) -> String {
    let mut peer = Peer::hello(server.addr());
    // The server may have closed before everything was sent.
    let _ = peer.try_raw(bytes);
    let mut said = String::new();
    while let Some((head, _)) = peer.frame() {
        assert_eq!(head["fin"], true, "{head}");
        said = code(&head).to_owned();
    }
    said
}

#[test]
fn broken_framing_closes() {
    let server = Server::start(Options::new());
    let beside = Bystander::beside(server.addr());
    let ping = json!({"id": 5, "verb": "ping", "fin": true});
    for (what, bytes) in [
        (
            "a header too long",
            [&[0, 1, 0, 1][..], &[b' '; 70_000]].concat(),
        ),
        (
            "a header of 4 GiB",
            [&[0xff; 4][..], &[b'{'; 1000]].concat(),
        ),
        ("an empty header", [0; 64].to_vec()),
        ("not JSON", header(b"hello, world")),
        ("a list", header(b"[1,2,3]")),
        ("half of an object", header(b"{\"id\":5,")),
        ("deeply nested", header(&[b'['; 60_000])),
        ("no id", header(b"{\"verb\":\"ping\",\"fin\":true}")),
        (
            "id 0",
            frame(&json!({"id": 0, "verb": "ping", "fin": true}), b""),
        ),
        (
            "a negative id",
            header(b"{\"id\":-1,\"verb\":\"ping\",\"fin\":true}"),
        ),
        (
            "an id too large",
            header(b"{\"id\":18446744073709551616,\"verb\":\"ping\",\"fin\":true}"),
        ),
        (
            "an id as text",
            header(b"{\"id\":\"5\",\"verb\":\"ping\",\"fin\":true}"),
        ),
        (
            "a length too large",
            header(b"{\"id\":5,\"verb\":\"ping\",\"fin\":true,\"len\":1e30}"),
        ),
        (
            "a part of no message",
            frame(&json!({"id": 77, "fin": true}), b""),
        ),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        ("FTP", b"USER anonymous\r\nPASS x\r\n".to_vec()),
        (
            "a request within an upload",
            [
                frame(&json!({"id": 6, "verb": "put", "path": "x"}), b"abc"),
                frame(&ping, b""),
            ]
            .concat(),
        ),
    ] {
        assert_eq!(closes_with(&server, &bytes), "bad_frame", "{what}");
    }
    beside.was_undisturbed();
    assert!(!server.file("x").exists());
}

#[test]
fn noise_closes() {
    let server = Server::start(Options::new());
    let beside = Bystander::beside(server.addr());
    for seed in 0..40 {
        let mut peer = Peer::connect(server.addr());
        let _ = peer.try_raw(&random_bytes(seed, 64 * 1024));
        peer.half_close();
        peer.is_closed();
    }
    beside.was_undisturbed();
}

#[test]
fn the_hello_comes_first_and_fits() {
    let server = Server::start(Options::new());
    for (head, expected) in [
        (
            json!({"id": 1, "verb": "ping", "fin": true}),
            "hello_required",
        ),
        (
            json!({"id": 1, "verb": "put", "path": "a", "fin": true}),
            "hello_required",
        ),
        (
            json!({"id": 1, "verb": "hello", "version": 2, "fin": true}),
            "unsupported_version",
        ),
        (
            json!({"id": 1, "verb": "hello", "version": 0, "fin": true}),
            "unsupported_version",
        ),
    ] {
        let mut peer = Peer::connect(server.addr());
        peer.send(&head, b"");
        assert_eq!(code(&peer.answer().0), expected, "{head}");
        peer.is_closed();
    }
    assert!(!server.file("a").exists());
}

/// Asks for each, and expects the code; the session stays usable.
#[track_caller]
fn refused(peer: &mut Peer, expected: &str, requests: &[(&str, usize)]) {
    for (head, payload) in requests {
        let parsed = serde_json::from_str(head).unwrap();
        let (answer, _) = peer.ask(parsed, &vec![b'x'; *payload]);
        assert_eq!(code(&answer), expected, "{head}: {answer}");
        peer.still_works();
    }
}

#[test]
fn wrong_requests_leave_the_session_usable() {
    let server = Server::start(Options::new());
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::hello(server.addr());
    let unknown = r#"{"verb": "frobnicate"}"#;
    refused(
        &mut peer,
        "unknown_verb",
        &[(unknown, 0), (unknown, 100_000)],
    );
    let wrong = [
        (r#"{"verb": 7}"#, 10),
        (r#"{"verb": "ping"}"#, 1_000_000),
        (r#"{"verb": "get"}"#, 0),
        (r#"{"verb": "get", "path": 3}"#, 0),
        (r#"{"verb": "get", "path": "a", "offset": -1}"#, 0),
        (r#"{"verb": "get", "path": "a", "offset": "0"}"#, 0),
        (r#"{"verb": "get", "path": "a", "offset": 1e300}"#, 0),
        (r#"{"verb": "put", "path": "a", "size": -5}"#, 3),
        (r#"{"verb": "put", "path": "a", "sha256": "xyz"}"#, 3),
        (r#"{"verb": "put", "path": "a", "mtime": "now"}"#, 3),
        (r#"{"verb": "put", "path": "a", "mtime_ns": 1e9}"#, 3),
        (r#"{"verb": "put", "path": "a", "if_exists": "?"}"#, 3),
        (r#"{"verb": "put", "path": "a", "resume": true}"#, 3),
        (r#"{"verb": "stat", "path": "a"}"#, 50_000),
        (r#"{"verb": "list", "path": "", "limit": -1}"#, 0),
        (r#"{"verb": "hash", "path": "a", "length": 0.5}"#, 0),
    ];
    refused(&mut peer, "bad_request", &wrong);
    beside.was_undisturbed();
    assert!(!server.file("a").exists());
}

#[test]
fn a_refusal_waits_for_no_end() {
    let server = Server::start(Options::new());
    let mut peer = Peer::hello(server.addr());
    for text in [
        &b"{\"id\":5,\"verb\":\"\xff\xfe\"}"[..],
        b"{\"id\":6,\"verb\":[]}",
        b"{\"id\":7,\"verb\":\"get\"}",
    ] {
        peer.raw(&header(text));
        let (head, _) = peer.answer();
        assert_eq!(code(&head), "bad_request", "{head}");
        peer.send(
            &json!({"id": head["id"], "verb": "abort", "fin": true}),
            b"",
        );
        peer.still_works();
    }
}

#[test]
fn huge_numbers_are_only_numbers() {
    let server = Server::start(Options::new());
    let mut peer = Peer::hello(server.addr());
    peer.put("f", b"text");
    for (head, expected) in [
        (
            json!({"verb": "get", "path": "f", "offset": u64::MAX}),
            "bad_range",
        ),
        (
            json!({"verb": "get", "path": "f", "offset": 5, "length": u64::MAX}),
            "bad_range",
        ),
        (
            json!({"verb": "hash", "path": "f", "offset": u64::MAX, "length": u64::MAX}),
            "bad_range",
        ),
        (
            json!({"verb": "put", "path": "g", "size": u64::MAX}),
            "no_space",
        ),
    ] {
        let said = peer.ask(head.clone(), b"").0;
        let said = code(&said);
        let refused = said == expected || (expected == "no_space" && said == "size_mismatch");
        assert!(refused, "{head}: {said}");
        peer.still_works();
    }
    let (head, bytes) = peer.ask(
        json!({"verb": "get", "path": "f", "offset": 1, "length": u64::MAX}),
        b"",
    );
    assert_eq!(bytes, b"ext", "{head}");
    let far = json!({"verb": "put", "path": "far", "mtime": i64::MAX, "mode": u32::MAX});
    let (head, _) = peer.ask(far, b"x");
    assert!(
        head["error"].is_null() || code(&head) == "bad_request",
        "{head}"
    );
    let (head, page) = peer.ask(
        json!({"verb": "list", "path": "", "limit": u32::MAX, "cursor": "zzz"}),
        b"",
    );
    assert_eq!(page, b"[]", "{head}");
    peer.still_works();
}

#[test]
fn one_byte_at_a_time() {
    let server = Server::start(Options::new());
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::connect(server.addr());
    let mut bytes = frame(
        &json!({"id": 1, "verb": "hello", "version": 1, "fin": true}),
        b"",
    );
    bytes.extend(frame(
        &json!({"id": 2, "verb": "put", "path": "slow"}),
        b"one ",
    ));
    bytes.extend(frame(&json!({"id": 2}), b"two "));
    bytes.extend(frame(&json!({"id": 2, "fin": true}), b"three"));
    bytes.extend(frame(
        &json!({"id": 3, "verb": "get", "path": "slow", "fin": true}),
        b"",
    ));
    for byte in bytes {
        peer.raw(&[byte]);
    }
    assert_eq!(peer.rest(1).0["version"], 1);
    assert_eq!(peer.rest(2).0["size"], 13);
    assert_eq!(peer.rest(3).1, b"one two three");
    beside.was_undisturbed();
}
