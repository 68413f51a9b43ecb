//! No more descriptors: accepting pauses and recovers, what is under way goes on.

use std::time::Duration;

use ftp_tests::files::random_bytes;
use ftp_tests::peer::frame;
use ftp_tests::process::raise_descriptors;
use ftp_tests::{Bystander, Options, Peer, SOON, Server, eventually};
use serde_json::json;

#[test]
fn a_shortage_of_descriptors_passes() {
    raise_descriptors();
    let server = Server::start(Options::new().descriptors(64));
    let bytes = random_bytes(1, 3_000_000);
    let mut early = Peer::hello(server.addr());
    let beside = Bystander::beside(server.addr());
    // Twice as many as fit; most are turned away, or left in the kernel's queue.
    let hello = frame(
        &json!({"id": 1, "verb": "hello", "version": 1, "fin": true}),
        b"",
    );
    let mut crowd: Vec<_> = (0..130)
        .map(|_| {
            let mut peer = Peer::connect(server.addr());
            drop(peer.try_raw(&hello));
            peer
        })
        .collect();
    // A reserve is kept: a session from before still opens files.
    assert!(early.put("f", &bytes)["error"].is_null());
    assert!(early.get("f").unwrap() == bytes);
    let mut served = 0;
    for peer in &mut crowd {
        peer.stream()
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        let mut first = [0; 4096];
        if let Ok(len) = peer.stream().peek(&mut first) {
            served += usize::from(
                !String::from_utf8_lossy(&first[..len]).contains("overloaded") && len > 0,
            );
        }
    }
    assert!((1..64).contains(&served), "{served} of 130 were served");
    beside.was_undisturbed();
    drop(crowd);
    eventually("it accepts again", SOON, || {
        let mut peer = Peer::connect(server.addr());
        peer.try_raw(&hello).is_ok()
            && matches!(peer.frame(), Some((head, _)) if head["version"] == 1)
    });
    assert!(early.get("f").unwrap() == bytes);
}
