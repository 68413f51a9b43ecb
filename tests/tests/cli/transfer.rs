//! `put`, `get` and `cat` of single files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

use ftp_tests::Scratch;
use ftp_tests::files::{leftovers, random_bytes, sha256_of};

use crate::{client, server};

const MIB: u64 = 1 << 20;

#[test]
fn every_size_goes_there_and_back() {
    let (server, scratch) = (server(), Scratch::new("sizes"));
    for (n, size) in [0, 1, 4096, 256 << 10, MIB - 1, MIB, MIB + 1, 20 * MIB + 3]
        .into_iter()
        .enumerate()
    {
        let local = scratch.file("local", n as u64, size);
        client(&server)
            .arg("put")
            .arg(&local)
            .arg("there")
            .run()
            .ok();
        assert_eq!(
            sha256_of(&server.file("there")),
            sha256_of(&local),
            "{size}"
        );
        let back = scratch.join("back");
        client(&server).args(["get", "there"]).arg(&back).run().ok();
        assert_eq!(sha256_of(&back), sha256_of(&local), "{size}");
    }
    assert!(leftovers(server.root()).is_empty());
    assert_eq!(
        fs::read_dir(scratch.path()).unwrap().count(),
        2,
        "something was left behind"
    );
}

#[test]
fn names_of_every_kind() {
    let (server, scratch) = (server(), Scratch::new("names"));
    for name in [
        "with space",
        "-dash",
        "--help",
        "ünï日本語 🦀",
        "quote'\"$`\\",
        "tab\tand \u{1b}[31m",
        "...",
        "*",
        "a:b",
        "%41",
    ] {
        fs::write(scratch.join(name), name).unwrap();
        client(&server)
            .dir(scratch.path())
            .args(["put", "--", name])
            .run()
            .ok();
        assert_eq!(fs::read_to_string(server.file(name)).unwrap(), name);
        fs::remove_file(scratch.join(name)).unwrap();
        client(&server)
            .dir(scratch.path())
            .args(["get", "--", name])
            .run()
            .ok();
        assert_eq!(fs::read_to_string(scratch.join(name)).unwrap(), name);
        let hash = client(&server).args(["hash", "--", name]).run().ok();
        assert!(
            hash.text().starts_with(&sha256_of(&scratch.join(name))),
            "{}",
            hash.text()
        );
        assert!(
            !hash.text().contains('\u{1b}'),
            "a raw escape: {:?}",
            hash.text()
        );
    }
}

#[test]
fn the_destination_is_as_cp_has_it() {
    let (server, scratch) = (server(), Scratch::new("dest"));
    for name in ["a", "b"] {
        fs::write(scratch.join(name), name).unwrap();
    }
    fs::create_dir(server.file("dir")).unwrap();
    let put = |args: &[&str]| {
        client(&server)
            .dir(scratch.path())
            .arg("put")
            .args(args)
            .run()
            .ok();
    };
    put(&["a"]);
    put(&["a", "dir"]);
    put(&["a", "dir/named"]);
    put(&["a", "new/"]);
    put(&["a", "/abs/olute"]);
    put(&["a", "b", "dir"]);
    put(&["-t", "made", "a", "b"]);
    for (name, text) in [
        ("a", "a"),
        ("dir/a", "a"),
        ("dir/named", "a"),
        ("new/a", "a"),
        ("abs/olute", "a"),
        ("dir/b", "b"),
        ("made/b", "b"),
    ] {
        assert_eq!(
            fs::read_to_string(server.file(name)).unwrap(),
            text,
            "{name}"
        );
    }
    let back = Scratch::new("dest-back");
    fs::create_dir(back.join("here")).unwrap();
    let get = |args: &[&str]| {
        client(&server)
            .dir(back.path())
            .arg("get")
            .args(args)
            .run()
            .ok();
    };
    get(&["dir/b"]);
    get(&["dir/a", "here"]);
    get(&["dir/a", "named"]);
    get(&["/dir/named", "./here/"]);
    get(&["-t", "made", "a", "dir/b"]);
    for (name, text) in [
        ("b", "b"),
        ("here/a", "a"),
        ("named", "a"),
        ("here/named", "a"),
        ("made/a", "a"),
        ("made/b", "b"),
    ] {
        assert_eq!(fs::read_to_string(back.join(name)).unwrap(), text, "{name}");
    }
}

#[test]
fn pipes_go_in_and_out() {
    let (server, scratch) = (server(), Scratch::new("pipes"));
    for size in [0, 5, 3 << 20] {
        let bytes = random_bytes(1, size);
        client(&server)
            .args(["put", "-", "piped"])
            .stdin(bytes.clone())
            .run()
            .ok();
        assert!(fs::read(server.file("piped")).unwrap() == bytes);
        let ran = client(&server).args(["get", "piped", "-"]).run().ok();
        assert!(ran.stdout == bytes);
        let ran = client(&server).args(["cat", "piped"]).run().ok();
        assert!(ran.stdout == bytes);
    }
    // Without a name there is nothing to store it under.
    client(&server).args(["put", "-"]).stdin("x").run().exits(2);
    let _ = scratch;
}

#[test]
fn times_and_modes_are_kept() {
    let (server, scratch) = (server(), Scratch::new("times"));
    let local = scratch.file("local", 1, 10);
    let when = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    fs::File::options()
        .write(true)
        .open(&local)
        .unwrap()
        .set_modified(when)
        .unwrap();
    fs::set_permissions(&local, Permissions::from_mode(0o751)).unwrap();
    client(&server).arg("put").arg(&local).arg("f").run().ok();
    let back = scratch.join("back");
    client(&server).args(["get", "f"]).arg(&back).run().ok();
    for path in [server.file("f"), back] {
        let meta = fs::metadata(&path).unwrap();
        assert_eq!(meta.modified().unwrap(), when, "{}", path.display());
        assert_eq!(meta.mode() & 0o777, 0o751, "{}", path.display());
    }
}

#[test]
fn what_stands_there_is_treated_as_asked() {
    let (server, scratch) = (server(), Scratch::new("exists"));
    let local = scratch.join("f");
    let put = |text: &str, rule: &str| {
        fs::write(&local, text).unwrap();
        let args = ["put", "--if-exists", rule];
        client(&server).args(args).arg(&local).arg("f").run()
    };
    let now = || fs::read_to_string(server.file("f")).unwrap();
    put("1", "fail").ok();
    put("2", "fail").exits(12);
    assert_eq!(now(), "1");
    put("3", "skip").ok();
    assert_eq!(now(), "1");
    put("4", "replace").ok();
    assert_eq!(now(), "4");
    fs::File::options()
        .write(true)
        .open(server.file("f"))
        .unwrap()
        .set_modified(SystemTime::now() + Duration::from_secs(3600))
        .unwrap();
    put("5", "newer").ok();
    assert_eq!(now(), "4");
    fs::File::options()
        .write(true)
        .open(server.file("f"))
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();
    put("6", "newer").ok();
    assert_eq!(now(), "6");
}

#[test]
fn a_local_file_that_changes_is_not_sent_half() {
    let (server, scratch) = (server(), Scratch::new("changes"));
    // A file that grows for ever: the client promises a size and finds another.
    let local = scratch.file("growing", 1, 64 * MIB);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (local, stop) = (local.clone(), stop.clone());
        move || {
            use std::io::Write;
            let mut file = fs::File::options().append(true).open(local).unwrap();
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                file.write_all(&[0; 512]).unwrap();
            }
        }
    });
    let ran = client(&server)
        .args(["--retries", "0", "put"])
        .arg(&local)
        .arg("f")
        .run();
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    writer.join().unwrap();
    let ran = ran.exits(4);
    assert!(ran.stderr.contains("changed"), "{}", ran.stderr);
    assert!(!server.file("f").exists());
}

/// Several are on their way at once, so it would be chance which of the two is there in the end.
#[test]
fn two_files_of_one_name_do_not_become_one() {
    let (server, scratch) = (server(), Scratch::new("one-name"));
    for (path, text) in [("a/f", "one"), ("b/f", "two"), ("b/g", "three")] {
        for file in [scratch.join(path), server.file(path)] {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
    }
    let run = |args: &[&str]| client(&server).dir(scratch.path()).args(args).run();
    for (verb, into) in [("put", "up"), ("get", "down")] {
        let ran = run(&[verb, "-t", into, "a/f", "b/g", "b/f"]).exits(2);
        let told = format!("a/f and b/f would both become {into}/f");
        assert!(ran.stderr.contains(&told), "{}", ran.stderr);
        assert!(!server.file("up/g").exists() && !scratch.join("down/g").exists());
        // The same one, twice, is the same; folders of one name become one.
        run(&[verb, "-t", into, "a/f", "a/f"]).ok();
    }
    assert_eq!(fs::read_to_string(server.file("up/f")).unwrap(), "one");
    assert_eq!(fs::read_to_string(scratch.join("down/f")).unwrap(), "one");
    fs::create_dir_all(scratch.join("c/b")).unwrap();
    fs::write(scratch.join("c/b/h"), "four").unwrap();
    run(&["put", "-t", "both", "b", "c/b"]).ok();
    assert!(server.file("both/b/g").exists() && server.file("both/b/h").exists());
}
