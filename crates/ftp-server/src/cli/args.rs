//! What can be typed: one flag a setting, the file's name, and the verbs. Obeys nothing; see `config`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::OsStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::kind::Shape;
use super::layers::Sources;
use super::settings::{Setting, TABLE};
use super::user::{self, Change};

/// The environment variable that names the file.
const CONFIG_VARIABLE: &str = "FTP_SERVER_CONFIG";

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) enum Verb {
    /// Serve.
    Serve,
    /// Say whether the configuration is right, and what it comes to.
    Check,
    /// Change or show the users file.
    User(Change),
}

/// The command with everything it knows.
pub(super) fn command() -> Command {
    let check = Command::new("check")
        .about("Say what is wrong with the configuration, or what it comes to and where each value is from")
        .long_about(
            "Reads flags, environment and file as a start would, and serves nothing. If all is well, prints every setting on standard \
             output, as a file could have it, with where it came from. If not, says what is wrong, with line and column, \
             and ends with 2. It reads the files of users and of TLS, and does not look whether the root is there or the address free.",
        );
    with_settings(
        Command::new("ftp-server")
            .version(env!("CARGO_PKG_VERSION"))
            .about("The muxftp server: many verified transfers at once, over one port")
            .long_about(
                "The muxftp server: many verified transfers at once, over one port.\n\n\
                 Prints `listening on ADDR` on standard output when it is ready; the log goes to standard error. SIGTERM or SIGINT \
                 lets transfers finish and ends it with 0; another signal, a second later or more, cuts them and ends it with 1. \
                 SIGHUP reads the configuration again. A flag goes before its environment variable, and this before the file.",
            )
            .max_term_width(110)
            .args_conflicts_with_subcommands(true)
            .subcommand(with_settings(check))
            .subcommand(user::command(places())),
    )
}

/// Splits what was typed, and what `variable` says of the environment, into sources. An empty variable is as none.
pub(super) fn sources(
    matches: &ArgMatches,
    variable: impl Fn(&str) -> Option<OsString>,
) -> (Verb, Sources) {
    let (verb, matches) = match matches.subcommand() {
        Some(("user", inner)) => (Verb::User(user::change(inner)), inner),
        Some((_, inner)) => (Verb::Check, inner),
        None => (Verb::Serve, matches),
    };
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut sources = Sources::default();
    for setting in TABLE {
        // `user` knows few of them.
        let typed = matches.try_get_many::<OsString>(setting.field);
        if let Some(typed) = typed.ok().flatten() {
            let typed: Vec<_> = typed.map(OsString::as_os_str).collect();
            sources
                .flags
                .insert(setting.field, typed.join(",".as_ref()));
        }
        if let Some(value) = variable(&setting.variable()) {
            sources.environment.insert(setting.field, value);
        }
    }
    let file = matches.get_one::<OsString>("config").cloned();
    sources.file = file
        .or_else(|| variable(CONFIG_VARIABLE))
        .map(PathBuf::from);
    (verb, sources)
}

fn with_settings(command: Command) -> Command {
    command.arg(config()).args(TABLE.iter().map(flag))
}

fn config() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(OsStringValueParser::new())
        .help(format!(
            "Read settings from this TOML file; each key is a flag without its dashes [env: {CONFIG_VARIABLE}]"
        ))
}

/// What says where the users file is.
fn places() -> Vec<Arg> {
    let users = TABLE.iter().filter(|setting| setting.field == "users");
    users.map(flag).chain([config()]).collect()
}

fn flag(setting: &'static Setting) -> Arg {
    let help: Vec<_> = setting.help.iter().map(|line| line.trim()).collect();
    let help = help.join(" ");
    let help = help.trim_end_matches('.');
    let notes = format!(
        "[default: {}] [env: {}]",
        setting.default,
        setting.variable()
    );
    let arg = Arg::new(setting.field)
        .long(setting.name())
        .value_name(setting.form.metavar())
        .value_parser(OsStringValueParser::new())
        .help(format!("{help} {notes}"))
        .help_heading(setting.heading)
        .hide(setting.hidden);
    match setting.form.shape() {
        Shape::Switch => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Shape::List => arg.action(ArgAction::Append),
        Shape::Number | Shape::Quantity | Shape::Word | Shape::Path | Shape::MaybePath(_) => arg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn verbs_and_sources_are_told_apart() {
        let read = |args: &[&str], environment: &[(&str, &str)]| {
            let args = [&["ftp-server"], args].concat();
            let matches = command()
                .try_get_matches_from(args)
                .map_err(|error| error.kind())?;
            let find = |name: &str| {
                let found = environment.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.into())
            };
            Ok::<_, clap::error::ErrorKind>(sources(&matches, find))
        };
        let (verb, found) = read(&["--read-only", "--listen", "a", "--listen", "b"], &[]).unwrap();
        assert!(matches!(verb, Verb::Serve));
        assert_eq!(found.flags["read_only"], "true");
        assert_eq!(found.flags["listen"], "a,b");
        assert!(found.file.is_none() && found.environment.is_empty());
        let environment = [
            ("FTP_SERVER_CONFIG", "e.toml"),
            ("FTP_SERVER_ROOT", ""),
            ("FTP_SERVER_WORKERS", "2"),
        ];
        let (verb, found) = read(&["check", "--read-only=false"], &environment).unwrap();
        assert!(matches!(verb, Verb::Check));
        assert_eq!(&*found.flags["read_only"], "false");
        assert_eq!(found.file, Some("e.toml".into()));
        assert_eq!(found.environment.len(), 1, "an empty variable is as none");
        let (_, found) = read(&["check", "--config", "f.toml"], &environment).unwrap();
        assert_eq!(found.file, Some("f.toml".into()));
        for args in [
            &["user", "--users", "u", "passwd", "anna"][..],
            &["user", "passwd", "anna", "--users", "u"],
        ] {
            let (verb, found) = read(args, &[]).unwrap();
            assert!(matches!(verb, Verb::User(Change::Passwd(name, _)) if name == "anna"));
            assert_eq!(&*found.flags["users"], "u");
        }
        assert!(read(&["user"], &[]).is_err());
        assert!(read(&["user", "add", "anna", "--no-password"], &[]).is_err());
        assert!(read(&["--root", "x", "check"], &[]).is_err());
        assert!(read(&["--workers", "1", "--workers", "2"], &[]).is_err());
    }
}
