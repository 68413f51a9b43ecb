//! Behind a proxy: who may say for whom it comes, and what follows from it.

use std::fs;
use std::time::Duration;

use ftp_tests::files::{Scratch, random_bytes, sha256, sha256_of};
use ftp_tests::peer::code;
use ftp_tests::proxy::Proxy;
use ftp_tests::{Client, Options, Peer, SOON, Server, eventually};
use rustix::process::Signal;
use serde_json::Value;

const CLIENT: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 2121\r\n";
const OTHER: &[u8] = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 2121\r\n";
const OWN: &[u8] = b"PROXY UNKNOWN\r\n";
/// Version 2: `192.0.2.1:57005`, with something beside it.
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\
    \xC0\0\x02\x01\xC6\x33\x64\x01\xDE\xAD\x08\x49\x04\0\x01\0";
/// Version 2: the proxy asks for itself.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn behind(more: &[&str]) -> Server {
    let args = ["--proxy-from", "127.0.0.0/8,::1"];
    Server::start(Options::new().args(args).args(more.iter().copied()))
}

/// The peers of the sessions that have ended.
fn peers(server: &Server) -> Vec<String> {
    let events = server.events();
    let ended = events
        .iter()
        .filter(|event| event["message"] == "session ended");
    ended
        .map(|event| event["peer"].as_str().unwrap().to_owned())
        .collect()
}

/// How often a connection was refused, and why.
fn refusals(server: &Server, why: &str) -> usize {
    let events = server.events();
    let is_it = |event: &&Value| event["message"] == "connection refused" && event["why"] == why;
    events.iter().filter(is_it).count()
}

#[test]
fn the_told_address_is_the_sessions() {
    for more in [&[][..], &["--reactors", "3"]] {
        let server = behind(more);
        let bytes = random_bytes(3, 300_000);
        for (number, (header, told)) in [
            (CLIENT, "192.0.2.1:4711"),
            (OTHER, "[2001:db8::7]:4711"),
            (BINARY, "192.0.2.1:57005"),
            (OWN, "127.0.0.1:"),
            (LOCAL, "127.0.0.1:"),
        ]
        .into_iter()
        .enumerate()
        {
            let (mut peer, (head, _)) = Peer::behind_proxy(server.addr(), header);
            assert_eq!(head["version"], 1, "{head}");
            peer.put("a", &bytes);
            assert_eq!(peer.get("a").unwrap(), bytes);
            drop(peer);
            eventually("the session ends", SOON, || {
                peers(&server).len() == number + 1
            });
            let peer = peers(&server).pop().unwrap();
            assert!(peer.starts_with(told), "{peer}, not {told}");
        }
    }
}

#[test]
fn tls_begins_behind_the_header() {
    let scratch = Scratch::new("proxied-tls");
    let state = scratch.join("state").display().to_string();
    let server = behind(&["--tls-mode", "on", "--state-dir", &state]);
    let file = scratch.file("f", 3, 3_000_000);
    for header in [CLIENT, BINARY] {
        let proxy = Proxy::telling(server.addr(), header);
        let client = || Client::of(proxy.addr()).args(["--pin", &server.pin()]);
        client()
            .args(["put", file.to_str().unwrap(), "f"])
            .run()
            .ok();
        let got = client().args(["get", "f", "-"]).run().ok();
        assert_eq!(sha256(&got.stdout), sha256_of(&file));
    }
    eventually("all have ended", SOON, || peers(&server).len() >= 4);
    for peer in peers(&server) {
        assert!(peer.starts_with("192.0.2.1:"), "{peer}");
    }
}

#[test]
fn a_header_may_come_byte_by_byte() {
    let server = behind(&[]);
    for header in [CLIENT, BINARY] {
        let mut peer = Peer::connect(server.addr());
        peer.stream().set_nodelay(true).unwrap();
        for byte in header {
            peer.raw(&[*byte]);
            std::thread::yield_now();
        }
        let hello = serde_json::json!({"verb": "hello", "version": 1});
        assert_eq!(peer.ask(hello, b"").0["version"], 1);
        peer.still_works();
    }
}

#[test]
fn caps_count_the_told_address() {
    let server = behind(&["--max-per-address", "2"]);
    let hold = |header| Peer::behind_proxy(server.addr(), header);
    let mut held = Vec::new();
    for header in [CLIENT, BINARY, OTHER, OTHER, OWN, LOCAL] {
        let (peer, (head, _)) = hold(header);
        assert_eq!(head["version"], 1, "{head}");
        held.push(peer);
    }
    for header in [CLIENT, OTHER, OWN] {
        let (mut more, (head, _)) = hold(header);
        assert_eq!(code(&head), "overloaded", "{head}");
        more.is_closed();
    }
    for peer in &mut held {
        peer.still_works();
    }
    drop(held);
    eventually("places are free again", SOON, || {
        hold(CLIENT).1.0["version"] == 1
    });
}

#[test]
fn who_waits_for_its_header_counts_in_all() {
    let server = behind(&["--max-connections", "2", "--hello-timeout", "1h"]);
    let held: Vec<_> = (0..2).map(|_| Peer::connect(server.addr())).collect();
    let mut third = Peer::connect(server.addr());
    third.raw(CLIENT);
    let mut waiting = third.patience(Duration::from_millis(200));
    let early = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| waiting.frame()));
    assert!(early.is_err(), "a third was served: {early:?}");
    drop(held);
    let mut third = waiting.patience(SOON);
    let hello = serde_json::json!({"verb": "hello", "version": 1});
    assert_eq!(third.ask(hello, b"").0["version"], 1);
}

#[test]
fn from_others_it_is_not_looked_at() {
    let server = Server::start(Options::new().args(["--proxy-from", "192.0.2.0/24,::1"]));
    for header in [CLIENT, BINARY] {
        // To our own protocol it is a frame that is far too long.
        let mut peer = Peer::connect(server.addr());
        peer.raw(header);
        while let Some((head, _)) = peer.frame() {
            assert!(head["error"].is_object(), "{head}");
        }
    }
    Peer::hello(server.addr()).still_works();
    eventually("all have ended", SOON, || peers(&server).len() == 3);
    for peer in peers(&server) {
        assert!(peer.starts_with("127.0.0.1:"), "{peer}");
    }
}

#[test]
fn without_a_sound_header_there_is_no_session() {
    let server = behind(&["--hello-timeout", "300ms"]);
    let refused = |bytes: &[u8], why: &str| {
        let before = refusals(&server, why);
        let mut peer = Peer::connect(server.addr());
        peer.raw(bytes);
        peer.is_closed();
        eventually(why, SOON, || refusals(&server, why) == before + 1);
    };
    let hello =
        ftp_tests::peer::header(b"{\"id\":1,\"verb\":\"hello\",\"version\":1,\"fin\":true}");
    refused(&hello, "it does not begin with a PROXY header");
    refused(
        b"GET / HTTP/1.1\r\n",
        "it does not begin with a PROXY header",
    );
    let malformed = "the line of its PROXY header is malformed";
    refused(b"PROXY TCP4 localhost localhost 1 2\r\n", malformed);
    refused(b"\r", "no PROXY header came in time");
    refused(b"", "no PROXY header came in time");
    refused(&CLIENT[..CLIENT.len() - 1], "no PROXY header came in time");
    let half = Peer::connect(server.addr());
    half.stream().set_nodelay(true).unwrap();
    let mut half = half;
    half.raw(&CLIENT[..20]);
    half.half_close();
    half.is_closed();
    eventually("told", SOON, || {
        refusals(&server, "it closed within its PROXY header") == 1
    });
    drop(Peer::connect(server.addr()));
    eventually("told", SOON, || {
        refusals(&server, "it closed before its PROXY header") == 1
    });
    // A header does not buy a second time to say hello.
    let mut silent = Peer::connect(server.addr());
    silent.raw(CLIENT);
    assert_eq!(code(&silent.answer().0), "timeout");
    silent.is_closed();
    eventually("the one session ends", SOON, || peers(&server).len() == 1);
}

#[test]
fn a_drain_does_not_wait_for_headers() {
    let mut server = behind(&["--hello-timeout", "1h", "--drain-timeout", "1h"]);
    let mut waiting = Peer::connect(server.addr());
    waiting.raw(b"PROXY ");
    let (mut idle, _) = Peer::behind_proxy(server.addr(), CLIENT);
    server.terminate();
    idle.is_closed();
    waiting.is_closed();
    assert_eq!(server.wait(SOON), 0);
}

#[test]
fn a_reload_changes_how_long_a_header_is_waited_for() {
    for (before, now) in [("1h", "300ms"), ("300ms", "1s")] {
        let scratch = Scratch::new("proxied");
        let path = scratch.join("server.toml");
        let write = |time| {
            let text = format!("proxy-from = [\"127.0.0.1\"]\nhello-timeout = \"{time}\"\n");
            fs::write(&path, text).unwrap();
        };
        write(before);
        let server = Server::start(Options::new().args(["--config".as_ref(), path.as_os_str()]));
        let mut waiting = Peer::connect(server.addr());
        waiting.raw(b"PROXY ");
        // Who came behind it is in, so it is.
        drop(Peer::behind_proxy(server.addr(), CLIENT));
        write(now);
        server.signal(Signal::HUP);
        waiting.is_closed();
        eventually("told", SOON, || {
            refusals(&server, "no PROXY header came in time") == 1
        });
    }
}

#[test]
fn a_reload_lists_other_proxies() {
    let scratch = Scratch::new("proxied");
    let path = scratch.join("server.toml");
    fs::write(&path, "").unwrap();
    let server = Server::start(Options::new().args(["--config".as_ref(), path.as_os_str()]));
    let mut direct = Peer::hello(server.addr());
    fs::write(&path, "proxy-from = [\"127.0.0.1\"]\n").unwrap();
    server.signal(Signal::HUP);
    eventually("reloaded", SOON, || server.log().contains("reloaded"));
    eventually("obeyed", SOON, || {
        let mut peer = Peer::connect(server.addr());
        peer.try_raw(CLIENT).is_ok()
            && peer
                .try_raw(&ftp_tests::peer::header(
                    b"{\"id\":1,\"verb\":\"hello\",\"version\":1,\"fin\":true}",
                ))
                .is_ok()
            && matches!(peer.frame(), Some((head, _)) if head["version"] == 1)
    });
    direct.still_works();
}
