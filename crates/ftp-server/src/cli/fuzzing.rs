//! What is fuzzed of the configuration: one function, from bytes to a panic or none. Reads no file and starts nothing.

use std::ffi::OsString;
use std::path::Path;

use super::config::Config;
use super::layers::{Origin, Sources};
use super::settings::TABLE;

/// Lines `--name value` and `NAME value`, then a line `---`, then the file. Whatever they are, every setting has a value and
/// every rule between them was looked at, or something is said of every mistake, with its place.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (typed, file) = text.split_once("---\n").unwrap_or(("", text));
    let mut sources = Sources::default();
    for (word, value) in typed.lines().filter_map(|line| line.split_once(' ')) {
        let flag = word.strip_prefix("--");
        for row in TABLE {
            if flag.is_some_and(|flag| flag == row.name()) {
                sources.flags.insert(row.field, OsString::from(value));
            } else if word == row.variable() {
                sources.environment.insert(row.field, OsString::from(value));
            }
        }
    }
    let path = Path::new("muxftp.toml");
    let problems = match sources.resolve(file, path) {
        // A users file would be read.
        Ok(loaded) if loaded.settings.users.is_some() => return,
        Ok(loaded) => {
            assert_eq!(loaded.origins.len(), TABLE.len());
            assert_eq!(loaded.settings.shown().len(), TABLE.len());
            match Config::new(&loaded) {
                Ok(_) => return,
                Err(problem) => vec![problem],
            }
        }
        Err(problems) => problems,
    };
    assert!(!problems.is_empty());
    let lines = file.matches('\n').count() + 1;
    for problem in problems {
        assert!(!problem.why.is_empty());
        match &problem.origin {
            Some(Origin::File(at, place)) => {
                assert_eq!(at, path);
                assert!(
                    (1..=lines).contains(&place.line),
                    "{problem}: {lines} lines"
                );
                assert!(place.column >= 1, "{problem}");
            }
            Some(Origin::Flag(_) | Origin::Environment(_) | Origin::Default) | None => {}
        }
        let shown = problem.to_string();
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
    }
}
