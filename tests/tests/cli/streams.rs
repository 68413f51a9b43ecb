//! `get --streams`: one large file over several connections is the same file, or none.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use ftp_tests::client::finish;
use ftp_tests::files::{random_bytes, sha256, sha256_of};
use ftp_tests::rogue::greet;
use ftp_tests::{
    Client, Fault, Options, Proxy, Ran, Rogue, SOON, Scratch, Server, Way, eventually,
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{client, server};

const MIB: u64 = 1 << 20;
/// One byte more than parts divide evenly.
const SIZE: u64 = 64 * MIB + 1;
const PARTIAL: &str = ".out.muxftp-part";

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A server with a large file, and a place where an old one stands.
fn scene(name: &str) -> (Server, Scratch, Vec<u8>) {
    let (server, scratch) = (server(), Scratch::new(name));
    let bytes = random_bytes(7, usize::try_from(SIZE).unwrap());
    fs::write(server.file("f"), &bytes).unwrap();
    fs::write(scratch.join("out"), "old").unwrap();
    (server, scratch, bytes)
}

fn split(proxy: &Proxy, scratch: &Scratch) -> Client {
    Client::of(proxy.addr())
        .dir(scratch.path())
        .args(["get", "--streams", "4", "f", "out"])
}

/// What an interrupted run left: the old file, and at most a true beginning of the new one.
fn left(scratch: &Scratch, bytes: &[u8]) -> usize {
    assert_eq!(fs::read_to_string(scratch.join("out")).unwrap(), "old");
    match names(scratch.path()).as_slice() {
        [one] if one == "out" => 0,
        [part, one] if part == PARTIAL && one == "out" => {
            let part = fs::read(scratch.join(PARTIAL)).unwrap();
            assert!(part.len() < bytes.len() && bytes.starts_with(&part));
            part.len()
        }
        other => panic!("{other:?}"),
    }
}

/// Bytes that are verified for sure when [`wait_for_a_beginning`] ends.
const SURE: u64 = 4 * MIB;

/// Waits until much more than the first bytes is written, each part by a stream that has verified those before.
fn wait_for_a_beginning(scratch: &Scratch, bytes: &[u8]) {
    let mut start = vec![0; 3 * usize::try_from(SURE).unwrap()];
    eventually("the beginning is verified", SOON, || {
        fs::File::open(scratch.join(PARTIAL))
            .and_then(|file| file.read_exact_at(&mut start, 0))
            .is_ok_and(|()| bytes.starts_with(&start))
    });
}

fn position(event: &Value) -> Option<u64> {
    (event["event"] == "progress").then(|| event["bytes"].as_u64().unwrap())
}

#[test]
fn a_large_file_comes_over_four_connections_and_a_small_one_over_one() {
    let (server, scratch, bytes) = scene("streams");
    let proxy = Proxy::start(server.addr(), Fault::Healthy, Way::Down, 0);
    let ran = split(&proxy, &scratch).arg("--json").run().ok();
    assert!(fs::read(scratch.join("out")).unwrap() == bytes);
    assert_eq!(names(scratch.path()), ["out"]);
    assert_eq!(proxy.connections(), 4);
    assert!(proxy.sent_down() < SIZE + MIB, "{}", proxy.sent_down());
    let events = ran.events();
    let done: Vec<_> = events.iter().filter(|e| e["event"] == "done").collect();
    assert_eq!(done.len(), 1);
    assert_eq!(done[0]["sha256"], sha256(&bytes));
    assert_eq!(
        (&done[0]["size"], &done[0]["resumed"]),
        (&SIZE.into(), &0.into())
    );
    let positions: Vec<_> = events.iter().filter_map(position).collect();
    assert!(positions.is_sorted(), "{positions:?}");

    fs::write(server.file("f"), &bytes[..1 << 20]).unwrap();
    let proxy = Proxy::start(server.addr(), Fault::Healthy, Way::Down, 0);
    let _ = split(&proxy, &scratch).run().ok();
    assert!(fs::read(scratch.join("out")).unwrap() == bytes[..1 << 20]);
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn broken_streams_go_on_where_they_broke_and_wrong_parts_come_again() {
    let (server, scratch, bytes) = scene("streams-broken");
    for fault in [Fault::ResetAfter(5 * MIB + 77), Fault::FlipAt(3 * MIB)] {
        fs::write(scratch.join("out"), "old").unwrap();
        let times = if fault == Fault::FlipAt(3 * MIB) {
            1
        } else {
            6
        };
        let proxy = Proxy::start(server.addr(), fault, Way::Down, times);
        let _ = split(&proxy, &scratch).run().ok();
        assert!(fs::read(scratch.join("out")).unwrap() == bytes);
        assert_eq!(names(scratch.path()), ["out"]);
        // What was on its way when a connection broke, and a part that was wrong: no more than that.
        assert!(proxy.sent_down() < SIZE + 24 * MIB, "{}", proxy.sent_down());
    }
}

#[test]
fn a_file_that_changes_under_way_is_the_new_one_or_none() {
    let (server, scratch, bytes) = scene("streams-changed");
    let proxy = Proxy::start(server.addr(), Fault::StallAfter(6 * MIB), Way::Down, 4);
    let process = split(&proxy, &scratch).spawn();
    eventually("all streams are under way", SOON, || {
        proxy.sent_down() >= 4 * 6 * MIB
    });
    let mut new = bytes;
    new.reverse();
    fs::write(server.file("new"), &new).unwrap();
    fs::rename(server.file("new"), server.file("f")).unwrap();
    proxy.reset_all();
    let _ = finish(process, SOON * 4).ok();
    assert!(fs::read(scratch.join("out")).unwrap() == new);
    assert_eq!(names(scratch.path()), ["out"]);
}

/// A server whose file of zeros has `changed` when it is asked for from `changes` on.
fn fickle(changes: u64) -> Rogue {
    Rogue::polite(move |peer, head, _| {
        let id = &head["id"];
        let meta = json!({"id": id, "fin": true, "type": "file", "size": SIZE, "mtime": 0, "mtime_ns": 0,
            "mode": 0o644, "etag": "e"});
        match head["verb"].as_str() {
            Some("hello") => greet(peer, head),
            Some("stat") => peer.send(&meta, b""),
            Some("get") => {
                assert_eq!(head["if_etag"], "e");
                let offset = head["offset"].as_u64().unwrap();
                let length = head["length"].as_u64().unwrap();
                if offset >= changes {
                    let error =
                        json!({"code": "changed", "message": "f: changed", "retryable": true});
                    peer.send(&json!({"id": id, "fin": true, "error": error}), b"");
                    return;
                }
                peer.send(
                    &json!({"id": id, "size": SIZE, "offset": offset, "length": length, "etag": "e"}),
                    b"",
                );
                let zeros = vec![0; usize::try_from(length).unwrap()];
                for chunk in zeros.chunks(1 << 20) {
                    peer.send(&json!({"id": id}), chunk);
                }
                peer.send(
                    &json!({"id": id, "fin": true, "sha256": sha256(&zeros)}),
                    b"",
                );
            }
            // The parts are right, the whole is not.
            Some("hash") => {
                let mut answer = meta;
                answer["sha256"] = sha256(b"another").into();
                peer.send(&answer, b"");
            }
            _ => {}
        }
    })
}

#[test]
fn parts_of_two_files_are_no_file() {
    for changes in [40 * MIB, u64::MAX] {
        let scratch = Scratch::new("streams-fickle");
        fs::write(scratch.join("out"), "old").unwrap();
        let rogue = fickle(changes);
        let ran: Ran = Client::of(rogue.addr())
            .dir(scratch.path())
            .args(["--retries", "0", "get", "--streams", "3", "f", "out"])
            .run();
        let _ = ran.exits(10);
        assert_eq!(fs::read_to_string(scratch.join("out")).unwrap(), "old");
        assert_eq!(names(scratch.path()), ["out"]);
    }
}

#[test]
fn a_server_that_dies_leaves_the_old_file_and_a_true_beginning() {
    let (mut server, scratch, bytes) = scene("streams-killed");
    let proxy = Proxy::start(server.addr(), Fault::StallAfter(9 * MIB), Way::Down, 4);
    let process = split(&proxy, &scratch).args(["--retries", "1"]).spawn();
    wait_for_a_beginning(&scratch, &bytes);
    server.kill();
    proxy.reset_all();
    let _ = finish(process, SOON).exits(5);
    let kept = left(&scratch, &bytes);
    assert!(kept as u64 >= SURE, "{kept}");
    // Another server of the same folder: what is kept need not come again.
    let root = server.root().to_owned();
    let again = Server::start(Options::new().args(["--durability", "none"]).root(root));
    let ran = client(&again)
        .dir(scratch.path())
        .args(["--json", "get", "--streams", "4", "f", "out"])
        .run()
        .ok();
    let done = ran.events().into_iter().find(|e| e["event"] == "done");
    assert_eq!(done.unwrap()["resumed"], kept);
    assert_eq!(sha256_of(&scratch.join("out")), sha256(&bytes));
    assert_eq!(names(scratch.path()), ["out"]);
}

#[test]
fn an_interrupted_one_is_gone_on_with_over_one_stream_too() {
    let (server, scratch, bytes) = scene("streams-int");
    let proxy = Proxy::start(server.addr(), Fault::StallAfter(9 * MIB), Way::Down, 4);
    let process = split(&proxy, &scratch).spawn();
    wait_for_a_beginning(&scratch, &bytes);
    process.signal(Signal::INT);
    let ran = finish(process, SOON).exits(130);
    assert!(ran.stderr.contains("--streams 4"), "{}", ran.stderr);
    let kept = left(&scratch, &bytes);
    assert!(kept as u64 >= SURE, "{kept}");
    let ran = client(&server)
        .dir(scratch.path())
        .args(["--json", "get", "f", "out"])
        .run()
        .ok();
    let done = ran.events().into_iter().find(|e| e["event"] == "done");
    assert_eq!(done.unwrap()["resumed"], kept);
    assert!(fs::read(scratch.join("out")).unwrap() == bytes);
    assert_eq!(names(scratch.path()), ["out"]);
}
