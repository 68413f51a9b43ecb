//! The house rules that no compiler checks: who may import whom, how long a file may be, how it begins.

#![allow(clippy::unwrap_used, reason = "test code fails by panicking")]

#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/proofs.rs"]
mod proofs;
#[path = "tidy/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fs;

use source::{crates, files, root, rust_files, text};

/// Fails with every finding at once.
#[track_caller]
fn none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

#[test]
fn files_are_short() {
    let long: Vec<_> = rust_files()
        .iter()
        .filter_map(|path| {
            let lines = text(path).lines().count();
            (lines > 600).then(|| format!("{path}: {lines} lines"))
        })
        .collect();
    none("at most 600 lines a file", &long);
}

#[test]
fn the_median_file_is_small() {
    let mut sizes: Vec<_> = rust_files()
        .iter()
        .map(|path| text(path).lines().count())
        .collect();
    sizes.sort_unstable();
    let median = sizes[sizes.len() / 2];
    assert!(median <= 220, "the median file has {median} lines");
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> = rust_files()
        .into_iter()
        .filter(|path| {
            let text = text(path);
            !text.starts_with("//!") && !text.starts_with("#![")
        })
        .collect();
    none("a file begins with `//!`", &silent);
}

#[test]
fn names_say_something() {
    let vague: Vec<_> = rust_files()
        .into_iter()
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap();
            ["util", "utils", "helper", "helpers", "misc"]
                .iter()
                .any(|word| name == format!("{word}.rs"))
        })
        .collect();
    none("a file is named after what it holds", &vague);
}

#[test]
fn no_test_is_switched_off() {
    let mark = concat!("#[", "ignore");
    let ignored: Vec<_> = rust_files()
        .into_iter()
        .filter(|path| text(path).contains(mark))
        .collect();
    none("a test runs or does not exist", &ignored);
}

#[test]
fn docs_name_symbols_not_lines() {
    let mut found = Vec::new();
    for path in files() {
        for (number, line) in text(&path).lines().enumerate() {
            if line
                .split(".rs:")
                .skip(1)
                .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            {
                found.push(format!("{path}, line {}", number + 1));
            }
        }
    }
    none("cite symbols, never line numbers", &found);
}

#[test]
fn no_machine_of_ours_is_named() {
    let marks = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
    ];
    let mut found = Vec::new();
    for path in files() {
        for (number, line) in text(&path).lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                found.push(format!("{path}, line {}: {mark}", number + 1));
            }
        }
    }
    none("no absolute path of a machine", &found);
}

#[test]
fn every_crate_keeps_the_lints() {
    let mut found = Vec::new();
    for dir in crates() {
        let manifest = text(&format!("{dir}/Cargo.toml"));
        if !manifest.contains("[lints]\nworkspace = true") {
            found.push(format!("{dir}/Cargo.toml lacks `[lints] workspace = true`"));
        }
    }
    none("the lints are the workspace's", &found);
    let workspace = text("Cargo.toml");
    assert!(workspace.contains("unsafe_code = \"forbid\""));
}

#[test]
fn the_bans_have_one_common_part() {
    let common = |dir: &str| {
        let text = text(&format!("{dir}/clippy.toml"));
        let (common, own) = text.split_once("\n\n").unwrap_or((&text, ""));
        (common.trim_end().to_owned(), own.to_owned())
    };
    let (expected, _) = common("crates/ftp-proto");
    assert!(expected.contains("too-many-lines-threshold = 70"));
    for dir in crates() {
        let (found, own) = common(&dir);
        assert_eq!(found, expected, "{dir}/clippy.toml");
        assert!(
            own.contains("disallowed-"),
            "{dir}/clippy.toml has no ban of its own"
        );
    }
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = text("Cargo.toml");
    let (_, rest) = manifest.split_once("[workspace.dependencies]\n").unwrap();
    let section = rest.split("\n[").next().unwrap();
    let mut found = Vec::new();
    let mut explained = false;
    for line in section.lines() {
        if line.starts_with('#') {
            explained = true;
        } else if line.contains(" = ") {
            let ours = line.contains("path = ");
            if !explained {
                found.push(line.to_owned());
            }
            explained = ours;
        }
    }
    none("a line of reason before each dependency", &found);
}

#[test]
fn dependencies_are_the_workspaces() {
    let mut found = Vec::new();
    for dir in crates() {
        let manifest = text(&format!("{dir}/Cargo.toml"));
        let mut within = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                within = line.contains("dependencies");
            } else if within && line.contains('=') && !line.contains("workspace = true") {
                found.push(format!("{dir}: {line}"));
            }
        }
    }
    none("versions stand in the root manifest alone", &found);
}

#[test]
fn the_top_folder_holds_only_what_belongs_there() {
    let allowed: BTreeSet<_> = [
        ".ci",
        ".git",
        ".github",
        ".gitignore",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "crates",
        "scripts",
        "target",
        "tests",
    ]
    .into();
    let found: Vec<_> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !allowed.contains(name.as_str()))
        .collect();
    none("no other top-level entries", &found);
}

#[test]
fn every_script_can_be_run_and_stops_at_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let mut found = Vec::new();
    for path in files() {
        if !path.starts_with("scripts/") && path != ".ci/run" {
            continue;
        }
        let mode = fs::metadata(root().join(&path))
            .unwrap()
            .permissions()
            .mode();
        let text = text(&path);
        if path.ends_with(".sh") && mode & 0o111 == 0 {
            found.push(format!("{path} is not executable"));
        }
        if path.ends_with(".sh") && !text.lines().any(|line| line.starts_with("set -e")) {
            found.push(format!("{path} goes on after an error"));
        }
    }
    none("scripts run and stop", &found);
}
