//! Whom the client trusts: by its key, by an authority, by the file of known hosts; all else is exit 8.

use ftp_tests::certs::Authority;
use ftp_tests::{Client, Options, Ran, Scratch, Server};

const NOW: (i32, i32) = (2020, 2100);

fn start(scratch: &Scratch, state: &str, args: &[&str]) -> Server {
    let state = scratch.join(state).display().to_string();
    let words = ["--tls-mode", "on", "--durability", "none", "--state-dir"];
    Server::start(Options::new().args(words).args([&state]).args(args))
}

/// A run over TLS with a home of its own.
fn run(scratch: &Scratch, server: &str, words: &[&str]) -> Ran {
    Client::bare()
        .env("XDG_CONFIG_HOME", scratch.path().to_str().unwrap())
        .dir(scratch.path())
        .args(["--tls", "--retries", "0", "--server", server])
        .args(words)
        .run()
}

fn refused(ran: Ran, why: &[&str]) {
    let ran = ran.exits(8);
    for why in why {
        assert!(ran.stderr.contains(why), "no {why:?} in {}", ran.stderr);
    }
}

#[test]
fn keys_are_known_changed_and_forgotten() {
    let scratch = Scratch::new("trust-known");
    let server = start(&scratch, "one", &[]);
    let (addr, key) = (server.addr().to_string(), server.pin());
    let run = |words: &[&str]| run(&scratch, &addr, words);
    // Nobody to ask: refused, with what to compare.
    refused(run(&["ls"]), &["signed itself", &key, "--pin"]);
    run(&["trust", "add", &addr, &key]).ok();
    run(&["ls"]).ok();
    super::trust::run(&scratch, &format!("muxftps://{addr}"), &["ls"]).ok();
    assert_eq!(run(&["trust", "ls"]).ok().text(), format!("{addr} {key}\n"));
    // Another server takes its place.
    drop(server);
    let other = Server::start(
        Options::new()
            .listen(&addr)
            .args(["--tls-mode", "on", "--state-dir"])
            .args([scratch.join("two")]),
    );
    let new = other.pin();
    assert_ne!(key, new);
    let forget = format!("trust rm {addr}");
    refused(run(&["ls"]), &["changed", &key, &new, &forget]);
    refused(run(&["--pin", &key, "ls"]), &["changed", &key, &new]);
    run(&["--pin", &new, "ls"]).ok();
    run(&["trust", "rm", &addr]).ok();
    run(&["trust", "rm", &addr]).exits(2);
    refused(run(&["ls"]), &[&new]);
    run(&["--pin", "SHA256:short", "ls"]).exits(2);
}

/// As in a container without certificates: that nobody can vouch is no reason to believe.
#[test]
fn without_a_single_authority_nobody_is_believed() {
    let scratch = Scratch::new("trust-none");
    let server = start(&scratch, "s", &[]);
    let (addr, key) = (server.addr().to_string(), server.pin());
    std::fs::write(scratch.join("none.pem"), "").unwrap();
    let run = |words: &[&str]| {
        Client::bare()
            .env("XDG_CONFIG_HOME", scratch.path().to_str().unwrap())
            .env("SSL_CERT_FILE", scratch.join("none.pem").to_str().unwrap())
            .env("SSL_CERT_DIR", scratch.join("none").to_str().unwrap())
            .dir(scratch.path())
            .args(["--tls", "--retries", "0", "--server", &addr])
            .args(words)
            .run()
    };
    refused(run(&["ls"]), &["signed itself", &key, "--pin"]);
    run(&["--pin", &key, "ls"]).ok();
}

#[test]
fn authorities_vouch_for_names_and_dates() {
    let scratch = Scratch::new("trust-ca");
    let (ours, theirs) = (Authority::new(), Authority::new());
    let ca = ours.file(scratch.path()).display().to_string();
    let check = |from: &Authority, names: &[&str], years, why: Option<&str>| {
        let pem = from.issue(scratch.path(), "server.pem", names, years);
        let server = start(&scratch, "s", &["--tls-cert", pem.to_str().unwrap()]);
        let ran = run(&scratch, &server.addr().to_string(), &["--ca", &ca, "ls"]);
        match why {
            None => drop(ran.ok()),
            Some(why) => refused(ran, &[why]),
        }
    };
    check(&ours, &["127.0.0.1"], NOW, None);
    check(&ours, &["127.0.0.1"], (2001, 2002), Some("has expired"));
    check(&ours, &["127.0.0.1"], (2090, 2091), Some("not valid yet"));
    check(&ours, &["elsewhere.example"], NOW, Some("another name"));
    check(&theirs, &["127.0.0.1"], NOW, Some("not trusted here"));
    // A man in the middle with a certificate of his own making.
    let server = start(&scratch, "s", &[]);
    let ran = run(&scratch, &server.addr().to_string(), &["--ca", &ca, "ls"]);
    refused(ran, &["signed itself"]);
    run(&scratch, "127.0.0.1:1", &["--ca", "/none.pem", "ls"]).exits(2);
}

#[test]
fn clients_show_certificates_too() {
    let scratch = Scratch::new("trust-client");
    let (ours, theirs) = (Authority::new(), Authority::new());
    let ca = ours.file(scratch.path()).display().to_string();
    let server = start(&scratch, "s", &["--tls-client-ca", &ca]);
    let (addr, key) = (server.addr().to_string(), server.pin());
    let issue = |from: &Authority, name: &str, years| {
        let pem = from.issue(scratch.path(), name, &["me@a.example"], years);
        pem.display().to_string()
    };
    let good = issue(&ours, "good.pem", NOW);
    run(&scratch, &addr, &["--pin", &key, "ls"]).ok();
    run(&scratch, &addr, &["--pin", &key, "--cert", &good, "ls"]).ok();
    for bad in [
        issue(&theirs, "theirs.pem", NOW),
        issue(&ours, "old.pem", (2001, 2002)),
        issue(&ours, "early.pem", (2090, 2091)),
    ] {
        let ran = run(&scratch, &addr, &["--pin", &key, "--cert", &bad, "ls"]);
        refused(ran, &["did not accept our certificate"]);
    }
}
