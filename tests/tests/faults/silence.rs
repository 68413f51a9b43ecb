//! Thousands of connections that say nothing before a log-in: others log in meanwhile, and each of the silent ones is
//! closed because its time is over. `MUXFTP_SILENT` says how many.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use ftp_tests::peer::code;
use ftp_tests::process::raise_descriptors;
use ftp_tests::users::{self, PASSWORD};
use ftp_tests::{Options, Peer, Scratch, Server};

use crate::knob;

#[test]
fn thousands_who_say_nothing_keep_nobody_out() {
    raise_descriptors();
    let room = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let asked = knob("MUXFTP_SILENT", 5000);
    let count = asked.min(room.unwrap_or(u64::MAX).saturating_sub(200));
    if count < asked {
        println!("only {count} of {asked}: this process may not have more descriptors");
    }
    let home = Scratch::new("silence");
    let anna = users::entry("anna", home.path(), "preset = \"full\"");
    let users = users::write(home.path(), &anna);
    let server = Server::start(
        Options::new()
            .args(["--users".into(), users.into_os_string()])
            .args(["--max-per-address", "20000", "--hello-timeout", "2"]),
    );
    let alone = log_in(&server);
    let mut silent: Vec<_> = (0..count)
        .map(|_| (Instant::now(), Peer::connect(server.addr())))
        .collect();
    let beside: Vec<_> = (0..5).map(|_| log_in(&server)).collect();
    let mut slowest = Duration::ZERO;
    for (since, peer) in &mut silent {
        let (last, _) = peer.answer();
        assert_eq!(code(&last), "timeout", "{last}");
        peer.is_closed();
        slowest = slowest.max(since.elapsed());
    }
    println!(
        "{count} say nothing: a log-in beside them takes {beside:?}, alone {alone:?}; the last was seen closed after {slowest:?}"
    );
    log_in(&server);
}

/// Somebody from elsewhere logs in; how long that takes.
fn log_in(server: &Server) -> Duration {
    let start = Instant::now();
    let elsewhere = IpAddr::from(Ipv4Addr::new(127, 0, 0, 9));
    let mut peer = Peer::hello_from(elsewhere, server.addr());
    assert_eq!(peer.try_login("anna", PASSWORD)["user"], "anna");
    start.elapsed()
}
