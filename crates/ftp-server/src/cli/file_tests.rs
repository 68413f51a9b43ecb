//! What the file may say, and what is told of what it may not.

use super::*;

/// Mistakes as `line:column: why`.
fn mistakes(text: &str) -> Vec<String> {
    let (_, mistakes) = read(text, Path::new("/etc"));
    let told = mistakes.iter().map(|mistake| {
        let Place { line, column } = mistake.place;
        format!("{line}:{column}: {}", mistake.why)
    });
    told.collect()
}

#[test]
fn keys_come_with_their_places() {
    let text = "# A comment.\nworkers = 3\n  'idle-timeout' = \"10m\"\nlog.level = \"debug\"\nroot = \"files\"\n\
                listen = [\n  \"127.0.0.1:1\",\n  \"[::1]:2\",\n]\nread-only = true\nstall-timeout = 1.5\nmin-rate = 0x40\n";
    let (entries, mistakes) = read(text, Path::new("/etc"));
    assert_eq!(mistakes, []);
    let check = |field: &str, line: usize, column: usize, text: &str| {
        let entry = &entries[field];
        assert_eq!(
            (entry.place.line, entry.place.column),
            (line, column),
            "{field}"
        );
        assert_eq!(entry.text, text, "{field}");
    };
    check("workers", 2, 1, "3");
    check("idle_timeout", 3, 3, "10m");
    check("log_level", 4, 5, "debug");
    check("root", 5, 1, "/etc/files");
    check("listen", 6, 1, "127.0.0.1:1,[::1]:2");
    check("read_only", 10, 1, "true");
    check("stall_timeout", 11, 1, "1.5");
    check("min_rate", 12, 1, "64");
    assert_eq!(entries.len(), 8);
}

#[test]
fn a_section_is_a_common_beginning() {
    let (entries, mistakes) = read(
        "[log]\nlevel = \"warn\"\nformat = \"json\"\n",
        Path::new(""),
    );
    assert_eq!(mistakes, []);
    assert_eq!(entries["log_level"].text, "warn");
    assert_eq!(entries["log_format"].text, "json");
}

#[test]
fn unknown_names_are_mistakes() {
    let check = |text: &str, told: &str| assert_eq!(mistakes(text), [told], "{text}");
    check(
        "idle-timout = 3",
        "1:1: unknown key `idle-timout`; did you mean `idle-timeout`?",
    );
    check("\n zzz = 3", "2:2: unknown key `zzz`");
    check(
        "[log]\nlevle = \"warn\"",
        "2:1: unknown key `log-levle`; did you mean `log-level`?",
    );
    check("[zzz]\ncert = 1\nkey = 2", "1:2: unknown section `zzz`");
    check(
        "[[listen.on]]\na = 1",
        "1:3: listen: an IP address and a port, such as 127.0.0.1:2121 or [::1]:2121, is needed, not a section",
    );
    check(
        "\"idle\\ntime\" = 1",
        "1:1: unknown key `idle\\ntime`; did you mean `idle-timeout`?",
    );
    // A hidden setting is known, and not told of.
    check("slow-disk-m = 1", "1:1: unknown key `slow-disk-m`");
    assert_eq!(mistakes("slow-disk-ms = 1"), [""; 0]);
}

#[test]
fn wrong_types_are_mistakes() {
    let check = |text: &str, told: &str| assert_eq!(mistakes(text), [told], "{text}");
    check(
        "workers = true",
        "1:11: workers: a number from 1 to 1024, or auto, is needed, not true or false",
    );
    check(
        "reactors = \"2\"",
        "1:12: reactors: a number from 1 to 256 is needed, not a text",
    );
    check(
        "reactors = 2.0",
        "1:12: reactors: a number from 1 to 256 is needed, not a number with a point",
    );
    check(
        "read-only = \"yes\"",
        "1:13: read-only: true or false is needed, not a text",
    );
    check(
        "read-only = 1",
        "1:13: read-only: true or false is needed, not a whole number",
    );
    check(
        "root = []",
        "1:8: root: the path of a folder is needed, not a list",
    );
    check(
        "[root]",
        "1:1: root: the path of a folder is needed, not a section",
    );
    check(
        "durability = 1979-05-27",
        "1:14: durability: one of full, data, none is needed, not a date",
    );
    check(
        "listen = [\"127.0.0.1:1\", 2]",
        "1:26: listen: an IP address and a port, such as 127.0.0.1:2121 or [::1]:2121, is needed, not a whole number",
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    for text in [
        "workers = ",
        "workers",
        "= 3",
        "[log",
        "a = \"x",
        "workers = 1\nworkers = 2",
        "\u{0}",
    ] {
        let told = mistakes(text);
        assert!(!told.is_empty(), "{text:?}");
        assert!(told.iter().all(|it| !it.contains('\n')), "{told:?}");
    }
    assert!(mistakes("workers = 1\nworkers = 2")[0].starts_with("2:1: "));
}

#[test]
fn both_spellings_of_a_key_are_twice() {
    let told = mistakes("log-level = \"info\"\n[log]\nlevel = \"warn\"");
    assert_eq!(told, ["3:1: log-level is set twice: also in line 1"]);
}

#[test]
fn mistakes_are_told_up_to_a_bound() {
    let text: String = (0..10_000).map(|n| format!("x{n} = 1\n")).collect();
    assert_eq!(mistakes(&text).len(), MISTAKES);
    let text: String = (0..10_000).map(|_| "= 1\n").collect();
    assert_eq!(mistakes(&text).len(), MISTAKES);
    // A long name is cut, and an odd one escaped.
    let told = mistakes(&format!("\"{}\\n\" = 1", "x".repeat(100_000)));
    assert!(told[0].len() < 600, "{}", told[0].len());
}
