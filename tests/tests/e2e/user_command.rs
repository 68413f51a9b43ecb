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
use ftp_tests::{Options, Peer, RUN, Ran, Scratch, Server, Terminal};
use rustix::process::Signal;

/// `ftp-server user` with these words, in a folder, fed with `stdin`.
fn user(dir: &Path, words: &str, stdin: &str) -> Ran {
    let mut command = Command::new(program("ftp-server"));
    command.env_clear().current_dir(dir);
    command.arg("user").args(words.split_whitespace());
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

/// Writes a users file.
fn put(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_file_is_made_and_changed_and_all_else_in_it_stays() {
    let home = Scratch::new("user-command");
    let (dir, file) = (home.path(), home.join("users.toml"));
    fs::write(home.join("muxftp.toml"), "users = \"users.toml\"\n").unwrap();
    fs::create_dir_all(home.join("srv/anna")).unwrap();
    let anna = "add anna --root srv/{user} --preset read-only --password-stdin";
    let anna = format!("--config muxftp.toml {anna}");
    let ran = user(dir, &anna, "correct horse\n").ok();
    assert!(ran.stderr.contains("added `anna`") && ran.stderr.contains("SIGHUP"));
    assert!(!ran.stderr.contains("not there yet"), "{}", ran.stderr);
    assert_eq!(mode(&file), 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("$argon2id$") && !text.contains("horse"));
    put(&file, &format!("# Ours.\n{text}"), 0o640);
    let ben = "add ben --users users.toml --root srv/ben --preset=full --password-stdin";
    let ran = user(dir, ben, "bens horse").ok();
    let told = "srv/ben is not there yet";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# Ours.\n"), "{text}");
    assert_eq!(mode(&file), 0o640, "who could read it still can");
    let shown = user(dir, "--users users.toml list", "").ok();
    let srv = home.join("srv");
    let lines = format!(
        "anna\t{0}/anna\t/: list, read\nben\t{0}/ben\t/: list, read, write, overwrite, delete, rename, mkdir\n",
        srv.display()
    );
    assert_eq!(shown.text(), lines, "names, roots, rights, and no hash");
}

#[test]
fn users_come_change_and_go_while_the_server_runs() {
    let home = Scratch::new("user-command");
    let (dir, root) = (home.path(), home.path().display());
    let run = |words: &str, stdin: &str| user(dir, &format!("--users u {words}"), stdin).ok();
    let add = format!("--root {root} --preset full --password-stdin");
    run(&format!("add anna {add}"), "correct horse\n");
    let file = home.join("u").into_os_string();
    let server = Server::start(Options::new().args(["--users".into(), file]));
    let mut anna = Peer::login(server.addr(), "anna", "correct horse");
    run("passwd anna --password-stdin", "another horse\r\nand more");
    run(&format!("add ben {add}"), "bens horse");
    server.signal(Signal::HUP);
    // Another password is another user, to who came by the old one.
    anna.is_closed();
    let tried = |user: &str, password: &str| {
        let mut peer = Peer::hello(server.addr());
        peer.try_login(user, password)
    };
    assert_eq!(code(&tried("anna", "correct horse")), "login_failed");
    assert_eq!(tried("anna", "another horse")["user"], "anna");
    let mut ben = Peer::login(server.addr(), "ben", "bens horse");
    run("rm ben", "");
    server.signal(Signal::HUP);
    ben.is_closed();
    assert_eq!(code(&tried("ben", "bens horse")), "login_failed");
    assert_eq!(tried("anna", "another horse")["user"], "anna");
}

#[test]
fn what_cannot_be_done_makes_no_file() {
    let home = Scratch::new("user-refused");
    let (dir, file) = (home.path(), home.join("u"));
    let rights = "add anna --root /srv --password-stdin --preset";
    for (words, typed, exit, why) in [
        ("list", "", 1, "u: No such file"),
        ("rm anna", "", 1, "there is no user `anna`"),
        ("passwd anna", "", 1, "there is no user `anna`"),
        ("add anna --root /srv", "", 2, "--password-stdin"),
        (&format!("{rights} full"), "\n", 1, "password is empty"),
        (&format!("{rights} all"), "horse", 2, "read-only"),
        (
            "add a/b --root /srv --preset full --password-stdin",
            "horse",
            1,
            "a name is 1 to 64",
        ),
        (
            "add anna --preset full --password-stdin",
            "horse",
            1,
            "has no `root`",
        ),
        (
            "add anna --root /srv --password-stdin",
            "horse",
            1,
            "has no rights",
        ),
        ("add anna --password horse", "", 2, "unexpected argument"),
    ] {
        let ran = user(dir, &format!("--users u {words}"), typed).exits(exit);
        assert!(ran.stderr.contains(why), "{words:?}: {}", ran.stderr);
        assert!(!file.exists(), "{words:?}");
    }
    let nowhere = user(dir, "list", "").exits(2);
    assert!(nowhere.stderr.contains("--users FILE"), "{nowhere:?}");
    let missing = user(dir, "--config none.toml list", "").exits(2);
    let why = "cannot read none.toml";
    assert!(missing.stderr.contains(why), "{missing:?}");
}

#[test]
fn a_file_that_is_not_good_stays_as_it_is() {
    let home = Scratch::new("user-refused");
    let (dir, file) = (home.path(), home.join("u"));
    let good =
        "[[user]]\nname = \"anna\"\nroot = \"/srv\"\npreset = \"full\"\ncertificates = [\"a\"]\n";
    let add = "--users u add anna --root /srv --preset full --password-stdin";
    for (text, mode, why) in [
        ("[[user]]\nname = 7\n", 0o600, "line 2, column 8"),
        (good, 0o600, "there is a user `anna` already"),
        (good, 0o644, "chmod 600"),
    ] {
        put(&file, text, mode);
        let ran = user(dir, add, "horse\n").exits(1);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}

#[test]
fn a_user_may_come_by_certificate_only_and_names_drive_no_terminal() {
    let home = Scratch::new("user-certificate");
    let dir = home.path();
    let group = "[[group]]\nname = \"g\"\nroot = \"/srv/\\u001b[2J\"\npreset = \"full\"\n";
    put(&home.join("u"), group, 0o600);
    let cleo = "--users u add cleo --group g --certificate c.example --no-password";
    user(dir, cleo, "").ok();
    let shown = user(dir, "--users u list", "").ok();
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
            println!("skipped: there is no script(1) to make a terminal");
            return;
        };
        terminal.answer("New password of anna: ", "correct horse");
        terminal.answer("The same again: ", second);
        let (status, shown) = terminal.end();
        assert_eq!(status.code(), Some(exit), "{shown}");
        assert!(shown.contains(told), "{shown}");
    }
    let file = file.into_os_string();
    let server = Server::start(Options::new().args(["--users".into(), file]));
    drop(Peer::login(server.addr(), "anna", "correct horse"));
}

/// Without `isig` it does not matter whether the key comes before the terminal is asked for it.
#[test]
fn ctrl_c_at_the_password_leaves_the_terminal_as_it_was() {
    let home = Scratch::new("user-interrupted");
    let root = home.path().display();
    let line = format!(
        "stty echo -isig; {} user --users {root}/users.toml add anna --root {root} --preset full; echo ended $?; stty -a",
        program("ftp-server").display()
    );
    let Some(mut terminal) = Terminal::start::<&str>(&line, &[]) else {
        println!("skipped: there is no script(1) to make a terminal");
        return;
    };
    terminal.press("New password of anna: ", "abc\u{3}");
    let (_, shown) = terminal.end();
    assert!(
        shown.contains("interrupted: nothing was changed"),
        "{shown}"
    );
    assert!(shown.contains("ended 1"), "{shown}");
    assert!(shown.contains(" echo "), "{shown}");
    assert!(!home.join("users.toml").exists());
}
