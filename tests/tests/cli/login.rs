//! Users at the client: where passwords come from, where they are kept, and where they must never show.

use std::fs::{self, Permissions};
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::mpsc;

use ftp_tests::client::finish;
use ftp_tests::server::program;
use ftp_tests::{Client, Peer, RUN, Ran, Rogue, SOON, Scratch, Terminal};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse";

/// A server that lets `anna` in by [`PASSWORD`], and nobody else; `pause` runs before a `stat` is answered.
fn server(pause: impl Fn() + Send + Sync + 'static) -> Rogue {
    Rogue::start(move |peer| {
        let mut admitted = false;
        while let Some((head, _)) = peer.frame() {
            let id = &head["id"];
            let fine = |more: Value| {
                let mut answer = json!({"id": id, "fin": true});
                answer
                    .as_object_mut()
                    .unwrap()
                    .extend(more.as_object().unwrap().clone());
                answer
            };
            let wrong = |code: &str| {
                fine(json!({"error": {"code": code, "message": "no", "retryable": false}}))
            };
            let answer = match head["verb"].as_str().unwrap() {
                "hello" => fine(json!({"version": 1, "server": "rogue", "login": "required",
                    "limits": {"header": 65_536, "chunk": 1 << 20, "pipeline": 64, "ping": 4096}})),
                "login" => {
                    admitted = head["user"] == "anna" && head["password"] == PASSWORD;
                    if admitted {
                        fine(json!({"user": "anna"}))
                    } else {
                        wrong("login_failed")
                    }
                }
                _ if !admitted => wrong("login_required"),
                _ => {
                    pause();
                    fine(json!({"type": "dir", "size": 0, "mtime": 0, "mode": 0o755}))
                }
            };
            peer.send(&answer, b"");
        }
    })
}

/// A client with a home of its own.
fn client(home: &Scratch, addr: SocketAddr) -> Client {
    Client::of(addr)
        .env("XDG_CONFIG_HOME", home.path().to_str().unwrap())
        .dir(home.path())
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn says(ran: &Ran, parts: &[&str]) {
    for part in parts {
        assert!(ran.stderr.contains(part), "no {part:?} in {}", ran.stderr);
    }
    silent(ran);
}

#[track_caller]
fn silent(ran: &Ran) {
    let all = format!("{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
    assert!(!all.contains("horse"), "{all}");
}

#[test]
fn a_password_is_tried_kept_used_and_forgotten() {
    let (server, home) = (server(|| ()), Scratch::new("login-keep"));
    let (addr, name) = (server.addr(), server.addr().to_string());
    let kept = home.join("ftp-client/credentials.toml");
    let run = |words: &[&str]| client(&home, addr).args(words).run();
    says(&run(&["stat", "/"]).exits(6), &["login_required", "--user"]);
    // What the server does not take is not kept.
    let wrong = client(&home, addr).env("FTP_CLIENT_PASSWORD", "wrong");
    let ran = wrong.args(["--json", "login", "-u", "anna", &name]).run();
    let event = ran.events().pop().unwrap();
    assert_eq!(
        (&event["code"], &event["exit"]),
        (&json!("login_failed"), &json!(6))
    );
    says(&ran.exits(6), &["user anna: no (login_failed)"]);
    assert!(!kept.exists());
    // A server of choice, whatever --server says.
    let good = Client::bare().env("XDG_CONFIG_HOME", home.path().to_str().unwrap());
    let good = good.env("FTP_CLIENT_PASSWORD", PASSWORD);
    let ran = good
        .args(["--json", "login", "-u", "anna", &name])
        .run()
        .ok();
    silent(&ran);
    let event = ran.events().pop().unwrap();
    assert_eq!(
        event,
        json!({"event": "login", "server": name, "user": "anna"})
    );
    assert_eq!(
        fs::metadata(&kept).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // From now on by itself, and nobody else may look.
    run(&["stat", "/"]).ok();
    run(&["-u", "anna", "stat", "/"]).ok();
    says(
        &run(&["-u", "ben", "stat", "/"]).exits(2),
        &["no password for ben"],
    );
    fs::set_permissions(&kept, Permissions::from_mode(0o640)).unwrap();
    says(&run(&["stat", "/"]).exits(4), &["mode 0640", "chmod 600"]);
    fs::set_permissions(&kept, Permissions::from_mode(0o600)).unwrap();
    says(&run(&["logout", &name]).ok(), &["forgot anna"]);
    assert!(!fs::read_to_string(&kept).unwrap().contains("horse"));
    run(&["logout", &name]).exits(2);
    run(&["stat", "/"]).exits(6);
}

#[test]
fn a_server_without_users_lets_nobody_log_in() {
    let (server, home) = (crate::server(), Scratch::new("login-none"));
    let ran = client(&home, server.addr()).env("FTP_CLIENT_PASSWORD", PASSWORD);
    let ran = ran.args(["-u", "anna", "ls"]).run().exits(6);
    says(&ran, &["user anna: the server has no users"]);
    client(&home, server.addr()).arg("ls").run().ok();
}

#[test]
fn a_password_shows_nowhere() {
    let (release, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let (asked, asks) = mpsc::channel();
    let server = server(move || {
        asked.send(()).unwrap();
        gate.lock().unwrap().recv_timeout(SOON).unwrap();
    });
    let home = Scratch::new("login-hidden");
    let file = home.join("password");
    write(&file, &format!("{PASSWORD}\n"), 0o600);
    let file = file.to_str().unwrap();
    for words in [
        &["-v", "stat", "/"][..],
        &["--json", "stat", "/"],
        &["stat", "/", "-v"],
    ] {
        let client = client(&home, server.addr()).args(["-u", "anna", "--password-file", file]);
        let process = client.args(words).spawn();
        // It is logged in, and waits for the answer.
        asks.recv_timeout(SOON).unwrap();
        for name in ["cmdline", "environ", "comm"] {
            let text = fs::read(format!("/proc/{}/{name}", process.pid())).unwrap();
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains("horse"), "{name}: {text}");
        }
        let limits = fs::read_to_string(format!("/proc/{}/limits", process.pid())).unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let sizes: Vec<_> = core.unwrap().split_whitespace().skip(4).take(2).collect();
        assert_eq!(sizes, ["0", "0"]);
        release.send(()).unwrap();
        silent(&finish(process, RUN).ok());
    }
    write(Path::new(file), "correct donkey\n", 0o600);
    let client_of = |words: &[&str]| {
        let client = client(&home, server.addr()).args(["-u", "anna", "--password-file", file]);
        client.args(words).run()
    };
    for words in [&["-v", "stat", "/"][..], &["--json", "stat", "/"]] {
        let ran = client_of(words).exits(6);
        assert!(!ran.stderr.contains("donkey") && !ran.text().contains("donkey"));
    }
    write(Path::new(file), PASSWORD, 0o644);
    says(
        &client_of(&["stat", "/"]).exits(4),
        &["mode 0644", "chmod 600", file],
    );
}

#[test]
fn plain_text_goes_to_this_machine_alone() {
    // An address of this machine that is not loopback: to the client it is as far as any other.
    let outside = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let Ok(outside) = outside else {
        println!("skipped: this machine has no address but loopback");
        return;
    };
    let home = Scratch::new("login-plain");
    let listener = TcpListener::bind((outside.ip(), 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let run = move |home: &Scratch, words: &[&str]| {
        let client = client(home, addr).env("FTP_CLIENT_PASSWORD", PASSWORD);
        let client = client.args(["--retries", "0", "--timeout", "5", "-u", "anna"]);
        client.args(words).args(["stat", "/"]).spawn()
    };
    let refused = run(&home, &[]);
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    assert!(heard.is_empty(), "{}", String::from_utf8_lossy(&heard));
    says(&finish(refused, RUN).exits(2), &["plain text", "--tls"]);
    let allowed = run(&home, &["--plaintext-password"]);
    let mut peer = Peer::over(listener.accept().unwrap().0);
    assert_eq!(peer.frame().unwrap().0["verb"], "hello");
    assert_eq!(peer.frame().unwrap().0["password"], PASSWORD);
    drop(peer);
    silent(&finish(allowed, RUN).exits(5));
}

#[test]
fn profiles_stand_behind_flags_and_environment() {
    let (server, home) = (server(|| ()), Scratch::new("login-profile"));
    let config = home.join("ftp-client/config.toml");
    let profile = |more: &str| {
        let server = server.addr();
        let text = format!(
            "[profiles.work]\nserver = \"{server}\"\nuser = \"anna\"\npassword-file = \"pw\"\n{more}\n"
        );
        write(&config, &text, 0o644);
    };
    write(&home.join("ftp-client/pw"), PASSWORD, 0o600);
    let bare = || Client::bare().env("XDG_CONFIG_HOME", home.path().to_str().unwrap());
    profile("retries = 0\ntimeout = 30");
    bare().args(["-P", "work", "stat", "/"]).run().ok();
    bare()
        .env("FTP_CLIENT_PROFILE", "work")
        .args(["stat", "/"])
        .run()
        .ok();
    // The environment goes before the profile, a flag before both.
    let ben = || bare().env("FTP_CLIENT_USER", "ben");
    says(
        &ben().args(["-P", "work", "stat", "/"]).run().exits(6),
        &["user ben"],
    );
    ben()
        .args(["-P", "work", "-u", "anna", "stat", "/"])
        .run()
        .ok();
    let nowhere = bare().args(["-P", "work", "-s", "127.0.0.1:1", "stat", "/"]);
    nowhere.run().exits(5);
    for (more, why) in [
        (
            "retires = 0",
            "line 5, column 1: unknown key `retires`; did you mean `retries`?",
        ),
        ("retries = -1", "line 5, column 11: invalid value '-1'"),
        (
            "tls = \"yes\"",
            "line 5, column 7: `tls` needs true or false",
        ),
        (
            "password = \"correct horse\"",
            "line 5, column 1: no passwords here",
        ),
    ] {
        profile(more);
        let ran = bare().args(["-P", "work", "stat", "/"]).run().exits(2);
        says(&ran, &[why, config.to_str().unwrap()]);
    }
    says(
        &bare().args(["-P", "play", "ping"]).run().exits(2),
        &["line 5"],
    );
    profile("");
    says(
        &bare().args(["-P", "play", "ping"]).run().exits(2),
        &["there is: work"],
    );
    let ran = bare().args(["--json", "-P", "play", "ping"]).run().exits(2);
    assert_eq!(ran.events().pop().unwrap()["event"], "error");
}

#[test]
fn a_person_is_asked_at_a_terminal() {
    let server = server(|| ());
    let home = Scratch::new("login-asked");
    let name = server.addr().to_string();
    let line = format!(
        "env -u FTP_CLIENT_PASSWORD {} login -u anna {name}",
        program("ftp-client").display()
    );
    let Some(mut terminal) = Terminal::start(&line, &[("XDG_CONFIG_HOME", home.path())]) else {
        println!("skipped: there is no script(1) to make a terminal");
        return;
    };
    terminal.answer(&format!("Password of anna at {name}: "), PASSWORD);
    let (status, shown) = terminal.end();
    assert!(status.success(), "{shown}");
    assert!(shown.contains("logged in to"), "{shown}");
    client(&home, server.addr()).args(["stat", "/"]).run().ok();
}
