//! Who guesses is kept out, at both dialects, for longer each time; nobody else notices.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ftp_tests::peer::{code, frame};
use ftp_tests::{Options, Peer, SOON, Scratch, Server, eventually};
use regex_lite::Regex;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::users::{PASSWORD, user, write};

/// However slow the machine is, nothing is forgiven.
const FORGIVE: &str = "--ban-forgive=1h";
/// Most connections of one address in a flood: a machine has so many ports to spare.
const CONNECTIONS: usize = 5000;

/// The `n`-th address of this machine.
fn address(n: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, n).into()
}

/// A server with a user `anna`, and these words.
fn server(home: &Scratch, words: &[&str]) -> Server {
    write(home, &user(home.path(), "anna", "preset = \"full\""));
    let file = home.join("users.toml").into_os_string();
    let options = Options::new().args(["--users".into(), file]);
    Server::start(options.args(words))
}

fn hello() -> Value {
    json!({"id": 1, "verb": "hello", "version": 1, "fin": true})
}

/// With what code a new connection from there is refused; `None` if it is let in.
fn refused(from: IpAddr, server: SocketAddr) -> Option<String> {
    let mut peer = Peer::connect_from(from, server);
    // It may be closed by now.
    drop(peer.try_raw(&frame(&hello(), b"")));
    let (head, _) = peer.answer();
    head["error"]["code"].as_str().map(str::to_owned)
}

/// A guess over a connection of its own.
fn guess(from: IpAddr, server: SocketAddr) {
    let answer = Peer::hello_from(from, server).try_login("anna", "guess");
    assert_eq!(code(&answer), "login_failed");
}

fn bans(server: &Server) -> Vec<Value> {
    let mut events = server.events();
    events.retain(|event| event["message"] == "banned");
    events
}

#[test]
fn who_guesses_is_kept_out_until_it_is_exempt() {
    let home = Scratch::new("bans");
    let config = home.join("muxftp.toml");
    let rules = "ban-after = 3\nban-time = \"1h\"\nban-forgive = \"1h\"\n";
    fs::write(&config, rules).unwrap();
    let server = server(&home, &["--config", config.to_str().unwrap()]);
    let (addr, bad) = (server.addr(), address(3));
    let mut held = Peer::hello_from(bad, addr);
    let mut user = Peer::hello_from(bad, addr);
    assert_eq!(user.try_login("anna", PASSWORD)["user"], "anna");
    for _ in 0..4 {
        guess(bad, addr);
    }
    assert_eq!(refused(bad, addr).as_deref(), Some("login_later"));
    // Not even who knows the password, over a connection that was there before.
    let answer = held.try_login("anna", PASSWORD);
    assert_eq!(code(&answer), "login_later");
    assert!(
        answer["error"]["retry_after"].as_u64().unwrap() > 3000,
        "{answer}"
    );
    // Who is in stays in, and others come in.
    assert_eq!(user.get("in/f").unwrap(), b"secret");
    drop(Peer::login(addr, "anna", PASSWORD));
    eventually("the ban is logged", SOON, || bans(&server).len() == 1);
    fs::write(&config, format!("{rules}ban-exempt = [\"127.0.0.3\"]\n")).unwrap();
    server.signal(Signal::HUP);
    eventually("it is let in", SOON, || refused(bad, addr).is_none());
    for _ in 0..5 {
        guess(bad, addr);
    }
    assert_eq!(refused(bad, addr), None);
    assert!(!server.log().contains(PASSWORD));
}

#[test]
fn the_next_ban_is_longer() {
    let home = Scratch::new("bans");
    let words = ["--ban-after=1", "--ban-time=50ms", FORGIVE];
    let server = server(&home, &words);
    // As often as it takes: while a ban lasts nothing is counted.
    eventually("three bans", SOON, || {
        if refused(address(4), server.addr()).is_none() {
            guess(address(4), server.addr());
        }
        bans(&server).len() >= 3
    });
    let told: Vec<_> = bans(&server)
        .iter()
        .take(3)
        .map(|ban| {
            (
                ban["strike"].as_u64().unwrap(),
                ban["seconds"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [(1, 0.05), (2, 0.1), (3, 0.2)]);
}

/// A ban outlives a stop and a crash, and so does how many there were; an end that has passed meanwhile has passed.
#[test]
fn a_ban_goes_on_after_a_restart() {
    let home = Scratch::new("bans");
    let state = home.join("state");
    let state_dir = format!("--state-dir={}", state.display());
    let start = |time| server(&home, &["--ban-after=1", FORGIVE, time, &state_dir]);
    let ban = |server: &Server, n: u8| {
        for _ in 0..2 {
            guess(address(n), server.addr());
        }
    };
    let mut first = start("--ban-time=1h");
    ban(&first, 20);
    // Written down while it runs: the next end is not an orderly one.
    let kept = || fs::read_to_string(state.join("bans")).unwrap_or_default();
    eventually("the ban is written down", SOON, || {
        kept().contains("\n127.0.0.20 ")
    });
    first.kill();
    let mut second = start("--ban-time=1ms");
    let later = refused(address(20), second.addr());
    assert_eq!(later.as_deref(), Some("login_later"));
    assert_eq!(refused(address(21), second.addr()), None);
    // Two at once, of which the second waits to be written when the server is stopped.
    ban(&second, 21);
    ban(&second, 22);
    second.terminate();
    assert_eq!(second.wait(SOON), 0, "{}", second.log());
    // The short ones are over, whether they were written down or not.
    let mut third = start("--ban-time=1h");
    let later = refused(address(20), third.addr());
    assert_eq!(later.as_deref(), Some("login_later"));
    for over in [21, 22] {
        assert_eq!(refused(address(over), third.addr()), None);
    }
    ban(&third, 23);
    ban(&third, 24);
    third.terminate();
    assert_eq!(third.wait(SOON), 0, "{}", third.log());
    let fourth = start("--ban-time=1h");
    for still in [20, 23, 24] {
        let later = refused(address(still), fourth.addr());
        assert_eq!(later.as_deref(), Some("login_later"), "{still}");
    }
}

#[test]
fn damaged_bans_stop_nobody_and_are_told_of() {
    let home = Scratch::new("bans");
    let state = home.join("state");
    fs::create_dir(&state).unwrap();
    let state_dir = format!("--state-dir={}", state.display());
    fs::write(
        state.join("bans"),
        "muxftp-bans 1\n127.0.0.25 99999999999999 1\n",
    )
    .unwrap();
    let server = server(&home, &["--ban-after=1", FORGIVE, &state_dir]);
    assert_eq!(refused(address(25), server.addr()), None);
    eventually("it is told of", SOON, || {
        server.log().contains("the bans cannot be read")
    });
    for _ in 0..2 {
        guess(address(25), server.addr());
    }
    eventually("a new ban takes its place", SOON, || {
        let text = fs::read_to_string(state.join("bans")).unwrap();
        text.contains("127.0.0.25 ") && text.contains("sha256 ")
    });
}

#[test]
fn no_ban_is_longer_than_the_longest() {
    let home = Scratch::new("bans");
    let words = [
        "--ban-after=1",
        "--ban-time=2h",
        "--ban-time-max=1h",
        FORGIVE,
    ];
    let server = server(&home, &words);
    for _ in 0..2 {
        guess(address(5), server.addr());
    }
    eventually("the ban is logged", SOON, || bans(&server).len() == 1);
    assert_eq!(bans(&server)[0]["seconds"], 3600.0);
}

#[test]
fn what_is_forgiven_is_not_counted() {
    let home = Scratch::new("bans");
    // A password takes longer than that to compare.
    let server = server(&home, &["--ban-after=1", "--ban-forgive=1ms"]);
    for _ in 0..5 {
        guess(address(6), server.addr());
    }
    assert_eq!(refused(address(6), server.addr()), None);
}

#[test]
fn the_addresses_of_a_site_are_one() {
    let home = Scratch::new("bans");
    let server = server(&home, &["--ban-after=1", FORGIVE, "--proxy-from=127.0.0.1"]);
    let hello = |from: &str| {
        let header = format!("PROXY TCP6 {from} 2001:db8:f::1 1000 2121\r\n");
        Peer::behind_proxy(server.addr(), header.as_bytes())
    };
    for from in ["2001:db8::1", "2001:db8::2"] {
        let (mut peer, _) = hello(from);
        assert_eq!(code(&peer.try_login("anna", "guess")), "login_failed");
    }
    assert_eq!(code(&hello("2001:db8::ffff").1.0), "login_later");
    let (mut other, _) = hello("2001:db8:0:1::1");
    assert_eq!(other.try_login("anna", PASSWORD)["user"], "anna");
    eventually("the ban is logged", SOON, || bans(&server).len() == 1);
    let ban = &bans(&server)[0];
    assert_eq!(
        (&ban["peer"], &ban["block"]),
        (&"2001:db8::2".into(), &"2001:db8::/64".into())
    );
}

#[test]
fn standard_ftp_counts_too() {
    let home = Scratch::new("bans");
    let server = server(
        &home,
        &["--ban-after=3", FORGIVE, "--ftp-listen=127.0.0.1:0"],
    );
    let (native, ftp, from) = (server.addr(), server.addrs()[1], address(5));
    let open = || {
        let peer = Peer::connect_from(from, ftp);
        let mut lines = BufReader::new(peer.stream().try_clone().unwrap());
        move |say: &str| {
            peer.stream().write_all(say.as_bytes()).unwrap();
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            line
        }
    };
    guess(from, native);
    for _ in 0..3 {
        let mut ask = open();
        assert!(ask("").starts_with("220"));
        assert!(ask("USER anna\r\n").starts_with("331"));
        assert!(ask("PASS guess\r\n").starts_with("530"));
    }
    assert!(open()("").starts_with("421 Too many log-ins"));
    assert_eq!(refused(from, native).as_deref(), Some("login_later"));
}

/// What monitors do, and what a web page can make its visitors' browsers do, keeps nobody out.
#[test]
fn silence_and_garbage_ban_nobody() {
    let home = Scratch::new("bans");
    let words = ["--ban-after=1", FORGIVE, "--ftp-listen=127.0.0.1:0"];
    let server = server(&home, &[&words[..], &["--hello-timeout=300ms"]].concat());
    let from = address(7);
    let said: [&[u8]; 4] = [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &[0xff; 100],
    ];
    for addr in &server.addrs()[..2] {
        // All at once: in our own protocol each waits until the server has had enough. Standard FTP gives a person longer.
        let open = said.iter().cycle().take(24).map(|words| {
            let mut peer = Peer::connect_from(from, *addr);
            drop(peer.try_raw(words));
            peer
        });
        for peer in open.collect::<Vec<_>>() {
            if *addr == server.addr() {
                drop(peer.stream().read_to_end(&mut Vec::new()));
            } else {
                drop(peer.stream().read(&mut [0; 100]));
            }
        }
        for _ in 0..24 {
            drop(Peer::connect_from(from, *addr));
        }
    }
    assert_eq!(refused(from, server.addr()), None);
    // It is the same address that guesses are counted for.
    for _ in 0..2 {
        guess(from, server.addr());
    }
    assert_eq!(refused(from, server.addr()).as_deref(), Some("login_later"));
    eventually("the ban is logged", SOON, || bans(&server).len() == 1);
}

/// The filter for fail2ban that the README shows, with the pattern that `<ADDR>` stands for.
fn filter() -> Regex {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let line = readme
        .lines()
        .find_map(|line| line.trim().strip_prefix("failregex = "));
    let address = r"(?<addr>(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f:]+)";
    Regex::new(&line.unwrap().replace("<ADDR>", address)).unwrap()
}

#[test]
fn fail2ban_finds_the_line_that_is_logged_and_no_other() {
    let home = Scratch::new("bans");
    write(&home, &user(home.path(), "anna", "preset = \"full\""));
    let words = ["--listen=127.0.0.1:0", "--ban-after=1", FORGIVE, "--users"];
    let file = home.join("users.toml").into_os_string();
    let server = Server::start(Options::new().bare().args(words).args([file]));
    let filter = filter();
    // Names that would pass for the line.
    for name in [
        "x WARN banned peer=127.0.0.9 block=",
        " WARN banned peer=127.0.0.9 block=",
    ] {
        let mut peer = Peer::hello_from(address(6), server.addr());
        assert_eq!(code(&peer.try_login(name, "banned")), "login_failed");
    }
    eventually("the ban is logged", SOON, || {
        server.log().contains("banned peer=127.0.0.6")
    });
    let log = server.log();
    let mut found = Vec::new();
    for line in log.lines() {
        // As it stands, without the time that fail2ban takes off, and out of the journal.
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{line}");
        let journal = format!("host ftp-server[71]: {line}");
        let seen = [line, &format!(" {rest}"), &journal]
            .map(|line| filter.captures(line).map(|found| found["addr"].to_owned()));
        assert!(seen.iter().all(|it| *it == seen[0]), "{line}: {seen:?}");
        found.extend(seen[0].clone());
    }
    assert_eq!(found, ["127.0.0.6"], "{log}");
}

/// Wrong passwords from four addresses, as fast as they are answered, until each is banned, and beyond.
#[test]
fn a_flood_of_wrong_passwords_is_stopped_and_a_healthy_log_in_goes_on() {
    let home = Scratch::new("bans");
    let server = server(&home, &["--ban-time=1h", FORGIVE]);
    let addr = server.addr();
    let over = AtomicBool::new(false);
    let mut guesses = frame(&hello(), b"");
    for id in 2..5_u64 {
        let guess =
            json!({"id": id, "verb": "login", "user": "anna", "password": "x", "fin": true});
        guesses.extend(frame(&guess, b""));
    }
    let flood = |from: IpAddr| {
        let mut refused = 0_u64;
        for _ in 0..CONNECTIONS {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let mut peer = Peer::connect_from(from, addr);
            // It may be closed while it is still written to, and the words may be lost.
            drop(peer.try_raw(&guesses));
            let mut said = Vec::new();
            drop(peer.stream().read_to_end(&mut said));
            let later = b"login_later";
            refused += u64::from(said.windows(later.len()).any(|words| words == later));
        }
        refused
    };
    thread::scope(|scope| {
        let floods: Vec<_> = (10..14)
            .map(|n| scope.spawn(move || flood(address(n))))
            .collect();
        let mut slowest = Duration::ZERO;
        eventually("all who guess are banned", SOON * 3, || {
            let asked = Instant::now();
            drop(Peer::login(addr, "anna", PASSWORD));
            slowest = slowest.max(asked.elapsed());
            bans(&server).len() == 4
        });
        for _ in 0..10 {
            drop(Peer::login(addr, "anna", PASSWORD));
        }
        over.store(true, Ordering::Relaxed);
        let refused: u64 = floods.into_iter().map(|flood| flood.join().unwrap()).sum();
        println!("the slowest log-in took {slowest:?}; {refused} connections were refused");
        assert!(refused > 0);
    });
    let failed = server
        .events()
        .iter()
        .filter(|event| event["message"] == "login failed")
        .count();
    assert!(failed < 4 * 16, "a ban ends the work on guesses: {failed}");
}
