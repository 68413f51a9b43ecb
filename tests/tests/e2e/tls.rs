//! TLS: everything works within it, strangers are told why, and a cut is never taken for an end.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use ftp_client::{Cancel, KnownHosts, Tls, TlsOptions};
use ftp_tests::certs::Authority;
use ftp_tests::deadline::{SOON, eventually};
use ftp_tests::files::{leftovers, sha256_of, tree};
use ftp_tests::proxy::{Fault, Proxy, Way};
use ftp_tests::server::program;
use ftp_tests::{Client, Options, Peer, Scratch, Server};

/// A server that speaks TLS on loopback too, and its key's fingerprint.
fn start(scratch: &Scratch, args: &[&str]) -> (Server, String) {
    let state = scratch.join("state").display().to_string();
    let options = Options::new().args(["--tls-mode", "on", "--durability", "none"]);
    let server = Server::start(options.args(["--state-dir", &state]).args(args));
    let pin = server.pin();
    (server, pin)
}

fn client(server: &Server, pin: &str) -> Client {
    Client::of(server.addr()).args(["--pin", pin])
}

#[test]
fn everything_works_within_it() {
    let scratch = Scratch::new("tls-all");
    let (server, pin) = start(&scratch, &[]);
    let (from, to) = (scratch.join("from"), scratch.join("to"));
    fs::create_dir_all(from.join("deep/er")).unwrap();
    for number in 0..60_u64 {
        let name = if number % 2 == 0 { "" } else { "deep/er/" };
        ftp_tests::files::write_random(
            &from.join(format!("{name}f{number}")),
            number,
            number * number * 300,
        );
    }
    let here = |words: &[&str]| {
        let ran = client(&server, &pin).dir(scratch.path()).args(words).run();
        ran.ok()
    };
    here(&["-j", "4", "put", "-T", "from", "tree"]);
    here(&["-j", "4", "get", "-T", "tree", "to"]);
    assert_eq!(tree(&from), tree(&to));
    let big = scratch.file("big", 7, 70 << 20);
    here(&["put", "big"]);
    assert_eq!(sha256_of(&server.file("big")), sha256_of(&big));
    here(&["get", "--streams", "3", "big", "again"]);
    here(&["get", "--no-verify", "big", "/dev/null"]);
    assert_eq!(sha256_of(&scratch.join("again")), sha256_of(&big));
    let listed = here(&["ls", "tree"]);
    assert_eq!(listed.text().lines().count(), 31);
    here(&["ping", "-c", "2", "-i", "0"]);
    assert!(server.log().contains("speaking TLS"));
}

#[test]
fn many_at_once() {
    let scratch = Scratch::new("tls-many");
    let (server, pin) = start(&scratch, &[]);
    let file = scratch.file("f", 3, 2_000_000);
    thread::scope(|scope| {
        for number in 0..12 {
            let (server, pin, file, scratch) = (&server, &pin, &file, &scratch);
            scope.spawn(move || {
                let name = format!("f{number}");
                let run = |words: &[&str]| {
                    let client = client(server, pin).dir(scratch.path());
                    drop(client.args(words).run().ok());
                };
                run(&["put", file.to_str().unwrap(), &name]);
                run(&["get", &name]);
                assert_eq!(sha256_of(&scratch.join(&name)), sha256_of(file));
            });
        }
    });
}

#[test]
fn a_cut_is_a_failure_and_is_gone_on_from() {
    let scratch = Scratch::new("tls-cut");
    let (server, pin) = start(&scratch, &[]);
    let file = scratch.file("f", 5, 20_000_000);
    fs::copy(&file, server.file("there")).unwrap();
    for (way, words) in [
        (Way::Up, ["put", "f", "new"]),
        (Way::Down, ["get", "there", "got"]),
    ] {
        let cut = Fault::CutAfter(9_000_000);
        let proxy = Proxy::start(server.addr(), cut, way, 1);
        let run = |retries: &str| {
            let client = Client::of(proxy.addr()).args(["--pin", &pin, "--retries", retries]);
            client.dir(scratch.path()).args(words).run()
        };
        drop(run("0").exits(5));
        assert!(!server.file("new").exists() || way == Way::Down);
        assert!(!scratch.join("got").exists());
        run("0").ok();
    }
    assert_eq!(sha256_of(&server.file("new")), sha256_of(&file));
    assert_eq!(sha256_of(&scratch.join("got")), sha256_of(&file));
    assert!(leftovers(server.root()).is_empty());
}

#[test]
fn a_flipped_bit_on_the_way_is_found_by_tls_itself() {
    let scratch = Scratch::new("tls-flip");
    let (server, pin) = start(&scratch, &[]);
    scratch.file("f", 5, 3_000_000);
    let proxy = Proxy::start(server.addr(), Fault::FlipAt(1_000_000), Way::Up, 1);
    let put = Client::of(proxy.addr()).args(["--pin", &pin, "--retries", "0", "put", "f"]);
    let ran = put.dir(scratch.path()).run();
    assert!([5, 14].contains(&ran.code), "{ran:?}");
    assert!(!server.file("f").exists());
}

#[test]
fn a_first_start_makes_a_key_and_the_next_finds_it() {
    let scratch = Scratch::new("tls-first");
    let (server, pin) = start(&scratch, &[]);
    assert!(server.log().contains(&format!("--pin {pin}")));
    let key = scratch.join("state/tls-self-signed.pem");
    let mode = fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(server);
    let (server, again) = start(&scratch, &[]);
    assert_eq!(pin, again);
    assert!(!server.log().contains("made a certificate"));
    fs::write(&key, "nonsense").unwrap();
    let state = scratch.join("state").display().to_string();
    let failed =
        Server::try_start(Options::new().args(["--tls-mode", "on", "--state-dir", &state]));
    let log = failed.err().unwrap().log;
    assert!(log.contains("tls-self-signed.pem"), "{log}");
}

/// Where nothing speaks TLS, too.
#[test]
fn files_that_are_named_are_looked_at() {
    let scratch = Scratch::new("tls-named");
    let (none, bad) = (scratch.join("none.pem"), scratch.join("bad.pem"));
    fs::write(&bad, "nonsense").unwrap();
    let authority = Authority::new();
    let pem = authority.issue(scratch.path(), "server.pem", &["127.0.0.1"], (2020, 2100));
    let other = authority.issue(scratch.path(), "other.pem", &["127.0.0.1"], (2020, 2100));
    let ca = authority.file(scratch.path());
    let [none, bad, pem, other, ca] =
        [none, bad, pem, other, ca].map(|it| it.display().to_string());
    for (args, setting, why) in [
        (vec!["--tls-cert", &none], "--tls-cert", "No such file"),
        (vec!["--tls-cert", &bad], "--tls-cert", "no certificate"),
        (
            vec!["--tls-cert", &pem, "--tls-key", &bad],
            "--tls-key",
            "no private key",
        ),
        (
            vec!["--tls-cert", &pem, "--tls-key", &other],
            "--tls-cert",
            "",
        ),
        (
            vec!["--tls-client-ca", &none],
            "--tls-client-ca",
            "No such file",
        ),
        (
            vec!["--tls-mode", "off", "--tls-client-ca", &bad],
            "--tls-client-ca",
            "no certificate",
        ),
    ] {
        let failed = Server::try_start(Options::new().args(&args)).err().unwrap();
        assert_eq!(failed.status.unwrap().code(), Some(2), "{}", failed.log);
        assert!(
            failed.log.contains(&format!("{setting}: ")),
            "{}",
            failed.log
        );
        assert!(failed.log.contains(why), "{}", failed.log);
        let checked = Command::new(program("ftp-server"))
            .args(["check", "--root", "/"])
            .args(&args)
            .output()
            .unwrap();
        assert_eq!(checked.status.code(), Some(2), "{args:?}");
    }
    let warns = |args: &[&str]| {
        let server = Server::start(Options::new().args(args));
        drop(Peer::hello(server.addr()));
        // By then everything from the start is written.
        eventually("a line behind it", SOON, || {
            server.log().contains("session ended")
        });
        server.log().matches("no address speaks TLS").count()
    };
    assert_eq!(warns(&["--tls-cert", &pem]), 1);
    assert_eq!(warns(&["--tls-client-ca", &ca]), 1);
    assert_eq!(
        warns(&["--tls-cert", &pem, "--ftp-listen", "127.0.0.1:0"]),
        0
    );
    assert_eq!(warns(&[]), 0);
}

#[test]
fn a_reload_swaps_the_certificate_and_open_sessions_go_on() {
    let scratch = Scratch::new("tls-reload");
    let authority = Authority::new();
    let issue = || authority.issue(scratch.path(), "server.pem", &["127.0.0.1"], (2020, 2100));
    let pem = issue();
    let (server, pin) = start(&scratch, &["--tls-cert", pem.to_str().unwrap()]);
    let tls = Tls::new(TlsOptions {
        pin: Some(pin.parse().unwrap()),
        ..TlsOptions::default()
    });
    let options = ftp_client::Options {
        server: server.addr().to_string(),
        tls: Some(tls.unwrap()),
        ..ftp_client::Options::default()
    };
    let mut held = ftp_client::Client::connect(&options, &Cancel::new().unwrap()).unwrap();
    held.ping(b"before").unwrap();
    issue();
    server.signal(rustix::process::Signal::HUP);
    eventually("the reload", SOON, || {
        server.log().contains("configuration reloaded")
    });
    let ran = Client::of(server.addr())
        .args(["--pin", &pin, "ls"])
        .run()
        .exits(8);
    assert!(ran.stderr.contains("changed"), "{}", ran.stderr);
    let ca = authority.file(scratch.path());
    let with_ca = || {
        Client::of(server.addr())
            .args(["--retries", "0", "--ca"])
            .args([&ca])
    };
    with_ca().arg("ls").run().ok();
    // A bad file changes nothing.
    fs::write(&pem, "nonsense").unwrap();
    server.signal(rustix::process::Signal::HUP);
    eventually("the refusal", SOON, || {
        server.log().contains("the old one stays")
    });
    with_ca().arg("ls").run().ok();
    held.ping(b"after").unwrap();
}

#[test]
fn strangers_are_told_why() {
    let scratch = Scratch::new("tls-strangers");
    let (server, pin) = start(&scratch, &[]);
    let plain = Server::start(Options::new());
    let ran = Client::of(server.addr())
        .args(["--retries", "0", "ls"])
        .run();
    let ran = ran.exits(14);
    assert!(ran.stderr.contains("speaks TLS"), "{}", ran.stderr);
    let ran = client(&plain, &pin).args(["--retries", "0", "ls"]).run();
    let ran = ran.exits(14);
    assert!(ran.stderr.contains("does not speak TLS"), "{}", ran.stderr);
    client(&server, &pin).arg("ls").run().ok();
    Client::of(plain.addr()).arg("ls").run().ok();
}

#[test]
fn a_handshake_that_does_not_end_is_ended() {
    let scratch = Scratch::new("tls-slow");
    let (server, pin) = start(&scratch, &["--hello-timeout", "1"]);
    let begun = Instant::now();
    // One says nothing, one the beginning of a handshake.
    let mut slow: Vec<_> = [&b""[..], &[22, 3, 1, 2, 0, 1, 0, 1, 252]]
        .into_iter()
        .map(|bytes| {
            let mut stream = TcpStream::connect(server.addr()).unwrap();
            stream.set_read_timeout(Some(SOON)).unwrap();
            stream.write_all(bytes).unwrap();
            stream
        })
        .collect();
    client(&server, &pin).arg("ls").run().ok();
    for stream in &mut slow {
        let mut rest = Vec::new();
        // An end or a reset: no answer in either case.
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{rest:?}");
    }
    assert!(begun.elapsed() < SOON);
}

#[test]
fn a_person_may_trust_at_first_sight() {
    let scratch = Scratch::new("tls-ask");
    let (server, pin) = start(&scratch, &[]);
    let known = KnownHosts::new(scratch.join("known_hosts"));
    let connect = |answer: Option<bool>| {
        let expected = pin.clone();
        let ask = answer.map(|answer| -> ftp_client::Ask {
            Arc::new(move |_, key| {
                assert_eq!(key.to_string(), expected);
                answer
            })
        });
        let tls = Tls::new(TlsOptions {
            known_hosts: Some(known.clone()),
            ask,
            ..TlsOptions::default()
        });
        let options = ftp_client::Options {
            server: server.addr().to_string(),
            tls: Some(tls.unwrap()),
            ..ftp_client::Options::default()
        };
        let cancel = Cancel::new().unwrap();
        ftp_client::Client::connect(&options, &cancel)?
            .hello()
            .map(drop)
    };
    assert!(matches!(
        connect(None),
        Err(ftp_client::Error::Untrusted { .. })
    ));
    assert!(connect(Some(false)).is_err());
    assert!(known.list().unwrap().is_empty());
    connect(Some(true)).unwrap();
    assert_eq!(known.list().unwrap().len(), 1);
    connect(None).unwrap();
}

/// What `openssl s_client` says of the server; `None` where there is no openssl.
fn openssl(server: &Server, words: &[&str]) -> Option<String> {
    let ran = Command::new("openssl")
        .args(["s_client", "-connect", &server.addr().to_string()])
        .args(words)
        .stdin(Stdio::null())
        .output();
    match ran {
        Ok(ran) => Some(
            String::from_utf8_lossy(&ran.stdout).into_owned()
                + &String::from_utf8_lossy(&ran.stderr),
        ),
        Err(_) => {
            println!("skipped: there is no openssl here");
            None
        }
    }
}

#[test]
fn openssl_agrees() {
    let scratch = Scratch::new("tls-openssl");
    let (server, _) = start(&scratch, &[]);
    let check = |server: &Server, words: &[&str], said: &[&str]| {
        if let Some(text) = openssl(server, words) {
            for said in said {
                assert!(text.contains(said), "{words:?}: no {said:?} in {text}");
            }
        }
    };
    check(
        &server,
        &["-alpn", "muxftp/1"],
        &["TLSv1.3", "ALPN protocol: muxftp/1", "muxftp server"],
    );
    check(&server, &[], &["TLSv1.3", "No ALPN negotiated"]);
    check(
        &server,
        &["-alpn", "http/1.1"],
        &["alert no application protocol"],
    );
    check(&server, &["-tls1_2"], &["alert protocol version"]);
    let other = Scratch::new("tls-openssl-12");
    let (older, _) = start(&other, &["--tls-min", "1.2"]);
    check(
        &older,
        &["-tls1_2", "-alpn", "muxftp/1"],
        &["TLSv1.2", "muxftp/1"],
    );
    check(&older, &["-tls1_1"], &["alert"]);
    // An injected request before the handshake is no request.
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    assert!(String::from_utf8_lossy(&said).contains("speaks TLS"));
}
