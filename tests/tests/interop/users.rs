//! Users over standard FTP: who gets in, and what each may do.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ftp_tests::users::{self, PASSWORD};
use ftp_tests::{Options, SOON, Scratch, Server, eventually};
use rustix::process::Signal;

use super::control::Control;
use super::place::{COVERS, Cover, curl, curl_succeeds, have, run, server};

/// A users file with `anna`, who may do all, and `rolf`, who may read.
fn anna_and_rolf(home: &Scratch) -> PathBuf {
    let mut text = String::new();
    for (name, rights) in [
        ("anna", "preset = \"full\""),
        ("rolf", "preset = \"read-only\""),
    ] {
        let root = home.join(name);
        fs::create_dir(&root).unwrap();
        fs::write(root.join("f"), name).unwrap();
        text += &users::entry(name, &root, rights);
    }
    users::write(home.path(), &text)
}

fn with_users(home: &Scratch) -> Server {
    let file = anna_and_rolf(home);
    server(&["--users", file.to_str().unwrap()])
}

fn log_in(server: &Server, user: &str) -> Control {
    let mut control = Control::open(server);
    control.expect(&format!("USER {user}"), "331");
    control.expect(&format!("PASS {PASSWORD}"), "230");
    control.expect("TYPE I", "200");
    control
}

#[test]
fn who_is_not_known_gets_nowhere() {
    let home = Scratch::new("ftp-users");
    let server = with_users(&home);
    let mut control = Control::open(&server);
    for line in ["PWD", "PASV", "STOR x", "SIZE f", "MKD d"] {
        control.expect(line, "530");
    }
    // A wrong name and a wrong password are told alike.
    control.expect("USER nobody", "331");
    let unknown = control.expect(&format!("PASS {PASSWORD}"), "530");
    control.expect("USER anna", "331");
    assert_eq!(control.expect("PASS wrong", "530"), unknown);
    let mut control = Control::open(&server);
    control.expect("PASS early", "503");
    control.expect("USER anna", "331");
    control.expect(&format!("PASS {PASSWORD}"), "230");
    control.expect("PWD", "257");
    assert!(!server.log().contains(PASSWORD));
}

#[test]
fn each_has_a_folder_and_rights_of_their_own() {
    let home = Scratch::new("ftp-rights");
    let server = with_users(&home);
    let (mut anna, mut rolf) = (log_in(&server, "anna"), log_in(&server, "rolf"));
    assert_eq!(anna.get("f"), b"anna");
    assert_eq!(rolf.get("f"), b"rolf");
    anna.put("new", b"bytes");
    assert_eq!(fs::read(home.join("anna/new")).unwrap(), b"bytes");
    for line in [
        "MKD d",
        "DELE f",
        "SITE CHMOD 600 f",
        "MFMT 20200101000000 f",
    ] {
        rolf.expect(line, "550");
    }
    rolf.expect("RNFR f", "350");
    rolf.expect("RNTO g", "550");
    for line in ["STOR f", "APPE f", "STOU"] {
        rolf.passive();
        rolf.expect(line, "550");
    }
    rolf.expect("SIZE new", "550");
    rolf.expect("CWD ../anna", "550");
    assert_eq!(fs::read(home.join("rolf/f")).unwrap(), b"rolf");
    // What broke is there for its owner, in whichever session.
    anna.break_off("part", b"begun");
    assert_eq!(
        log_in(&server, "anna").expect("SIZE part", "213"),
        "213 5\r\n"
    );
}

/// Reads to the end of the connection, which is to be within `most`.
fn last_words(control: &mut Control, since: Instant, most: Duration) -> Vec<String> {
    let mut words = Vec::new();
    loop {
        let line = control.reply();
        if line.is_empty() {
            assert!(since.elapsed() < most, "{:?}: {words:?}", since.elapsed());
            return words;
        }
        words.push(line[..3].to_owned());
    }
}

#[test]
fn who_is_cut_hears_so() {
    let home = Scratch::new("ftp-cut");
    let server = with_users(&home);
    home.file("anna/large", 1, 64 << 20);
    let mut idle = log_in(&server, "anna");
    let mut downloading = log_in(&server, "anna");
    let address = downloading.passive();
    downloading.say("RETR large");
    let mut data = TcpStream::connect(address).unwrap();
    assert!(downloading.reply().starts_with("150"));
    // What is unread makes a reset of a close that does not wait.
    for _ in 0..100 {
        downloading.say("PWD");
    }
    // Nothing of what it asked for is read.
    let mut deaf = log_in(&server, "anna");
    while deaf.try_say(&"STAT\r\n".repeat(1000)) {}
    let file = home.join("users.toml");
    let text = fs::read_to_string(&file).unwrap();
    let rolf = text.rfind("[[user]]").unwrap();
    fs::write(&file, &text[rolf..]).unwrap();
    let asked = Instant::now();
    server.signal(Signal::HUP);
    let soon = Duration::from_secs(2);
    assert_eq!(last_words(&mut idle, asked, soon), ["421"]);
    assert_eq!(last_words(&mut downloading, asked, soon), ["426", "421"]);
    data.read_to_end(&mut Vec::new()).unwrap_err();
    eventually("all are gone", soon, || {
        server
            .log()
            .matches("may not be logged in any more")
            .count()
            == 3
    });
}

#[test]
fn who_is_cut_at_the_end_of_the_drain_hears_so() {
    let mut server = server(&["--drain-timeout", "1"]);
    let mut control = Control::enter(&server);
    let address = control.passive();
    control.say("STOR f");
    let _data = TcpStream::connect(address).unwrap();
    assert!(control.reply().starts_with("150"));
    let asked = Instant::now();
    server.terminate();
    assert_eq!(last_words(&mut control, asked, SOON), ["421"]);
    assert_eq!(server.wait(SOON), 0);
}

#[test]
fn a_client_logs_in_by_every_way_to_tls() {
    if !have("curl") {
        return;
    }
    let home = Scratch::new("ftp-users-curl");
    let server = with_users(&home);
    let local = home.file("local", 1, 100_000);
    for cover in COVERS {
        let name = format!("from-{cover:?}");
        let put = ["-T", local.to_str().unwrap(), "-u"];
        curl_succeeds(
            &server,
            cover,
            &name,
            &[&put[..], &["anna:correct horse"]].concat(),
        );
        assert!(home.join("anna").join(&name).exists());
        for user in ["anna:wrong", "rolf:correct horse"] {
            let args = curl(&server, cover, "x", &[&put[..], &[user]].concat());
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            let ran = run("curl", &args);
            let said = String::from_utf8_lossy(&ran.stderr);
            assert!(!ran.status.success(), "{cover:?} {user}");
            assert!(
                said.contains("denied") || said.contains("550"),
                "{cover:?} {user}: {said}"
            );
        }
    }
}

#[test]
fn beyond_this_machine_no_password_is_taken_in_plain() {
    let home = Scratch::new("ftp-users-tls");
    let file = anna_and_rolf(&home);
    let words = [
        "--ftp-listen",
        "0.0.0.0:0",
        "--state-dir",
        "state",
        "--users",
    ];
    let server = Server::start(Options::new().args(words).args([&file]));
    let mut control = Control::open(&server);
    control.expect("USER anna", "530");
    control.expect(&format!("PASS {PASSWORD}"), "503");
    control.expect("PWD", "530");
    assert!(control.expect("AUTH TLS", "234").contains("TLS"));
    if !have("curl") {
        return;
    }
    let user = ["-u", "anna:correct horse"];
    curl_succeeds(&server, Cover::Explicit, "f", &user);
    // Nor does anything go over a data connection that is not within TLS.
    let clear = [&user[..], &["--ftp-ssl-control"]].concat();
    let args = curl(&server, Cover::Plain, "f", &clear);
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let ran = run("curl", &args);
    assert!(!ran.status.success() && ran.stdout.is_empty(), "{ran:?}");
}
