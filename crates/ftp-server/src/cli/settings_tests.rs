//! Every row of the table through every source, and the page that tells of them.

use std::ffi::OsString;
use std::path::Path;

use super::*;
use crate::cli::kind::{Shape, quoted};
use crate::cli::layers::{Loaded, Origin, Sources};

const FILE: &str = "/etc/muxftp.toml";

/// Two values that differ from each other, as typed.
fn samples(setting: &Setting) -> [String; 2] {
    let allowed = setting.form.allowed();
    let pair = |one: &str, two: &str| [one.to_owned(), two.to_owned()];
    match setting.form.shape() {
        Shape::Switch => pair("true", "false"),
        Shape::Number => pair("3", "5"),
        Shape::Quantity if allowed.starts_with("a size") => pair("3 MiB", "5 MiB"),
        Shape::Quantity => pair("3", "5"),
        Shape::Path | Shape::MaybePath(_) => pair("/srv/one", "/srv/two"),
        Shape::List if allowed.starts_with("a network") => pair("10.0.0.0/8,::1", "192.0.2.1"),
        Shape::List if allowed.starts_with("auto") => pair("192.0.2.1", "10.0.0.0/8=auto"),
        Shape::List => pair("127.0.0.1:3,[::1]:5", "127.0.0.1:5"),
        Shape::Word if allowed.starts_with("any, ") => pair("50000-50009", "any"),
        Shape::Word if allowed.starts_with("a user") => pair("nobody", "1:2"),
        Shape::Word => {
            let words = allowed.strip_prefix("one of ").unwrap();
            let words: Vec<_> = words.split(", ").collect();
            pair(words[0], words[1])
        }
    }
}

/// A value that no layer may have.
fn wrong(setting: &Setting) -> &'static str {
    match setting.form.shape() {
        Shape::Path | Shape::MaybePath(_) => "",
        Shape::Number => "99999999999999999999",
        Shape::Switch | Shape::Quantity | Shape::Word | Shape::List => "-1",
    }
}

fn in_file(setting: &Setting, value: &str) -> String {
    let value = match setting.form.shape() {
        Shape::Switch | Shape::Number => value.to_owned(),
        Shape::Quantity | Shape::Word | Shape::Path | Shape::MaybePath(_) | Shape::List => {
            quoted(value)
        }
    };
    format!("\n{} = {value}\n", setting.name())
}

/// What a setting comes to, and from where, with these layers.
fn load(
    setting: &Setting,
    [file, environment, flag]: [Option<&str>; 3],
) -> Result<(String, Origin), Vec<String>> {
    let mut sources = Sources::default();
    let some = |value: Option<&str>| value.map(|value| (setting.field, OsString::from(value)));
    sources.environment.extend(some(environment));
    sources.flags.extend(some(flag));
    let text = file.map(|value| in_file(setting, value));
    let loaded = sources.resolve(&text.unwrap_or_default(), Path::new(FILE));
    let found = |loaded: Loaded| {
        let number = TABLE.iter().position(|row| row.field == setting.field);
        let shown = loaded.settings.shown()[number.unwrap()].clone();
        (shown, loaded.origins[setting.field].clone())
    };
    loaded
        .map(found)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn every_setting_comes_from_every_source_in_order() {
    for setting in TABLE {
        let name = setting.name();
        let [one, two] = samples(setting);
        let (one, two) = (Some(one.as_str()), Some(two.as_str()));
        let shown = |layers| load(setting, layers).unwrap_or_else(|why| panic!("{name}: {why:?}"));
        let (first, from) = shown([None, None, one]);
        assert_eq!(from, Origin::Flag(name.clone()));
        let (second, from) = shown([None, two, None]);
        assert_eq!(from, Origin::Environment(setting.variable()));
        assert_ne!(first, second, "{name}");
        let (from_file, from) = shown([one, None, None]);
        assert_eq!(
            from_file, first,
            "{name}: the file says the same as the flag"
        );
        assert!(
            matches!(&from, Origin::File(path, place) if path == Path::new(FILE) && place.line == 2),
            "{name}: {from:?}"
        );
        assert_eq!(
            shown([one, two, None]).0,
            second,
            "{name}: environment over file"
        );
        assert_eq!(
            shown([one, one, two]).0,
            second,
            "{name}: flag over environment"
        );
        assert_eq!(shown([one, None, two]).0, second, "{name}: flag over file");
        assert_eq!(shown([None, None, None]).1, Origin::Default, "{name}");
    }
}

#[test]
fn a_wrong_value_is_told_in_whatever_layer() {
    for setting in TABLE {
        let [right, _] = samples(setting);
        let (right, wrong) = (Some(right.as_str()), Some(wrong(setting)));
        let name = setting.name();
        for (layers, place) in [
            ([wrong, right, right], format!("{FILE}:2:")),
            ([right, wrong, right], setting.variable()),
            ([right, right, wrong], format!("--{name}: ")),
        ] {
            let told = load(setting, layers).expect_err(&name);
            assert_eq!(told.len(), 1, "{name}: {told:?}");
            assert!(told[0].starts_with(&place), "{name}: {told:?}");
            assert!(
                told[0].contains(&setting.form.allowed()),
                "{name}: {told:?}"
            );
        }
    }
}

#[test]
fn what_is_shown_can_be_the_file() {
    let loaded = Sources::default().resolve("", Path::new("")).unwrap();
    let text = crate::cli::check::text(&loaded);
    let again = Sources::default().resolve(&text, Path::new(FILE)).unwrap();
    let (mut again, first) = (again.settings.shown(), loaded.settings.shown());
    // A path in a file begins at the file's folder.
    assert_eq!(again[0], "\"/etc/.\"");
    again[0].clone_from(&first[0]);
    assert_eq!(again, first);
}

#[test]
fn only_what_is_live_is_taken_over() {
    let load = |text: &str| {
        Sources::default()
            .resolve(text, Path::new(""))
            .unwrap()
            .settings
    };
    let old = load("");
    let mut new = load("workers = 9\nidle-timeout = 9\nroot = \"/x\"\nlog-level = \"warn\"");
    assert_eq!(new.keep(&old), ["root", "workers"]);
    assert_eq!(new.workers, old.workers);
    assert_eq!(new.idle_timeout, Duration::from_secs(9));
    assert_eq!(new.log_level, LogLevel::Warn);
}

/// `CONFIG.md` as the table has it.
fn page() -> String {
    let mut page = include_str!("config_head.md").to_owned();
    let mut heading = "";
    for setting in TABLE.iter().filter(|setting| !setting.hidden) {
        if setting.heading != heading {
            heading = setting.heading;
            page.push_str(&format!("\n## {heading}\n"));
        }
        let help: Vec<_> = setting.help.iter().map(|line| line.trim()).collect();
        let allowed = setting.form.allowed();
        let reach = match setting.reach {
            Reach::Live => "yes",
            Reach::Restart => "no, restart",
        };
        page.push_str(&format!(
            "\n### `{}`\n\n{}\n\n- allowed: {}\n- default: `{}`\n- flag `--{}`, variable `{}`\n- a reload changes it: {reach}\n",
            setting.name(),
            help.join(" "),
            allowed.trim_end_matches(','),
            setting.default,
            setting.name(),
            setting.variable(),
        ));
    }
    page
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "the page is a file of the sources"
)]
fn the_page_of_settings_is_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/CONFIG.md");
    if std::env::var_os("WRITE_PAGES").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap();
    assert_eq!(
        found,
        page(),
        "CONFIG.md is not what the table says: run this test once with WRITE_PAGES=1"
    );
}
