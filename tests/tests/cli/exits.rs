//! Every exit code that can be reached, each by its cause.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;

use ftp_tests::{Client, Options, Rogue, Scratch, Server};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::{client, server};

#[test]
fn one_code_for_each_cause() {
    let (server, scratch) = (server(), Scratch::new("exits"));
    let good = scratch.file("good", 1, 1000);
    fs::write(server.file("f"), "text").unwrap();
    fs::create_dir(server.file("dir")).unwrap();
    symlink("/etc/hostname", server.file("link")).unwrap();
    mknodat(CWD, server.file("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let run = |args: &[&str], code: i32| {
        let ran = client(&server)
            .dir(scratch.path())
            .args(args)
            .run()
            .exits(code);
        assert_eq!(ran.stderr.is_empty(), code == 0, "{args:?}: {}", ran.stderr);
        if code > 2 {
            assert!(ran.stderr.starts_with("ftp-client: "), "{}", ran.stderr);
        }
    };
    run(&["-q", "put", "good"], 0);
    run(&["get", "fifo"], 1);
    run(&["put", "-T", "good", "dir"], 1);
    run(&["put"], 2);
    run(&["frobnicate"], 2);
    run(&["get", "../etc/passwd"], 2);
    run(&["get", "none"], 3);
    run(&["get", "f/below"], 3);
    run(&["put", "none"], 4);
    run(&["get", "f", "no/such/folder/f"], 4);
    run(&["get", "link"], 7);
    run(&["put", "good", "none", "dir"], 11);
    run(&["get", "f", "none", "-t", "."], 11);
    run(&["put", "--if-exists", "fail", "good"], 12);
    run(&["rm", "nowhere"], 3);
    let read_only = Server::start(Options::new().args(["--read-only"]));
    Client::of(read_only.addr())
        .arg("put")
        .arg(&good)
        .run()
        .exits(7);
}

#[test]
fn a_server_that_is_not_there() {
    let addr = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let ran = Client::of(addr)
        .args(["--retries", "0", "ping"])
        .run()
        .exits(5);
    assert!(ran.stderr.contains(&addr.to_string()), "{}", ran.stderr);
    let ran = Client::bare()
        .args(["-s", "no.such.host.invalid", "--retries", "0", "ls"])
        .run();
    ran.exits(5);
    Client::bare()
        .args(["-s", "127.0.0.1:99999", "ls"])
        .run()
        .exits(2);
}

#[test]
fn a_server_that_says_nothing() {
    let silent = Rogue::start(|peer| while peer.frame().is_some() {});
    for verb in [&["ping"][..], &["get", "f", "-"], &["ls"]] {
        let ran = Client::of(silent.addr())
            .args(["--timeout", "0.3", "--retries", "0"])
            .args(verb)
            .run();
        assert!(ran.stderr.contains("timed out"), "{}", ran.stderr);
        ran.exits(9);
    }
}

#[test]
fn a_server_that_speaks_something_else() {
    let http = Rogue::start(|peer| {
        let _ = peer.try_raw(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    });
    Client::of(http.addr())
        .args(["--retries", "0", "ls"])
        .run()
        .exits(14);
}

#[test]
fn a_server_that_leaves() {
    let leaving = Rogue::start(|peer| {
        let _ = peer.frame();
    });
    Client::of(leaving.addr())
        .args(["--retries", "0", "ls"])
        .run()
        .exits(5);
}

#[test]
fn the_environment_names_the_server() {
    let server = server();
    let addr = server.addr().to_string();
    Client::bare()
        .env("FTP_CLIENT_SERVER", &addr)
        .args(["ping", "-c", "1"])
        .run()
        .ok();
    Client::bare()
        .env("FTP_CLIENT_SERVER", "127.0.0.1:1")
        .args(["-s", &addr, "ping", "-c", "1"])
        .run()
        .ok();
}
