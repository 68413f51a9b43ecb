//! A server that speaks FTP in all three ways, and programs run against it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

use ftp_tests::{Options, Server};

/// How a client gets to TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    /// Not at all.
    Plain,
    /// By `AUTH TLS`.
    Explicit,
    /// From the first byte.
    Implicit,
}

/// All of them.
pub(crate) const COVERS: [Cover; 3] = [Cover::Plain, Cover::Explicit, Cover::Implicit];

/// The server, with these words more.
pub(crate) fn server(more: &[&str]) -> Server {
    let words =
        "--ftp-listen 127.0.0.1:0 --ftps-listen 127.0.0.1:0 --state-dir state --tls-min 1.2";
    Server::start(
        Options::new()
            .args(words.split(' '))
            .args(more.iter().copied()),
    )
}

/// Its port for clients that go this way.
pub(crate) fn port(server: &Server, cover: Cover) -> u16 {
    let number = if cover == Cover::Implicit { 2 } else { 1 };
    server.addrs()[number].port()
}

/// Whether a program is there; says so if it is not.
pub(crate) fn have(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .unwrap();
    if !found.status.success() {
        println!("skipped: no {program} on this machine");
    }
    found.status.success()
}

/// Whether the long cases are wanted, too (`scripts/interop.sh`).
pub(crate) fn is_long() -> bool {
    std::env::var_os("MUXFTP_LONG").is_some()
}

/// Runs a program for two minutes at most; half an hour, if the long cases are wanted.
pub(crate) fn run(program: &str, args: &[&str]) -> Output {
    let most = if is_long() { "1800" } else { "120" };
    let mut command = Command::new("timeout");
    command
        .args([most, program])
        .args(args)
        .env("HOME", "/nonexistent");
    command.stdin(std::process::Stdio::null()).output().unwrap()
}

/// Runs a program that takes commands on standard input and keeps its settings in `home`; all that it said.
pub(crate) fn told(program: &str, home: &Path, commands: &str) -> String {
    let script = home.join("commands");
    fs::write(&script, commands).unwrap();
    let mut command = Command::new("timeout");
    command.args(["120", program]).env("HOME", home);
    command.env("LC_ALL", "C.UTF-8").current_dir(home);
    let output = command.stdin(File::open(&script).unwrap()).output();
    let output = output.unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// What curl is to do with a name on the server, by a way to TLS.
pub(crate) fn curl(server: &Server, cover: Cover, name: &str, more: &[&str]) -> Vec<String> {
    let scheme = if cover == Cover::Implicit {
        "ftps"
    } else {
        "ftp"
    };
    let name = name.replace(' ', "%20");
    let url = format!("{scheme}://127.0.0.1:{}/{name}", port(server, cover));
    let mut args = vec!["-sS".to_owned(), "-k".to_owned(), url];
    if cover == Cover::Explicit {
        args.push("--ssl-reqd".to_owned());
    }
    args.extend(more.iter().map(|word| (*word).to_owned()));
    args
}

/// The same, done.
pub(crate) fn curl_succeeds(server: &Server, cover: Cover, name: &str, more: &[&str]) {
    let args = curl(server, cover, name, more);
    succeed("curl", &args.iter().map(String::as_str).collect::<Vec<_>>());
}

/// What lftp is to do.
pub(crate) fn lftp(server: &Server, cover: Cover, what: &str) {
    let scheme = if cover == Cover::Implicit {
        "ftps"
    } else {
        "ftp"
    };
    let url = format!("{scheme}://127.0.0.1:{}", port(server, cover));
    let tls = if cover == Cover::Plain {
        "set ftp:ssl-allow no"
    } else {
        "set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ssl:verify-certificate no"
    };
    let script =
        format!("set net:max-retries 1; set cmd:fail-exit yes; {tls}; open {url}; {what}; bye");
    succeed("lftp", &["--norc", "-c", &script]);
}

/// The same, and it has to succeed.
pub(crate) fn succeed(program: &str, args: &[&str]) {
    let output = run(program, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {args:?}: {}\n{said}",
        output.status
    );
}
