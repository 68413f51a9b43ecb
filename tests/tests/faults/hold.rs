//! Thousands of connections held on one loop, all of them answering. `MUXFTP_HOLD` says how many.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use ftp_tests::files::random_bytes;
use ftp_tests::process::raise_descriptors;
use ftp_tests::{Options, Peer, Server};
use serde_json::json;

use crate::knob;

/// The median time of five downloads, checked.
fn median(peer: &mut Peer, bytes: &[u8]) -> Duration {
    let mut times: Vec<_> = (0..5)
        .map(|_| {
            let start = Instant::now();
            assert!(peer.get("f").unwrap() == bytes);
            start.elapsed()
        })
        .collect();
    times.sort();
    times[2]
}

#[test]
fn held_connections_all_answer() {
    raise_descriptors();
    let room = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let asked = knob("MUXFTP_HOLD", 4000);
    let count = asked.min(room.unwrap_or(u64::MAX).saturating_sub(200));
    if count < asked {
        println!("only {count} of {asked}: this process may not have more descriptors");
    }
    let server = Server::start(
        Options::new()
            .args(["--max-per-address", "20000"])
            .args(["--idle-timeout", "600"]),
    );
    let bytes = random_bytes(1, 64 << 20);
    let mut beside = Peer::hello(server.addr());
    beside.put("f", &bytes);
    let alone = median(&mut beside, &bytes);
    let before = server.rss_kib();
    let mut held: Vec<_> = (0..count)
        .map(|n| {
            // A second loopback address doubles the number of ports.
            let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
            let from = Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(n % 2).unwrap());
            Peer::hello_from(from.into(), SocketAddr::new(ip, server.addr().port()))
        })
        .collect();
    let grown = server.rss_kib().saturating_sub(before);
    let start = Instant::now();
    for (n, peer) in held.iter_mut().enumerate() {
        peer.send(
            &json!({"id": 7, "verb": "ping", "fin": true}),
            &n.to_be_bytes(),
        );
    }
    for (n, peer) in held.iter_mut().enumerate() {
        assert_eq!(peer.rest(7).1, n.to_be_bytes());
    }
    let pings = start.elapsed();
    let crowded = median(&mut beside, &bytes);
    let percent = 100.0 * alone.as_secs_f64() / crowded.as_secs_f64();
    println!(
        "{count} held: {:.2} KiB each, all answered a ping in {pings:?}; a download of 64 MiB beside them runs at \
         {percent:.0} % of its speed alone ({crowded:?} against {alone:?})",
        grown as f64 / count as f64
    );
    assert!(grown < count * 8, "{grown} KiB for {count} connections");
    let floor = knob("MUXFTP_HOLD_PERCENT", 40) as f64;
    assert!(percent >= floor, "{percent:.0} %");
}
