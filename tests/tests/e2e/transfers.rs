//! Transfers at a time: over the cap there is a polite refusal, and room again when one has ended.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use ftp_tests::files::sha256;
use ftp_tests::peer::code;
use ftp_tests::{Options, Peer, SOON, Server, eventually};
use serde_json::{Value, json};

fn from(server: &Server, n: u8) -> Peer {
    Peer::hello_from(IpAddr::from(Ipv4Addr::new(127, 0, 0, n)), server.addr())
}

/// Begins an upload that stays under way; the interim answer says that the server has it open.
fn begin(server: &Server, n: u8, path: &str) -> (Peer, u64) {
    let mut peer = from(server, n);
    let id = peer.fresh();
    let put = json!({"id": id, "verb": "put", "path": path, "size": 4, "resume": true});
    peer.send(&put, b"");
    let interim = peer.answer().0;
    assert_eq!(interim["offset"], 0, "{interim}");
    (peer, id)
}

fn refused(head: &Value) -> bool {
    if head["error"].is_null() {
        return false;
    }
    assert_eq!(code(head), "busy", "{head}");
    assert_eq!(head["error"]["retryable"], true, "{head}");
    true
}

#[test]
fn more_transfers_of_one_address_are_refused_in_band() {
    let server = Server::start(Options::new().args(["--max-transfers-per-address=2"]));
    fs::write(server.file("f"), "content").unwrap();
    let (mut one, id) = begin(&server, 1, "one");
    let (two, _) = begin(&server, 1, "two");
    let mut third = from(&server, 1);
    assert!(refused(&third.put("three", b"bytes")), "a third upload");
    assert!(refused(&third.put("empty", b"")), "one without a byte");
    assert!(!server.file("three").exists() && !server.file("empty").exists());
    let get = json!({"verb": "get", "path": "f"});
    assert!(refused(&third.ask(get, b"").0), "a download");
    // Whatever is no transfer is done, and another address has its own.
    let stat = third.ask(json!({"verb": "stat", "path": "f"}), b"").0;
    assert_eq!(stat["size"], 7, "{stat}");
    assert_eq!(from(&server, 2).get("f").unwrap(), b"content");
    // One that ends makes room, and so does one that breaks.
    one.send(&json!({"id": id, "offset": 0}), b"");
    one.send(&json!({"id": id}), b"some");
    one.send(
        &json!({"id": id, "fin": true, "sha256": sha256(b"some")}),
        b"",
    );
    assert!(one.rest(id).0["error"].is_null());
    assert!(!refused(&third.put("three", b"bytes")));
    assert!(!refused(&one.put("four", b"bytes")), "now it is free");
    let (_held, _) = begin(&server, 1, "five");
    assert!(refused(&third.put("six", b"bytes")));
    drop(two);
    eventually("the broken one makes room", SOON, || {
        !refused(&third.put("six", b"bytes"))
    });
}

#[test]
fn what_waits_in_one_connection_is_one_transfer() {
    let server = Server::start(Options::new().args(["--max-transfers-per-address=1"]));
    let mut peer = from(&server, 1);
    for n in 0..50 {
        let put = json!({"id": n + 100, "verb": "put", "path": format!("f{n}"), "fin": true});
        peer.send(&put, b"content");
    }
    for n in 0..50 {
        assert!(!refused(&peer.rest(n + 100).0), "{n}");
    }
}
