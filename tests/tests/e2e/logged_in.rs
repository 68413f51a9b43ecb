//! The real client, logged in to the real server: all that works for everybody works for a user, over TLS, and ends when
//! the user does.

use std::fs;
use std::time::Instant;

use ftp_tests::client::finish;
use ftp_tests::files::{sha256_of, tree, write_random};
use ftp_tests::{Client, Options, RUN, Ran, SOON, Scratch, Server, eventually};
use rustix::process::Signal;

use super::users::{PASSWORD, user, write};

/// A server with users, which speaks TLS, and its key's fingerprint.
fn start(home: &Scratch, users: &str, words: &[&str]) -> (Server, String) {
    write(home, users);
    let (file, state) = (home.join("users.toml"), home.join("state"));
    let options = Options::new().args(["--users".into(), file.into_os_string()]);
    let options = options.args(["--state-dir".into(), state.into_os_string()]);
    let server = Server::start(options.args(["--tls-mode=on"]).args(words));
    let pin = server.pin();
    (server, pin)
}

/// A client that knows a user's password, if it is given one, and has a home of its own.
fn client(home: &Scratch, (server, pin): &(Server, String), password: &str) -> Client {
    let config = home.join("config").display().to_string();
    let client = Client::of(server.addr()).args(["--pin", pin]);
    let client = client.env("XDG_CONFIG_HOME", &config);
    client.env("FTP_CLIENT_PASSWORD", password).dir(home.path())
}

#[track_caller]
fn silent(ran: Ran) -> Ran {
    let all = format!("{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
    assert!(!all.contains(PASSWORD), "{all}");
    ran
}

#[test]
fn a_user_moves_trees_and_large_files_over_tls() {
    let home = Scratch::new("logged-in");
    let full = user(home.path(), "anna", "preset = \"full\"");
    let server = start(&home, &full, &["--durability=none"]);
    let here = |words: &[&str]| {
        let client = client(&home, &server, PASSWORD).args(["-u", "anna"]);
        silent(client.args(words).run()).ok()
    };
    let (from, to) = (home.join("from"), home.join("to"));
    fs::create_dir_all(from.join("deep/er")).unwrap();
    for number in 0..60_u64 {
        let name = if number % 2 == 0 { "" } else { "deep/er/" };
        let path = from.join(format!("{name}f{number}"));
        write_random(&path, number, number * number * 300);
    }
    here(&["-j", "4", "put", "-T", "from", "tree"]);
    // It is beneath the user's root, and not beneath the server's.
    assert_eq!(tree(&home.join("anna/tree")), tree(&from));
    assert_eq!(fs::read_dir(server.0.root()).unwrap().count(), 0);
    here(&["-j", "4", "get", "-T", "tree", "to"]);
    assert_eq!(tree(&from), tree(&to));
    let big = home.file("big", 7, 70 << 20);
    here(&["put", "big"]);
    here(&["get", "--streams", "3", "big", "again"]);
    assert_eq!(sha256_of(&home.join("again")), sha256_of(&big));
    let listed = here(&["ls", "tree"]);
    assert_eq!(listed.text().lines().count(), 31);
    here(&["mv", "tree", "wood"]);
    here(&["rm", "-r", "wood"]);
    assert!(!home.join("anna/wood").exists());
    assert!(!server.0.log().contains(PASSWORD));
}

#[test]
fn who_is_not_let_in_is_told_and_what_is_not_allowed_is_denied() {
    let home = Scratch::new("logged-in");
    let text = [
        user(home.path(), "anna", "preset = \"full\"\nenabled = false"),
        user(home.path(), "ben", "preset = \"read-only\""),
    ];
    let server = start(&home, &text.concat(), &[]);
    let run =
        |password: &str, words: &[&str]| silent(client(&home, &server, password).args(words).run());
    let mut told = Vec::new();
    // A wrong password, nobody of that name, and somebody who is switched off.
    for (name, password) in [("ben", "wrong"), ("cleo", PASSWORD), ("anna", PASSWORD)] {
        let ran = run(password, &["-u", name, "get", "in/f"]).exits(6);
        assert!(ran.stderr.contains("login_failed"), "{}", ran.stderr);
        told.push(ran.stderr.replace(name, "NAME"));
        assert!(!home.join("f").exists());
    }
    assert!(told.iter().all(|it| *it == told[0]), "{told:?}");
    let ran = run("", &["get", "in/f"]).exits(6);
    assert!(ran.stderr.contains("login_required"), "{}", ran.stderr);
    run(PASSWORD, &["-u", "ben", "get", "in/f"]).ok();
    assert_eq!(fs::read(home.join("f")).unwrap(), b"secret");
    let ran = run(PASSWORD, &["-u", "ben", "put", "f", "in/new"]).exits(7);
    assert!(ran.stderr.contains("denied"), "{}", ran.stderr);
    run(PASSWORD, &["-u", "ben", "rm", "in/f"]).exits(7);
    assert_eq!(fs::read(home.join("ben/in/f")).unwrap(), b"secret");
}

#[test]
fn more_jobs_than_a_user_has_connections_are_no_failure() {
    let home = Scratch::new("logged-in");
    // Slow enough that who is kept out gives up long before the end.
    let one = "preset = \"full\"\n[user.limits]\nconnections = 1\nupload-rate = \"1 MB/s\"";
    let users = user(home.path(), "anna", one);
    let server = start(&home, &users, &["--durability=none"]);
    fs::create_dir(home.join("from")).unwrap();
    // More than one worker takes at once.
    for number in 0..300 {
        write_random(&home.join(format!("from/f{number}")), number, 10_000);
    }
    let words = ["-u", "anna", "--retries", "1", "-j", "4"];
    let client = client(&home, &server, PASSWORD).args(words);
    silent(client.args(["put", "-T", "from", "tree"]).run()).ok();
    assert_eq!(tree(&home.join("anna/tree")), tree(&home.join("from")));
}

#[test]
fn who_guesses_is_banned_and_told_so() {
    let home = Scratch::new("logged-in");
    let full = user(home.path(), "anna", "preset = \"full\"");
    let words = ["--ban-after=2", "--ban-forgive=1h", "--ban-time=1h"];
    write(&home, &full);
    let file = home.join("users.toml").into_os_string();
    let server = Server::start(Options::new().args(["--users".into(), file]).args(words));
    let server = (server, String::new());
    let run = |password: &str| {
        let config = home.join("config").display().to_string();
        let client = Client::of(server.0.addr()).env("XDG_CONFIG_HOME", &config);
        let client = client.env("FTP_CLIENT_PASSWORD", password);
        silent(
            client
                .args(["-u", "anna", "--retries", "0", "stat", "/"])
                .run(),
        )
        .exits(6)
    };
    for _ in 0..3 {
        assert!(run("guess").stderr.contains("login_failed"));
    }
    let banned = run(PASSWORD);
    let why = "too many log-ins from your address have failed";
    assert!(banned.stderr.contains(why), "{}", banned.stderr);
}

#[test]
fn who_is_removed_is_cut_in_mid_transfer_and_let_in_no_more() {
    let home = Scratch::new("logged-in");
    let slow = "preset = \"full\"\n[user.limits]\ndownload-rate = \"100 kB/s\"";
    let both = [
        user(home.path(), "anna", slow),
        user(home.path(), "ben", "preset = \"full\""),
    ];
    let server = start(&home, &both.concat(), &[]);
    write_random(&home.join("anna/big"), 5, 50_000_000);
    let words = ["-u", "anna", "get", "big"];
    let running = client(&home, &server, PASSWORD).args(words).spawn();
    let ended = |words: &str| {
        let events = server.0.events();
        let mut ends = events.iter().filter(|it| it["message"] == "session ended");
        ends.any(|end| end["user"] == "anna" && end["reason"].to_string().contains(words))
    };
    eventually("it is under way", SOON, || {
        let names = fs::read_dir(home.path()).unwrap();
        names.flatten().any(|name| {
            let name = name.file_name().to_string_lossy().into_owned();
            name.contains("big") && name != "big"
        })
    });
    write(&home, &both[1]);
    let asked = Instant::now();
    server.0.signal(Signal::HUP);
    eventually("she is cut", SOON, || {
        ended("may not be logged in any more")
    });
    println!("cut after {:?}", asked.elapsed());
    // The client tries again, and hears what it is.
    let ran = silent(finish(running, RUN)).exits(6);
    assert!(ran.stderr.contains("login_failed"), "{}", ran.stderr);
    assert!(!home.join("big").exists());
    let ben = client(&home, &server, PASSWORD).args(["-u", "ben", "get", "in/f"]);
    silent(ben.run()).ok();
}
