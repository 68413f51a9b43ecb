//! Who says what, and where.

use std::fs;
use std::process::{Command, Stdio};

use ftp_tests::server::program;
use ftp_tests::{Client, Scratch, Terminal};

use crate::{client, server};

#[test]
fn data_on_standard_output_all_else_on_standard_error() {
    let (server, scratch) = (server(), Scratch::new("output"));
    let local = scratch.file("f", 1, 3_000_000);
    for args in [&[][..], &["-q"], &["-v"]] {
        let ran = client(&server).args(args).arg("put").arg(&local).run().ok();
        assert_eq!(ran.text(), "", "{args:?}");
        assert!(
            !ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\r'),
            "{:?}",
            ran.stderr
        );
        if args == ["-q"] {
            assert_eq!(ran.stderr, "");
        }
        if args == ["-v"] {
            assert!(ran.stderr.contains('f'), "{}", ran.stderr);
        }
    }
    let ran = client(&server).args(["-q", "get", "none"]).run().exits(3);
    assert!(
        ran.stderr.contains("none"),
        "an error is told even to the quiet: {}",
        ran.stderr
    );
}

#[test]
fn at_a_terminal_only_what_moves_files_shows_progress() {
    let (server, scratch) = (server(), Scratch::new("bars"));
    let local = scratch.file("f", 1, 3_000_000);
    let run = |words: &str| {
        let program = program("ftp-client");
        let line = format!("{} -s {} {words}", program.display(), server.addr());
        Terminal::start::<&str>(&line, &[("TERM", "xterm")]).map(|terminal| terminal.end().1)
    };
    let Some(shown) = run(&format!("put {}", local.display())) else {
        println!("skipped: no script(1)");
        return;
    };
    assert!(shown.contains("total 0 B/2.86 MiB"), "{shown:?}");
    assert!(shown.contains("1 file, 2.9 MiB"), "{shown:?}");
    for words in ["ls", "stat f", "hash f", "rm f", "ping -c 1"] {
        let shown = run(words).unwrap();
        assert!(
            !shown.contains("total") && !shown.contains('\u{1b}'),
            "{words}: {shown:?}"
        );
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let server = server();
    for n in 0..3000 {
        fs::write(server.file(format!("a rather long name, number {n}")), "").unwrap();
    }
    let script = format!(
        "{} -s {} ls | head -n 1",
        program("ftp-client").display(),
        server.addr()
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(
        output.stdout.iter().filter(|byte| **byte == b'\n').count(),
        1
    );
}

#[test]
fn help_tells_everything() {
    let help = Client::bare().arg("--help").run().ok();
    for verb in [
        "put", "get", "cat", "ls", "stat", "hash", "mkdir", "mv", "rm", "ping",
    ] {
        assert!(help.text().contains(&format!("\n  {verb} ")), "{verb}");
        let own = Client::bare().args([verb, "--help"]).run().ok();
        assert!(
            own.text().contains(&format!("Usage: ftp-client {verb}")),
            "{}",
            own.text()
        );
    }
    let version = Client::bare().arg("--version").run().ok();
    assert!(
        version.text().starts_with("ftp-client "),
        "{}",
        version.text()
    );
}

#[test]
fn readme_and_help_have_the_same_exit_codes() {
    let help = Client::bare().arg("--help").run().ok();
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let (_, table) = readme.split_once("## Exit codes").unwrap();
    let table = table.split("\n## ").next().unwrap();
    for code in (0..=14)
        .map(|code| code.to_string())
        .chain(["130".into(), "143".into()])
    {
        assert!(table.contains(&format!("| {code} |")), "README: {code}");
        assert!(help.text().contains(&code), "help: {code}");
    }
}

#[test]
fn readme_and_help_have_the_same_flags() {
    let output = Command::new(program("ftp-server"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let flags: Vec<_> = help
        .lines()
        .filter_map(|line| {
            line.trim_start()
                .strip_prefix("--")?
                .split(|c: char| c.is_whitespace() || c == '[')
                .next()
        })
        .collect();
    assert!(flags.len() > 12, "{help}");
    for flag in flags {
        assert!(
            readme.contains(&format!("--{flag}")),
            "README lacks --{flag}"
        );
        let variable = format!("FTP_SERVER_{}", flag.to_uppercase().replace('-', "_"));
        assert!(help.contains(&variable), "--{flag} has no variable");
    }
}

#[test]
fn what_is_not_verified_is_said() {
    let (server, scratch) = (server(), Scratch::new("unverified"));
    fs::write(server.file("f"), vec![7; 3_000_000]).unwrap();
    let out = scratch.join("out");
    for (args, words) in [
        (&["get"][..], None),
        (&["get", "-v"], Some(", verified")),
        (&["get", "--no-verify"], Some("not verified")),
        (&["get", "--no-verify", "-v"], Some("not verified")),
        (&["get", "--no-verify", "-q"], None),
    ] {
        let ran = client(&server).args(args).arg("f").arg(&out).run().ok();
        match words {
            Some(words) => assert!(ran.stderr.contains(words), "{args:?}: {}", ran.stderr),
            None => assert_eq!(ran.stderr, "", "{args:?}"),
        }
        assert_eq!(fs::read(&out).unwrap().len(), 3_000_000);
        fs::remove_file(&out).unwrap();
    }
    for (flag, verified) in [(None, true), (Some("--no-verify"), false)] {
        for to in [out.to_str().unwrap(), "/dev/null"] {
            let ran = client(&server)
                .args(["--json", "get"])
                .args(flag)
                .args(["f", to])
                .run()
                .ok();
            let events = ran.events();
            let last = |kind: &str| events.iter().rfind(|event| event["event"] == kind);
            assert_eq!(last("done").unwrap()["verified"], verified, "{to}");
            assert_eq!(last("summary").unwrap()["verified"], verified, "{to}");
        }
    }
}
