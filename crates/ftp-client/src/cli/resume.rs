//! The command that goes on with a run that was interrupted: what was typed, made exact.

use std::ffi::OsString;

use crate::text;

/// What was typed in this process, ready for a shell. `exact` says that the destination was taken as the very
/// name: by then it may be a folder, and would be read otherwise.
pub(super) fn command(verb: &str, exact: bool) -> String {
    build(std::env::args_os(), verb, exact)
}

fn build(typed: impl Iterator<Item = OsString>, verb: &str, exact: bool) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut seen = false;
    for (place, word) in typed.enumerate() {
        let word = word.to_string_lossy();
        words.push(text::shell_word(&word));
        // The server's name may be equal to the verb, the verb's own options come later in any case.
        let is_value = words
            .len()
            .checked_sub(2)
            .and_then(|before| words.get(before))
            .is_some_and(|before| matches!(before.as_str(), "-s" | "--server"));
        if place > 0 && !seen && word == verb && !is_value {
            seen = true;
            if exact {
                words.push("-T".into());
            }
        }
    }
    let mut out = words.join(" ");
    if exact && words.iter().filter(|word| *word == "-T").count() > 1 {
        out = out.replacen(" -T", "", 1);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_would_type_it_again() {
        for (typed, exact, expected) in [
            (
                vec!["ftp-client", "put", "a b"],
                false,
                "ftp-client put 'a b'",
            ),
            (
                vec!["./ftp-client", "-s", "put", "put", "d", "e"],
                true,
                "./ftp-client -s put put -T d e",
            ),
            (
                vec!["ftp-client", "put", "-T", "d", "e"],
                true,
                "ftp-client put -T d e",
            ),
            (
                vec!["ftp-client", "put", "--", "-x"],
                true,
                "ftp-client put -T -- -x",
            ),
        ] {
            let typed = typed.into_iter().map(OsString::from);
            assert_eq!(build(typed, "put", exact), expected);
        }
    }
}
