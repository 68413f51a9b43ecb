//! Bandwidth: shared fairly, to the rate and no further; who waits for it is not cut, and who is beside is not slowed.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use ftp_tests::files::{sha256, write_random};
use ftp_tests::peer::{code, frame};
use ftp_tests::{Options, Peer, SOON, Scratch, Server, eventually};
use rustix::process::Signal;
use serde_json::json;

const MB: u64 = 1_000_000;
/// What the four have together, in bytes per second.
const RATE: u64 = 10 * MB;
/// Time in which nothing is counted: the first burst goes by.
const RAMP: Duration = Duration::from_millis(500);
/// Time in which it is counted.
const WINDOW: Duration = Duration::from_millis(2500);
/// A busy machine may hold anybody up; the rate is kept whatever it does.
const TRIES: usize = 3;

/// The `n`-th address of this machine.
fn address(n: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, n).into()
}

/// Bytes that `count` moves between the ramp and the window's end.
fn measured(start: &Barrier, mut count: impl FnMut() -> usize) -> u64 {
    start.wait();
    let begin = Instant::now() + RAMP;
    let mut bytes = 0;
    loop {
        let moved = count() as u64;
        let now = Instant::now();
        if now >= begin + WINDOW {
            return bytes;
        }
        bytes += if now >= begin { moved } else { 0 };
    }
}

/// What one session downloads.
fn downloaded(from: IpAddr, server: SocketAddr, start: &Barrier) -> u64 {
    let mut peer = Peer::hello_from(from, server);
    for id in 100..104 {
        peer.send(
            &json!({"id": id, "verb": "get", "path": "big", "fin": true}),
            b"",
        );
    }
    let mut stream = peer.stream();
    let mut buffer = vec![0; 64 * 1024];
    measured(start, || stream.read(&mut buffer).unwrap())
}

/// What one session uploads. What only lies in the kernel counts, so that is kept small.
fn uploaded(n: usize, from: IpAddr, server: SocketAddr, start: &Barrier) -> u64 {
    let mut peer = Peer::hello_from(from, server);
    let len = 1 << 20;
    socket2::SockRef::from(peer.stream())
        .set_send_buffer_size(64 * 1024)
        .unwrap();
    let id = 7;
    let put = json!({"id": id, "verb": "put", "path": format!("up{n}")});
    peer.send(&put, b"");
    let frame = frame(&json!({"id": id}), &vec![7; len]);
    let mut stream: &TcpStream = peer.stream();
    let mut at = 0;
    measured(start, || {
        let end = (at + 64 * 1024).min(frame.len());
        let sent = stream.write(&frame[at..end]).unwrap();
        at = (at + sent) % frame.len();
        sent
    })
}

/// Four sessions of one address, and one of another beside them, which has a bucket of its own.
fn four_share(way: &str, moved: impl Fn(usize, IpAddr, SocketAddr, &Barrier) -> u64 + Sync) {
    let flag = format!("--{way}-rate-per-address=10 MB/s");
    let mut told = Vec::new();
    for _ in 0..TRIES {
        let server = Server::start(Options::new().args([flag.as_str(), "--durability", "none"]));
        write_random(&server.file("big"), 5, 64 * MB);
        let start = Barrier::new(5);
        let addr = server.addr();
        let (moved, start) = (&moved, &start);
        let bytes: Vec<u64> = thread::scope(|scope| {
            let threads: Vec<_> = (0..5)
                .map(|n| {
                    let from = address(if n < 4 { 1 } else { 2 });
                    scope.spawn(move || moved(n, from, addr, start))
                })
                .collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let (four, beside) = bytes.split_at(4);
        let sum: u64 = four.iter().sum();
        let all = RATE * WINDOW.as_millis() as u64 / 1000;
        let close = |bytes: u64, to: u64| bytes.abs_diff(to) * 20 <= to;
        // A burst, and what the kernel held when counting began.
        assert!(sum <= all + RATE / 8 + 8 * MB / 10, "{sum} of {all}");
        let fair = four.iter().all(|bytes| close(*bytes, sum / 4));
        if close(sum, all) && fair && close(beside[0], all) {
            return;
        }
        told.push(format!("{four:?} = {sum}, {beside:?} of {all}"));
    }
    panic!("{told:#?}");
}

#[test]
fn four_downloads_of_one_address_share_its_rate() {
    four_share("download", |_, from, server, start| {
        downloaded(from, server, start)
    });
}

#[test]
fn four_uploads_of_one_address_share_its_rate() {
    four_share("upload", uploaded);
}

#[test]
fn the_rate_of_all_holds_over_several_loops() {
    let args = ["--download-rate=10 MB/s", "--reactors", "2"];
    let server = Server::start(Options::new().args(args));
    write_random(&server.file("f"), 6, 3 * MB);
    let start = Instant::now();
    thread::scope(|scope| {
        for n in 1..=4 {
            let addr = server.addr();
            scope.spawn(move || {
                let got = Peer::hello_from(address(n), addr).get("f").unwrap();
                assert_eq!(got.len() as u64, 3 * MB);
            });
        }
    });
    // 12 MB less half a burst; how late it may be is another test's.
    let took = start.elapsed();
    assert!(took > Duration::from_millis(1050), "{took:?}");
}

/// 2 MB at 1 MB/s each, by as many sessions as the rate is for; the other five rates are free.
#[test]
fn each_rate_holds_by_itself() {
    let rates = ["rate-per-session", "rate-per-address", "rate"];
    let moved = |way: &str, sessions: u8, of: &str| {
        let flag = format!("--{way}-{of}=1 MB/s");
        let args = [flag.as_str(), "--reactors=2", "--durability=none"];
        let server = Server::start(Options::new().args(args));
        let len = 2 * MB / u64::from(sessions);
        write_random(&server.file("f"), 8, len);
        let bytes = fs::read(server.file("f")).unwrap();
        let (addr, bytes) = (server.addr(), &bytes);
        let begun = Instant::now();
        thread::scope(|scope| {
            for n in 1..=sessions {
                // The rate of all is for several addresses, that of an address for several sessions.
                let from = address(if of == "rate" { n } else { 1 });
                scope.spawn(move || {
                    let mut peer = Peer::hello_from(from, addr);
                    if way == "upload" {
                        let answer = peer.put(&format!("up{n}"), bytes);
                        assert!(answer["error"].is_null(), "{answer}");
                    } else {
                        assert_eq!(peer.get("f").unwrap(), *bytes);
                    }
                });
            }
        });
        // Less a burst, an eighth of a second; how late it may be is for the ledger's own tests.
        let took = begun.elapsed();
        assert!(took > Duration::from_millis(1800), "{flag}: {took:?}");
    };
    thread::scope(|scope| {
        for way in ["upload", "download"] {
            for (of, sessions) in rates.into_iter().zip([1, 2, 4]) {
                let moved = &moved;
                scope.spawn(move || moved(way, sessions, of));
            }
        }
    });
}

#[test]
fn waiting_for_bandwidth_is_no_stall_and_silence_is() {
    let server = Server::start(Options::new().args([
        "--stall-timeout=1",
        "--min-rate=1 MB/s",
        "--upload-rate-per-session=200 kB/s",
        "--download-rate-per-session=200 kB/s",
    ]));
    let bytes = vec![9; 600_000];
    fs::write(server.file("down"), &bytes).unwrap();
    let addr = server.addr();
    thread::scope(|scope| {
        scope.spawn(|| assert!(Peer::hello(addr).put("up", &bytes)["error"].is_null()));
        scope.spawn(|| assert_eq!(Peer::hello(addr).get("down").unwrap(), bytes));
        scope.spawn(|| {
            let mut silent = Peer::hello(addr);
            silent.send(&json!({"id": 9, "verb": "put", "path": "never"}), b"some");
            while let Some((head, _)) = silent.frame() {
                assert_eq!(code(&head), "timeout", "{head}");
            }
        });
    });
    assert_eq!(
        sha256(&fs::read(server.file("up")).unwrap()),
        sha256(&bytes)
    );
}

#[test]
fn a_reload_reaches_the_transfers_that_wait() {
    let scratch = Scratch::new("rates");
    let file = scratch.join("muxftp.toml");
    let rate = |rate: &str| fs::write(&file, format!("download-rate = \"{rate}\"\n")).unwrap();
    rate("100 kB/s");
    let server = Server::start(Options::new().args(["--config".as_ref(), file.as_os_str()]));
    write_random(&server.file("f"), 7, 20 * MB);
    let mut peer = Peer::hello(server.addr());
    let get = json!({"id": 5, "verb": "get", "path": "f", "fin": true});
    peer.send(&get, b"");
    // As much as comes in a second, of two hundred.
    let mut some = vec![0; 100_000];
    peer.stream().read_exact(&mut some).unwrap();
    peer.stream().set_nonblocking(true).unwrap();
    let mut more = vec![0; 8 << 20];
    while !matches!(peer.stream().read(&mut more), Err(error) if error.kind() == ErrorKind::WouldBlock)
    {
    }
    peer.stream().set_nonblocking(false).unwrap();
    rate("0");
    server.signal(Signal::HUP);
    let start = Instant::now();
    let mut got = 0;
    while got < 19 * MB {
        got += peer.stream().read(&mut more).unwrap() as u64;
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    // And back: the next one waits again.
    rate("100 kB/s");
    server.signal(Signal::HUP);
    eventually("the reload is told", SOON, || {
        server.log().matches("configuration reloaded").count() == 2
    });
    let start = Instant::now();
    let mut slow = Peer::hello(server.addr());
    slow.send(&get, b"");
    slow.stream().read_exact(&mut more[..150_000]).unwrap();
    assert!(
        start.elapsed() > Duration::from_millis(700),
        "{:?}",
        start.elapsed()
    );
}
