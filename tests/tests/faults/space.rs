//! Disks that are full, read-only or closed. Mounting needs rights; where they lack, the test says so and passes.

use std::fs;
use std::path::Path;
use std::process::Command;

use ftp_tests::files::{leftovers, random_bytes};
use ftp_tests::peer::code;
use ftp_tests::{Client, Options, Peer, SOON, Scratch, Server, eventually};
use serde_json::json;

const MIB: usize = 1 << 20;

/// A mounted tmpfs; unmounted when dropped.
struct Mount(Scratch);

impl Mount {
    /// `None`, with a line, where mounting is not permitted.
    fn tmpfs(options: &str) -> Option<Self> {
        let scratch = Scratch::new("mount");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "muxftp-test"])
            .arg(scratch.path())
            .output();
        match status {
            Ok(output) if output.status.success() => Some(Self(scratch)),
            other => {
                println!("skipped: cannot mount a tmpfs here ({other:?})");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(self.path())
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(status.unwrap().success());
    }
}

#[test]
fn a_full_disk_refuses_and_keeps_the_old_file() {
    let Some(mount) = Mount::tmpfs("size=40m") else {
        return;
    };
    let server = Server::start(Options::new().root(mount.path()));
    let mut peer = Peer::hello(server.addr());
    let old = random_bytes(1, 3 * MIB);
    peer.put("f", &old);
    let mut beside = Peer::hello(server.addr());
    // Of known size: refused before a byte is sent.
    let id = peer.fresh();
    peer.send(
        &json!({"id": id, "verb": "put", "path": "f", "size": 4_u64 << 30}),
        b"",
    );
    assert_eq!(code(&peer.rest(id).0), "no_space");
    peer.send(&json!({"id": id, "verb": "abort", "fin": true}), b"");
    // Of unknown size: told as soon as it is full.
    let id = peer.fresh();
    peer.send(&json!({"id": id, "verb": "put", "path": "f"}), b"");
    let chunk = vec![7; MIB];
    for _ in 0..60 {
        peer.send(&json!({"id": id}), &chunk);
    }
    peer.send(&json!({"id": id, "fin": true}), b"");
    let (head, _) = peer.rest(id);
    assert_eq!(code(&head), "no_space", "{head}");
    assert!(peer.get("f").unwrap() == old);
    peer.still_works();
    beside.still_works();
    eventually("the room is free again", SOON, || {
        leftovers(mount.path()).is_empty()
    });
    // By the real client.
    let scratch = Scratch::new("space");
    let local = scratch.file("local", 2, 60 * MIB as u64);
    let client = Client::of(server.addr()).arg("put").arg(&local).arg("f");
    let ran = client.run().exits(13);
    assert!(ran.stderr.contains("space"), "{}", ran.stderr);
    assert!(peer.get("f").unwrap() == old);
}

#[test]
fn a_full_disk_at_home_keeps_the_old_file() {
    let Some(mount) = Mount::tmpfs("size=8m") else {
        return;
    };
    let server = Server::start(Options::new());
    let mut peer = Peer::hello(server.addr());
    peer.put("big", &random_bytes(3, 20 * MIB));
    let local = mount.path().join("f");
    fs::write(&local, "old").unwrap();
    Client::of(server.addr())
        .args(["get", "big"])
        .arg(&local)
        .run()
        .exits(13);
    assert_eq!(fs::read_to_string(&local).unwrap(), "old");
}

#[test]
fn a_root_that_became_read_only_says_so() {
    let Some(mount) = Mount::tmpfs("size=8m") else {
        return;
    };
    let server = Server::start(Options::new().root(mount.path()));
    let mut peer = Peer::hello(server.addr());
    peer.put("f", b"old");
    mount.remount("ro");
    for head in [
        json!({"verb": "put", "path": "f"}),
        json!({"verb": "mkdir", "path": "d"}),
        json!({"verb": "rename", "path": "f", "to": "g"}),
        json!({"verb": "remove", "path": "f"}),
    ] {
        let payload: &[u8] = if head["verb"] == "put" { b"new" } else { b"" };
        assert_eq!(
            code(&peer.ask(head.clone(), payload).0),
            "read_only",
            "{head}"
        );
    }
    assert_eq!(peer.get("f").unwrap(), b"old");
    mount.remount("rw");
    peer.put("f", b"new");
    assert_eq!(peer.get("f").unwrap(), b"new");
}

#[test]
fn an_inode_shortage_is_no_space() {
    let Some(mount) = Mount::tmpfs("size=8m,nr_inodes=6") else {
        return;
    };
    let server = Server::start(Options::new().root(mount.path()));
    let mut peer = Peer::hello(server.addr());
    let mut last = String::new();
    for n in 0..10 {
        let answer = peer.put(&format!("f{n}"), b"x");
        if answer["error"].is_object() {
            code(&answer).clone_into(&mut last);
        }
    }
    assert_eq!(last, "no_space");
    assert_eq!(peer.get("f0").unwrap(), b"x");
}
