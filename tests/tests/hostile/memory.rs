//! Memory is bounded by configuration, whatever a crowd sends and then leaves unfinished.

use ftp_tests::peer::frame;
use ftp_tests::{Options, Peer, Server};
use serde_json::json;

const MIB: u64 = 1 << 20;
/// `--buffer-memory`, in MiB.
const BUFFERS: u64 = 4;
/// More than the requests of one connection need that wait for their answers, as many as may.
const PIPELINE_KIB: u64 = 128;

fn server(more: &[&str]) -> Server {
    let buffers = format!("{BUFFERS} MiB");
    let options = Options::new().args(["--buffer-memory", &buffers]);
    Server::start(options.args(more.iter().copied()))
}

/// The formula of the README.
fn allowed_kib(connections: u64) -> u64 {
    16 * 1024 + connections * 13 / 2 + BUFFERS * 1024
}

#[test]
fn uploads_that_stop_after_their_first_bytes_are_counted() {
    // So slow that the blocks are all taken while the crowd's first bytes come.
    let server = server(&["--slow-disk-ms", "50"]);
    let piece = vec![7; 250_000];
    let mut crowd: Vec<_> = (0..200).map(|_| Peer::hello(server.addr())).collect();
    for (n, peer) in crowd.iter_mut().enumerate() {
        let path = format!("f{n}");
        let head = json!({"id": 2, "verb": "put", "path": path, "size": 10 * MIB, "len": MIB});
        let mut bytes = frame(&head, b"");
        bytes.extend_from_slice(&piece);
        peer.raw(&bytes);
    }
    let mut honest = Peer::hello(server.addr());
    honest.put("honest", &piece);
    assert!(honest.get("honest").unwrap() == piece);
    let peak = server.peak_kib();
    assert!(peak < allowed_kib(200), "{peak} KiB");
    drop(crowd);
}

#[test]
fn requests_that_never_end_are_counted() {
    let server = server(&[]);
    let mut head = frame(
        &json!({"id": 2, "verb": "ping", "path": "x".repeat(60_000)}),
        b"",
    );
    head.truncate(head.len() - 10);
    let crowd: Vec<_> = (0..400)
        .map(|_| {
            let mut peer = Peer::hello(server.addr());
            peer.raw(&head);
            peer
        })
        .collect();
    let mut honest = Peer::hello(server.addr());
    honest.put("honest", &head);
    assert!(honest.get("honest").unwrap() == head);
    let peak = server.peak_kib();
    assert!(peak < allowed_kib(400), "{peak} KiB");
    drop(crowd);
}

/// What one has sent and was answered is not held against the next.
#[test]
fn text_that_was_understood_is_counted_no_more() {
    let server = server(&[]);
    let long = "x".repeat(60_000);
    let mut peer = Peer::hello(server.addr());
    for _ in 0..40 {
        let ask = json!({"verb": "ping", "later": long});
        assert_eq!(peer.ask(ask, b"pong").1, b"pong");
    }
}

/// More requests than are answered to somebody who takes no answer.
fn flood() -> Vec<u8> {
    let get = |id: u64| {
        frame(
            &json!({"id": id, "verb": "get", "path": "f", "fin": true}),
            b"",
        )
    };
    (1000..5000).flat_map(get).collect()
}

#[test]
fn answers_that_nobody_takes_are_counted() {
    let server = server(&[]);
    let bytes = vec![7; 60_000];
    let mut beside = Peer::hello(server.addr());
    beside.put("f", &bytes);
    let flood = flood();
    let greedy = || {
        let mut peer = Peer::hello(server.addr());
        peer.raw(&flood);
        assert_eq!(peer.answer().1.len(), bytes.len());
        peer
    };
    // One alone does not take all of the memory for answers.
    let first = greedy();
    for _ in 0..20 {
        assert_eq!(beside.get("f").unwrap(), bytes);
    }
    // Nor do many take more than that.
    let mut crowd = vec![first];
    for _ in 0..100 {
        let mut peer = Peer::hello(server.addr());
        peer.raw(&flood);
        crowd.push(peer);
    }
    Peer::hello(server.addr()).still_works();
    let peak = server.peak_kib();
    assert!(peak < allowed_kib(102) + 102 * PIPELINE_KIB, "{peak} KiB");
}
