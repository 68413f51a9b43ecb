//! Tables that name tests: each of them exists, and no limit and no verb of standard FTP is without a row.

use super::none;
use super::source::text;

/// The page with a row for each verb of standard FTP.
const RFC959: &str = "crates/ftp-proto/RFC959.md";

#[test]
fn threats_name_tests_that_exist() {
    let table = text("tests/THREATS.md");
    let mut found = Vec::new();
    let mut count = 0;
    for row in rows(&table) {
        count += cited(row, &mut found).1;
    }
    assert!(count > 20, "only {count} tests were found in the table");
    none("a test of THREATS.md that is not there", &found);
}

#[test]
fn each_limit_has_a_row_with_a_test() {
    let mut limits = fields(
        &text("crates/ftp-proto/src/limits.rs"),
        "pub struct Limits {",
    );
    let users = text("crates/ftp-access/src/users/mod.rs");
    limits.extend(fields(&users, "pub struct UserLimits {"));
    let settings = text("crates/ftp-server/src/cli/settings.rs");
    let settings = fields(&settings, "\nsettings! {").into_iter();
    let told = settings.filter(|name| !["reactors", "workers", "slow_disk_ms"].contains(&&**name));
    limits.extend(told.map(|name| name.replace('_', "-")));
    assert!(limits.len() > 45, "only {} limits were found", limits.len());
    let table = text("tests/THREATS.md");
    let proved: Vec<_> = rows(&table)
        .filter(|row| cited(row, &mut Vec::new()).1 > 0)
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    limits.retain(|name| !proved.contains(&name.as_str()));
    none("a limit without a test in THREATS.md", &limits);
}

#[test]
fn verbs_name_tests_that_exist_and_speak_of_them() {
    let verbs = verbs();
    let (mut found, mut told) = (Vec::new(), Vec::new());
    for row in rows(&text(RFC959)) {
        let mut cells = row.split('|').map(str::trim);
        let (files, count) = cited(row, &mut found);
        let command = cells.nth(3).unwrap();
        // Of the other tables in the page: no row with tests.
        if count == 0 && !files.is_empty() {
            found.push(format!("{command}: a file, and no test of it"));
        }
        for verb in words(command).filter(|word| verbs.iter().any(|verb| verb == word)) {
            if count == 0 {
                continue;
            }
            told.push(verb.to_owned());
            if !words(&files).any(|word| word == verb) {
                found.push(format!("{verb}: no file named in its row speaks of it"));
            }
        }
    }
    let silent = verbs.iter().filter(|verb| !told.contains(verb));
    found.extend(silent.map(|verb| format!("{verb}: no row")));
    none("a row of RFC959.md that is not so", &found);
}

#[test]
fn each_scene_of_standard_ftp_has_a_name_of_its_own() {
    for name in [
        "change", "data", "list", "login", "names", "retr", "stor", "tls",
    ] {
        let script = text(&format!("crates/ftp-proto/tests/rfc959/{name}.script"));
        let mut scenes: Vec<_> = scenes(&script).collect();
        let count = scenes.len();
        scenes.sort_unstable();
        scenes.dedup();
        assert_eq!(scenes.len(), count, "{name}");
    }
}

/// The rows of all tables, their heads too.
fn rows(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter(|line| line.starts_with("| "))
}

/// What the files hold that a row names, and how many tests it names; those that are not there are told.
fn cited(row: &str, missing: &mut Vec<String>) -> (String, usize) {
    let (mut file, mut all, mut count) = (String::new(), String::new(), 0);
    for word in row.split('`').skip(1).step_by(2) {
        if word.ends_with(".script") && word.starts_with("crates/") {
            file = text(word);
        } else if word.ends_with(".script") {
            file = text(&format!("crates/ftp-proto/tests/rfc959/{word}"));
        } else if word.ends_with(".rs") && word.starts_with("crates/") {
            file = text(word);
        } else if word.ends_with(".rs") {
            file = text(&format!("tests/tests/{word}"));
        } else {
            if !file.is_empty() {
                count += 1;
                let is_scene = scenes(&file).any(|scene| scene == word);
                if !is_scene && !file.contains(&format!("fn {word}()")) {
                    missing.push(word.to_owned());
                }
            }
            continue;
        }
        all.push_str(&file);
    }
    (all, count)
}

/// The numbers and times in what begins so: `name: u64` and the like.
fn fields(source: &str, head: &str) -> Vec<String> {
    let (_, body) = source.split_once(head).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let counts = |kind: &str| {
        [
            "u32",
            "u64",
            "usize",
            "Duration",
            "Option<u32>",
            "Option<u64>",
        ]
        .contains(&kind)
    };
    body.lines()
        .filter_map(|line| line.trim().trim_start_matches("pub ").split_once(": "))
        .filter(|(name, kind)| {
            let kind = kind.split([',', ' ']).next();
            !name.contains(' ') && kind.is_some_and(counts)
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn scenes(script: &str) -> impl Iterator<Item = &str> {
    let heads = script.lines().filter_map(|line| line.strip_prefix("## "));
    heads.filter_map(|head| head.split(" | ").next())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
}

/// Every verb that a line may begin with.
fn verbs() -> Vec<String> {
    let table = text("crates/ftp-proto/src/rfc959/command.rs");
    let rows = table.split("row(\"").skip(1);
    let verbs: Vec<_> = rows
        .filter_map(|row| row.split('"').next())
        .map(str::to_owned)
        .collect();
    assert!(verbs.len() > 50, "only {} verbs were found", verbs.len());
    verbs
}
