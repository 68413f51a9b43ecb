//! Permissions of the operating system: what the daemon may not touch is `denied`, and the rest goes on.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ftp_tests::peer::code;
use ftp_tests::{Client, Options, Peer, Server};
use serde_json::json;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_closed_is_denied() {
    let server = Server::start(Options::new().nobody());
    for name in ["closed", "readonly", "open"] {
        fs::create_dir(server.file(name)).unwrap();
        fs::write(server.file(name).join("f"), "text").unwrap();
    }
    fs::write(server.file("unreadable"), "text").unwrap();
    mode(&server.file("unreadable"), 0o000);
    mode(&server.file("closed"), 0o000);
    mode(&server.file("readonly"), 0o555);
    mode(&server.file("open"), 0o777);
    let mut peer = Peer::hello(server.addr());
    for (head, expected) in [
        (json!({"verb": "get", "path": "unreadable"}), "denied"),
        (json!({"verb": "hash", "path": "unreadable"}), "denied"),
        (json!({"verb": "list", "path": "closed"}), "denied"),
        (json!({"verb": "get", "path": "closed/f"}), "denied"),
        (json!({"verb": "put", "path": "closed/g"}), "denied"),
        (json!({"verb": "put", "path": "readonly/g"}), "denied"),
        (json!({"verb": "mkdir", "path": "readonly/d"}), "denied"),
        (json!({"verb": "remove", "path": "readonly/f"}), "denied"),
        (
            json!({"verb": "rename", "path": "open/f", "to": "readonly/g"}),
            "denied",
        ),
    ] {
        let payload: &[u8] = if head["verb"] == "put" { b"x" } else { b"" };
        assert_eq!(code(&peer.ask(head.clone(), payload).0), expected, "{head}");
        peer.still_works();
    }
    assert_eq!(peer.get("readonly/f").unwrap(), b"text");
    assert!(peer.put("open/g", b"new")["error"].is_null());
    Client::of(server.addr())
        .args(["get", "unreadable", "-"])
        .run()
        .exits(7);
    // So that the folder can be removed again.
    mode(&server.file("closed"), 0o755);
    mode(&server.file("readonly"), 0o755);
}

#[test]
fn a_root_that_is_closed_stops_the_start() {
    let scratch = ftp_tests::Scratch::new("closed-root");
    let root = scratch.join("root");
    fs::create_dir(&root).unwrap();
    mode(&root, 0o000);
    mode(scratch.path(), 0o755);
    let Err(failed) = Server::try_start(Options::new().root(&root).nobody()) else {
        panic!("it serves a folder that it cannot read");
    };
    assert!(
        matches!(failed.status.unwrap().code(), Some(1 | 2)),
        "{failed:?}"
    );
    assert!(failed.log.contains("ermission denied"), "{}", failed.log);
    mode(&root, 0o755);
}
