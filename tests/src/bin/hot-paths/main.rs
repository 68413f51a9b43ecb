//! What the hot paths cost, in figures that need no clock; `scripts/hot-paths.sh` builds and starts it.
//!
//! Instructions per operation are counted by callgrind and compared with a stored baseline; system calls per file and
//! per MiB are counted by strace. Both are the same on a busy machine and on an idle one.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "results and complaints go where a program's go"
)]
#![allow(
    clippy::unwrap_used,
    reason = "fixed data on our own loopback: what fails is a bug and ends the program"
)]

mod baseline;
mod calls;
mod count;
mod disk;
mod machine;
mod paths;
mod tally;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::baseline::{Baseline, Verdict};

/// Counts what the hot paths cost.
#[derive(Debug, Parser)]
struct Args {
    /// Make what is counted now the baseline.
    #[arg(long)]
    update: bool,
    /// Count the system calls of the real programs instead; nothing is compared.
    #[arg(long, conflicts_with = "update")]
    syscalls: bool,
    /// Where the baseline is kept.
    #[arg(long, default_value = "tests/hot-paths.baseline")]
    baseline: PathBuf,
    /// Run this path, or all of them; beneath callgrind it is profiled (`--toggle-collect=hot_paths::count::counted`).
    #[arg(long, value_name = "PATH", num_args = 0..=1)]
    run: Option<Option<String>>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = if let Some(name) = args.run {
        run(name.as_deref()).map(|()| ExitCode::SUCCESS)
    } else if args.syscalls {
        calls::print().map(|()| ExitCode::SUCCESS)
    } else if args.update {
        update(&args.baseline).map(|()| ExitCode::SUCCESS)
    } else {
        check(&args.baseline)
    };
    done.unwrap_or_else(|error| {
        eprintln!("hot-paths: {error}");
        ExitCode::from(2)
    })
}

fn run(name: Option<&str>) -> Result<(), Box<dyn Error>> {
    let mut paths = paths::all();
    paths.retain(|path| name.is_none_or(|name| path.name == name));
    if paths.is_empty() {
        return Err("there is no such path".into());
    }
    for mut path in paths {
        count::counted(path.run.as_mut(), path.calls);
    }
    Ok(())
}

fn update(file: &Path) -> Result<(), Box<dyn Error>> {
    let counted = Baseline {
        compiler: count::compiler()?,
        counts: count::instructions()?,
    };
    std::fs::write(file, counted.to_string())?;
    print!("{counted}");
    Ok(())
}

/// Exit code 1 if a path became slower.
fn check(file: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    let stored: Baseline = text.parse()?;
    let now = Baseline {
        compiler: count::compiler()?,
        counts: count::instructions()?,
    };
    let report = baseline::compare(&stored, &now);
    print!("{report}");
    Ok(match report.verdict {
        Verdict::Good => ExitCode::SUCCESS,
        Verdict::Slower => ExitCode::FAILURE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_baseline_names_the_paths_there_are() {
        let text = include_str!("../../../hot-paths.baseline");
        let stored: Baseline = text.parse().unwrap();
        let names: Vec<_> = stored.counts.iter().map(|(name, _)| name.clone()).collect();
        let known: Vec<_> = paths::all()
            .iter()
            .map(|path| path.name.to_owned())
            .collect();
        assert_eq!(names, known, "scripts/hot-paths.sh --update");
        assert_eq!(
            stored.to_string(),
            text,
            "written as --update would write it"
        );
    }

    #[test]
    fn every_path_can_be_run() {
        run(None).unwrap();
        assert!(run(Some("frame: split")).is_ok());
        assert!(run(Some("frame")).is_err());
    }
}
