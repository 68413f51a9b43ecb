//! The configuration of the real daemon: the file, `check`, and what becomes of mistakes.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use ftp_tests::server::program;
use ftp_tests::{Options, Peer, Scratch, Server};
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
        (path.clone(), Some(vec![b'#', 0xff]), "UTF-8"),
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
