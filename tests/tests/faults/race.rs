//! The jail under a race, end to end: one thread flips a folder and a symbolic link to the outside, while clients run every
//! verb through that name. Nothing outside is read or changed. `MUXFTP_RACE_SECONDS` asks for longer.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ftp_tests::files::tree;
use ftp_tests::{Options, Peer, Scratch, Server};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use crate::knob;

/// One round of every verb through the name that is flipped; how many of them got through.
fn every_verb(peer: &mut Peer, name: u64) -> u64 {
    let new = format!("swing/new{name}");
    let mut through = 0;
    match peer.get("swing/f") {
        Ok(bytes) => {
            assert_eq!(bytes, b"inside", "something outside was read");
            through += 1;
        }
        Err(code) => assert!(
            ["denied", "not_found", "changed"].contains(&&*code),
            "{code}"
        ),
    }
    for head in [
        json!({"verb": "hash", "path": "swing/f"}),
        json!({"verb": "stat", "path": "swing/secret"}),
        json!({"verb": "put", "path": new, "fin": true}),
        json!({"verb": "put", "path": format!("swing/d/new{name}"), "parents": true}),
        json!({"verb": "mkdir", "path": format!("swing/made{name}/deep"), "parents": true}),
        json!({"verb": "rename", "path": new, "to": format!("swing/moved{name}")}),
        json!({"verb": "rename", "path": "plain", "to": "swing/f", "if_exists": "fail"}),
        json!({"verb": "remove", "path": format!("swing/moved{name}")}),
        json!({"verb": "remove", "path": format!("swing/made{name}"), "recursive": true}),
        json!({"verb": "remove", "path": "swing/secret"}),
        json!({"verb": "remove", "path": "swing/kept", "recursive": true}),
    ] {
        let payload: &[u8] = if head["verb"] == "put" {
            b"inside"
        } else {
            b""
        };
        let (answer, _) = peer.ask(head.clone(), payload);
        let outside = head["path"] == "swing/secret" || head["path"] == "swing/kept";
        assert!(!outside || answer["error"].is_object(), "{head}: {answer}");
        through += u64::from(answer["error"].is_null());
    }
    let (answer, page) = peer.ask(json!({"verb": "list", "path": "swing"}), b"");
    let page = String::from_utf8_lossy(&page).into_owned();
    assert!(
        !page.contains("secret"),
        "the outside was listed: {answer} {page}"
    );
    through
}

#[test]
fn a_flipped_name_leads_nowhere_outside() {
    let time = Duration::from_secs(knob("MUXFTP_RACE_SECONDS", 3));
    let outside = Scratch::new("race-outside");
    for name in ["f", "secret", "d/f", "kept/f"] {
        fs::create_dir_all(outside.join(name).parent().unwrap()).unwrap();
        fs::write(outside.join(name), "canary").unwrap();
    }
    let before = tree(outside.path());
    let server = Server::start(Options::new().args(["--durability", "none"]));
    fs::create_dir_all(server.file("swing/d")).unwrap();
    fs::write(server.file("swing/f"), "inside").unwrap();
    fs::write(server.file("plain"), "inside").unwrap();
    symlink(outside.path(), server.file("trap")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let flipper = thread::spawn({
        let (swing, trap) = (server.file("swing"), server.file("trap"));
        let stop = Arc::clone(&stop);
        move || {
            let mut flips = 0_u64;
            while !stop.load(Ordering::SeqCst) {
                renameat_with(CWD, &swing, CWD, &trap, RenameFlags::EXCHANGE).unwrap();
                flips += 1;
            }
            flips
        }
    });
    let through = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..3)
        .map(|client| {
            let (addr, through): (SocketAddr, _) = (server.addr(), Arc::clone(&through));
            let end = Instant::now() + time;
            thread::spawn(move || {
                let mut peer = Peer::hello(addr);
                for round in 0.. {
                    if Instant::now() > end {
                        break;
                    }
                    through.fetch_add(
                        every_verb(&mut peer, client * 1_000_000 + round),
                        Ordering::SeqCst,
                    );
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("a client");
    }
    stop.store(true, Ordering::SeqCst);
    let flips = flipper.join().unwrap();
    let through = through.load(Ordering::SeqCst);
    println!("{flips} flips, {through} requests got through");
    assert!(
        through > 50,
        "the race was not run: {through} requests got through"
    );
    assert_eq!(tree(outside.path()), before);
    let names: Vec<_> = fs::read_dir(outside.path()).unwrap().collect();
    assert_eq!(names.len(), 4, "{names:?}");
}
