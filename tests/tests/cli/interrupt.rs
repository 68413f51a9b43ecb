//! Ctrl-C and SIGTERM: the old file stays, the partial is kept, and the client says how to go on.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use ftp_tests::client::finish;
use ftp_tests::files::{random_bytes, sha256_of};
use ftp_tests::server::program;
use ftp_tests::{
    Client, Fault, Options, Proxy, Ran, SOON, Scratch, Server, Terminal, Way, eventually,
};
use rustix::process::Signal;

use crate::server;

const MIB: usize = 1 << 20;

/// Starts a client through a proxy that stalls at `stall`, and sends it `signals` when the bytes have come so far.
fn interrupted(
    server: &Server,
    way: Way,
    stall: u64,
    signals: &[Signal],
    dir: &Scratch,
    args: &[&str],
) -> Ran {
    let proxy = Proxy::start(server.addr(), Fault::StallAfter(stall), way, 100);
    let process = Client::of(proxy.addr()).dir(dir.path()).args(args).spawn();
    eventually("the transfer is under way", SOON, || match way {
        Way::Up => proxy.sent_up() >= stall,
        Way::Down => proxy.sent_down() >= stall,
    });
    for signal in signals {
        process.signal(*signal);
    }
    finish(process, SOON)
}

/// The command that the client says resumes the transfer.
fn resume_command(ran: &Ran) -> &str {
    ran.stderr
        .lines()
        .map(str::trim)
        .find_map(|line| {
            line.find("ftp-client ")
                .map(|at| &line[at..])
                .filter(|line| line.contains("put") || line.contains("get"))
        })
        .unwrap_or_else(|| panic!("no command in {}", ran.stderr))
}

#[test]
fn an_interrupted_download_keeps_the_old_file_and_goes_on() {
    let (server, scratch) = (server(), Scratch::new("int-get"));
    let bytes = random_bytes(1, 30 * MIB);
    fs::write(server.file("f"), &bytes).unwrap();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        fs::write(scratch.join("f"), "old").unwrap();
        let ran = interrupted(
            &server,
            Way::Down,
            20 * MIB as u64,
            &[signal],
            &scratch,
            &["get", "f"],
        );
        assert!(resume_command(&ran).contains(" f"), "{}", ran.stderr);
        ran.exits(code);
        assert_eq!(fs::read_to_string(scratch.join("f")).unwrap(), "old");
        let proxy = Proxy::start(server.addr(), Fault::Healthy, Way::Down, 0);
        Client::of(proxy.addr())
            .dir(scratch.path())
            .args(["get", "f"])
            .run()
            .ok();
        assert!(fs::read(scratch.join("f")).unwrap() == bytes);
        let again = proxy.sent_down();
        assert!(again < 20 * MIB as u64, "{again} bytes were sent again");
        assert_eq!(
            fs::read_dir(scratch.path()).unwrap().count(),
            1,
            "a partial is left"
        );
    }
}

#[test]
fn an_interrupted_upload_keeps_the_old_file_and_goes_on() {
    let (server, scratch) = (server(), Scratch::new("int-put"));
    let local = scratch.file("f", 1, 60 << 20);
    fs::write(server.file("f"), "old").unwrap();
    let ran = interrupted(
        &server,
        Way::Up,
        40 << 20,
        &[Signal::INT],
        &scratch,
        &["put", "f"],
    );
    assert!(resume_command(&ran).contains(" f"), "{}", ran.stderr);
    ran.exits(130);
    assert_eq!(fs::read_to_string(server.file("f")).unwrap(), "old");
    let proxy = Proxy::start(server.addr(), Fault::Healthy, Way::Up, 0);
    eventually("the upload goes on where it broke", SOON, || {
        Client::of(proxy.addr())
            .dir(scratch.path())
            .args(["put", "f"])
            .run()
            .ok();
        true
    });
    assert_eq!(sha256_of(&server.file("f")), sha256_of(&local));
    let again = proxy.sent_up();
    assert!(again < 45 << 20, "{again} bytes were sent again");
}

#[test]
fn a_second_signal_cuts_at_once() {
    let (server, scratch) = (server(), Scratch::new("int-twice"));
    fs::write(server.file("f"), random_bytes(1, 30 * MIB)).unwrap();
    let start = Instant::now();
    let ran = interrupted(
        &server,
        Way::Down,
        10 * MIB as u64,
        &[Signal::INT, Signal::INT],
        &scratch,
        &["get", "f"],
    );
    ran.exits(130);
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    assert!(!scratch.join("f").exists());
}

/// Whatever ends it where a password is asked for, the terminal shows again what is typed.
/// Whether this process was started with SIGHUP ignored, as nohup(1) does: what it starts has it ignored too.
fn hangups_are_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 == 1
}

#[test]
fn a_signal_at_the_password_ends_it_and_the_terminal_is_as_it_was() {
    let server = server();
    let addr = server.addr();
    let home = Scratch::new("int-password");
    let pid = home.join("pid");
    let line = format!(
        "sh -c 'echo $$ > {}; exec {} -s {addr} -u anna ls'; echo ended $?; stty -a",
        pid.display(),
        program("ftp-client").display(),
    );
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 143)] {
        if signal == "HUP" && hangups_are_ignored() {
            println!("skipped: HUP (these tests run under nohup, and so does what they start)");
            continue;
        }
        let Some(mut terminal) = Terminal::start(&line, &[("XDG_CONFIG_HOME", home.path())]) else {
            println!("skipped: there is no script(1) to make a terminal");
            return;
        };
        terminal.press(&format!("Password of anna at {addr}: "), "");
        let pid = fs::read_to_string(&pid).unwrap();
        let kill = Command::new("kill")
            .args(["-s", signal, pid.trim()])
            .status();
        assert!(kill.unwrap().success());
        let (_, shown) = terminal.end();
        for words in [
            &format!("ended {code}"),
            "ftp-client: interrupted",
            " echo ",
        ] {
            assert!(shown.contains(words), "{signal}: {shown}");
        }
    }
}

#[test]
fn nobody_has_to_answer_a_question_before_ctrl_c_counts() {
    let home = Scratch::new("int-asked");
    let state = home.join("state").display().to_string();
    let server = Server::start(Options::new().args(["--tls-mode", "on", "--state-dir", &state]));
    let addr = server.addr();
    for (args, question) in [
        (format!("login {addr}"), format!("User of {addr}: ")),
        (format!("--tls --server {addr} ls"), "(yes/no)? ".to_owned()),
    ] {
        let line = format!("{} {args}", program("ftp-client").display());
        let Some(mut terminal) = Terminal::start(&line, &[("XDG_CONFIG_HOME", home.path())]) else {
            println!("skipped: there is no script(1) to make a terminal");
            return;
        };
        terminal.press(&question, "\u{3}");
        let (status, shown) = terminal.end();
        assert_eq!(status.code(), Some(130), "{shown}");
        assert!(shown.contains("ftp-client: interrupted"), "{shown}");
    }
}
