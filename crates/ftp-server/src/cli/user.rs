//! `user add|passwd|rm|list`: the users file, changed by a command.
//!
//! Serves nothing and asks no running server. A file that is not good is never changed, and no password comes from the
//! command line.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Command};
use ftp_access::Users;
use ftp_access::password::{Cost, Hash, HashError};
use ftp_access::rights::Preset;
use ftp_access::users::{EditError, LoadError, NewUser, UsersFile, add, passwd, remove};

use super::layers::{Problem, Sources};
use super::password::{self, AskError};
use super::{FAILED, OK, USAGE, complain};

/// What a person is told after each change.
const SIGHUP: &str = "a running server takes it over on SIGHUP";

/// What is to be done with the users file.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Add a user.
    Add(NewUser, Asks),
    /// Give a user another password.
    Passwd(String, Asks),
    /// Remove a user.
    Remove(String),
    /// Show everybody.
    List,
}

/// Where the password comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// A person, twice.
    Terminal,
    /// The first line of standard input.
    StandardInput,
    /// There is none: the user comes by certificate.
    Nobody,
}

/// Why nothing was done.
#[derive(Debug)]
enum Failure {
    /// What was typed, or the configuration, is wrong.
    Usage(String),
    /// The users file cannot be used or changed.
    File(LoadError),
    /// No password could be had.
    Password(AskError),
    /// No hash could be made.
    Hash(HashError),
    /// Nobody took the list.
    Output(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(why) => f.write_str(why),
            Self::File(error) => error.fmt(f),
            Self::Password(error) => error.fmt(f),
            Self::Hash(error) => error.fmt(f),
            Self::Output(error) => write!(f, "the list could not be written: {error}"),
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::File(error)
    }
}

/// The command; `places` are the flags that say where the users file is.
pub(super) fn command(places: Vec<Arg>) -> Command {
    let name = || {
        let help = "The user's name";
        Arg::new("name")
            .value_name("NAME")
            .required(true)
            .help(help)
    };
    let stdin = || {
        let help = "Take the password from the first line of standard input; otherwise it is asked for, twice, at the terminal";
        Arg::new("stdin")
            .long("password-stdin")
            .action(ArgAction::SetTrue)
            .help(help)
    };
    let list = |id: &'static str, value: &'static str, help: &'static str| {
        let arg = Arg::new(id).long(id).value_name(value);
        arg.action(ArgAction::Append).help(help)
    };
    let add = Command::new("add")
        .about("Add a user")
        .arg(name())
        .arg(
            Arg::new("root")
                .long("root")
                .value_name("DIR")
                .value_parser(OsStringValueParser::new())
                .help("The folder that is the user's `/`; `{user}` in it is the name; may come from a group"),
        )
        .arg(
            Arg::new("preset")
                .long("preset")
                .value_parser(PossibleValuesParser::new(Preset::ALL.map(Preset::word)))
                .help("The user's rights everywhere; may come from a group"),
        )
        .arg(list("group", "GROUP", "A group the user is in; may be given more than once, the first one goes before"))
        .arg(list("certificate", "NAME", "A name in client certificates that stands for the user; may be given more than once"))
        .arg(stdin())
        .arg(
            Arg::new("nobody")
                .long("no-password")
                .action(ArgAction::SetTrue)
                .conflicts_with("stdin")
                .requires("certificate")
                .help("The user has no password, and comes by certificate only"),
        );
    let passwd = Command::new("passwd").about("Give a user another password");
    Command::new("user")
        .about("Add, change, remove or list users")
        .long_about(
            "Adds, changes, removes or lists users in the users file, which --users names, or the configuration. Comments and order stay; \
             the file is replaced in one step, and a file that is not good is not changed. A running server takes the change over \
             on SIGHUP. Ends with 0, with 1 if nothing was changed, with 2 for wrong usage.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args(places.into_iter().map(|place| place.global(true)))
        .subcommand(add)
        .subcommand(passwd.arg(name()).arg(stdin()))
        .subcommand(Command::new("rm").about("Remove a user").arg(name()))
        .subcommand(Command::new("list").about("Show users, their folders and their rights; no hashes"))
}

/// What was typed after `user`.
pub(super) fn change(matches: &ArgMatches) -> Change {
    let Some((verb, matches)) = matches.subcommand() else {
        return Change::List;
    };
    let typed = |id: &str| matches.get_one::<String>(id).cloned();
    let name = || typed("name").unwrap_or_default();
    match verb {
        "add" => Change::Add(new_user(name(), matches), asks(matches, true)),
        "passwd" => Change::Passwd(name(), asks(matches, false)),
        "rm" => Change::Remove(name()),
        _ => Change::List,
    }
}

fn new_user(name: String, matches: &ArgMatches) -> NewUser {
    let all = |id: &str| {
        let typed = matches.get_many::<String>(id);
        typed.into_iter().flatten().cloned().collect()
    };
    let preset = matches.get_one::<String>("preset");
    NewUser {
        name,
        hash: None,
        root: matches.get_one::<OsString>("root").map(PathBuf::from),
        preset: preset.and_then(|word| Preset::from_word(word)),
        groups: all("group"),
        certificates: all("certificate"),
    }
}

fn asks(matches: &ArgMatches, may_be_nobody: bool) -> Asks {
    if may_be_nobody && matches.get_flag("nobody") {
        Asks::Nobody
    } else if matches.get_flag("stdin") {
        Asks::StandardInput
    } else {
        Asks::Terminal
    }
}

/// Does it; gives the exit code.
pub(super) fn run(change: Change, sources: &Sources) -> u8 {
    let file = match file(sources) {
        Ok(file) => file,
        Err(problems) => {
            for problem in problems {
                complain(&problem);
            }
            return USAGE;
        }
    };
    match act(change, &file) {
        Ok(told) => {
            if let Some(told) = told {
                complain(&told);
            }
            OK
        }
        Err(failure) => {
            complain(&failure);
            match failure {
                Failure::Usage(_) | Failure::Password(AskError::Nobody) => USAGE,
                Failure::File(_) | Failure::Password(_) | Failure::Hash(_) | Failure::Output(_) => {
                    FAILED
                }
            }
        }
    }
}

/// The users file: the one of the flag, or what the configuration says.
fn file(sources: &Sources) -> Result<UsersFile, Vec<Problem>> {
    // Who names the file need not have a configuration that is right.
    let typed = sources.flags.get("users").map(PathBuf::from);
    let path = match typed.filter(|path| path != Path::new("none")) {
        Some(path) => Some(path),
        None => sources.load()?.settings.users,
    };
    let nowhere = || {
        let why =
            "which users file? Say it by --users FILE, or by --config FILE if that has `users`";
        vec![Problem {
            origin: None,
            why: why.to_owned(),
        }]
    };
    path.map(UsersFile::at).ok_or_else(nowhere)
}

/// Does it; what a person should be told besides.
fn act(change: Change, file: &UsersFile) -> Result<Option<String>, Failure> {
    match change {
        Change::Add(mut new, asks) => {
            new.root = new.root.as_deref().map(absolute).transpose()?;
            let taken = EditError::Exists(new.name.clone());
            look(file, taken, |users| users.find(&new.name).is_none())?;
            new.hash = hash(asks, &new.name)?;
            file.edit(|text| add(text, &new))?;
            Ok(Some(added(&new.name, file)?))
        }
        Change::Passwd(name, asks) => {
            let missing = EditError::Missing(name.clone());
            look(file, missing, |users| {
                users.iter().any(|user| user.name() == name)
            })?;
            let hash = hash(asks, &name)?.unwrap_or_default();
            file.edit(|text| passwd(text, &name, &hash))?;
            Ok(Some(format!("changed the password of `{name}`; {SIGHUP}")))
        }
        Change::Remove(name) => {
            file.edit(|text| remove(text, &name))?;
            Ok(Some(format!("removed `{name}`; {SIGHUP}")))
        }
        Change::List => {
            list(&file.load()?).map_err(Failure::Output)?;
            Ok(None)
        }
    }
}

/// A look at the file before anybody is asked for a password: the change itself checks again, under its lock.
fn look(file: &UsersFile, wrong: EditError, right: impl Fn(&Users) -> bool) -> Result<(), Failure> {
    let users = match file.load() {
        Err(LoadError::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => Users::default(),
        other => other?,
    };
    if right(&users) {
        return Ok(());
    }
    Err(Failure::File(LoadError::Edit(
        file.path().to_owned(),
        wrong,
    )))
}

/// The users file wants whole paths; here a person may have typed one that begins where they are.
fn absolute(root: &Path) -> Result<PathBuf, Failure> {
    let shown = root.to_string_lossy();
    if root.to_str().is_none() {
        let why = format!("--root {}: not UTF-8", shown.escape_debug());
        return Err(Failure::Usage(why));
    }
    let wrong = |error| Failure::Usage(format!("--root {}: {error}", shown.escape_debug()));
    std::path::absolute(root).map_err(wrong)
}

fn hash(asks: Asks, name: &str) -> Result<Option<String>, Failure> {
    let password = match asks {
        Asks::Nobody => return Ok(None),
        Asks::StandardInput => password::from_standard_input(),
        Asks::Terminal => password::from_terminal(name),
    };
    let password = password.map_err(Failure::Password)?;
    let hash = Hash::make(&password, Cost::default()).map_err(Failure::Hash)?;
    Ok(Some(hash))
}

/// What is told of a new user: that a running server has to hear of it, and that the folder is missing, if it is.
fn added(name: &str, file: &UsersFile) -> Result<String, Failure> {
    let mut told = format!("added `{name}`; {SIGHUP}");
    let users = file.load()?;
    let root = users.find(name).map(|user| user.grant().root());
    if let Some(root) = root.filter(|root| !root.is_dir()) {
        let root = root.to_string_lossy();
        let root = root.escape_debug();
        // Writing to a text cannot fail.
        let _ = write!(
            told,
            ". Their folder {root} is not there yet: make it before they log in"
        );
    }
    Ok(told)
}

fn list(users: &Users) -> io::Result<()> {
    let mut text = String::new();
    for user in users.iter().chain(users.anonymous()) {
        text.push_str(&user.summary());
        text.push('\n');
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
