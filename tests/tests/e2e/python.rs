//! A client in another language, written from the protocol text alone.

use std::path::Path;
use std::process::Command;

use ftp_tests::files::sha256_of;
use ftp_tests::{Options, Scratch, Server};

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/muxftp.py");

/// Runs the little client: exit code, standard output, standard error.
fn python(server: &Server, args: &[&str], local: Option<&Path>) -> (Option<i32>, String, String) {
    let mut command = Command::new("python3");
    command.args(["-B", CLIENT, &server.addr().to_string()]);
    let output = command.args(args).args(local).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn sixty_lines_of_python_are_enough() {
    let text = std::fs::read_to_string(CLIENT).unwrap();
    assert!(text.lines().count() <= 60, "{} lines", text.lines().count());
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: no python3 on this machine");
        return;
    }
    let server = Server::start(Options::new());
    let scratch = Scratch::new("python");
    for (name, len) in [("empty", 0), ("one", 1), ("large", 3_500_000)] {
        let local = scratch.file(name, 5, len);
        let remote = format!("py/{name}");
        let (code, stdout, stderr) = python(&server, &["put", &remote], Some(&local));
        assert_eq!(
            (code, stdout.trim()),
            (Some(0), &*sha256_of(&local)),
            "{stderr}"
        );
        assert_eq!(sha256_of(&server.file(&remote)), sha256_of(&local));
        let back = scratch.join("back");
        let (code, _, stderr) = python(&server, &["get", &remote], Some(&back));
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(sha256_of(&back), sha256_of(&local));
        let (_, stdout, _) = python(&server, &["hash", &remote], None);
        assert_eq!(stdout.trim(), sha256_of(&local));
    }
    let (code, stdout, _) = python(&server, &["list", "py"], None);
    assert_eq!((code, &*stdout), (Some(0), "empty\nlarge\none\n"));
    let (code, _, stderr) = python(&server, &["get", "no/such"], Some(&scratch.join("none")));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("not_found"), "{stderr}");
    let (code, _, stderr) = python(&server, &["hash", "../x"], None);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("bad_path"), "{stderr}");
}
