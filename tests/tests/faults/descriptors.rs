//! No more descriptors: accepting pauses and recovers, what is under way goes on.

use std::time::Duration;

use ftp_tests::files::random_bytes;
use ftp_tests::process::raise_descriptors;
use ftp_tests::{Options, Peer, SOON, Server, eventually};
use serde_json::json;

#[test]
fn a_shortage_of_descriptors_passes() {
    raise_descriptors();
    let server = Server::start(Options::new());
    let mut early = Peer::hello(server.addr());
    let bytes = random_bytes(1, 3_000_000);
    early.put("f", &bytes);
    let limit = server.descriptors() as u64 + 40;
    server.process().limit_descriptors(limit);
    // More than fit, most of them left in the kernel's queue.
    let hello = ftp_tests::peer::frame(
        &json!({"id": 1, "verb": "hello", "version": 1, "fin": true}),
        b"",
    );
    let mut crowd: Vec<_> = (0..120)
        .map(|_| {
            let mut peer = Peer::connect(server.addr());
            drop(peer.try_raw(&hello));
            peer
        })
        .collect();
    // A session from before still works, and it opens files.
    early.still_works();
    let answer = early.put("g", &bytes);
    if answer["error"].is_null() {
        assert!(early.get("g").unwrap() == bytes);
    } else {
        assert_eq!(answer["error"]["retryable"], true, "{answer}");
    }
    let mut served = 0;
    for peer in &mut crowd {
        peer.stream()
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        served += usize::from(matches!(peer.stream().peek(&mut [0]), Ok(1)));
    }
    assert!(served < 120, "the limit was not reached");
    drop(crowd);
    eventually("it accepts again", SOON, || {
        let mut peer = Peer::connect(server.addr());
        peer.try_raw(&hello).is_ok()
            && matches!(peer.frame(), Some((head, _)) if head["version"] == 1)
    });
    assert!(early.get("f").unwrap() == bytes);
    assert!(early.put("h", &bytes)["error"].is_null());
}
