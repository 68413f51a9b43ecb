//! Files of inputs and of what must come of them, played and compared.

use std::path::Path;
use std::{env, fs};

/// Plays every script of a folder. With `MUXFTP_BLESS=1` it is rewritten from what came; read the difference
/// before it is committed.
pub(crate) fn all_play_as_written(folder: &str, play: impl Fn(&str) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
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
        let played = play(&written);
        if written == played {
            continue;
        }
        if env::var_os("MUXFTP_BLESS").is_some() {
            fs::write(&file, &played).unwrap();
        }
        wrong.push(difference(&file, &written, &played));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The first line where the two part, with what stands around it.
fn difference(file: &Path, written: &str, played: &str) -> String {
    let at = written
        .lines()
        .zip(played.lines())
        .take_while(|(a, b)| a == b)
        .count();
    let from = at.saturating_sub(6);
    let show = |text: &str| -> String {
        let lines = text.lines().skip(from).take(14);
        lines.map(|line| format!("    {line}\n")).collect()
    };
    format!(
        "{} at line {}: written\n{}  played\n{}",
        file.display(),
        at + 1,
        show(written),
        show(played)
    )
}
