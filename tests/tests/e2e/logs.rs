//! The log: one line for each session's end and each transfer, for programs and for people.

use ftp_tests::{Options, Peer, SOON, Server, eventually};
use serde_json::{Value, json};

/// Everything in an event, whatever its shape, as one text.
fn flat(event: &Value) -> String {
    event.to_string()
}

#[test]
fn each_transfer_and_each_session_has_one_line() {
    let server = Server::start(Options::new());
    let mut peer = Peer::hello(server.addr());
    peer.put("docs/report", &vec![7; 300_000]);
    peer.get("docs/report").unwrap();
    peer.get("docs/none").unwrap_err();
    drop(peer);
    let about = |words: &[&str]| {
        let mut events = server.events();
        events.retain(|event| {
            let line = flat(event);
            event["level"] == "INFO" && words.iter().all(|word| line.contains(word))
        });
        events
    };
    eventually("the session's end is logged", SOON, || {
        about(&["session ended"]).len() == 1
    });
    let puts = about(&["\"put\"", "docs/report"]);
    assert_eq!(puts.len(), 1, "{puts:?}");
    let put = flat(&puts[0]);
    for word in ["300000", "\"ok\"", "session"] {
        assert!(put.contains(word), "{word}: {put}");
    }
    assert_eq!(about(&["\"get\"", "docs/report", "\"ok\""]).len(), 1);
    let failed = about(&["\"get\"", "docs/none", "not_found"]);
    assert_eq!(failed.len(), 1, "{}", server.log());
}

#[test]
fn names_cannot_forge_lines() {
    let server = Server::start(
        Options::new()
            .args(["--log-format", "text"])
            .bare()
            .args(["--listen", "127.0.0.1:0"]),
    );
    let mut peer = Peer::hello(server.addr());
    let name = "\u{1b}[2Jx\u{7f}\u{9b}31m";
    peer.put(name, b"x");
    let (head, _) = peer.ask(
        json!({"verb": "get", "path": "none\u{1b}]0;title\u{7}"}),
        b"",
    );
    assert_eq!(head["error"]["code"], "not_found");
    drop(peer);
    eventually("the transfers are logged", SOON, || {
        server.log().contains("title")
    });
    let log = server.log();
    let raw = log.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(raw, None, "{log:?}");
}

#[test]
fn the_level_is_obeyed() {
    let server = Server::start(Options::new().args(["--log-level", "error"]));
    Peer::hello(server.addr()).put("a", b"x");
    let mut server = server;
    server.terminate();
    assert_eq!(server.wait(SOON), 0);
    assert_eq!(server.log(), "");
}
