//! Memory is bounded by configuration, whatever a crowd sends and then leaves unfinished.

use ftp_tests::peer::frame;
use ftp_tests::{Options, Peer, Server};
use serde_json::json;

const MIB: u64 = 1 << 20;
/// `--buffer-memory`, in MiB.
const BUFFERS: u64 = 4;

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
