//! Interrupted uploads that go on: verified, taken over, never mixed. By hand, as the protocol text has it.

use std::fs;

use ftp_tests::files::{leftovers, random_bytes, sha256};
use ftp_tests::peer::code;
use ftp_tests::{Options, Peer, SOON, Server, eventually};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;

/// Asks to resume an upload; the interim frame.
fn resume(peer: &mut Peer, id: u64, path: &str, size: usize) -> Value {
    peer.send(
        &json!({"id": id, "verb": "put", "path": path, "size": size, "resume": true}),
        b"",
    );
    peer.answer().0
}

/// Sends the chunks from `from` to `to`, the first with its offset; ends the message if that is the end.
fn chunks(peer: &mut Peer, id: u64, bytes: &[u8], from: usize, to: usize) {
    peer.send(&json!({"id": id, "offset": from}), b"");
    for chunk in bytes[from..to].chunks(MIB) {
        peer.send(&json!({"id": id}), chunk);
    }
    if to == bytes.len() {
        peer.send(
            &json!({"id": id, "fin": true, "sha256": sha256(bytes)}),
            b"",
        );
    }
}

/// Leaves a broken upload behind, and waits until all that was sent of it is safe.
fn broken(server: &Server, path: &str, bytes: &[u8], sent: usize) -> usize {
    let mut peer = Peer::hello(server.addr());
    let interim = resume(&mut peer, 9, path, bytes.len());
    assert_eq!(interim["offset"], 0, "{interim}");
    chunks(&mut peer, 9, bytes, 0, sent);
    peer.send(&json!({"id": 9, "verb": "abort", "fin": true}), b"");
    assert_eq!(code(&peer.rest(9).0), "aborted");
    let mut offset = 0;
    // The answer does not wait for the disk: what was sent is still being written.
    eventually("all that was sent is safe", SOON, || {
        let mut peer = Peer::hello(server.addr());
        let interim = resume(&mut peer, 9, path, bytes.len());
        offset = usize::try_from(interim["offset"].as_u64().unwrap()).unwrap();
        assert!(offset <= sent, "{interim}");
        if offset > 0 {
            assert_eq!(interim["sha256"], sha256(&bytes[..offset]), "{interim}");
        }
        peer.send(&json!({"id": 9, "verb": "abort", "fin": true}), b"");
        assert_eq!(code(&peer.rest(9).0), "aborted");
        offset == sent
    });
    offset
}

#[test]
fn an_upload_goes_on_where_it_broke() {
    let server = Server::start(Options::new());
    Peer::hello(server.addr()).put("f", b"old");
    let bytes = random_bytes(1, 20 * MIB + 77);
    let offset = broken(&server, "f", &bytes, 12 * MIB);
    assert_eq!(offset, 12 * MIB);
    assert_eq!(fs::read(server.file("f")).unwrap(), b"old");
    let mut peer = Peer::hello(server.addr());
    let interim = resume(&mut peer, 3, "f", bytes.len());
    assert_eq!(interim["offset"], offset, "{interim}");
    chunks(&mut peer, 3, &bytes, offset, bytes.len());
    let answer = peer.rest(3).0;
    assert_eq!(answer["sha256"], sha256(&bytes), "{answer}");
    assert!(fs::read(server.file("f")).unwrap() == bytes);
    assert!(
        leftovers(server.root()).is_empty(),
        "{:?}",
        leftovers(server.root())
    );
}

#[test]
fn an_upload_may_start_over() {
    let server = Server::start(Options::new());
    let bytes = random_bytes(1, 10 * MIB);
    assert!(broken(&server, "f", &bytes, 9 * MIB) > 0);
    let other = random_bytes(2, 10 * MIB);
    let mut peer = Peer::hello(server.addr());
    let interim = resume(&mut peer, 3, "f", other.len());
    assert_ne!(interim["sha256"], sha256(&other[..9 * MIB]));
    chunks(&mut peer, 3, &other, 0, other.len());
    assert_eq!(peer.rest(3).0["sha256"], sha256(&other));
    assert!(fs::read(server.file("f")).unwrap() == other);
}

#[test]
fn a_wrong_continuation_is_found_out() {
    let server = Server::start(Options::new());
    Peer::hello(server.addr()).put("f", b"old");
    let bytes = random_bytes(1, 10 * MIB);
    let offset = broken(&server, "f", &bytes, 9 * MIB);
    // Goes on with the end of another file: the whole digest does not fit what is there.
    let other = random_bytes(2, 10 * MIB);
    let mut peer = Peer::hello(server.addr());
    assert_eq!(resume(&mut peer, 3, "f", other.len())["offset"], offset);
    chunks(&mut peer, 3, &other, offset, other.len());
    assert_eq!(code(&peer.rest(3).0), "digest_mismatch");
    // An offset that was not offered.
    let interim = resume(&mut peer, 4, "f", bytes.len());
    let wrong = interim["offset"].as_u64().unwrap() + 1;
    peer.send(&json!({"id": 4, "offset": wrong, "fin": true}), b"");
    assert_eq!(code(&peer.rest(4).0), "bad_request");
    peer.still_works();
    assert_eq!(fs::read(server.file("f")).unwrap(), b"old");
}

#[test]
fn another_size_is_another_attempt() {
    let server = Server::start(Options::new());
    let bytes = random_bytes(1, 10 * MIB);
    assert!(broken(&server, "f", &bytes, 9 * MIB) > 0);
    let mut peer = Peer::hello(server.addr());
    for (path, size) in [("f", 10 * MIB + 1), ("g", 10 * MIB)] {
        let id = peer.fresh();
        assert_eq!(
            resume(&mut peer, id, path, size)["offset"],
            0,
            "{path} {size}"
        );
        peer.send(&json!({"id": id, "verb": "abort", "fin": true}), b"");
        assert_eq!(code(&peer.rest(id).0), "aborted");
    }
}

#[test]
fn the_newest_session_takes_the_partial_over() {
    let server = Server::start(Options::new());
    let bytes = random_bytes(1, 20 * MIB);
    let mut stale = Peer::hello(server.addr());
    resume(&mut stale, 5, "f", bytes.len());
    chunks(&mut stale, 5, &bytes, 0, 10 * MIB);
    let mut fresh = Peer::hello(server.addr());
    eventually("the fresh session is let in", SOON, || {
        let id = fresh.fresh();
        let interim = resume(&mut fresh, id, "f", bytes.len());
        if interim["error"].is_object() {
            assert_eq!(code(&interim), "busy", "{interim}");
            return false;
        }
        let offset = usize::try_from(interim["offset"].as_u64().unwrap()).unwrap();
        if offset > 0 {
            assert_eq!(interim["sha256"], sha256(&bytes[..offset]), "{interim}");
        }
        // The stale one goes on and has no effect.
        let more = ftp_tests::peer::frame(&json!({"id": 5}), &vec![0; MIB]);
        let _ = stale.try_raw(&more);
        chunks(&mut fresh, id, &bytes, offset, bytes.len());
        let answer = fresh.rest(id).0;
        assert_eq!(answer["sha256"], sha256(&bytes), "{answer}");
        true
    });
    let end = ftp_tests::peer::frame(&json!({"id": 5, "fin": true}), b"");
    let _ = stale.try_raw(&end);
    if let Some((head, _)) = stale.frame() {
        assert!(
            head["error"].is_object(),
            "the stale session stored something: {head}"
        );
    }
    assert!(fs::read(server.file("f")).unwrap() == bytes);
}

#[test]
fn a_partial_survives_the_death_of_the_server() {
    let mut server = Server::start(Options::new());
    let bytes = random_bytes(1, 40 * MIB);
    let offset = broken(&server, "f", &bytes, 30 * MIB);
    assert!(offset > 0);
    server.kill();
    let server = Server::start(Options::new().root(server.root()));
    let mut peer = Peer::hello(server.addr());
    let interim = resume(&mut peer, 3, "f", bytes.len());
    assert_eq!(interim["offset"], offset, "{interim}");
    assert_eq!(interim["sha256"], sha256(&bytes[..offset]), "{interim}");
    chunks(&mut peer, 3, &bytes, offset, bytes.len());
    assert_eq!(peer.rest(3).0["sha256"], sha256(&bytes));
}

#[test]
fn a_file_that_changes_while_it_is_sent_ends_in_an_error() {
    use std::os::unix::fs::FileExt;
    let server = Server::start(Options::new());
    let bytes = random_bytes(1, 64 * MIB);
    for (what, shrink) in [("truncated", true), ("overwritten", false)] {
        fs::write(server.file("f"), &bytes).unwrap();
        let mut peer = Peer::hello(server.addr());
        let id = peer.fresh();
        peer.send(
            &json!({"id": id, "verb": "get", "path": "f", "fin": true}),
            b"",
        );
        let first = peer.answer();
        let file = fs::OpenOptions::new()
            .write(true)
            .open(server.file("f"))
            .unwrap();
        if shrink {
            file.set_len(20 * MIB as u64).unwrap();
        } else {
            file.write_all_at(b"other", 50 * MIB as u64).unwrap();
        }
        drop(first);
        let (head, _) = peer.rest(id);
        assert_eq!(code(&head), "changed", "{what}: {head}");
        peer.still_works();
    }
    // A file that is replaced is another inode: the old one comes whole.
    fs::write(server.file("f"), &bytes).unwrap();
    let mut peer = Peer::hello(server.addr());
    let id = peer.fresh();
    peer.send(
        &json!({"id": id, "verb": "get", "path": "f", "fin": true}),
        b"",
    );
    let (first, start) = peer.answer();
    let mut other = Peer::hello(server.addr());
    other.put("f", b"new");
    let (head, rest) = peer.rest(id);
    // Its link count and ctime changed, so an error is as good as the whole old file.
    if head["error"].is_object() {
        assert_eq!(code(&head), "changed", "{first}");
    } else {
        assert!([start, rest].concat() == bytes, "{head}");
    }
}

#[test]
fn a_broken_upload_goes_when_its_time_is_over() {
    let mut server = Server::start(Options::new());
    let bytes = random_bytes(12, 2 * MIB);
    broken(&server, "f", &bytes, MIB);
    assert_eq!(leftovers(server.root()).len(), 1);
    // Else it may be at work on it still when the next one sweeps.
    server.kill();
    let root = server.root();
    let _next = Server::start(Options::new().root(root).args(["--partial-ttl=0"]));
    eventually("it goes", SOON, || leftovers(root).is_empty());
}
