//! How the daemon starts, refuses, bounds, drains and stops.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ftp_tests::files::{leftovers, random_bytes, sha256, write_random};
use ftp_tests::peer::code;
use ftp_tests::{Options, Peer, SOON, Server, eventually};
use rustix::process::Signal;
use serde_json::{Value, json};

const MIB: usize = 1 << 20;

/// Begins an upload, sends half of it, and gives what is left to send.
fn half_an_upload(peer: &mut Peer, path: &str, bytes: &[u8]) -> u64 {
    let id = peer.fresh();
    peer.send(&json!({"id": id, "verb": "put", "path": path}), b"");
    for chunk in bytes[..bytes.len() / 2].chunks(MIB) {
        peer.send(&json!({"id": id}), chunk);
    }
    id
}

/// Begins a download and reads its first bytes.
fn begin_a_download(peer: &mut Peer, path: &str) -> u64 {
    let id = peer.fresh();
    peer.send(
        &json!({"id": id, "verb": "get", "path": path, "fin": true}),
        b"",
    );
    let mut first = [0; 1];
    assert_eq!(peer.stream().peek(&mut first).unwrap(), 1);
    id
}

#[test]
fn one_line_on_standard_output() {
    let mut server = Server::start(Options::new());
    Peer::hello(server.addr()).put("a", b"x");
    assert_ne!(server.addr().port(), 0);
    server.terminate();
    assert_eq!(server.wait(SOON), 0);
    assert_eq!(server.rest_of_stdout(), "");
}

#[test]
fn termination_lets_transfers_finish() {
    let mut server = Server::start(Options::new());
    write_random(&server.file("down"), 4, 40 * MIB as u64);
    let mut idle = Peer::hello(server.addr());
    let mut up = Peer::hello(server.addr());
    let mut down = Peer::hello(server.addr());
    let bytes = random_bytes(8, 5 * MIB);
    let put = half_an_upload(&mut up, "up", &bytes);
    let get = begin_a_download(&mut down, "down");
    server.terminate();
    // An idle session ends, with or without a word.
    while let Some((head, _)) = idle.frame() {
        assert_eq!(
            (&head["id"], code(&head)),
            (&json!(0), "shutting_down"),
            "{head}"
        );
    }
    eventually("no more connections", SOON, || {
        TcpStream::connect(server.addr()).map_or(true, |mut stream| {
            stream.set_read_timeout(Some(SOON)).unwrap();
            !matches!(stream.read(&mut [0]), Ok(1..))
        })
    });
    for chunk in bytes[bytes.len() / 2..].chunks(MIB) {
        up.send(&json!({"id": put}), chunk);
    }
    up.send(&json!({"id": put, "fin": true}), b"");
    assert_eq!(up.rest(put).0["sha256"], sha256(&bytes));
    let (head, got) = down.rest(get);
    assert_eq!(head["sha256"], sha256(&got), "{head}");
    assert_eq!(got.len(), 40 * MIB);
    assert_eq!(server.wait(SOON), 0);
    assert!(fs::read(server.file("up")).unwrap() == bytes);
}

#[test]
fn a_request_after_the_drain_began_is_refused() {
    let mut server = Server::start(Options::new());
    let mut peer = Peer::hello(server.addr());
    let bytes = random_bytes(8, 3 * MIB);
    let put = half_an_upload(&mut peer, "up", &bytes);
    // The answer to a `stat` of another session that ends: the signal has been seen.
    let mut idle = Peer::hello(server.addr());
    server.terminate();
    idle.is_closed();
    for chunk in bytes[bytes.len() / 2..].chunks(MIB) {
        peer.send(&json!({"id": put}), chunk);
    }
    peer.send(&json!({"id": put, "fin": true}), b"");
    // The daemon may close before it has heard this one.
    let late = ftp_tests::peer::frame(
        &json!({"id": 99, "verb": "get", "path": "up", "fin": true}),
        b"",
    );
    let _ = peer.try_raw(&late);
    assert_eq!(peer.rest(put).0["sha256"], sha256(&bytes));
    while let Some((head, _)) = peer.frame() {
        assert_eq!(code(&head), "shutting_down", "{head}");
    }
    assert_eq!(server.wait(SOON), 0);
}

#[test]
fn a_second_signal_cuts() {
    let mut server = Server::start(Options::new());
    let mut peer = Peer::hello(server.addr());
    half_an_upload(&mut peer, "up", &random_bytes(8, 3 * MIB));
    let mut idle = Peer::hello(server.addr());
    server.terminate();
    idle.is_closed();
    let start = Instant::now();
    // One that comes within the first second is an echo.
    eventually("it is cut", SOON, || {
        server.signal(Signal::INT);
        server.ends_within(Duration::from_millis(50))
    });
    assert_eq!(server.wait(SOON), 1);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert!(!server.file("up").exists());
}

/// As timeout(1) does it, and Ctrl-C where a supervisor passes it on.
#[test]
fn two_signals_at_once_are_one() {
    let mut server = Server::start(Options::new());
    let mut peer = Peer::hello(server.addr());
    let bytes = random_bytes(8, 3 * MIB);
    let put = half_an_upload(&mut peer, "up", &bytes);
    let mut idle = Peer::hello(server.addr());
    server.terminate();
    server.signal(Signal::INT);
    idle.is_closed();
    eventually("it has heard both", SOON, || {
        server.log().matches("\"signal\":").count() == 2
    });
    for chunk in bytes[bytes.len() / 2..].chunks(MIB) {
        peer.send(&json!({"id": put}), chunk);
    }
    peer.send(&json!({"id": put, "fin": true}), b"");
    assert_eq!(peer.rest(put).0["sha256"], sha256(&bytes));
    assert_eq!(server.wait(SOON), 0);
}

#[test]
fn the_drain_has_an_end() {
    let mut server = Server::start(Options::new().args(["--drain-timeout", "1"]));
    let mut peer = Peer::hello(server.addr());
    half_an_upload(&mut peer, "up", &random_bytes(8, 3 * MIB));
    server.terminate();
    let start = Instant::now();
    assert_eq!(server.wait(SOON), 0);
    assert!(
        start.elapsed() > Duration::from_millis(500),
        "{:?}",
        start.elapsed()
    );
    assert!(!server.file("up").exists());
}

#[test]
fn beyond_loopback_only_when_it_is_said() {
    let refused = Server::try_start(Options::new().listen("0.0.0.0:0"));
    let Err(refused) = refused else {
        panic!("it listens to everybody")
    };
    assert_eq!(refused.status.unwrap().code(), Some(2), "{}", refused.log);
    assert!(refused.log.contains("--allow-anonymous"), "{}", refused.log);
    let server = Server::start(Options::new().listen("0.0.0.0:0").args([
        "--allow-anonymous",
        "--tls-mode",
        "off",
        "--allow-plaintext",
    ]));
    let addr = ([127, 0, 0, 1], server.addr().port()).into();
    Peer::hello(addr).still_works();
}

#[test]
fn a_wrong_start_says_why() {
    let taken = Server::start(Options::new());
    let file = taken.file("file");
    fs::write(&file, "").unwrap();
    for (options, word) in [
        (Options::new().listen(taken.addr()), "another program"),
        (Options::new().root(&file), "file"),
        (
            Options::new()
                .bare()
                .args(["--listen", "127.0.0.1:0", "--root", "/no/such/folder"]),
            "/no/such/folder",
        ),
        (Options::new().args(["--no-such-flag"]), "--no-such-flag"),
        (
            Options::new().args(["--idle-timeout", "soon"]),
            "idle-timeout",
        ),
        (Options::new().env("FTP_SERVER_WORKERS", "many"), "WORKERS"),
    ] {
        let Err(failed) = Server::try_start(options) else {
            panic!("it started: {word}")
        };
        let status = failed.status.unwrap();
        assert!(matches!(status.code(), Some(1 | 2)), "{word}: {status}");
        assert!(failed.log.contains(word), "{word}: {}", failed.log);
        assert!(!failed.log.contains("panicked"), "{}", failed.log);
    }
}

#[test]
fn the_environment_stands_for_flags() {
    let options = Options::new().env("FTP_SERVER_READ_ONLY", "true");
    let server = Server::start(options.env("FTP_SERVER_DURABILITY", "none"));
    let mut peer = Peer::connect(server.addr());
    let (head, _) = peer.ask(json!({"verb": "hello", "version": 1}), b"");
    assert_eq!(
        (&head["read_only"], &head["durability"]),
        (&json!(true), &json!("none")),
        "{head}"
    );
}

#[test]
fn connections_are_bounded_in_all() {
    let server = Server::start(Options::new().args(["--max-connections", "20"]));
    let mut held: Vec<_> = (0..20).map(|_| Peer::hello(server.addr())).collect();
    // The kernel may take one more connection, but no answer comes while all places are taken.
    let mut more = Peer::connect(server.addr());
    more.send(
        &json!({"id": 1, "verb": "hello", "version": 1, "fin": true}),
        b"",
    );
    for peer in &mut held {
        peer.still_works();
    }
    more.stream()
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let refused = match more.stream().peek(&mut [0]) {
        Ok(0) => true,
        Ok(_) => {
            more.stream().set_read_timeout(Some(SOON)).unwrap();
            assert_eq!(code(&more.answer().0), "overloaded");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
            false
        }
    };
    held.truncate(10);
    let mut peer = if refused {
        Peer::connect(server.addr())
    } else {
        more
    };
    if refused {
        eventually("a place is free again", SOON, || {
            peer = Peer::connect(server.addr());
            peer.send(
                &json!({"id": 1, "verb": "hello", "version": 1, "fin": true}),
                b"",
            );
            matches!(peer.frame(), Some((head, _)) if head["version"] == 1)
        });
    } else {
        peer.stream().set_read_timeout(Some(SOON)).unwrap();
        assert_eq!(peer.rest(1).0["version"], 1);
    }
    peer.still_works();
}

#[test]
fn connections_are_bounded_per_address() {
    let server = Server::start(Options::new().args(["--max-per-address", "5"]));
    let mut held: Vec<_> = (0..5).map(|_| Peer::hello(server.addr())).collect();
    for _ in 0..10 {
        let mut more = Peer::connect(server.addr());
        let _ = more.try_raw(&ftp_tests::peer::frame(
            &json!({"id": 1, "verb": "hello", "version": 1, "fin": true}),
            b"",
        ));
        while let Some((head, _)) = more.frame() {
            assert_eq!(code(&head), "overloaded", "{head}");
        }
    }
    for peer in &mut held {
        peer.still_works();
    }
    drop(held);
    eventually("places are free again", SOON, || {
        let mut peer = Peer::connect(server.addr());
        let hello = ftp_tests::peer::frame(
            &json!({"id": 1, "verb": "hello", "version": 1, "fin": true}),
            b"",
        );
        peer.try_raw(&hello).is_ok()
            && matches!(peer.frame(), Some((head, _)) if head["version"] == 1)
    });
}

#[test]
fn idle_sessions_end() {
    let server = Server::start(Options::new().args(["--idle-timeout", "1"]));
    let mut peer = Peer::hello(server.addr());
    let start = Instant::now();
    while let Some((head, _)) = peer.frame() {
        assert_eq!((&head["id"], code(&head)), (&json!(0), "timeout"), "{head}");
    }
    assert!(
        start.elapsed() > Duration::from_millis(800),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_slow_disk_delays_nobody_else() {
    let server = Server::start(Options::new().args(["--slow-disk-ms", "2000"]));
    let mut slow = Peer::hello(server.addr());
    let mut quick = Peer::hello(server.addr());
    slow.send(
        &json!({"id": 50, "verb": "put", "path": "f", "fin": true}),
        b"text",
    );
    slow.send(
        &json!({"id": 51, "verb": "get", "path": "f", "fin": true}),
        b"",
    );
    let start = Instant::now();
    let mut times = Vec::new();
    while start.elapsed() < Duration::from_millis(1500) {
        let asked = Instant::now();
        quick.still_works();
        times.push(asked.elapsed());
    }
    times.sort();
    // The median is the loop's; the slowest is what a busy machine makes of it.
    let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{} pings: median {median:?}, slowest {slowest:?}",
        times.len()
    );
    assert!(
        median < Duration::from_millis(20),
        "the median ping took {median:?}"
    );
    assert!(slowest < Duration::from_secs(1), "a ping took {slowest:?}");
    slow.stream().set_read_timeout(Some(SOON)).unwrap();
    assert!(slow.rest(50).0["error"].is_null());
    assert!(
        start.elapsed() > Duration::from_millis(1900),
        "the disk was not slow"
    );
    assert_eq!(slow.rest(51).1, b"text");
}

#[test]
fn leftovers_of_a_dead_process_are_invisible() {
    let mut server = Server::start(Options::new());
    let mut peer = Peer::hello(server.addr());
    // An upload has a temp name only where it is to replace something.
    fs::write(server.file("up"), "old").unwrap();
    half_an_upload(&mut peer, "up", &random_bytes(8, 3 * MIB));
    half_an_upload(
        &mut Peer::hello(server.addr()),
        "new",
        &random_bytes(9, 3 * MIB),
    );
    eventually("a temp file", SOON, || !leftovers(server.root()).is_empty());
    server.kill();
    let server = Server::start(Options::new().root(server.root()));
    let mut peer = Peer::hello(server.addr());
    let (_, page) = peer.ask(json!({"verb": "list", "path": ""}), b"");
    let page: Value = serde_json::from_slice(&page).unwrap();
    assert_eq!(page.as_array().unwrap().len(), 1);
    assert_eq!(page[0]["name"], "up");
    assert_eq!(peer.get("up").unwrap(), b"old");
    assert_eq!(peer.get("new"), Err("not_found".into()));
}
