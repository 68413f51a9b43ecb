//! What each user may use: connections, transfers and bandwidth, over all sessions, wherever they come from.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use ftp_tests::files::write_random;
use ftp_tests::peer::code;
use ftp_tests::{Options, Peer, SOON, Scratch, Server, eventually};
use rustix::process::Signal;
use serde_json::json;

use super::users::{PASSWORD, user, write};

const MB: u64 = 1_000_000;

/// The users file: `anna` with these limits, `ben` with none.
fn users(home: &Scratch, limits: &str) -> String {
    let more = |limits: &str| format!("preset = \"full\"\n[user.limits]\n{limits}");
    let mut text = user(home.path(), "anna", &more(limits));
    writeln!(text, "{}", user(home.path(), "ben", &more(""))).unwrap();
    text
}

fn start(home: &Scratch, limits: &str, words: &[&str]) -> Server {
    write(home, &users(home, limits));
    let file = home.join("users.toml").into_os_string();
    Server::start(Options::new().args(["--users".into(), file]).args(words))
}

/// A session of a user, from the `n`-th address of this machine.
fn login(n: u8, server: SocketAddr, user: &str) -> Peer {
    let mut peer = Peer::hello_from(IpAddr::from(Ipv4Addr::new(127, 0, 0, n)), server);
    let answer = peer.try_login(user, PASSWORD);
    assert_eq!(answer["user"], user, "{answer}");
    peer
}

#[test]
fn connections_of_a_user_are_bounded_in_both_dialects() {
    let home = Scratch::new("limits");
    let words = ["--ftp-listen=127.0.0.1:0", "--reactors=2"];
    let server = start(&home, "connections = 2", &words);
    let (addr, ftp) = (server.addr(), server.addrs()[1]);
    let held = [1, 2].map(|n| login(n, addr, "anna"));
    let mut third = Peer::hello(addr);
    let answer = third.try_login("anna", PASSWORD);
    assert_eq!(code(&answer), "login_later");
    let why = answer["error"]["message"].as_str().unwrap();
    assert!(why.contains("at most 2 of one user"), "{why}");
    let by_ftp = || {
        let peer = Peer::connect(ftp);
        let mut lines = BufReader::new(peer.stream().try_clone().unwrap());
        let mut ask = |say: &str| {
            peer.stream().write_all(say.as_bytes()).unwrap();
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            line
        };
        ask("");
        ask("USER anna\r\n");
        let said = ask(&format!("PASS {PASSWORD}\r\n"));
        (said, peer)
    };
    let (said, _) = by_ftp();
    assert!(
        said.starts_with("421 ") && said.contains("of one user"),
        "{said}"
    );
    // Another user has their own, and who was refused may still become one.
    assert_eq!(third.try_login("ben", PASSWORD)["user"], "ben");
    drop(held);
    let mut entered = None;
    eventually("anna comes in by FTP", SOON, || {
        let (said, peer) = by_ftp();
        let admitted = said.starts_with("230");
        entered = admitted.then_some(peer);
        admitted
    });
    // A cap that is lowered cuts nobody, and lets nobody in.
    write(&home, &users(&home, "connections = 1"));
    server.signal(Signal::HUP);
    eventually("the file is read", SOON, || {
        server.log().contains("configuration reloaded")
    });
    assert_eq!(
        code(&Peer::hello(addr).try_login("anna", PASSWORD)),
        "login_later"
    );
    drop(entered);
    eventually("a seat is free", SOON, || {
        Peer::hello(addr).try_login("anna", PASSWORD)["user"] == "anna"
    });
}

#[test]
fn transfers_of_a_user_are_bounded_over_all_addresses() {
    let home = Scratch::new("limits");
    let server = start(&home, "transfers = 1", &[]);
    let addr = server.addr();
    let mut one = login(1, addr, "anna");
    let mut two = login(2, addr, "anna");
    let put = one.fresh();
    one.send(&json!({"id": put, "verb": "put", "path": "new"}), b"");
    one.send(&json!({"id": put}), b"some");
    eventually("it is under way", SOON, || {
        two.get("in/f") == Err("busy".to_owned())
    });
    assert_eq!(code(&two.put("other", b"x")), "busy");
    two.still_works();
    assert_eq!(login(1, addr, "ben").get("in/f").unwrap(), b"secret");
    one.send(&json!({"id": put, "fin": true}), b"");
    assert!(one.rest(put).0["error"].is_null());
    eventually("its place is free", SOON, || two.get("in/f").is_ok());
    assert_eq!(fs::read(home.join("anna/new")).unwrap(), b"some");
}

/// 3 MB at 1 MB/s by two sessions; how late it may be is for the ledger's own tests.
#[test]
fn the_rate_of_a_user_holds_over_all_sessions() {
    let home = Scratch::new("limits");
    let limits = "upload-rate = \"1 MB/s\"\ndownload-rate = \"1 MB/s\"";
    let server = start(&home, limits, &["--reactors=2", "--durability=none"]);
    let addr = server.addr();
    for name in ["anna", "ben"] {
        write_random(&home.join(name).join("big"), 9, MB * 3 / 2);
    }
    let bytes = vec![7; 1_500_000];
    for way in ["download", "upload"] {
        let took = |user: &str| {
            let begun = Instant::now();
            thread::scope(|scope| {
                for n in 1..=2 {
                    let bytes = &bytes;
                    scope.spawn(move || {
                        let mut peer = login(n, addr, user);
                        if way == "upload" {
                            let answer = peer.put(&format!("up{n}"), bytes);
                            assert!(answer["error"].is_null(), "{answer}");
                        } else {
                            assert_eq!(peer.get("big").unwrap().len(), bytes.len());
                        }
                    });
                }
            });
            begun.elapsed()
        };
        // Less a burst at the beginning.
        let anna = took("anna");
        assert!(anna > Duration::from_millis(2700), "{way}: {anna:?}");
        println!("{way}: anna in {anna:?}, ben in {:?}", took("ben"));
    }
}

#[test]
fn a_reload_changes_the_rate_of_who_is_logged_in() {
    let home = Scratch::new("limits");
    let server = start(&home, "download-rate = \"100 kB/s\"", &[]);
    write_random(&home.join("anna/big"), 7, 20 * MB);
    let mut peer = login(1, server.addr(), "anna");
    let id = peer.fresh();
    peer.send(
        &json!({"id": id, "verb": "get", "path": "big", "fin": true}),
        b"",
    );
    let mut some = [0; 1000];
    peer.stream().read_exact(&mut some).unwrap();
    write(&home, &users(&home, ""));
    server.signal(Signal::HUP);
    // At the old rate it would take two hundred seconds.
    let begun = Instant::now();
    let mut more = vec![0; 1 << 20];
    let mut got = 0;
    while got < 19 * MB {
        let len = peer.stream().read(&mut more).unwrap();
        assert!(len > 0 && begun.elapsed() < SOON * 3);
        got += len as u64;
    }
}

/// Who has not logged in is not excused for waiting: neither for bandwidth nor for anything else.
#[test]
fn the_time_before_a_log_in_holds_where_bandwidth_is_short() {
    let home = Scratch::new("limits");
    let words = ["--upload-rate-per-session=1 kB/s", "--hello-timeout=500ms"];
    let server = start(&home, "", &words);
    let mut peer = Peer::connect(server.addr()).patience(SOON * 3);
    let begun = Instant::now();
    // A head that comes in by and by, and would take most of a minute.
    drop(peer.try_raw(&60_000_u32.to_be_bytes()));
    drop(peer.try_raw(&vec![b' '; 60_000]));
    peer.is_closed();
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}
