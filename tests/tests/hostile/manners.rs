//! Peers that are silent, deaf, half gone, or too eager.

use std::fs;
use std::time::{Duration, Instant};

use ftp_tests::files::{leftovers, random_bytes, sha256, write_random};
use ftp_tests::peer::{code, frame};
use ftp_tests::{Bystander, Options, Peer, SOON, Server, eventually};
use serde_json::json;

const MIB: usize = 1 << 20;

#[test]
fn silence_is_not_waited_for() {
    let server = Server::start(Options::new().args(["--hello-timeout", "1"]));
    let beside = Bystander::beside(server.addr());
    let start = Instant::now();
    let mut silent: Vec<_> = (0..50).map(|_| Peer::connect(server.addr())).collect();
    // One of them says a little now and then; the deadline is one for all of the hello.
    silent[0].raw(&[0, 0]);
    for mut peer in silent {
        while let Some((head, _)) = peer.frame() {
            assert_eq!((&head["id"], code(&head)), (&json!(0), "timeout"), "{head}");
        }
    }
    assert!(
        start.elapsed() > Duration::from_millis(800),
        "{:?}",
        start.elapsed()
    );
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
    beside.was_undisturbed();
    eventually("the log says why they ended", SOON, || {
        let ends = server.events().into_iter().map(|event| event.to_string());
        let told = |line: &String| line.contains("no `hello` came in time");
        ends.filter(told).count() == 50
    });
}

#[test]
fn a_peer_that_never_reads_is_cut_and_costs_little() {
    let server = Server::start(Options::new().args(["--stall-timeout", "2"]));
    write_random(&server.file("big"), 3, 200 * MIB as u64);
    let beside = Bystander::beside(server.addr());
    let before = server.rss_kib();
    let at_rest = server.descriptors();
    let deaf: Vec<_> = (0..20)
        .map(|_| {
            let mut peer = Peer::hello(server.addr());
            for id in 100..130 {
                peer.send(
                    &json!({"id": id, "verb": "get", "path": "big", "fin": true}),
                    b"",
                );
            }
            peer
        })
        .collect();
    // Neither a file nor a socket of theirs stays.
    let gone = format!("{} sessions", deaf.len());
    eventually(&gone, SOON, || server.descriptors() <= at_rest);
    let grown = server.rss_kib().saturating_sub(before);
    assert!(grown < 60 * 1024, "it grew by {grown} KiB");
    drop(deaf);
    beside.was_undisturbed();
}

#[test]
fn a_stalled_upload_is_cut() {
    let server = Server::start(Options::new().args(["--stall-timeout", "1"]));
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::hello(server.addr());
    peer.send(&json!({"id": 9, "verb": "put", "path": "f"}), b"some");
    let start = Instant::now();
    while let Some((head, _)) = peer.frame() {
        assert_eq!(code(&head), "timeout", "{head}");
    }
    assert!(
        start.elapsed() > Duration::from_millis(800),
        "{:?}",
        start.elapsed()
    );
    beside.was_undisturbed();
    assert!(!server.file("f").exists());
}

/// Some bytes come all the time, and never so many as are asked for.
#[test]
fn a_transfer_that_trickles_is_cut() {
    let server = Server::start(Options::new().args(["--stall-timeout=1", "--min-rate=1 MB/s"]));
    let pace = Duration::from_millis(20);
    let mut peer = Peer::hello(server.addr()).patience(pace);
    let put = json!({"id": 9, "verb": "put", "path": "f", "len": 1_000_000});
    peer.send(&put, b"");
    eventually("it is given up", SOON, || {
        peer.try_raw(b"x").is_err() || peer.stream().peek(&mut [0]).is_ok()
    });
    eventually("the log says why", SOON, || {
        let mut events = server.events().into_iter();
        events.any(|event| event.to_string().contains("timeout"))
    });
    assert!(!server.file("f").exists());
}

#[test]
fn a_half_closed_peer_gets_what_it_asked_for() {
    let server = Server::start(Options::new());
    let bytes = random_bytes(4, 5 * MIB);
    fs::write(server.file("f"), &bytes).unwrap();
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::hello(server.addr());
    peer.send(
        &json!({"id": 9, "verb": "put", "path": "g", "fin": true}),
        b"text",
    );
    peer.send(
        &json!({"id": 10, "verb": "get", "path": "f", "fin": true}),
        b"",
    );
    peer.half_close();
    assert_eq!(peer.rest(9).0["sha256"], sha256(b"text"));
    assert!(peer.rest(10).1 == bytes);
    assert!(peer.frame().is_none(), "it did not close");
    beside.was_undisturbed();
}

#[test]
fn a_half_closed_upload_is_not_stored() {
    let server = Server::start(Options::new());
    let beside = Bystander::beside(server.addr());
    Peer::hello(server.addr()).put("f", b"old");
    for cut in [1, 3, 30, 60, 1000] {
        let mut peer = Peer::hello(server.addr());
        let bytes = frame(
            &json!({"id": 9, "verb": "put", "path": "f", "fin": true}),
            &[1; 2000],
        );
        peer.raw(&bytes[..cut]);
        peer.half_close();
        while let Some((head, _)) = peer.frame() {
            assert!(head["error"].is_object(), "{head}");
        }
    }
    let mut peer = Peer::hello(server.addr());
    peer.send(
        &json!({"id": 9, "verb": "put", "path": "f"}),
        b"whole frame, no end",
    );
    peer.half_close();
    while let Some((head, _)) = peer.frame() {
        assert!(head["error"].is_object(), "{head}");
    }
    beside.was_undisturbed();
    assert_eq!(fs::read(server.file("f")).unwrap(), b"old");
    eventually("no temp file stays", SOON, || {
        leftovers(server.root()).is_empty()
    });
}

#[test]
fn a_flood_of_requests_that_are_never_read_is_bounded() {
    let server = Server::start(Options::new().args(["--stall-timeout", "2"]));
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::hello(server.addr()).patience(Duration::from_secs(3));
    let payload = vec![b'x'; 4000];
    let ping = frame(&json!({"id": 7, "verb": "ping", "fin": true}), &payload);
    // The sender is stopped by backpressure long before it has sent it all.
    let sent = (0..100_000)
        .take_while(|_| peer.try_raw(&ping).is_ok())
        .count();
    assert!(sent < 100_000, "400 MB of pings went in unread");
    assert!(server.rss_kib() < 100 * 1024, "{} KiB", server.rss_kib());
    beside.was_undisturbed();
}

#[test]
fn connecting_and_leaving_costs_nothing() {
    let server = Server::start(Options::new());
    let beside = Bystander::beside(server.addr());
    for n in 0..500 {
        let mut peer = Peer::connect(server.addr());
        match n % 4 {
            0 => drop(peer),
            1 => peer.reset(),
            2 => peer.raw(&[0, 0, 0]),
            _ => peer.raw(&frame(
                &json!({"id": 1, "verb": "hello", "version": 1, "fin": true}),
                b"",
            )),
        }
    }
    beside.was_undisturbed();
    Peer::hello(server.addr()).still_works();
}
