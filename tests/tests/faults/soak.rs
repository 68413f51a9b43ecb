//! A mixed load, bounded by time: descriptors and memory at the end are as at the start. `MUXFTP_SOAK_SECONDS` and
//! `MUXFTP_CYCLES` ask for more.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ftp_tests::files::{leftovers, random_bytes};
use ftp_tests::process::raise_descriptors;
use ftp_tests::{Options, Peer, SOON, Server, eventually};
use serde_json::json;

use crate::knob;

const WORKERS: u64 = 8;
const MIB: usize = 1 << 20;

/// One thing that a client may do.
fn act(addr: SocketAddr, worker: u64, rng: &mut fastrand::Rng) {
    let peer = Peer::hello(addr);
    let path = format!("w{worker}/f{}", rng.u8(..8));
    let bytes = random_bytes(rng.u64(..), rng.usize(..2 * MIB));
    match rng.u8(..9) {
        0 => drop(peer),
        1 => put_and_get(peer, &path, &bytes),
        2 => begin_to_put(peer, &path, &bytes, abort),
        3 => begin_to_get(peer, abort),
        4 => begin_to_put(peer, &path, &bytes, |peer, _| peer.reset()),
        5 => begin_to_get(peer, |peer, _| peer.reset()),
        6 => begin_to_get(peer, read_slowly),
        7 => list_and_remove(peer, worker, &path),
        _ => talk_nonsense(peer, &random_bytes(rng.u64(..), 5000)),
    }
}

fn put_and_get(mut peer: Peer, path: &str, bytes: &[u8]) {
    assert!(peer.put(path, bytes)["error"].is_null());
    assert!(peer.get(path).unwrap() == bytes);
}

fn begin_to_put(mut peer: Peer, path: &str, bytes: &[u8], end: impl FnOnce(Peer, u64)) {
    let id = peer.fresh();
    let head = json!({"id": id, "verb": "put", "path": path, "parents": true});
    peer.send(&head, &bytes[..bytes.len().min(MIB)]);
    end(peer, id);
}

fn begin_to_get(mut peer: Peer, end: impl FnOnce(Peer, u64)) {
    let id = peer.fresh();
    let head = json!({"id": id, "verb": "get", "path": "big", "fin": true});
    peer.send(&head, b"");
    let _ = peer.answer();
    end(peer, id);
}

fn abort(mut peer: Peer, id: u64) {
    peer.send(&json!({"id": id, "verb": "abort", "fin": true}), b"");
    let _ = peer.rest(id);
    peer.still_works();
}

fn read_slowly(mut peer: Peer, _: u64) {
    for _ in 0..5 {
        let _ = peer.answer();
        thread::park_timeout(Duration::from_millis(20));
    }
}

fn list_and_remove(mut peer: Peer, worker: u64, path: &str) {
    let _ = peer.ask(json!({"verb": "list", "path": format!("w{worker}")}), b"");
    let _ = peer.ask(json!({"verb": "remove", "path": path}), b"");
    peer.still_works();
}

fn talk_nonsense(mut peer: Peer, bytes: &[u8]) {
    drop(peer.try_raw(bytes));
    peer.half_close();
    peer.is_closed();
}

#[test]
fn after_a_mixed_load_everything_is_as_before() {
    let seconds = knob("MUXFTP_SOAK_SECONDS", 5);
    let server = Server::start(Options::new().args(["--durability", "none"]));
    let addr = server.addr();
    Peer::hello(addr).put("big", &random_bytes(1, 24 * MIB));
    let done = Arc::new(AtomicU64::new(0));
    let run = |time: Duration| {
        let end = Instant::now() + time;
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let done = Arc::clone(&done);
                thread::spawn(move || {
                    let mut rng = fastrand::Rng::new();
                    while Instant::now() < end {
                        act(addr, worker, &mut rng);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("a worker");
        }
    };
    let at_rest = server.descriptors();
    run(Duration::from_secs(2));
    eventually("descriptors are back", SOON, || {
        server.descriptors() <= at_rest
    });
    let warm = server.rss_kib();
    run(Duration::from_secs(seconds));
    eventually("descriptors are back", SOON, || {
        server.descriptors() <= at_rest
    });
    eventually("temp files are gone", SOON, || {
        leftovers(server.root()).is_empty()
    });
    let end = server.rss_kib();
    println!(
        "{} actions; {warm} KiB when warm, {end} KiB at the end",
        done.load(Ordering::SeqCst)
    );
    assert!(
        end < warm + 24 * 1024,
        "memory grew from {warm} to {end} KiB"
    );
    Peer::hello(addr).still_works();
}

#[test]
fn connecting_and_leaving_is_flat() {
    raise_descriptors();
    let cycles = knob("MUXFTP_CYCLES", 6000);
    let server = Server::start(Options::new().args(["--log-level", "warn"]));
    let addr = server.addr();
    let run = |count: u64| {
        for n in 0..count {
            // Several addresses, so that ports in TIME_WAIT do not run out.
            let from = Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(n % 100).unwrap());
            let peer = Peer::hello_from(IpAddr::V4(from), addr);
            if n % 2 == 0 {
                peer.reset();
            }
        }
    };
    let at_rest = server.descriptors();
    run(2000);
    eventually("descriptors are back", SOON, || {
        server.descriptors() <= at_rest
    });
    let warm = server.rss_kib();
    let start = Instant::now();
    run(cycles);
    let time = start.elapsed();
    eventually("descriptors are back", SOON, || {
        server.descriptors() <= at_rest
    });
    let end = server.rss_kib();
    println!("{cycles} cycles in {time:?}; {warm} KiB when warm, {end} KiB at the end");
    assert!(
        end < warm + 4 * 1024,
        "memory grew from {warm} to {end} KiB"
    );
}
