//! Several loops as one server.

use std::thread;

use ftp_tests::files::random_bytes;
use ftp_tests::peer::code;
use ftp_tests::{Options, Peer, SOON, Server, eventually};

const MIB: usize = 1 << 20;

#[test]
fn sessions_of_all_loops_see_one_folder_and_drain_together() {
    let mut server = Server::start(Options::new().args(["--reactors", "3"]));
    let addr = server.addr();
    let transfers: Vec<_> = (0..24)
        .map(|n| {
            thread::spawn(move || {
                let bytes = random_bytes(n, 2 * MIB + n as usize);
                let mut peer = Peer::hello(addr);
                peer.put(&format!("{n}"), &bytes);
                assert!(peer.get(&format!("{n}")).unwrap() == bytes, "{n}");
                peer
            })
        })
        .collect();
    let mut peers: Vec<_> = transfers.into_iter().map(|it| it.join().unwrap()).collect();
    // What one loop stored, every other serves.
    let first = random_bytes(0, 2 * MIB);
    for peer in &mut peers {
        assert!(peer.get("0").unwrap() == first);
    }
    server.terminate();
    for mut peer in peers {
        while peer.frame().is_some() {}
        peer.is_closed();
    }
    assert_eq!(server.wait(SOON), 0);
}

#[test]
fn caps_count_the_connections_of_all_loops() {
    let server = Server::start(Options::new().args(["--reactors", "2", "--max-per-address", "4"]));
    let mut peers: Vec<_> = (0..4).map(|_| Peer::hello(server.addr())).collect();
    let mut fifth = Peer::connect(server.addr());
    let (head, _) = fifth.frame().expect("a refusal in words");
    assert_eq!(code(&head), "overloaded");
    drop(peers.pop());
    eventually("there is room again", SOON, || {
        let mut peer = Peer::connect(server.addr());
        let hello = serde_json::json!({"id": 1, "verb": "hello", "version": 1, "fin": true});
        peer.send(&hello, b"");
        peer.frame().is_some_and(|(head, _)| head["version"] == 1)
    });
    for peer in &mut peers {
        peer.still_works();
    }
}
