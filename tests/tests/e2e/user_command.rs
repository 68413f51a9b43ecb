//! `ftp-server user`: the real program changes the users file, and the real daemon lets in who stands there.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use ftp_tests::client::finish;
use ftp_tests::peer::code;
use ftp_tests::process::Process;
use ftp_tests::server::program;
use ftp_tests::{Options, Peer, RUN, Ran, SOON, Scratch, Server, Terminal, eventually};
use rustix::process::Signal;

/// `ftp-server user` with these words, in a folder, fed with `stdin`.
fn user(dir: &Path, words: &[&str], stdin: &str) -> Ran {
    let mut command = Command::new(program("ftp-server"));
    command.env_clear().current_dir(dir).arg("user").args(words);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = Process::spawn(&mut command);
    let mut pipe = process.child().stdin.take().unwrap();
    // A program that needs no password reads none.
    drop(pipe.write_all(stdin.as_bytes()));
    drop(pipe);
    let ran = finish(process, RUN);
    assert!(!ran.stderr.contains("horse"), "{}", ran.stderr);
    ran
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn users_come_change_and_go_while_the_server_runs() {
    let home = Scratch::new("user-command");
    let (dir, file) = (home.path(), home.join("users.toml"));
    fs::write(home.join("muxftp.toml"), "users = \"users.toml\"\n").unwrap();
    fs::create_dir_all(home.join("srv/anna")).unwrap();
    fs::write(home.join("srv/anna/f"), b"hers").unwrap();
    let add = [
        "add",
        "anna",
        "--root",
        "srv/{user}",
        "--preset",
        "read-only",
    ];
    let words = [
        &["--config", "muxftp.toml"],
        &add[..],
        &["--password-stdin"],
    ]
    .concat();
    let ran = user(dir, &words, "correct horse\n").ok();
    assert!(ran.stderr.contains("added `anna`") && ran.stderr.contains("SIGHUP"));
    assert!(!ran.stderr.contains("not there yet"), "{}", ran.stderr);
    assert_eq!(mode(&file), 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("$argon2id$") && !text.contains("horse"),
        "{text}"
    );
    // Whatever stands there besides stays.
    fs::write(&file, format!("# Ours.\n{text}")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    let config = home.join("muxftp.toml").into_os_string();
    let server = Server::start(Options::new().args(["--config".into(), config]));
    let mut anna = Peer::login(server.addr(), "anna", "correct horse");
    assert_eq!(anna.get("f").unwrap(), b"hers");
    let at = ["--users", "users.toml"];
    let passwd = [&["passwd", "anna", "--password-stdin"], &at[..]].concat();
    user(dir, &passwd, "another horse\r\nand more").ok();
    let ben = [
        "add",
        "ben",
        "--root",
        "srv/ben",
        "--preset=full",
        "--password-stdin",
    ];
    let ran = user(dir, &[&at[..], &ben].concat(), "bens horse").ok();
    assert!(
        ran.stderr.contains("srv/ben is not there yet"),
        "{}",
        ran.stderr
    );
    assert!(fs::read_to_string(&file).unwrap().starts_with("# Ours.\n"));
    assert_eq!(mode(&file), 0o640, "who could read it still can");
    fs::create_dir(home.join("srv/ben")).unwrap();
    server.signal(Signal::HUP);
    // Another password is another user, to who came by the old one.
    anna.is_closed();
    let tried = |user: &str, password: &str| {
        let mut peer = Peer::hello(server.addr());
        peer.try_login(user, password)
    };
    assert_eq!(code(&tried("anna", "correct horse")), "login_failed");
    assert_eq!(tried("anna", "another horse")["user"], "anna");
    assert_eq!(tried("ben", "bens horse")["user"], "ben");
    user(dir, &[&at[..], &["rm", "ben"]].concat(), "").ok();
    server.signal(Signal::HUP);
    eventually("ben is gone", SOON, || {
        tried("ben", "bens horse")["error"].is_object()
    });
    let shown = user(dir, &[&at[..], &["list"]].concat(), "").ok();
    let root = home.join("srv/anna");
    let line = format!("anna\t{}\t/: list, read\n", root.display());
    assert_eq!(shown.text(), line, "name, root, rights, and no hash");
}

#[test]
fn what_is_wrong_changes_nothing_and_is_told() {
    let home = Scratch::new("user-refused");
    let (dir, file) = (home.path(), home.join("users.toml"));
    let at = |words: &[&'static str]| [&["--users", "users.toml"], words].concat();
    let stdin = [
        "add",
        "anna",
        "--root",
        "/srv",
        "--password-stdin",
        "--preset",
    ];
    // Nothing there yet, and nothing is made.
    for (words, typed, exit, why) in [
        (at(&["list"]), "", 1, "users.toml: No such file"),
        (at(&["rm", "anna"]), "", 1, "there is no user `anna`"),
        (at(&["passwd", "anna"]), "", 1, "there is no user `anna`"),
        (vec!["list"], "", 2, "--users FILE"),
        (
            vec!["--config", "none.toml", "list"],
            "",
            2,
            "cannot read none.toml",
        ),
        (
            at(&["add", "anna", "--root", "/srv"]),
            "",
            2,
            "--password-stdin",
        ),
        (
            at(&[&stdin[..], &["full"]].concat()),
            "\n",
            1,
            "the password is empty",
        ),
        (
            at(&[&stdin[..], &["all"]].concat()),
            "horse\n",
            2,
            "read-only",
        ),
        (
            at(&[
                "add",
                "a b",
                "--root",
                "/srv",
                "--preset",
                "full",
                "--password-stdin",
            ]),
            "horse",
            1,
            "a name is 1 to 64",
        ),
        (
            at(&["add", "anna", "--preset", "full", "--password-stdin"]),
            "horse",
            1,
            "has no `root`",
        ),
        (
            at(&["add", "anna", "--root", "/srv", "--password-stdin"]),
            "horse",
            1,
            "has no rights",
        ),
        (
            at(&["add", "anna", "--password", "horse"]),
            "",
            2,
            "unexpected argument",
        ),
    ] {
        let ran = user(dir, &words, typed).exits(exit);
        assert!(ran.stderr.contains(why), "{words:?}: {}", ran.stderr);
        assert!(!file.exists(), "{words:?}");
    }
    // A file that is not good stays as it is, and its place is told; so is a taken name.
    let put = |text: &str| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    };
    let by_certificate =
        "[[user]]\nname = \"anna\"\nroot = \"/srv\"\npreset = \"full\"\ncertificates = [\"a\"]\n";
    let add = at(&[&stdin[..], &["full"]].concat());
    for (text, why) in [
        ("[[user]]\nname = 7\n", "line 2, column 8"),
        (by_certificate, "there is a user `anna` already"),
    ] {
        put(text);
        let ran = user(dir, &add, "horse\n").exits(1);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let ran = user(dir, &at(&["rm", "anna"]), "").exits(1);
    assert!(ran.stderr.contains("chmod 600"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), by_certificate);
}

#[test]
fn a_user_may_come_by_certificate_only_and_names_drive_no_terminal() {
    let home = Scratch::new("user-certificate");
    let dir = home.path();
    let words = |more: &[&'static str]| [&["--users", "u"], more].concat();
    fs::write(
        home.join("u"),
        "[[group]]\nname = \"g\"\nroot = \"/srv/\\u001b[2J\"\npreset = \"full\"\n",
    )
    .unwrap();
    fs::set_permissions(home.join("u"), Permissions::from_mode(0o600)).unwrap();
    let cleo = [
        "add",
        "cleo",
        "--group",
        "g",
        "--certificate",
        "c.example",
        "--no-password",
    ];
    user(dir, &words(&cleo), "").ok();
    let shown = user(dir, &words(&["list"]), "").ok();
    let line = "cleo\t/srv/\\u{1b}[2J\t/: list, read, write, overwrite, delete, rename, mkdir\tby certificate only\n";
    assert_eq!(shown.text(), line);
}

#[test]
fn a_person_types_the_password_twice() {
    let home = Scratch::new("user-typed");
    let (root, file) = (home.path().display(), home.join("users.toml"));
    let line = format!(
        "{} user --users {root}/users.toml add anna --root {root} --preset full",
        program("ftp-server").display()
    );
    for (second, exit, told) in [
        ("wrong horse", 1, "the two passwords differ"),
        ("correct horse", 0, "added `anna`"),
    ] {
        assert!(!file.exists());
        let Some(mut terminal) = Terminal::start::<&str>(&line, &[]) else {
            return;
        };
        terminal.answer("New password of anna: ", "correct horse");
        terminal.answer("The same again: ", second);
        let (status, shown) = terminal.end();
        assert_eq!(status.code(), Some(exit), "{shown}");
        assert!(shown.contains(told) && !shown.contains("horse"), "{shown}");
    }
    let file = file.into_os_string();
    let server = Server::start(Options::new().args(["--users".into(), file]));
    drop(Peer::login(server.addr(), "anna", "correct horse"));
}
