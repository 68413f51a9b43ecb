//! Script tests of the RFC 959 machine: `tests/rfc959/*.script`, inputs → actions.
//!
//! The notation is explained in `dialogue/mod.rs`. With `MUXFTP_BLESS=1` the expectations are
//! rewritten from what the machine did; read the difference before it is committed.

#![allow(clippy::unwrap_used, reason = "test code fails by panicking")]

mod dialogue;
#[path = "script/disk.rs"]
mod disk;

use std::path::Path;
use std::{env, fs};

#[test]
fn scripts_play_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rfc959");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "script"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no scripts in {}", folder.display());
    let mut wrong = Vec::new();
    for file in files {
        let written = fs::read_to_string(&file).unwrap();
        let played = dialogue::play(&written);
        if written == played {
            continue;
        }
        if env::var_os("MUXFTP_BLESS").is_some() {
            fs::write(&file, &played).unwrap();
        }
        let at = written
            .lines()
            .zip(played.lines())
            .take_while(|(a, b)| a == b)
            .count();
        let show = |text: &str| -> String {
            let lines = text.lines().skip(at.saturating_sub(6)).take(14);
            lines.map(|line| format!("    {line}\n")).collect()
        };
        wrong.push(format!(
            "{} at line {}: written\n{}  played\n{}",
            file.display(),
            at + 1,
            show(&written),
            show(&played)
        ));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
