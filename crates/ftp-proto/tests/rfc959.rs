//! Script tests of the RFC 959 machine: `tests/rfc959/*.script`, inputs → actions.
//!
//! The notation is explained in `dialogue/mod.rs`. With `MUXFTP_BLESS=1` the expectations are
//! rewritten from what the machine did; read the difference before it is committed.

#![allow(clippy::unwrap_used, reason = "test code fails by panicking")]

mod dialogue;
#[path = "script/disk.rs"]
mod disk;
mod scripts;

use std::fs;
use std::path::Path;

#[test]
fn scripts_play_as_written() {
    scripts::all_play_as_written("rfc959", dialogue::play);
}

/// ABOR, QUIT, STAT, a lost data connection and the like after every line of every script.
#[test]
fn every_state_can_be_interrupted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rfc959");
    let interruptions = [
        "ABOR",
        "QUIT",
        "STAT",
        "NOOP",
        "datalost",
        "dataeof",
        "closed",
        "openfailed",
        "eof",
        "drain",
        "cut",
        "wait 1000",
    ];
    let mut played = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for scene in text.split("## ").skip(1) {
            let lines: Vec<&str> = scene.lines().collect();
            let inputs: Vec<&str> = lines[1..]
                .iter()
                .copied()
                .filter(|line| line.starts_with("> "))
                .collect();
            for (until, what) in
                (0..=inputs.len()).flat_map(|n| interruptions.map(|what| (n, what)))
            {
                let script = format!(
                    "## {}\n{}\n> {what}\n{}\n> lost\n> deadline\n",
                    lines[0],
                    inputs[..until].join("\n"),
                    inputs[until..].join("\n"),
                );
                let out = dialogue::play(&script);
                // However it went: it ended at most once that is shown (`login` and `pasv` show nothing), and
                // nothing is read or waited for behind the end.
                assert!(out.matches("\nclose control ").count() <= 1, "{out}");
                let last = out.rsplit("> lost\n").next().unwrap();
                assert!(last.contains("= control nothing"), "{out}");
                assert!(out.ends_with("> deadline\nnone\n"), "{out}");
                played += 1;
            }
        }
    }
    assert!(played > 3000, "{played} dialogues");
}
