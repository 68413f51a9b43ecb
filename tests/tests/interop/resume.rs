//! Uploads that broke, gone on with by the clients that people have: what stands there at the end is what they have.

use std::fs::{self, File};
use std::path::PathBuf;
use std::thread;

use ftp_tests::files::{random_bytes, sha256_of, write_random};
use ftp_tests::{Scratch, Server};
use serde_json::Value;

use super::control::Control;
use super::place::{COVERS, Cover, curl_succeeds, have, lftp, port, server, succeed};

const LEN: u64 = 3_000_000;
/// How much comes before it breaks.
const PART: u64 = 777_777;

/// A whole file of the client's.
fn local(scratch: &Scratch) -> PathBuf {
    scratch.file("local", 5, LEN)
}

/// The same file's first bytes were stored under this name, and the upload broke.
fn broken(server: &Server, name: &str) {
    let part = usize::try_from(PART).unwrap();
    Control::enter(server).break_off(name, &random_bytes(5, LEN as usize)[..part]);
}

/// It is there, and no more than `most` bytes of it were sent the last time.
#[track_caller]
fn is_whole(server: &Server, name: &str, scratch: &Scratch, most: u64) {
    assert_eq!(sha256_of(&server.file(name)), sha256_of(&local(scratch)));
    let log = server.log();
    let put = log.lines().rfind(|line| line.contains("\"bytes\":"));
    let put: Value = serde_json::from_str(put.expect("transfers are logged")).unwrap();
    assert!(put["bytes"].as_u64().unwrap() <= most, "{put}");
}

#[test]
fn curl_goes_on_with_an_upload() {
    if !have("curl") {
        return;
    }
    let (server, scratch) = (server(&[]), Scratch::new("curl-put-resume"));
    let local = local(&scratch);
    let put = ["-C", "-", "-T", local.to_str().unwrap()];
    for cover in COVERS {
        // In what was kept.
        let name = format!("kept {cover:?}");
        broken(&server, &name);
        curl_succeeds(&server, cover, &name, &put);
        is_whole(&server, &name, &scratch, LEN - PART);
        // Behind a file that stands there.
        let name = format!("there {cover:?}");
        write_random(&server.file(&name), 5, LEN);
        let file = File::options()
            .write(true)
            .open(server.file(&name))
            .unwrap();
        file.set_len(PART).unwrap();
        curl_succeeds(&server, cover, &name, &put);
        is_whole(&server, &name, &scratch, LEN - PART);
        // From the beginning, where another file stands beside what was kept.
        let name = format!("both {cover:?}");
        write_random(&server.file(&name), 9, PART);
        broken(&server, &name);
        let back = scratch.join("back");
        curl_succeeds(&server, cover, &name, &["-o", back.to_str().unwrap()]);
        assert_eq!(sha256_of(&back), sha256_of(&server.file(&name)));
        curl_succeeds(&server, cover, &name, &put);
        is_whole(&server, &name, &scratch, LEN);
    }
}

#[test]
fn lftp_goes_on_with_an_upload() {
    if !have("lftp") {
        return;
    }
    let (server, scratch) = (server(&[]), Scratch::new("lftp-put-resume"));
    let local = local(&scratch);
    for cover in COVERS {
        for put in ["put -c", "reput"] {
            let name = format!("{put} {cover:?}");
            broken(&server, &name);
            let what = format!("{put} {} -o \"{name}\"", local.display());
            lftp(&server, cover, &what);
            is_whole(&server, &name, &scratch, LEN - PART);
        }
    }
}

#[test]
fn ncftp_goes_on_with_an_upload() {
    if !have("ncftpput") {
        return;
    }
    let (server, scratch) = (server(&[]), Scratch::new("ncftp-put-resume"));
    let local = local(&scratch);
    broken(&server, "local");
    let number = port(&server, Cover::Plain).to_string();
    succeed(
        "ncftpput",
        &[
            "-z",
            // With sendfile(2), ncftp 3.2.6 sends the whole file behind REST: to any server.
            "-s",
            "-u",
            "u",
            "-p",
            "p",
            "-P",
            &number,
            "127.0.0.1",
            "/",
            local.to_str().unwrap(),
        ],
    );
    is_whole(&server, "local", &scratch, LEN - PART);
}

#[test]
fn the_file_is_the_old_one_until_all_has_come() {
    let server = server(&[]);
    write_random(&server.file("f"), 1, 5000);
    let old = fs::read(server.file("f")).unwrap();
    let mut control = Control::enter(&server);
    control.break_off("f", b"half of it");
    control.expect("SIZE f", "450");
    assert_eq!(control.get("f"), old);
    control.put("f", b"all of it");
    assert_eq!(control.expect("SIZE f", "213"), "213 9\r\n");
    assert_eq!(control.get("f"), b"all of it");
    // Where there is no file, there is none yet.
    control.break_off("g", b"half");
    assert_eq!(control.expect("SIZE g", "213"), "213 4\r\n");
    control.expect("MDTM g", "550");
    control.expect("MLST g", "550");
    control.expect("DELE g", "550");
}

#[test]
fn what_broke_is_there_after_the_server_was_stopped() {
    let scratch = Scratch::new("restart");
    let start = || {
        let words = ["--ftp-listen", "127.0.0.1:0"];
        Server::start(ftp_tests::Options::new().root(scratch.path()).args(words))
    };
    let server = start();
    Control::enter(&server).break_off("f", b"half");
    drop(server);
    let server = start();
    let mut control = Control::enter(&server);
    assert_eq!(control.expect("SIZE f", "213"), "213 4\r\n");
}

#[test]
fn python_goes_on_from_a_number_and_never_behind_the_end() {
    super::python::python("resume", &[]);
}

#[test]
fn a_digest_is_taken_as_the_bytes_come_or_when_it_is_asked_for() {
    let bytes = random_bytes(7, LEN as usize);
    let part = PART as usize;
    for when in ["auto", "upload", "on-demand"] {
        let server = server(&["--ftp-digests", when]);
        let mut control = Control::enter(&server);
        let hash = |control: &mut Control, name: &str| {
            let reply = control.expect(&format!("HASH {name}"), "213");
            let file = server.file(name);
            assert!(fs::read(&file).unwrap() == bytes, "{when}");
            assert!(reply.contains(&sha256_of(&file)), "{when}: {reply}");
        };
        control.put("whole", &bytes);
        hash(&mut control, "whole");
        // So few bytes are hashed however busy the machine is.
        control.put("few", &bytes[..part]);
        assert_eq!(is_digested(&server, "few"), when != "on-demand", "{when}");
        control.break_off("broken", &bytes[..part]);
        control.expect("SIZE broken", &format!("213 {PART}"));
        control.expect(&format!("REST {PART}"), "350");
        control.put("broken", &bytes[part..]);
        hash(&mut control, "broken");
    }
}

/// Whether the server knows the digest of a file without reading it.
fn is_digested(server: &Server, name: &str) -> bool {
    let mut value = [0; 256];
    rustix::fs::getxattr(server.file(name), "user.muxftp.sha256", &mut value).is_ok()
}

#[test]
fn uploads_do_not_wait_for_digests_that_nobody_asked_for() {
    const LEN: usize = 24 * 1024 * 1024;
    let bytes = random_bytes(8, LEN);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for when in ["upload", "auto"] {
        // Its lanes are always full, and of so many at once there is not a thread for each that hashes.
        let server = server(&["--ftp-digests", when, "--slow-disk-ms", "1"]);
        thread::scope(|scope| {
            for name in names {
                let (server, bytes) = (&server, &bytes);
                scope.spawn(move || Control::enter(server).put(name, bytes));
            }
        });
        let digested = |name: &&str| is_digested(&server, name);
        let without = names.iter().find(|name| !digested(name));
        assert_eq!(without.is_some(), when == "auto", "{when}");
        if let Some(name) = without {
            let reply = Control::enter(&server).expect(&format!("HASH {name}"), "213");
            assert!(reply.contains(&sha256_of(&server.file(name))), "{reply}");
        }
    }
}
