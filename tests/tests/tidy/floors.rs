//! The floors: which module may name which. The table is the one in `crates/ARCHITECTURE.md`.
//!
//! The check is textual: it reads every `crate::x`, `super::x` and `ftp_y::x` outside comments and tests, and
//! knows nothing of Rust beyond that.

use crate::none;
use crate::source::{rust_files, text};

/// A module, and what of ours it may name: modules of its crate, then paths of other crates.
type Row = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// Modules of `ftp_proto` that everybody may name.
const WORDS: [&str; 5] = ["path", "digest", "limits", "words", "wire"];

const FLOORS: &[Row] = &[
    ("ftp-proto", "path", &[], &[]),
    ("ftp-proto", "digest", &[], &[]),
    ("ftp-proto", "limits", &[], &[]),
    ("ftp-proto", "words", &[], &[]),
    ("ftp-proto", "proxy", &[], &[]),
    (
        "ftp-proto",
        "wire",
        &["path", "digest", "limits", "words"],
        &[],
    ),
    (
        "ftp-proto",
        "session",
        &["path", "digest", "limits", "words"],
        &[],
    ),
    (
        "ftp-proto",
        "native",
        &["wire", "session", "path", "digest", "limits", "words"],
        &[],
    ),
    (
        "ftp-proto",
        "rfc959",
        &["session", "path", "digest", "limits", "words"],
        &[],
    ),
    (
        "ftp-proto",
        "fuzzing",
        &[
            "native", "wire", "session", "path", "digest", "limits", "words",
        ],
        &[],
    ),
    (
        "ftp-store",
        "*",
        &["*"],
        &[
            "ftp_proto::path",
            "ftp_proto::digest",
            "ftp_proto::words",
            "ftp_proto::session",
        ],
    ),
    (
        "ftp-access",
        "*",
        &["*"],
        &[
            "ftp_proto::path",
            "ftp_proto::digest",
            "ftp_proto::words",
            "ftp_proto::session",
        ],
    ),
    ("ftp-tls", "*", &["*"], &[]),
    ("ftp-server", "base", &[], &[]),
    ("ftp-server", "bans", &[], &["ftp_access"]),
    ("ftp-server", "metrics", &[], &["ftp_proto::session"]),
    (
        "ftp-server",
        "pool",
        &["base", "metrics"],
        &["ftp_store", "ftp_proto::session"],
    ),
    ("ftp-server", "conn", &["base"], &["ftp_store", "ftp_tls"]),
    (
        "ftp-server",
        "session",
        &["base", "pool", "conn", "logins", "metrics"],
        &["ftp_access", "ftp_store", "ftp_proto::session"],
    ),
    (
        "ftp-server",
        "reactor",
        &[
            "base", "bans", "pool", "conn", "logins", "session", "metrics",
        ],
        &[
            "ftp_access",
            "ftp_store",
            "ftp_proto::session",
            "ftp_proto::proxy",
        ],
    ),
    (
        "ftp-server",
        "quotas",
        &[],
        &[
            "ftp_access",
            "ftp_store",
            "ftp_proto::words",
            "ftp_proto::session",
        ],
    ),
    (
        "ftp-server",
        "logins",
        &["base", "bans", "quotas"],
        &["ftp_access", "ftp_store", "ftp_proto::session"],
    ),
    ("ftp-server", "sweeper", &[], &["ftp_store"]),
    ("ftp-server", "sandbox", &[], &[]),
    (
        "ftp-server",
        "server",
        &[
            "base", "bans", "conn", "logins", "quotas", "reactor", "pool", "session", "sweeper",
            "metrics",
        ],
        &["ftp_access", "ftp_store", "ftp_tls", "ftp_proto"],
    ),
    (
        "ftp-server",
        "cli",
        &["server", "sandbox", "metrics"],
        &["ftp_access", "ftp_proto::limits", "ftp_proto::words"],
    ),
    ("ftp-server", "main", &[], &["ftp_server"]),
    ("ftp-client", "main", &[], &["ftp_client"]),
    (
        "ftp-client",
        "*",
        &["*"],
        &[
            "ftp_proto::path",
            "ftp_proto::digest",
            "ftp_proto::words",
            "ftp_proto::limits",
            "ftp_proto::wire",
            "ftp_tls",
        ],
    ),
];

#[test]
fn floors_hold() {
    let mut found = Vec::new();
    for path in rust_files() {
        let Some((krate, module)) = place(&path) else {
            continue;
        };
        // The crate's root lists its modules, and tests may reach for what they need.
        if module == "lib" || path.ends_with("/tests.rs") || path.contains("/tests/") {
            continue;
        }
        let Some(row) = row_of(krate, module) else {
            found.push(format!(
                "{path}: module `{module}` of {krate} has no row in the table of floors"
            ));
            continue;
        };
        for name in imports(&path, &text(&path)) {
            if !allowed(row, module, &name) {
                found.push(format!("{path} names {name}"));
            }
        }
    }
    none("a floor names only what lies beneath it", &found);
}

#[test]
fn the_reader_of_imports_sees_them() {
    let text = "
        //! crate::comment
        use std::fmt;
        use crate::{Digest, base::{Key, arena}, conn::Conn};
        use ftp_proto::session::Input; // crate::remark
        fn f(x: crate::pool::Order) -> super::reactor::Turn { ftp_store::Block::new() }
        use ftp_proto::{VPath, wire};
        #[cfg(test)]
        mod tests { use crate::cli; }
    ";
    let mut seen = imports("crates/ftp-server/src/server.rs", text);
    seen.sort();
    let expected = [
        "crate::base",
        "crate::conn",
        "crate::digest",
        "crate::pool",
        "crate::reactor",
        "ftp_proto::path",
        "ftp_proto::session",
        "ftp_proto::wire",
        "ftp_store::Block",
    ];
    assert_eq!(seen, expected);
    let deep = imports(
        "crates/ftp-server/src/conn/inbox.rs",
        "use super::Conn; use super::super::cli;",
    );
    assert_eq!(deep, ["crate::cli"]);
}

/// Crate and module of a file beneath `crates/*/src`.
fn place(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("crates/")?;
    let (krate, rest) = rest.split_once("/src/")?;
    let module = rest.split('/').next()?;
    (!krate.contains('/')).then(|| (krate, module.trim_end_matches(".rs")))
}

fn row_of(krate: &str, module: &str) -> Option<&'static Row> {
    FLOORS
        .iter()
        .find(|row| row.0 == krate && (row.1 == module || row.1 == "*"))
}

fn allowed(row: &Row, module: &str, name: &str) -> bool {
    if let Some(own) = name.strip_prefix("crate::") {
        return own == module || row.2.contains(&own) || row.2.contains(&"*");
    }
    let krate = name.split("::").next().unwrap_or_default();
    row.3.contains(&name) || row.3.contains(&krate)
}

/// What a file names of ours, each once: `crate::module` or `ftp_crate::module`.
fn imports(path: &str, text: &str) -> Vec<String> {
    let code = without_comments_and_tests(text);
    let depth = path.split_once("/src/").map_or(0, |(_, rest)| {
        rest.trim_end_matches("/mod.rs").matches('/').count()
    });
    let mut found = Vec::new();
    let mut see = |krate: &str, rest: &str| {
        for name in heads(rest) {
            found.push(format!("{krate}::{}", module_of(krate, &name)));
        }
    };
    for krate in [
        "crate",
        "ftp_proto",
        "ftp_store",
        "ftp_access",
        "ftp_tls",
        "ftp_server",
        "ftp_client",
        "ftp_tests",
    ] {
        for rest in after(&code, &format!("{krate}::")) {
            see(krate, rest);
        }
    }
    // `super` leads out of the module only as often as the file lies deep.
    let climb = "super::".repeat(depth + 1);
    for rest in after(&code, &climb) {
        see("crate", rest);
    }
    found.sort();
    found.dedup();
    found
}

/// The texts after each whole-word occurrence of `mark`.
fn after<'a>(code: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(mark).filter_map(|(at, _)| {
        let before = code[..at].chars().next_back();
        let inside = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
        (!inside).then(|| &code[at + mark.len()..])
    })
}

/// The first names of a path: one, or those of a `{…}` group.
fn heads(rest: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = rest.strip_prefix('{') else {
        return vec![word(rest)];
    };
    let mut names = Vec::new();
    let mut level = 0;
    let mut item = String::new();
    for c in group.chars() {
        match c {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => names.push(std::mem::take(&mut item)),
            _ if level == 0 => item.push(c),
            _ => {}
        }
    }
    names.push(item);
    names
        .iter()
        .map(|item| word(item.trim()))
        .filter(|name| !name.is_empty() && name != "self")
        .collect()
}

/// The module that a name re-exported at a crate's root comes from.
fn module_of(krate: &str, name: &str) -> String {
    let proto = krate == "ftp_proto" || krate == "crate";
    match name {
        "VPath" | "PathError" if proto => "path",
        "Digest" if proto => "digest",
        "Limits" if proto => "limits",
        "Amount" | "Durability" | "IfExists" | "Kind" | "Secret" if proto => "words",
        other => other,
    }
    .to_owned()
}

fn without_comments_and_tests(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        if line.trim() == "#[cfg(test)]" {
            break;
        }
        code.push_str(line.split("//").next().unwrap_or_default());
        code.push('\n');
    }
    code
}

#[test]
fn the_words_are_words() {
    // Whoever renames a module of the language has to look at this table too.
    let lib = text("crates/ftp-proto/src/lib.rs");
    for word in WORDS {
        assert!(lib.contains(&format!("pub mod {word};")), "{word}");
    }
}
