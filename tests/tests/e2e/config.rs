//! The configuration of the real daemon: the file, `check`, and what becomes of mistakes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ftp_tests::files::sha256_of;
use ftp_tests::peer::code;
use ftp_tests::server::program;
use ftp_tests::{Client, Options, Peer, SOON, Scratch, Server, eventually};
use rustix::process::Signal;
use serde_json::json;

/// A file of settings in a folder of its own.
fn file(text: &str) -> (Scratch, PathBuf) {
    let scratch = Scratch::new("config");
    let path = scratch.join("muxftp.toml");
    fs::write(&path, text).unwrap();
    (scratch, path)
}

fn check(path: &PathBuf, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(program("ftp-server"));
    command.env_clear().env("FTP_SERVER_WORKERS", "7");
    let command = command.arg("check").arg("--config").arg(path).args(words);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn check_tells_what_is_and_where_it_comes_from() {
    let (_scratch, path) = file("# Mine.\nidle-timeout = \"10m\"\n[log]\n  level = \"warn\"\n");
    let (code, told, errors) = check(&path, &["--read-only"]);
    assert_eq!((code, &*errors), (Some(0), ""));
    let line = |name: &str| {
        let line = told.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not in\n{told}"));
        let (value, origin) = line.split_once("  # ").unwrap();
        (value.trim().to_owned(), origin.to_owned())
    };
    let path = path.display();
    let is = |value: &str, origin: String| (value.to_owned(), origin);
    assert_eq!(
        line("idle-timeout"),
        is("idle-timeout = \"10m\"", format!("{path}:2:1"))
    );
    assert_eq!(
        line("log-level"),
        is("log-level = \"warn\"", format!("{path}:4:3"))
    );
    assert_eq!(
        line("workers"),
        is("workers = 7", "FTP_SERVER_WORKERS".into())
    );
    assert_eq!(
        line("read-only"),
        is("read-only = true", "--read-only".into())
    );
    assert_eq!(
        line("drain-timeout"),
        is("drain-timeout = \"30s\"", "default".into())
    );
    assert!(!told.contains("slow-disk"), "{told}");
}

#[test]
fn check_tells_every_mistake_with_its_place() {
    let text =
        "idle-timout = 3\nreactors = 0\nread-only = \"no\"\nlisten = [\n  \"localhost\",\n]\n";
    let (_scratch, path) = file(text);
    let (code, told, errors) = check(&path, &["--max-connections", "none"]);
    assert_eq!((code, &*told), (Some(2), ""));
    let path = path.display();
    for part in [
        format!("{path}:1:1: unknown key `idle-timout`; did you mean `idle-timeout`?"),
        format!("{path}:2:1: reactors: a number from 1 to 256 is needed, not `0`"),
        format!("{path}:3:13: read-only: true or false is needed, not a text"),
        format!("{path}:4:1: listen: an IP address and a port"),
        "--max-connections: a number from 1 to 10000000 is needed, not `none`".to_owned(),
    ] {
        assert!(errors.contains(&part), "{part}\nis not in\n{errors}");
    }
    assert_eq!(errors.lines().count(), 5, "{errors}");
}

#[test]
fn a_rule_between_settings_is_checked_where_it_stands() {
    let (_scratch, path) = file("\nlisten = \"0.0.0.0:2121\"\n");
    let (code, _, errors) = check(&path, &[]);
    assert_eq!(code, Some(2));
    let place = format!("{}:2:1: refusing to listen on 0.0.0.0:2121", path.display());
    assert!(errors.contains(&place), "{errors}");
    assert_eq!(check(&path, &["--allow-anonymous"]).0, Some(0));
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let (scratch, path) = file("");
    for (path, bytes, word) in [
        (scratch.join("none.toml"), None, "No such file"),
        (path.clone(), Some(vec![b'#'; 2 << 20]), "longer than 1 MiB"),
        (path, Some(vec![b'#', 0xff]), "UTF-8"),
        (scratch.path().to_owned(), None, "directory"),
    ] {
        if let Some(bytes) = bytes {
            fs::write(&path, bytes).unwrap();
        }
        let (code, told, errors) = check(&path, &[]);
        assert_eq!((code, &*told), (Some(2), ""), "{word}");
        assert!(errors.contains(word), "{word}: {errors}");
    }
}

#[test]
fn a_server_obeys_its_file_and_a_flag_goes_before() {
    let (_scratch, path) = file("read-only = true\ndurability = \"none\"\n");
    let start = |words: &[&str]| {
        let options = Options::new().args(["--config".as_ref(), path.as_os_str()]);
        let server = Server::start(options.args(words));
        let mut peer = Peer::connect(server.addr());
        let (head, _) = peer.ask(json!({"verb": "hello", "version": 1}), b"");
        (head["read_only"].clone(), head["durability"].clone())
    };
    assert_eq!(start(&[]), (json!(true), json!("none")));
    let (read_only, durability) = start(&["--read-only=false", "--durability", "data"]);
    assert_ne!(read_only, json!(true));
    assert_eq!(durability, json!("data"));
}

#[test]
fn a_rule_that_cannot_be_read_stops_the_start() {
    let (_scratch, path) = file("max-per-address = \"many\"\n");
    let options = Options::new().args(["--config".as_ref(), path.as_os_str()]);
    let Err(failed) = Server::try_start(options) else {
        panic!("it started")
    };
    assert_eq!(failed.status.unwrap().code(), Some(2), "{}", failed.log);
    assert!(
        failed.log.contains(":1:19: max-per-address"),
        "{}",
        failed.log
    );
}

/// A server that obeys the file at `path`, with no flag that would go before it.
fn obeying(path: &Path) -> Server {
    Server::start(Options::new().args(["--config".as_ref(), path.as_os_str()]))
}

/// Writes the file anew, has it read, and waits until the log says so.
fn reload(server: &Server, path: &Path, text: &str, word: &str) {
    let count = || server.log().matches(word).count();
    let before = count();
    fs::write(path, text).unwrap();
    server.signal(Signal::HUP);
    eventually(word, SOON, || count() > before);
}

#[test]
fn a_reload_reaches_sessions_that_are_open() {
    let (_scratch, path) = file("idle-timeout = \"1h\"\n");
    let server = obeying(&path);
    let mut idle = Peer::hello(server.addr());
    reload(
        &server,
        &path,
        "idle-timeout = \"50ms\"\n",
        "configuration reloaded",
    );
    // The connection that was open before, and one that comes now.
    assert_eq!(code(&idle.answer().0), "timeout");
    let mut later = Peer::hello(server.addr());
    assert_eq!(code(&later.answer().0), "timeout");
    drop((idle, later));
    let ended = || server.log().matches("session ended").count();
    eventually("both are gone", SOON, || ended() == 2);
    reload(
        &server,
        &path,
        "max-per-address = 1\n",
        "configuration reloaded",
    );
    let mut first = Peer::hello(server.addr());
    let mut second = Peer::connect(server.addr());
    assert_eq!(code(&second.answer().0), "overloaded");
    first.still_works();
}

#[test]
fn a_reload_changes_what_is_logged() {
    let (_scratch, path) = file("");
    let server = obeying(&path);
    reload(
        &server,
        &path,
        "log-level = \"debug\"\n",
        "configuration reloaded",
    );
    Peer::hello(server.addr()).still_works();
    eventually("a debug line", SOON, || {
        server.log().contains("session began")
    });
    assert!(
        server.log().contains("\"changed\":\"log-level\""),
        "{}",
        server.log()
    );
}

#[test]
fn a_bad_file_changes_nothing_and_the_log_says_why() {
    let (_scratch, path) = file("idle-timeout = \"1h\"\n");
    let server = obeying(&path);
    let bad = "idle-timeout = \"1ms\"\nmax-connections = 0\n";
    reload(&server, &path, bad, "configuration not reloaded");
    let log = server.log();
    assert!(
        log.contains(":2:1: max-connections: a number from 1"),
        "{log}"
    );
    fs::remove_file(&path).unwrap();
    let told = server.log().matches("not reloaded").count();
    server.signal(Signal::HUP);
    eventually("a second refusal", SOON, || {
        server.log().matches("not reloaded").count() > told
    });
    Peer::hello(server.addr()).still_works();
}

#[test]
fn what_needs_a_restart_is_named_and_stays() {
    let (_scratch, path) = file("");
    let server = obeying(&path);
    let text = "durability = \"none\"\nworkers = 9\nhello-timeout = \"1h\"\n";
    reload(&server, &path, text, "\"setting\":\"workers\"");
    let log = server.log();
    assert!(log.contains("\"changed\":\"hello-timeout\""), "{log}");
    assert!(log.contains("\"setting\":\"durability\""), "{log}");
    let mut peer = Peer::connect(server.addr());
    let (head, _) = peer.ask(json!({"verb": "hello", "version": 1}), b"");
    assert_eq!(head["durability"], json!("full"));
}

/// `MUXFTP_RELOADS` says how many.
#[test]
fn many_reloads_drop_no_transfer() {
    let times = std::env::var("MUXFTP_RELOADS").map_or(100, |text| text.parse().unwrap());
    let (scratch, path) = file("");
    let server = Server::start(
        Options::new()
            .args(["--durability", "none", "--reactors", "2", "--config"])
            .args([path.as_os_str()]),
    );
    let local = scratch.file("big", 7, 8 << 20);
    let digest = sha256_of(&local);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|n| {
                let (server, stop, local, digest, scratch) =
                    (&server, &stop, &local, &digest, &scratch);
                scope.spawn(move || {
                    let back = scratch.join(format!("back-{n}"));
                    let there = format!("big-{n}");
                    let run = |words: [&Path; 3]| {
                        let client = Client::of(server.addr()).args(["--retries", "0"]);
                        client.args(words.map(Path::as_os_str)).run().ok();
                    };
                    let mut rounds = 0;
                    while rounds == 0 || !stop.load(Ordering::Relaxed) {
                        run(["put".as_ref(), local, there.as_ref()]);
                        run(["get".as_ref(), there.as_ref(), &back]);
                        assert_eq!(&sha256_of(&back), digest);
                        fs::remove_file(&back).unwrap();
                        rounds += 1;
                    }
                })
            })
            .collect();
        for n in 0..times {
            let text = match n % 4 {
                3 => "max-connections = 0\n".to_owned(),
                n => format!("idle-timeout = {}\nmax-connections = {}\n", 60 + n, 100 + n),
            };
            let word = if n % 4 == 3 {
                "not reloaded"
            } else {
                "configuration reloaded"
            };
            reload(&server, &path, &text, word);
        }
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().unwrap();
        }
    });
}
