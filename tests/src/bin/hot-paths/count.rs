//! Counts instructions: runs this program beneath callgrind once and reads the profile it leaves for each path.
//!
//! Only what happens within [`counted`] is counted, so starting up and preparing the data cost nothing.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use ftp_tests::Scratch;

use crate::paths;

/// What callgrind calls [`counted`].
const MARK: &str = "hot_paths::count::counted";

/// Runs a path; callgrind counts while this function is on the stack, and writes a profile when it ends.
#[inline(never)]
pub(crate) fn counted(path: &mut dyn FnMut(), calls: u64) {
    for _ in 0..calls {
        path();
    }
}

/// Instructions per operation of every path.
///
/// # Errors
/// If valgrind cannot be started, or its profiles are not what was asked for.
pub(crate) fn instructions() -> Result<Vec<(String, u64)>, Box<dyn Error>> {
    let scratch = Scratch::new("hot-paths");
    let profile = scratch.join("profile");
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--toggle-collect={MARK}"))
        .arg(format!("--dump-after={MARK}"))
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(std::env::current_exe()?)
        .arg("--run")
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("valgrind: {error}"))?;
    if !status.success() {
        return Err(format!("valgrind: {status}").into());
    }
    let paths = paths::all();
    let counts = paths.iter().zip(1..).map(|(path, number)| {
        let total = total(&profile.with_extension(number.to_string()))?;
        Ok((path.name.to_owned(), total / (path.calls * path.operations)))
    });
    counts.collect()
}

/// Release and target of the compiler at hand, which is the one that built this program.
///
/// # Errors
/// If there is no `rustc`.
pub(crate) fn compiler() -> Result<String, Box<dyn Error>> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let release = field("release: ").ok_or("rustc tells no release")?;
    let host = field("host: ").ok_or("rustc tells no host")?;
    Ok(format!("{release} {host}"))
}

/// The instructions in one profile.
fn total(profile: &Path) -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string(profile);
    let text = text.map_err(|error| format!("no profile of a path: {error}"))?;
    summary(&text).ok_or_else(|| format!("{} has no count", profile.display()).into())
}

/// The count of a profile that was written because a path had ended.
fn summary(text: &str) -> Option<u64> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let ended = field("desc: Trigger: ")?.starts_with("--dump-after=");
    let count = field("summary: ")?.trim().parse().ok()?;
    (ended && count > 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_counts_only_if_a_path_ended_there() {
        let profile = |trigger: &str, count: &str| {
            format!("# callgrind format\ndesc: Trigger: {trigger}\n\nsummary: {count}\n\nfn=x\n")
        };
        assert_eq!(
            summary(&profile("--dump-after=counted", "4321")),
            Some(4321)
        );
        assert_eq!(summary(&profile("--dump-after=counted", "0")), None);
        assert_eq!(summary(&profile("Program termination", "4321")), None);
        assert_eq!(summary("summary: 4321\n"), None);
    }
}
