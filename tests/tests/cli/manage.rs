//! `ls`, `stat`, `hash`, `mkdir`, `mv`, `rm`, `ping`.

use std::fs;

use ftp_tests::Scratch;
use ftp_tests::files::{random_bytes, sha256, write_random};

use crate::{client, server};

#[test]
fn listings() {
    let server = server();
    for name in ["b", "a", "dir/inner", ".hidden", "sp ace", "\u{1b}[2Jevil"] {
        write_random(&server.file(name), 1, 1500);
    }
    let ls = |args: &[&str]| {
        client(&server)
            .arg("ls")
            .args(args)
            .run()
            .ok()
            .text()
            .to_owned()
    };
    let names = ls(&[]);
    assert!(!names.contains('\u{1b}'), "{names:?}");
    let lines: Vec<_> = names.lines().collect();
    assert_eq!(lines.len(), 6, "{names}");
    assert!(
        lines.contains(&"a") && lines.contains(&".hidden") && lines.contains(&"sp ace"),
        "{names}"
    );
    let long = ls(&["-l"]);
    let line = long.lines().find(|line| line.ends_with(" a")).unwrap();
    assert!(line.starts_with("-rw") && line.contains("1500"), "{line}");
    let line = long.lines().find(|line| line.contains(" dir")).unwrap();
    assert!(line.starts_with('d'), "{line}");
    assert!(ls(&["-l", "-h"]).contains("1.5"), "{}", ls(&["-l", "-h"]));
    assert!(ls(&["-R"]).contains("inner"));
    assert!(ls(&["dir"]).contains("inner"));
    assert!(ls(&["/dir/"]).contains("inner"));
    assert!(ls(&["a"]).contains('a'));
    client(&server).args(["ls", "none"]).run().exits(3);
    // More entries than a page holds.
    for n in 0..5000 {
        fs::write(server.file("dir").join(format!("n{n:05}")), "").unwrap();
    }
    assert_eq!(ls(&["dir"]).lines().count(), 5001);
}

#[test]
fn stat_says_what_stands_there() {
    let server = server();
    write_random(&server.file("f"), 1, 12_345);
    fs::create_dir(server.file("d")).unwrap();
    let ran = client(&server).args(["stat", "f", "d"]).run().ok();
    for word in ["12345", "file", "dir", "f", "d"] {
        assert!(ran.text().contains(word), "{word}: {}", ran.text());
    }
    client(&server).args(["stat", "none"]).run().exits(3);
    client(&server).args(["stat", "f", "none"]).run().exits(11);
}

#[test]
fn hashes_are_as_sha256sum_prints_them() {
    let (server, scratch) = (server(), Scratch::new("hash"));
    let bytes = random_bytes(1, 100_000);
    fs::write(server.file("f"), &bytes).unwrap();
    let ran = client(&server).args(["hash", "f"]).run().ok();
    assert_eq!(ran.text(), format!("{}  f\n", sha256(&bytes)));
    let local = scratch.join("local");
    fs::write(&local, &bytes).unwrap();
    client(&server)
        .args(["hash", "f", "--check"])
        .arg(&local)
        .run()
        .ok();
    fs::write(&local, "other").unwrap();
    client(&server)
        .args(["hash", "f", "--check"])
        .arg(&local)
        .run()
        .exits(10);
}

#[test]
fn names_are_made_moved_and_removed() {
    let server = server();
    let run = |args: &[&str], code: i32| {
        client(&server).args(args).run().exits(code);
    };
    run(&["mkdir", "a"], 0);
    run(&["mkdir", "a"], 12);
    run(&["mkdir", "x/y/z"], 3);
    run(&["mkdir", "-p", "x/y/z"], 0);
    run(&["mkdir", "-p", "x/y/z"], 0);
    fs::write(server.file("f"), "f").unwrap();
    fs::write(server.file("g"), "g").unwrap();
    run(&["mv", "f", "g"], 12);
    run(&["mv", "-f", "f", "g"], 0);
    assert_eq!(fs::read_to_string(server.file("g")).unwrap(), "f");
    run(&["mv", "g", "a"], 0);
    assert!(server.file("a/g").is_file());
    run(&["mv", "a", "x/b"], 0);
    assert!(server.file("x/b/g").is_file());
    run(&["mv", "none", "b"], 3);
    run(&["rm", "x/b/g"], 0);
    run(&["rm", "x/b/g"], 3);
    run(&["rm", "-f", "x/b/g"], 0);
    run(&["rm", "x"], 12);
    run(&["rm", "-r", "x"], 0);
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 0);
    run(&["rm", "-r", "/"], 7);
}

#[test]
fn ping_measures() {
    let server = server();
    let ran = client(&server)
        .args(["ping", "-c", "3", "-i", "0"])
        .run()
        .ok();
    assert!(ran.text().lines().count() >= 3, "{}", ran.text());
    assert!(ran.text().contains("ms"), "{}", ran.text());
}
