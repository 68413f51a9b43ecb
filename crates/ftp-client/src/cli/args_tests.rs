//! The command line as people type it, and the help as they read it.

use clap::CommandFactory as _;

use super::*;

fn parse(words: &[&str]) -> Result<Args, clap::Error> {
    Args::try_parse_from(std::iter::once(&"ftp-client").chain(words))
}

#[test]
fn the_command_is_consistent() {
    Args::command().debug_assert();
}

#[test]
fn what_is_understood() {
    for words in [
        &["put", "a"][..],
        &["put", "-r", "a", "b"],
        &["put", "--", "-a"],
        &["put", "-", "b"],
        &["put", "-t", "dir", "a", "b"],
        &["put", "--if-exists", "newer", "a"],
        &["get", "a", "b", "-j", "4"],
        &["get", "--streams", "4", "a"],
        &["-s", "h:1", "ls"],
        &["ls", "-l", "-h", "-R", "-a", "x"],
        &["ls", "-s", "h:1"],
        &["rm", "-rf", "a"],
        &["mkdir", "-p", "a", "b"],
        &["mv", "a", "b"],
        &["ping", "-c", "1", "-i", "0"],
        &["login", "-u", "anna", "h:1"],
        &["logout"],
        &["-P", "work", "-u", "anna", "--password-file", "f", "ls"],
        &["ls", "--plaintext-password"],
        &["hash", "a", "--check", "b"],
        &["--timeout", "0.5", "cat", "a"],
        &["--timeout", "5s", "--json", "stat", "a"],
    ] {
        assert!(parse(words).is_ok(), "{words:?}");
    }
}

#[test]
fn what_is_wrong_usage() {
    for words in [
        &[][..],
        &["frobnicate"],
        &["put"],
        &["get"],
        &["mv", "a"],
        &["put", "-T", "-t", "d", "a", "b"],
        &["-q", "-v", "ls"],
        &["-u", "anna", "--password", "x", "ls"],
        &["login", "h:1", "x"],
        &["--timeout", "0", "ls"],
        &["--timeout", "-1", "ls"],
        &["-j", "0", "ls"],
        &["-j", "65", "ls"],
        &["get", "--streams", "0", "a"],
        &["get", "--streams", "17", "a"],
        &["ping", "-i", "x"],
        &["put", "--if-exists", "maybe", "a"],
    ] {
        let error = parse(words).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{words:?}");
    }
}

#[test]
fn every_option_explains_itself() {
    let mut command = Args::command();
    command.build();
    for verb in command
        .get_subcommands()
        .filter(|verb| verb.get_name() != "help")
    {
        assert!(verb.get_about().is_some(), "{}", verb.get_name());
        for arg in verb.get_arguments() {
            assert!(
                arg.get_help().is_some(),
                "{} {}",
                verb.get_name(),
                arg.get_id()
            );
        }
    }
}

#[test]
fn the_long_help_is_as_agreed() {
    let help = Args::command()
        .term_width(90)
        .render_long_help()
        .to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let text = help.join("\n");
    for part in [
        "Moves files to and from an ftp-server, verified end to end",
        "Usage: ftp-client [OPTIONS] <COMMAND>",
        "  put     Send files and folders to the server",
        "  get     Get files and folders from the server",
        "  cat     Print files of the server to standard output",
        "  ls      List a folder of the server",
        "  stat    Tell what stands at a path of the server",
        "  hash    Print SHA-256 digests that the server computes, as sha256sum does",
        "  mkdir   Make folders on the server",
        "  mv      Rename or move on the server",
        "  rm      Remove files and folders from the server",
        "  login   Try a password, and keep it if the server takes it",
        "  logout  Forget the passwords that are kept for a server",
        "  -u, --user <NAME>",
        "  -P, --profile <NAME>",
        "  ping    Measure round trips to the server",
        "  -s, --server <HOST[:PORT]>",
        "[env: FTP_CLIENT_SERVER]",
        "[default: 127.0.0.1:2121]",
        exit::TABLE,
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}
