//! Quotas on the real daemon: to the byte, over sessions, over a stop, over a crash, over a reload, in both dialects.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use ftp_tests::peer::code;
use ftp_tests::users::{self, PASSWORD};
use ftp_tests::{Options, Peer, SOON, Scratch, Server, eventually};
use rustix::process::Signal;
use serde_json::{Value, json};

/// What is logged when there was no figure to be believed.
const COUNTED: &str = "counted what is stored, for a quota";

/// A server whose only user is `anna`, and where it keeps things.
struct Place {
    home: Scratch,
}

impl Place {
    fn new() -> Self {
        let home = Scratch::new("quota");
        fs::create_dir(home.join("anna")).unwrap();
        Self { home }
    }

    /// Writes the users file.
    fn limit(&self, limits: &str) {
        let more = format!("preset = \"full\"\n[user.limits]\n{limits}");
        let text = users::entry("anna", &self.home.join("anna"), &more);
        users::write(self.home.path(), &text);
    }

    fn start(&self, limits: &str) -> Server {
        self.start_with(limits, &[])
    }

    fn start_with(&self, limits: &str, more: &[&str]) -> Server {
        self.limit(limits);
        let file = self.home.join("users.toml").into_os_string();
        let state = self.home.join("state").into_os_string();
        let words = ["--users".into(), file, "--state-dir".into(), state];
        let ftp = ["--ftp-listen", "127.0.0.1:0"];
        Server::start(Options::new().args(words).args(ftp).args(more))
    }

    /// Puts a file there past the server.
    fn plant(&self, name: &str, len: usize) {
        fs::write(self.home.join("anna").join(name), vec![1; len]).unwrap();
    }
}

fn enter(server: &Server) -> Peer {
    Peer::login(server.addr(), "anna", PASSWORD)
}

/// Asks the server to read the users file again, and waits until it has.
fn reload(server: &Server) {
    let reloads = || server.log().matches("configuration reloaded").count();
    let before = reloads();
    server.signal(Signal::HUP);
    eventually("the file is read", SOON, || reloads() > before);
}

#[track_caller]
fn stored(answer: &Value) {
    assert!(answer["error"].is_null(), "{answer}");
}

#[track_caller]
fn refused(answer: &Value, words: &str) {
    assert_eq!(code(answer), "quota", "{answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("`anna`") && message.contains(words),
        "{message}"
    );
}

/// What is said to an upload of so many bytes, before any of them.
#[track_caller]
fn probe(peer: &mut Peer, size: u64) -> Value {
    let id = peer.fresh();
    let put = json!({"id": id, "verb": "put", "path": "never", "size": size});
    peer.send(&put, b"");
    let (answer, _) = peer.rest(id);
    // Nobody waits for the rest, but it has to end.
    peer.send(&json!({"id": id, "fin": true}), b"");
    answer
}

/// Asserts how much room there is, to the byte.
#[track_caller]
fn leaves(peer: &mut Peer, left: u64) {
    refused(&probe(peer, left + 1), &format!(" {left} are left"));
}

fn remove(peer: &mut Peer, path: &str) {
    let ask = json!({"verb": "remove", "path": path, "recursive": true});
    stored(&peer.ask(ask, b"").0);
}

#[test]
fn bytes_are_counted_as_they_land_and_come_back_when_they_go() {
    let place = Place::new();
    let server = place.start("quota-bytes = \"1000 KB\"");
    let mut peer = enter(&server);
    stored(&peer.put("a", &[1; 600_000]));
    // Refused before a byte where the size is known, else where it ends.
    leaves(&mut peer, 400_000);
    refused(&peer.put("b", &[2; 400_001]), "1000000 bytes");
    peer.still_works();
    stored(&peer.put("b", &[2; 400_000]));
    refused(&peer.put("c", &[3]), "0 are left");
    // A file is replaced only where there is room for both; a rename takes the other's place.
    refused(&peer.put("b", &[4; 300_000]), "0 are left");
    leaves(&mut peer, 0);
    assert_eq!(peer.get("b").unwrap(), vec![2; 400_000]);
    let rename = json!({"verb": "rename", "path": "b", "to": "a", "if_exists": "replace"});
    stored(&peer.ask(rename, b"").0);
    stored(&peer.put("d/e/f", &[5; 600_000]));
    refused(&peer.put("c", &[3]), "0 are left");
    remove(&mut peer, "d");
    stored(&peer.put("c", &[3; 600_000]));
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[test]
fn files_are_counted_but_not_those_that_are_replaced() {
    let place = Place::new();
    place.plant("there", 10);
    let server = place.start("quota-files = 3");
    let mut peer = enter(&server);
    for name in ["a", "b"] {
        stored(&peer.put(name, b"x"));
    }
    refused(&peer.put("c", b"x"), "3 files, and there are 3");
    stored(&peer.put("there", b"another"));
    remove(&mut peer, "there");
    stored(&peer.put("c", b"x"));
    refused(&peer.put("d", b"x"), "3 files, and there are 3");
}

/// Two sessions, of which one has no room beside the other, again and again.
#[test]
fn two_sessions_together_never_have_more() {
    const QUOTA: usize = 1_000_000;
    let place = Place::new();
    let server = place.start(&format!("quota-bytes = {QUOTA}"));
    let addr = server.addr();
    for turn in 0..5 {
        let answers: Vec<Value> = thread::scope(|scope| {
            let put = |name: &'static str| {
                move || {
                    let mut peer = Peer::login(addr, "anna", PASSWORD);
                    peer.put(name, &vec![turn; 700_000])
                }
            };
            let both = [scope.spawn(put("a")), scope.spawn(put("b"))];
            both.map(|one| one.join().unwrap()).into()
        });
        // Each may have been refused for what the other had before that one was refused.
        let good = answers.iter().filter(|it| it["error"].is_null()).count();
        assert!(good <= 1, "{answers:?}");
        let mut peer = enter(&server);
        leaves(&mut peer, if good == 1 { 300_000 } else { 1_000_000 });
        for name in ["a", "b"] {
            let ask = json!({"verb": "remove", "path": name});
            peer.ask(ask, b"");
        }
        stored(&peer.put("c", &[1; QUOTA]));
        remove(&mut peer, "c");
    }
}

#[test]
fn a_broken_upload_counts_while_it_can_be_resumed() {
    let place = Place::new();
    let server = place.start("quota-bytes = \"1000 KB\"");
    let begin = json!({"id": 900, "verb": "put", "path": "large", "size": 900_000, "resume": true});
    let mut peer = enter(&server);
    peer.send(&begin, b"");
    assert_eq!(peer.answer().0["offset"], 0);
    peer.send(&json!({"id": 900, "offset": 0}), &[7; 500_000]);
    // All of it is reserved while it is on its way.
    let mut other = enter(&server);
    leaves(&mut other, 100_000);
    drop(peer);
    eventually("the partial is put by", SOON, || {
        let answer = probe(&mut other, 1 << 60);
        let message = answer["error"]["message"].as_str().unwrap();
        message.contains("left") && !message.contains(" 100000 are left")
    });
    let mut peer = enter(&server);
    peer.send(&begin, b"");
    let offset = peer.answer().0["offset"].as_u64().unwrap();
    peer.send(&json!({"id": 900, "offset": offset}), b"");
    let rest = vec![7; 900_000 - usize::try_from(offset).unwrap()];
    peer.send(&json!({"id": 900, "fin": true}), &rest);
    stored(&peer.rest(900).0);
    leaves(&mut other, 100_000);
    stored(&other.put("small", &[1; 100_000]));
}

#[test]
fn figures_outlive_a_stop_and_are_counted_again_after_a_crash() {
    let place = Place::new();
    let limits = "quota-bytes = \"1000 KB\"\nquota-files = 10";
    place.plant("there", 100_000);
    let mut server = place.start(limits);
    stored(&enter(&server).put("a", &[1; 500_000]));
    eventually("it was counted", SOON, || server.log().contains(COUNTED));
    server.terminate();
    assert_eq!(server.wait(SOON), 0);
    // Stopped in good order: what was known is known.
    let mut server = place.start(limits);
    leaves(&mut enter(&server), 400_000);
    stored(&enter(&server).put("b", &[1; 300_000]));
    server.terminate();
    assert_eq!(server.wait(SOON), 0);
    assert!(!server.log().contains(COUNTED), "{}", server.log());
    // Killed in the midst of an upload: nothing that was known is believed.
    let mut server = place.start(limits);
    let mut peer = enter(&server);
    peer.send(&json!({"id": 900, "verb": "put", "path": "c"}), b"");
    server.kill();
    place.plant("late", 1);
    let mut server = place.start(limits);
    leaves(&mut enter(&server), 99_999);
    eventually("it was counted", SOON, || server.log().contains(COUNTED));
    server.terminate();
    assert_eq!(server.wait(SOON), 0);
    // Nobody counted for a while: nothing is believed either.
    let mut server = place.start("connections = 9");
    stored(&enter(&server).put("e", &[1; 200_000]));
    server.terminate();
    assert_eq!(server.wait(SOON), 0);
    let server = place.start(limits);
    refused(&enter(&server).put("f", b"x"), "0 are left");
    let figures = fs::read_dir(place.home.join("state/quota")).unwrap();
    assert_eq!(figures.count(), 1);
}

#[test]
fn a_reload_reaches_sessions_and_uploads_that_are_under_way() {
    let place = Place::new();
    let server = place.start("quota-bytes = \"1000 KB\"");
    let mut peer = enter(&server);
    stored(&peer.put("a", &[1; 500_000]));
    let mut under_way = enter(&server);
    under_way.send(&json!({"id": 900, "verb": "put", "path": "b"}), b"");
    under_way.send(&json!({"id": 900}), &[7; 100_000]);
    let left = |peer: &mut Peer| {
        let answer = probe(peer, 1 << 60);
        answer["error"]["message"].as_str().unwrap().to_owned()
    };
    eventually("they are on their way", SOON, || {
        left(&mut peer).contains(" 400000 are left")
    });
    place.limit("quota-bytes = \"600 KB\"");
    reload(&server);
    eventually("it is less now", SOON, || {
        left(&mut peer).contains("600000 bytes, of which 0 are left")
    });
    under_way.send(&json!({"id": 900, "fin": true}), &[7; 1]);
    refused(&under_way.rest(900).0, "0 are left");
    leaves(&mut peer, 100_000);
    // No quota for a while, and what came meanwhile counts when there is one again.
    place.limit("");
    reload(&server);
    eventually("it is unlimited now", SOON, || {
        peer.put("c", &[1; 300_000])["error"].is_null()
    });
    place.limit("quota-bytes = \"1000 KB\"");
    reload(&server);
    eventually("it is limited again", SOON, || {
        left(&mut peer).contains("1000000 bytes, of which 200000 are left")
    });
    stored(&peer.put("d", &[1; 200_000]));
    refused(&peer.put("e", &[1]), "0 are left");
}

#[test]
fn what_is_at_a_worker_while_a_quota_comes_is_counted_too() {
    let place = Place::new();
    place.plant("a", 300_000);
    let server = place.start_with("", &["--slow-disk-ms", "1000"]);
    let mut peer = enter(&server);
    let id = peer.fresh();
    peer.send(
        &json!({"id": id, "verb": "remove", "path": "a", "fin": true}),
        b"",
    );
    place.limit("quota-bytes = \"1000 KB\"");
    reload(&server);
    stored(&peer.rest(id).0);
    eventually("it is known that the file is gone", SOON, || {
        let answer = probe(&mut peer, 1 << 60);
        let message = answer["error"]["message"].as_str().unwrap();
        message.contains(" 1000000 are left")
    });
}

/// A control connection of standard FTP.
struct Ftp(BufReader<TcpStream>);

impl Ftp {
    fn enter(server: &Server) -> Self {
        let stream = TcpStream::connect(server.addrs()[1]).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut ftp = Self(BufReader::new(stream));
        assert!(ftp.reply().starts_with("220"));
        ftp.expect("USER anna", "331");
        ftp.expect(&format!("PASS {PASSWORD}"), "230");
        ftp.expect("TYPE I", "200");
        ftp
    }

    fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            let len = self.0.read_line(&mut line).unwrap();
            if len == 0 || line.as_bytes().get(3) == Some(&b' ') {
                return line;
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, line: &str, code: &str) -> String {
        write!(self.0.get_mut(), "{line}\r\n").unwrap();
        let reply = self.reply();
        assert!(reply.starts_with(code), "{line}: {reply:?}");
        reply
    }

    /// Stores a file, and gives the last reply.
    fn put(&mut self, name: &str, bytes: &[u8]) -> String {
        let passive = self.expect("EPSV", "229");
        let port = passive.split('|').nth(3).unwrap().parse().unwrap();
        write!(self.0.get_mut(), "STOR {name}\r\n").unwrap();
        let mut data = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
        let reply = self.reply();
        if reply.starts_with("150") {
            // The server may end it before all of it is there.
            drop(data.write_all(bytes));
            drop(data);
            return self.reply();
        }
        reply
    }
}

#[test]
fn standard_ftp_has_the_same_figures_and_code_552() {
    let place = Place::new();
    let server = place.start("quota-bytes = \"1000 KB\"\nquota-files = 3");
    let mut ftp = Ftp::enter(&server);
    assert!(ftp.put("a", &[1; 600_000]).starts_with("226"));
    assert!(
        ftp.expect("AVBL", "213").contains("400000"),
        "what is left of the quota"
    );
    let over = ftp.put("b", &[2; 400_001]);
    assert!(
        over.starts_with("552") && over.contains("quota of user `anna`"),
        "{over}"
    );
    let mut native = enter(&server);
    refused(&native.put("b", &[2; 400_001]), "1000000 bytes");
    stored(&native.put("b", &[2; 400_000]));
    assert!(ftp.put("c", b"x").starts_with("552"));
    ftp.expect("DELE a", "250");
    assert!(ftp.put("c", b"x").starts_with("226"));
    assert!(ftp.put("d", b"x").starts_with("226"));
    assert!(ftp.put("e", b"x").contains("3 files"));
    assert_eq!(code(&native.put("e", b"x")), "quota");
}
