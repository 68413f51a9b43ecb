//! Paths that want out, and things that are no files.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use ftp_tests::peer::code;
use ftp_tests::{Bystander, Options, Peer, Scratch, Server};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

/// Every verb, aimed at `path`.
fn every_verb(path: &str) -> Vec<Value> {
    vec![
        json!({"verb": "put", "path": path}),
        json!({"verb": "put", "path": path, "parents": true}),
        json!({"verb": "get", "path": path}),
        json!({"verb": "hash", "path": path}),
        json!({"verb": "stat", "path": path}),
        json!({"verb": "list", "path": path}),
        json!({"verb": "mkdir", "path": path, "parents": true}),
        json!({"verb": "rename", "path": path, "to": "taken"}),
        json!({"verb": "rename", "path": "mine", "to": path, "if_exists": "replace"}),
        json!({"verb": "remove", "path": path, "recursive": true}),
    ]
}

fn payload(head: &Value) -> &'static [u8] {
    if head["verb"] == "put" { b"evil" } else { b"" }
}

#[test]
fn names_that_climb_are_refused() {
    let server = Server::start(Options::new());
    let outside = server.root().parent().unwrap().join("canary");
    fs::write(&outside, "alive").unwrap();
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::hello(server.addr());
    peer.put("mine", b"mine");
    let long = "x".repeat(256);
    let deep = vec!["d"; 200].join("/");
    for path in [
        "..",
        "../canary",
        "a/../../canary",
        "./mine",
        "mine/.",
        "mine/..",
        "/etc/passwd",
        "/",
        "//",
        "a//b",
        "a/",
        "nul\0byte",
        "line\nfeed",
        "carriage\rreturn",
        ".muxftp-t1",
        "a/.muxftp-p2/b",
        &long,
        &deep,
    ] {
        for head in every_verb(path) {
            let (answer, _) = peer.ask(head.clone(), payload(&head));
            assert_eq!(code(&answer), "bad_path", "{head}");
        }
        peer.still_works();
    }
    beside.was_undisturbed();
    assert_eq!(fs::read_to_string(outside).unwrap(), "alive");
    assert_eq!(peer.get("mine").unwrap(), b"mine");
}

#[test]
fn symbolic_links_lead_nowhere_outside() {
    let outside = Scratch::new("outside");
    fs::write(outside.join("canary"), "alive").unwrap();
    fs::create_dir(outside.join("dir")).unwrap();
    let server = Server::start(Options::new());
    symlink(outside.path(), server.file("away")).unwrap();
    symlink(outside.join("canary"), server.file("file")).unwrap();
    fs::create_dir(server.file("inner")).unwrap();
    symlink("../../..", server.file("inner/up")).unwrap();
    symlink("/proc/self/root", server.file("magic")).unwrap();
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::hello(server.addr());
    peer.put("mine", b"mine");
    for path in [
        "away/canary",
        "away/new",
        "away/dir",
        "away/dir/new",
        "inner/up/tmp",
        "inner/up/x",
        "magic/etc/hostname",
        "magic/tmp/muxftp-planted",
    ] {
        for head in every_verb(path) {
            let (answer, _) = peer.ask(head.clone(), payload(&head));
            assert!(
                ["denied", "not_found"].contains(&code(&answer)),
                "{head}: {answer}"
            );
        }
    }
    for verb in ["get", "hash", "list"] {
        for path in ["away", "file", "inner/up", "magic"] {
            let (answer, _) = peer.ask(json!({"verb": verb, "path": path}), b"");
            let expected = ["denied", "not_a_directory", "not_a_file"];
            assert!(expected.contains(&code(&answer)), "{verb} {path}: {answer}");
        }
    }
    // Removing a tree removes links, never what they lead to.
    for path in ["inner", "away", "file", "magic"] {
        let (answer, _) = peer.ask(
            json!({"verb": "remove", "path": path, "recursive": true}),
            b"",
        );
        assert!(answer["error"].is_null(), "{path}: {answer}");
    }
    beside.was_undisturbed();
    assert_eq!(fs::read_to_string(outside.join("canary")).unwrap(), "alive");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 2);
    assert_eq!(fs::read_dir(outside.join("dir")).unwrap().count(), 0);
    assert!(!std::path::Path::new("/tmp/muxftp-planted").exists());
}

#[test]
fn links_within_the_root_are_followed() {
    let server = Server::start(Options::new());
    fs::create_dir_all(server.file("real/dir")).unwrap();
    fs::write(server.file("real/dir/f"), "text").unwrap();
    symlink("real/dir", server.file("link")).unwrap();
    symlink("dir/f", server.file("real/direct")).unwrap();
    let mut peer = Peer::hello(server.addr());
    assert_eq!(peer.get("link/f").unwrap(), b"text");
    assert_eq!(peer.get("real/direct").unwrap(), b"text");
    assert!(peer.put("link/g", b"more")["error"].is_null());
    assert_eq!(fs::read(server.file("real/dir/g")).unwrap(), b"more");
}

#[test]
fn what_is_no_file_is_never_opened() {
    let server = Server::start(Options::new());
    mknodat(CWD, server.file("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _socket = UnixListener::bind(server.file("socket")).unwrap();
    let beside = Bystander::beside(server.addr());
    let mut peer = Peer::hello(server.addr());
    for path in ["fifo", "socket"] {
        for verb in ["get", "hash"] {
            let (answer, _) = peer.ask(json!({"verb": verb, "path": path}), b"");
            assert_eq!(code(&answer), "not_a_file", "{verb} {path}");
        }
        let (answer, _) = peer.ask(json!({"verb": "stat", "path": path}), b"");
        assert_eq!(answer["type"], "other", "{answer}");
        peer.still_works();
    }
    beside.was_undisturbed();
}
