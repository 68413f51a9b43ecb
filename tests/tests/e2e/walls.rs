//! The sandbox of the real daemon: who it is and what it gave up, seen from outside. What the kernel here does not hold is skipped, in words.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;

use ftp_tests::users::{self, PASSWORD};
use ftp_tests::{Options, Peer, SOON, Scratch, Server, eventually};
use rustix::process::Signal;

const NOBODY: u32 = 65_534;

/// The words of the server's line on its sandbox.
fn enforced(server: &Server) -> String {
    let mut lines = Vec::new();
    eventually("the server tells of its sandbox", SOON, || {
        let events = server.events();
        let of_it = events
            .iter()
            .filter(|event| event["message"] == "sandbox")
            .map(|event| event["enforced"].as_str().unwrap().to_owned());
        lines = of_it.collect();
        !lines.is_empty()
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

/// Whether a part of it stands here; says so if not, and then the server has said so too.
fn stands(server: &Server, part: &str, lack: &str) -> bool {
    let enforced = enforced(server);
    if enforced.contains(part) {
        return true;
    }
    assert!(server.log().contains(lack), "{enforced}\n{}", server.log());
    println!("skipped: this kernel has no {part}");
    false
}

/// A field of each thread's status (proc_pid_status(5)).
fn of_threads(pid: u32, field: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let texts = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    let of = |text: String| {
        let line = text.lines().find_map(|line| {
            let rest = line.strip_prefix(field)?.strip_prefix(':')?;
            Some(rest.split_whitespace().collect::<Vec<_>>().join(" "))
        });
        line.unwrap_or_else(|| panic!("no {field} in {text}"))
    };
    texts.map(of).collect()
}

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("skipped: only root can become somebody else");
    }
    is_root
}

/// By its name, where this machine has given the name that number.
fn nobody() -> &'static str {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users
        .lines()
        .any(|line| line.starts_with("nobody:x:65534:65534:"));
    if named { "nobody" } else { "65534:65534" }
}

/// A folder that others may enter, and one in it that belongs to nobody.
fn open_to_nobody() -> (Scratch, PathBuf) {
    let home = Scratch::new("walls");
    let root = home.join("root");
    fs::create_dir(&root).unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    chown(&root, Some(NOBODY), Some(NOBODY)).unwrap();
    (home, root)
}

#[test]
fn every_thread_stands_within_the_walls() {
    let home = Scratch::new("walls");
    fs::create_dir(home.join("anna")).unwrap();
    let users = write_users(&home, &["anna"]);
    // Everything that has threads: loops, workers, log-ins, the sweep, the log, signals.
    let server = Server::start(Options::new().args([
        "--users".as_ref(),
        users.as_os_str(),
        "--reactors".as_ref(),
        "2".as_ref(),
        "--ftp-listen".as_ref(),
        "127.0.0.1:0".as_ref(),
    ]));
    let enforced = enforced(&server);
    assert!(enforced.contains("no_new_privs"), "{enforced}");
    let pid = server.process().pid();
    let threads = of_threads(pid, "NoNewPrivs");
    assert!(threads.len() > 8, "{threads:?}");
    assert!(threads.iter().all(|set| set == "1"), "{threads:?}");
    if stands(&server, "seccomp", "system calls are not held") {
        let modes = of_threads(pid, "Seccomp");
        // 2: a filter (seccomp(2)).
        assert!(modes.iter().all(|mode| mode == "2"), "{modes:?}");
    }
    let mut peer = Peer::login(server.addr(), "anna", PASSWORD);
    assert!(peer.put("f", b"stored")["error"].is_null());
    assert_eq!(peer.get("f").unwrap(), b"stored");
}

#[test]
fn without_it_nothing_is_given_up() {
    let server = Server::start(Options::new().args(["--sandbox", "off"]));
    assert_eq!(enforced(&server), "nothing");
    let own = of_threads(std::process::id(), "Seccomp");
    let its = of_threads(server.process().pid(), "Seccomp");
    assert_eq!(its.first(), own.first());
    Peer::hello(server.addr()).still_works();
}

#[test]
fn another_user_serves_and_stores() {
    if !is_root() {
        return;
    }
    let (home, root) = open_to_nobody();
    let state = home.join("state");
    fs::create_dir(&state).unwrap();
    chown(&state, Some(NOBODY), Some(NOBODY)).unwrap();
    let server = Server::start(Options::new().root(&root).args([
        "--user".as_ref(),
        nobody().as_ref(),
        "--tls-mode".as_ref(),
        "on".as_ref(),
        "--state-dir".as_ref(),
        state.as_os_str(),
        "--ftp-listen".as_ref(),
        "127.0.0.1:0".as_ref(),
    ]));
    let pid = server.process().pid();
    for uid in of_threads(pid, "Uid") {
        assert_eq!(uid, format!("{NOBODY} {NOBODY} {NOBODY} {NOBODY}"));
    }
    for sets in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        for set in of_threads(pid, sets) {
            assert_eq!(set, "0000000000000000", "{sets}");
        }
    }
    for groups in of_threads(pid, "Groups") {
        assert!(!groups.split(' ').any(|group| group == "0"), "{groups}");
    }
    // What the first start made is its own.
    let made = fs::read_dir(&state).unwrap().next().unwrap().unwrap();
    assert_eq!(made.metadata().unwrap().uid(), NOBODY);
    let pin = server.pin();
    let client = |words: &[&str]| {
        ftp_tests::Client::of(server.addr())
            .args(["--tls", "--pin", &pin])
            .args(words.iter().copied())
            .run()
            .exits(0);
    };
    let source = home.join("source");
    fs::write(&source, vec![7; 300_000]).unwrap();
    client(&["put", source.to_str().unwrap(), "stored"]);
    let stored = fs::metadata(root.join("stored")).unwrap();
    assert_eq!((stored.uid(), stored.len()), (NOBODY, 300_000));
    client(&["get", "stored", home.join("back").to_str().unwrap()]);
}

#[test]
fn who_cannot_be_another_user_does_not_start() {
    let failed = |options: Options| {
        let Err(failed) = Server::try_start(options) else {
            panic!("it started");
        };
        assert_eq!(failed.status.and_then(|status| status.code()), Some(1));
        failed.log
    };
    let log = failed(Options::new().args(["--user", "no-such-user-0"]));
    assert!(log.contains("there is no user no-such-user-0"), "{log}");
    if !is_root() {
        return;
    }
    let log = failed(Options::new().nobody().args(["--user", "root"]));
    assert!(log.contains("only root can"), "{log}");
    // What a reload could not read again is told at the start.
    let (home, root) = open_to_nobody();
    let users = write_users(&home, &["anna"]);
    let log = failed(Options::new().root(root).args([
        "--user".as_ref(),
        "65534:65534".as_ref(),
        "--users".as_ref(),
        users.as_os_str(),
    ]));
    assert!(log.contains("as user 65534:65534: cannot read"), "{log}");
}

#[test]
fn a_reload_brings_no_folder_from_outside_the_walls() {
    let home = Scratch::new("walls");
    for folder in ["anna", "bert", "anna/inner"] {
        fs::create_dir(home.join(folder)).unwrap();
    }
    // In a folder of its own, since that is in reach.
    fs::create_dir(home.join("conf")).unwrap();
    let users = write_users(&home, &["anna"]);
    let options = || Options::new().args(["--users".as_ref(), users.as_os_str()]);
    let server = Server::start(options());
    if !stands(&server, "Landlock", "paths are not held") {
        return;
    }
    let reloaded = |words: &str, count: usize| {
        server.signal(Signal::HUP);
        eventually(words, SOON, || server.log().matches(words).count() == count);
    };
    // A folder within that of another user is in reach.
    write_users(&home, &["anna", "anna/inner"]);
    reloaded("configuration reloaded", 1);
    let mut peer = Peer::login(server.addr(), "inner", PASSWORD);
    assert!(peer.put("f", b"x")["error"].is_null());
    write_users(&home, &["anna", "bert"]);
    reloaded("is not in reach of the sandbox", 1);
    assert!(server.log().contains("restart the server"));
    // The old configuration stays, whole.
    peer.still_works();
    assert!(Peer::hello(server.addr()).try_login("bert", PASSWORD)["user"].is_null());
    drop(server);
    let server = Server::start(options());
    Peer::login(server.addr(), "bert", PASSWORD).still_works();
}

/// A users file in a folder of its own: each has the folder of that name, and is called like its last part.
fn write_users(home: &Scratch, folders: &[&str]) -> PathBuf {
    let entry = |folder: &&str| {
        let name = folder.rsplit('/').next().unwrap();
        users::entry(name, &home.join(folder), "preset = \"full\"")
    };
    let text: String = folders.iter().map(entry).collect();
    fs::create_dir_all(home.join("conf")).unwrap();
    users::write(&home.join("conf"), &text)
}
