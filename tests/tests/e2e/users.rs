//! Users on the real daemon: who gets in, what each may do, and what becomes of them when the file changes.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Instant;

use ftp_access::Password;
use ftp_access::password::{Cost, Hash};
use ftp_tests::peer::{code, frame};
use ftp_tests::users;
pub(super) use ftp_tests::users::PASSWORD;
use ftp_tests::{Options, Peer, SOON, Scratch, Server, eventually};
use rustix::process::Signal;
use serde_json::{Value, json};

const RIGHTS: [&str; 7] = [
    "list",
    "read",
    "write",
    "overwrite",
    "delete",
    "rename",
    "mkdir",
];

/// A user whose root is a folder of their name, and what else their entry says.
pub(super) fn user(home: &Path, name: &str, more: &str) -> String {
    let root = home.join(name);
    for folder in ["in/sub", "inner", "out"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for file in ["in/f", "inner/f", "out/f", "f"] {
        fs::write(root.join(file), b"secret").unwrap();
    }
    if !root.join("in/link").is_symlink() {
        symlink("../out", root.join("in/link")).unwrap();
    }
    users::entry(name, &root, more)
}

pub(super) fn write(home: &Scratch, text: &str) {
    users::write(home.path(), text);
}

fn start(home: &Scratch, text: &str) -> Server {
    write(home, text);
    let file = home.join("users.toml").into_os_string();
    Server::start(Options::new().args(["--users".into(), file]))
}

/// Every verb that asks for something of the disk.
fn verbs(folder: &str) -> Vec<(&'static str, Value)> {
    let at = |name: &str| format!("{folder}/{name}");
    vec![
        ("list", json!({"verb": "list", "path": folder})),
        ("read", json!({"verb": "get", "path": at("f")})),
        ("read", json!({"verb": "hash", "path": at("f")})),
        ("write", json!({"verb": "put", "path": at("new")})),
        ("mkdir", json!({"verb": "mkdir", "path": at("made")})),
        (
            "rename",
            json!({"verb": "rename", "path": at("sub"), "to": at("bus")}),
        ),
        ("delete", json!({"verb": "remove", "path": at("f")})),
    ]
}

/// To the byte, in both protocols, whatever is wrong with a log-in.
#[test]
fn every_refusal_reads_the_same() {
    let home = Scratch::new("users");
    let away = "preset = \"full\"\nallow-from = [\"192.0.2.7/32\"]";
    let text = [
        user(home.path(), "anna", "preset = \"full\""),
        user(home.path(), "off", "preset = \"full\"\nenabled = false"),
        user(home.path(), "away", away),
        format!(
            "[[user]]\nname = \"machine\"\nroot = \"{}\"\npreset = \"full\"\ncertificates = [\"CN=machine\"]\n",
            home.path().display()
        ),
    ]
    .concat();
    write(&home, &text);
    let file = home.join("users.toml").into_os_string();
    let words = ["--ban-after=0", "--ftp-listen=127.0.0.1:0", "--users"];
    let server = Server::start(Options::new().args(words).args([file]));
    // Longer than any password is, shorter than any line.
    let too_long = "x".repeat(1100);
    let wrong = ["anna", "off", "away", "machine", "nobody"].map(|name| (name, "wrong"));
    let right = ["off", "away", "machine", "nobody"].map(|name| (name, PASSWORD));
    let long = ["anna", "off", "away", "machine", "nobody"].map(|name| (name, &*too_long));
    let tries = [&wrong[..], &right, &long].concat();
    let native = |(name, password): (&str, &str)| {
        let mut peer = Peer::hello(server.addr());
        let ask =
            json!({"id": 7, "verb": "login", "user": name, "password": password, "fin": true});
        peer.send(&ask, b"");
        let mut size = [0; 4];
        peer.stream().read_exact(&mut size).unwrap();
        let mut head = vec![0; u32::from_be_bytes(size) as usize];
        peer.stream().read_exact(&mut head).unwrap();
        String::from_utf8(head).unwrap()
    };
    let ftp = |(name, password): (&str, &str)| {
        let peer = Peer::connect(server.addrs()[1]);
        let mut lines = BufReader::new(peer.stream());
        let mut said = String::new();
        for ask in [
            "",
            &format!("USER {name}\r\n"),
            &format!("PASS {password}\r\n"),
        ] {
            peer.stream().write_all(ask.as_bytes()).unwrap();
            lines.read_line(&mut said).unwrap();
        }
        said
    };
    let same = |said: Vec<String>| {
        for (words, (name, password)) in said.iter().zip(&tries) {
            assert_eq!(*words, said[0], "{name}, {password:.9}");
        }
        said[0].clone()
    };
    let native = same(tries.iter().map(|it| native(*it)).collect());
    assert!(native.contains("login_failed"), "{native}");
    let ftp = same(tries.iter().map(|it| ftp(*it)).collect());
    assert!(ftp.starts_with("220") && ftp.contains("\n530 "), "{ftp}");
}

#[test]
fn before_a_log_in_every_verb_is_refused() {
    let home = Scratch::new("users");
    let server = start(&home, &user(home.path(), "anna", "preset = \"full\""));
    let mut peer = Peer::connect(server.addr());
    let (hello, _) = peer.ask(json!({"verb": "hello", "version": 1}), b"");
    assert_eq!(hello["login"], "required");
    for (_, ask) in verbs("in") {
        assert_eq!(code(&peer.ask(ask, b"").0), "login_required");
    }
    assert_eq!(
        code(&peer.ask(json!({"verb": "stat", "path": ""}), b"").0),
        "login_required"
    );
    peer.still_works();
    let wrong = peer.try_login("anna", "wrong");
    let unknown = peer.try_login("nobody", "wrong");
    assert_eq!(
        wrong["error"], unknown["error"],
        "nobody can tell them apart"
    );
    assert_eq!(code(&wrong), "login_failed");
    assert_eq!(peer.try_login("anna", PASSWORD)["user"], "anna");
    assert_eq!(peer.get("in/f").unwrap(), b"secret");
    assert!(!server.log().contains(PASSWORD) && !server.log().contains("wrong\""));
    let mut guesser = Peer::hello(server.addr());
    for _ in 0..3 {
        assert_eq!(code(&guesser.try_login("anna", "guess")), "login_failed");
    }
    guesser.is_closed();
}

/// Each verb with each single right, inside of the rule's folder, beside it under a name that begins alike, and through
/// a link that leads out of it.
#[test]
fn every_verb_needs_its_right_where_it_holds() {
    let home = Scratch::new("users");
    let mut text = String::new();
    for right in RIGHTS {
        let rule = format!("[[user.rights]]\npath = \"/in\"\nallow = [\"{right}\"]");
        writeln!(text, "{}", user(home.path(), right, &rule)).unwrap();
    }
    let server = start(&home, &text);
    for right in RIGHTS {
        let mut peer = Peer::login(server.addr(), right, PASSWORD);
        for folder in ["inner", "out", "in/link"] {
            for (_, ask) in verbs(folder) {
                let shown = ask.to_string();
                let (answer, bytes) = peer.ask(ask, b"");
                assert!(answer["error"].is_object(), "{right}: {shown}: {answer}");
                assert!(bytes.is_empty(), "{right}: {shown}");
            }
        }
        for (needed, ask) in verbs("in") {
            let shown = ask.to_string();
            let (answer, _) = peer.ask(ask, b"");
            if needed == right {
                assert!(answer["error"].is_null(), "{right}: {shown}: {answer}");
            } else {
                assert_eq!(code(&answer), "denied", "{right}: {shown}");
            }
        }
        let kept = |name: &str| fs::read(home.join(right).join(name)).unwrap();
        assert_eq!(kept("inner/f"), b"secret");
        assert_eq!(kept("out/f"), b"secret");
        assert_eq!(
            fs::read_dir(home.join(right).join("out")).unwrap().count(),
            1
        );
    }
}

#[test]
fn a_drop_box_takes_and_shows_nothing() {
    let home = Scratch::new("users");
    let text = user(home.path(), "drop", "preset = \"upload-only\"");
    let server = start(&home, &text);
    let mut peer = Peer::login(server.addr(), "drop", PASSWORD);
    let put = peer.put("in/new", b"brought");
    assert!(put["error"].is_null(), "{put}");
    assert_eq!(code(&peer.put("in/f", b"over")), "exists");
    assert_eq!(fs::read(home.join("drop/in/f")).unwrap(), b"secret");
    assert_eq!(peer.get("in/new").unwrap_err(), "denied");
    for ask in [
        json!({"verb": "list", "path": "in"}),
        json!({"verb": "hash", "path": "in/new"}),
        json!({"verb": "remove", "path": "in/new"}),
        json!({"verb": "rename", "path": "in/new", "to": "in/old"}),
    ] {
        assert_eq!(code(&peer.ask(ask, b"").0), "denied");
    }
    let stat = |peer: &mut Peer, path: &str| {
        let (answer, _) = peer.ask(json!({"verb": "stat", "path": path}), b"");
        code(&answer).to_owned()
    };
    assert_eq!(stat(&mut peer, "in/f"), stat(&mut peer, "in/none"));
}

#[test]
fn a_guest_comes_in_where_guests_are_let_in() {
    let home = Scratch::new("users");
    let mut text = user(home.path(), "anna", "preset = \"full\"");
    let root = home.join("anna");
    write!(
        text,
        "[anonymous]\nenabled = true\nroot = \"{}\"\npreset = \"read-only\"\n",
        root.display()
    )
    .unwrap();
    let server = start(&home, &text);
    let mut guest = Peer::hello(server.addr());
    assert_eq!(guest.get("in/f").unwrap(), b"secret");
    assert_eq!(code(&guest.put("in/new", b"x")), "denied");
    assert_eq!(guest.try_login("anna", PASSWORD)["user"], "anna");
    assert!(guest.put("in/new", b"x")["error"].is_null());
}

#[test]
fn who_is_removed_is_cut_in_the_midst_of_a_transfer() {
    let home = Scratch::new("users");
    let both = [
        user(home.path(), "anna", "preset = \"full\""),
        user(home.path(), "bert", "preset = \"full\""),
    ];
    let server = start(&home, &both.concat());
    let mut anna = Peer::login(server.addr(), "anna", PASSWORD);
    let mut bert = Peer::login(server.addr(), "bert", PASSWORD);
    anna.send(&json!({"id": 900, "verb": "put", "path": "in/large"}), b"");
    anna.send(&json!({"id": 900}), &[7; 100_000]);
    // A file that is not good changes nothing.
    write(&home, "[[user]]\nname = 7\n");
    server.signal(Signal::HUP);
    eventually("the bad file is told of", SOON, || {
        server.log().contains("not reloaded")
    });
    bert.still_works();
    // Less for one, nothing at all for the other.
    let less = both[1].replace("\"full\"", "\"read-only\"");
    write(&home, &less);
    let asked = Instant::now();
    server.signal(Signal::HUP);
    anna.is_closed();
    println!("who was removed is cut after {:?}", asked.elapsed());
    eventually("the file is read", SOON, || {
        let log = server.log();
        let line = log
            .lines()
            .find(|line| line.contains("configuration reloaded"));
        line.is_some_and(|line| line.contains("\"users\":1"))
    });
    assert_eq!(bert.get("in/f").unwrap(), b"secret");
    assert_eq!(code(&bert.put("in/f", b"over")), "denied");
    assert_eq!(
        code(&Peer::hello(server.addr()).try_login("anna", PASSWORD)),
        "login_failed"
    );
    assert!(!home.join("anna/in/large").exists());
}

fn reload(home: &Scratch, server: &Server, text: &str) {
    let reloaded = || server.log().matches("configuration reloaded").count();
    let before = reloaded();
    write(home, text);
    server.signal(Signal::HUP);
    eventually("the users are read", SOON, || reloaded() > before);
}

/// What was opened by a right, or in a folder, ends with it.
#[test]
fn what_may_not_be_done_any_more_is_cut() {
    let home = Scratch::new("users");
    let names = ["anna", "bert"];
    let both = names.map(|name| user(home.path(), name, "preset = \"full\""));
    let server = start(&home, &both.concat());
    let [mut anna, mut bert] = names.map(|name| Peer::login(server.addr(), name, PASSWORD));
    assert_eq!(anna.get("f").unwrap(), b"secret");
    bert.send(&json!({"id": 900, "verb": "put", "path": "in/f"}), b"");
    bert.send(&json!({"id": 900}), &[7; 100_000]);
    eventually("it is on its way", SOON, || {
        fs::read_dir(home.join("bert/in")).unwrap().count() == 4
    });
    // One is given another folder, the other may only read.
    let moved = both[0].replace("/anna\"", "/anna/in\"");
    let less = both[1].replace("\"full\"", "\"read-only\"");
    reload(&home, &server, &format!("{moved}{less}"));
    anna.is_closed();
    bert.is_closed();
    let mut anna = Peer::login(server.addr(), "anna", PASSWORD);
    assert_eq!(anna.get("sub/f").unwrap_err(), "not_found");
    assert_eq!(fs::read(home.join("bert/in/f")).unwrap(), b"secret");
}

/// While a password is checked, which takes long on purpose, its user is given another folder.
#[test]
fn a_log_in_does_not_bring_back_the_folder_of_before() {
    let home = Scratch::new("users");
    let cost = Cost {
        passes: 100,
        ..Cost::default()
    };
    let hash = Hash::make(&Password::new("slow").unwrap(), cost).unwrap();
    let entry = |folder: &str| {
        let root = home.join(folder);
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("f"), folder).unwrap();
        let root = root.display();
        format!(
            "[[user]]\nname = \"anna\"\npassword = \"{hash}\"\nroot = \"{root}\"\npreset = \"full\"\n"
        )
    };
    // The one within the other, where the server may go since its start.
    let (before, now) = (entry("before"), entry("before/now"));
    let server = start(&home, &before);
    let mut peer = Peer::hello(server.addr());
    peer.send(
        &json!({"id": 900, "verb": "login", "user": "anna", "password": "slow", "fin": true}),
        b"",
    );
    // By then it is being looked at.
    Peer::hello(server.addr()).still_works();
    reload(&home, &server, &now);
    // Refused, unless one of both was over before the other began.
    let Some((answer, _)) = peer.frame() else {
        return;
    };
    if answer["error"].is_null() {
        let ask = json!({"id": 901, "verb": "get", "path": "f", "fin": true});
        let _ = peer.try_raw(&frame(&ask, b""));
        let read = peer.frame().map(|(_, bytes)| bytes);
        assert!(read.is_none_or(|read| read == b"before/now"), "{answer}");
    }
}

/// Without its users a server would be everybody's.
#[test]
fn users_that_cannot_be_read_stop_the_start() {
    let home = Scratch::new("users");
    let good = user(home.path(), "anna", "preset = \"full\"");
    for bad in ["[[user]]\nname = 7\n", &good.replace("\"full\"", "\"ful\"")] {
        write(&home, bad);
        let file = home.join("users.toml").into_os_string();
        let options = Options::new().args(["--users".into(), file.clone()]);
        let Err(failed) = Server::try_start(options) else {
            panic!("it started with {bad}")
        };
        assert_eq!(failed.status.unwrap().code(), Some(2), "{}", failed.log);
        assert!(failed.log.contains("users.toml:"), "{}", failed.log);
    }
    fs::remove_file(home.join("users.toml")).unwrap();
    let file = home.join("users.toml").into_os_string();
    assert!(Server::try_start(Options::new().args(["--users".into(), file])).is_err());
}

/// Guesses from elsewhere, as fast as they are answered, beside somebody who knows the password.
#[test]
fn a_flood_of_guesses_does_not_keep_others_out() {
    let home = Scratch::new("users");
    write(&home, &user(home.path(), "anna", "preset = \"full\""));
    let users = [
        "--ban-after=0".into(),
        "--users".into(),
        home.join("users.toml").into_os_string(),
    ];
    // Without bans: it is the turns that peers take that let others in.
    let server = Server::start(Options::new().args(users));
    let addr = server.addr();
    let flood: Vec<_> = (0..40)
        .map(|_| {
            let mut peer = Peer::hello_from([127, 0, 0, 9].into(), addr);
            for id in 1..=3_u64 {
                let guess = json!({"id": 900 + id, "verb": "login", "user": "anna", "password": "x", "fin": true});
                peer.send(&guess, b"");
            }
            peer
        })
        .collect();
    let asked = Instant::now();
    drop(Peer::login(addr, "anna", PASSWORD));
    println!("a log-in beside 120 guesses: {:?}", asked.elapsed());
    drop(flood);
}
