//! Both dialects at the same file.

use std::fs;
use std::thread;

use ftp_tests::{Client, Scratch};

use super::control::Control;
use super::place::server;

/// Large enough to be sent in parts.
const LEN: usize = 3_000_000;
const TIMES: u8 = 12;

/// One version in full: each is made of one letter.
fn is_whole(bytes: &[u8]) -> bool {
    bytes.len() == LEN && bytes.iter().all(|byte| *byte == bytes[0])
}

#[test]
fn neither_dialect_ever_sees_half_a_file() {
    let (server, scratch) = (server(&[]), Scratch::new("both"));
    Control::enter(&server).put("shared", &vec![b'0'; LEN]);
    let native = || Client::of(server.addr());
    thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0..TIMES {
                let local = scratch.join("version");
                fs::write(&local, vec![b'a' + turn; LEN]).unwrap();
                let put = native().arg("put").arg(&local).arg("/shared");
                let ran = put.run();
                assert_eq!(ran.code, 0, "{}", ran.stderr);
            }
        });
        scope.spawn(|| {
            let mut control = Control::enter(&server);
            for turn in 0..TIMES {
                control.put("shared", &vec![b'A' + turn; LEN]);
            }
        });
        scope.spawn(|| {
            let mut control = Control::enter(&server);
            for _ in 0..TIMES * 2 {
                // It may be replaced meanwhile: then it is refused, not mixed.
                match control.try_get("shared") {
                    (Some(bytes), _) => assert!(is_whole(&bytes)),
                    (None, reply) => assert!(reply.starts_with("451"), "{reply}"),
                }
            }
        });
        for _ in 0..TIMES {
            let ran = native().args(["cat", "/shared"]).run();
            // Here, too, one that is replaced meanwhile is refused in words.
            if ran.code != 0 {
                assert!(ran.stderr.contains("changed while"), "{}", ran.stderr);
            } else {
                assert!(is_whole(&ran.stdout));
            }
        }
    });
    assert!(is_whole(&fs::read(server.file("shared")).unwrap()));
}
