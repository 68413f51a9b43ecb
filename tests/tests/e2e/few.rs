//! Fewer connections than a client would like to have: it goes on with those it is given, and says so.

use std::fs;

use ftp_tests::files::{tree, write_random};
use ftp_tests::{Client, Options, Peer, Scratch, Server};

use super::users::{PASSWORD, user, write};

/// More files than wait for a connection at once, in three folders.
fn five_hundred(home: &Scratch) {
    for number in 0..500_u64 {
        let folder = home.join(format!("from/{}", number % 3));
        fs::create_dir_all(&folder).unwrap();
        write_random(&folder.join(format!("f{number}")), number, 100);
    }
}

/// A server on which `anna` may have so many connections.
fn start(home: &Scratch, connections: u32) -> Server {
    let limit = format!("preset = \"full\"\n[user.limits]\nconnections = {connections}");
    write(home, &user(home.path(), "anna", &limit));
    let file = home.join("users.toml").into_os_string();
    let options = Options::new().args(["--users".into(), file]);
    Server::start(options.args(["--durability=none"]))
}

fn anna(home: &Scratch, server: &Server) -> Client {
    let client = Client::of(server.addr()).args(["-u", "anna"]);
    let config = home.join("config").display().to_string();
    let client = client.env("XDG_CONFIG_HOME", &config);
    client.env("FTP_CLIENT_PASSWORD", PASSWORD).dir(home.path())
}

#[test]
fn one_connection_of_a_user_is_enough_for_a_tree() {
    let home = Scratch::new("few");
    let server = start(&home, 1);
    five_hundred(&home);
    let here = |words: &[&str]| anna(&home, &server).args(words).run().ok();
    here(&["put", "-T", "from", "tree"]);
    assert_eq!(tree(&home.join("anna/tree")), tree(&home.join("from")));
    here(&["get", "-T", "tree", "to"]);
    assert_eq!(tree(&home.join("to")), tree(&home.join("from")));
    // A file that is named beside the tree, and several workers.
    here(&["-j", "3", "get", "-t", "again", "in/f", "tree"]);
    assert_eq!(tree(&home.join("again/tree")), tree(&home.join("from")));
    assert_eq!(fs::read(home.join("again/f")).unwrap(), b"secret");
}

#[test]
fn one_connection_of_an_address_is_enough_for_a_tree() {
    let home = Scratch::new("few");
    let server = Server::start(Options::new().args(["--max-per-address=1", "--durability=none"]));
    five_hundred(&home);
    let here = |words: &[&str]| {
        let client = Client::of(server.addr()).dir(home.path());
        client.args(words).run().ok()
    };
    here(&["put", "-T", "from", "tree"]);
    assert_eq!(tree(&server.root().join("tree")), tree(&home.join("from")));
    here(&["get", "-T", "tree", "to"]);
    assert_eq!(tree(&home.join("to")), tree(&home.join("from")));
}

#[test]
fn fewer_connections_than_jobs_are_told_once() {
    let home = Scratch::new("few");
    let server = start(&home, 3);
    five_hundred(&home);
    let eight = |words: &[&str]| {
        anna(&home, &server)
            .args(["-j", "8"])
            .args(words)
            .run()
            .ok()
    };
    let told = "(login_later); going on over the connections there are";
    let ran = eight(&["put", "-T", "from", "tree"]);
    assert!(ran.stderr.matches(told).count() <= 1, "{}", ran.stderr);
    assert!(!ran.stderr.contains("(attempt"), "{}", ran.stderr);
    assert_eq!(tree(&home.join("anna/tree")), tree(&home.join("from")));
    let ran = eight(&["get", "-T", "tree", "to"]);
    assert!(ran.stderr.matches(told).count() <= 1, "{}", ran.stderr);
    assert_eq!(tree(&home.join("to")), tree(&home.join("from")));
    // Others have all but one of them: every worker is kept out.
    let held = [1, 2].map(|_| Peer::login(server.addr(), "anna", PASSWORD));
    let ran = eight(&["get", "-T", "tree", "other"]);
    assert_eq!(ran.stderr.matches(told).count(), 1, "{}", ran.stderr);
    assert_eq!(tree(&home.join("other")), tree(&home.join("from")));
    drop(held);
}
