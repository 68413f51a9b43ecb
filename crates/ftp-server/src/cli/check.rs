//! `check`: what the configuration comes to. Decides nothing; what is wrong was told before.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use super::layers::{Loaded, Origin};
use super::settings::TABLE;
use super::{FAILED, OK};

/// Prints every setting, as the file could have it, with where it came from. Gives the exit code.
pub(super) fn print(loaded: &Loaded) -> u8 {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text(loaded).as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Ok(()) => OK,
        // Whoever asked did not get it.
        Err(_) => FAILED,
    }
}

/// A line a setting: `name = value  # where it came from`.
pub(super) fn text(loaded: &Loaded) -> String {
    let shown = loaded.settings.shown();
    let lines: Vec<_> = TABLE
        .iter()
        .zip(shown)
        .filter(|(setting, _)| !setting.hidden)
        .map(|(setting, value)| {
            let origin = loaded.origins.get(setting.field);
            let line = format!("{} = {value}", setting.name());
            (line, origin.unwrap_or(&Origin::Default))
        })
        .collect();
    let width = lines.iter().map(|(line, _)| line.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (line, origin) in lines {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{line:width$}  # {origin}");
    }
    text
}
