//! Folders with all in them, both ways.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ftp_tests::Scratch;
use ftp_tests::files::{tree, write_random};

use crate::{client, server};

/// A tree of `count` files of many sizes, in folders of several depths.
fn plant(dir: &Path, count: u64) {
    for n in 0..count {
        let name = match n % 10 {
            0 => format!("top {n}"),
            1..=6 => format!("dir{}/file-{n}", n % 7),
            _ => format!("deep/{}/{}/ünï {n}", n % 3, n % 11),
        };
        let size = match n % 200 {
            0 => 1_500_000,
            1 => 0,
            _ => n % 9000,
        };
        write_random(&dir.join(name), n, size);
    }
}

#[test]
fn two_thousand_files_both_ways() {
    let (server, scratch) = (server(), Scratch::new("tree"));
    let local = scratch.join("tree");
    plant(&local, 2000);
    fs::create_dir_all(local.join("empty/inner")).unwrap();
    client(&server).arg("put").arg(&local).run().ok();
    assert_eq!(tree(&server.file("tree")), tree(&local));
    assert!(server.file("tree/empty/inner").is_dir());
    let back = scratch.join("back");
    client(&server)
        .args(["get", "-T", "tree"])
        .arg(&back)
        .run()
        .ok();
    assert_eq!(tree(&back), tree(&local));
    assert!(back.join("empty/inner").is_dir());
    // Once more, over what is there, over several connections.
    client(&server)
        .args(["-j", "4", "put", "-T"])
        .arg(&local)
        .arg("tree")
        .run()
        .ok();
    client(&server)
        .args(["-j", "4", "get", "-T", "tree"])
        .arg(&back)
        .run()
        .ok();
    assert_eq!(tree(&back), tree(&local));
    assert_eq!(tree(&server.file("tree")), tree(&local));
}

#[test]
fn the_folder_lands_as_cp_has_it() {
    let (server, scratch) = (server(), Scratch::new("folder"));
    write_random(&scratch.join("site/a/b"), 1, 10);
    let put = |args: &[&str]| {
        client(&server)
            .dir(scratch.path())
            .arg("put")
            .args(args)
            .run()
            .ok();
    };
    put(&["site"]);
    put(&["site", "www"]);
    put(&["site", "www"]);
    put(&["-T", "site", "exact"]);
    put(&["-T", "site", "exact"]);
    for name in ["site/a/b", "www/a/b", "www/site/a/b", "exact/a/b"] {
        assert!(server.file(name).is_file(), "{name}");
    }
    assert!(!server.file("exact/site").exists());
    let back = Scratch::new("folder-back");
    client(&server)
        .dir(back.path())
        .args(["get", "www"])
        .run()
        .ok();
    assert_eq!(tree(&back.join("www")), tree(&server.file("www")));
    client(&server)
        .dir(back.path())
        .args(["get", "/", "all"])
        .run()
        .ok();
    assert_eq!(tree(&back.join("all")), tree(server.root()));
}

#[test]
fn links_are_left_out_unless_followed() {
    let (server, scratch) = (server(), Scratch::new("links"));
    write_random(&scratch.join("d/file"), 1, 10);
    write_random(&scratch.join("outside/secret"), 2, 10);
    symlink("file", scratch.join("d/link")).unwrap();
    symlink("../outside", scratch.join("d/away")).unwrap();
    let local = scratch.join("d");
    client(&server).arg("put").arg(&local).run().ok();
    assert_eq!(tree(&server.file("d")).len(), 1);
    client(&server)
        .args(["put", "--follow"])
        .arg(&local)
        .arg("followed")
        .run()
        .ok();
    assert_eq!(tree(&server.file("followed")).len(), 3);
    // A loop of links ends, and is told.
    symlink("..", scratch.join("d/loop")).unwrap();
    let ran = client(&server)
        .args(["put", "--follow"])
        .arg(&local)
        .arg("looped")
        .run();
    assert!(ran.stderr.contains("loop"), "{ran:?}");
    let ran = ran.ok();
    assert_eq!(ran.text(), "");
    assert!(server.file("looped/file").is_file());
}

#[test]
fn one_bad_file_does_not_stop_the_rest() {
    let (server, scratch) = (server(), Scratch::new("partial"));
    for n in 0..50 {
        write_random(&scratch.join(format!("d/{n}")), n, 100);
    }
    // On the server a folder stands where a file shall go.
    fs::create_dir_all(server.file("d/7")).unwrap();
    let ran = client(&server)
        .args(["put", "-T"])
        .arg(scratch.join("d"))
        .arg("d")
        .run()
        .exits(11);
    assert!(ran.stderr.contains("d/7"), "{}", ran.stderr);
    assert_eq!(tree(&server.file("d")).len(), 49);
}
