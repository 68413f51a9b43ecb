//! Users over standard FTP: who gets in, and what each may do.

use std::fs;
use std::path::PathBuf;

use ftp_tests::users::{self, PASSWORD};
use ftp_tests::{Options, Scratch, Server};

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
