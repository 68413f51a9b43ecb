//! Profiles: options under a name, in `config.toml` of the client's folder. A key is a flag's long name.
//!
//! A profile's values become the flags' defaults, so that the same parser judges them and a flag or a variable of the
//! environment goes before them. No secret is kept here.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, FromArgMatches as _, Parser as _};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::args::Args;
use super::home;
use crate::error::{Error, Result};
use crate::text;

/// Most bytes of the file.
const FILE_BYTES: u64 = 1024 * 1024;
/// The table that holds the profiles.
const PROFILES: &str = "profiles";
/// How near a known key has to be to be named.
const NEAR: f64 = 0.7;
/// Longest key that is shown, or for which a near one is looked for, in bytes.
const KEY_BYTES: usize = 64;

/// What a value is in TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Text,
    /// Begins at the file's folder if it is relative.
    Path,
    Number,
    Switch,
}

/// Every key of a profile.
const KEYS: [(&str, Shape); 15] = [
    ("server", Shape::Text),
    ("user", Shape::Text),
    ("password-file", Shape::Path),
    ("plaintext-password", Shape::Switch),
    ("tls", Shape::Switch),
    ("ca", Shape::Path),
    ("pin", Shape::Text),
    ("cert", Shape::Path),
    ("key", Shape::Path),
    ("tls-min", Shape::Text),
    ("connections", Shape::Number),
    ("jobs", Shape::Number),
    ("retries", Shape::Number),
    ("timeout", Shape::Number),
    ("connect-timeout", Shape::Number),
];

/// Why there are no arguments.
pub(super) enum Failure {
    /// The command line or the environment; help is one of these.
    Clap(clap::Error),
    /// The profile, and what was typed.
    Ours(Box<Args>, Error),
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Clap(error)
    }
}

/// What was typed, with what the profile says where nothing was.
///
/// # Errors
/// As clap's; and where the profile is missing or wrong, with file, line and column.
pub(super) fn parse(words: &[OsString]) -> std::result::Result<Args, Failure> {
    let first = Args::try_parse_from(words)?;
    let Some(name) = &first.common.profile else {
        return Ok(first);
    };
    let values = match find(name) {
        Ok(values) => values,
        Err(error) => return Err(Failure::Ours(Box::new(first), error)),
    };
    let mut command = Args::command();
    for value in values {
        command = command.mut_arg(value.id(), |arg| arg.default_value(value.text));
    }
    let mut matches = command.try_get_matches_from(words)?;
    Ok(Args::from_arg_matches_mut(&mut matches)?)
}

/// The values of a profile of the usual file, each as its flag takes it.
fn find(name: &str) -> Result<Vec<Value>> {
    let path = home::file("config.toml")?;
    let values = values(&read(&path)?, &path, name)?;
    values.iter().try_for_each(|value| value.judge(&path))?;
    Ok(values)
}

fn read(path: &Path) -> Result<String> {
    let failed = |error| Error::local(format!("read {}", path.display()), error);
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > FILE_BYTES {
        let why = format!("longer than {FILE_BYTES} bytes");
        let kind = std::io::ErrorKind::FileTooLarge;
        return Err(failed(std::io::Error::new(kind, why)));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// One value of a profile.
#[derive(Debug)]
struct Value {
    key: &'static str,
    shape: Shape,
    text: OsString,
    place: String,
}

impl Value {
    /// The flag's name in the parser.
    fn id(&self) -> String {
        flag(self.key).replace('-', "_")
    }

    /// What the flag's own parser says of the value.
    fn judge(&self, path: &Path) -> Result<()> {
        if self.shape == Shape::Switch {
            return Ok(());
        }
        let mut word = OsString::from(format!("--{}=", flag(self.key)));
        word.push(&self.text);
        let tried = Args::command().try_get_matches_from([
            OsString::from("ftp-client"),
            word,
            OsString::from("ls"),
        ]);
        let Err(error) = tried else {
            return Ok(());
        };
        // Only what is wrong with the value itself: what else is wrong, the whole command line tells.
        if !matches!(
            error.kind(),
            clap::error::ErrorKind::InvalidValue | clap::error::ErrorKind::ValueValidation
        ) {
            return Ok(());
        }
        let why = error.to_string();
        let why = why.lines().next().unwrap_or_default();
        let why = why.strip_prefix("error: ").unwrap_or(why);
        Err(Error::Usage(format!(
            "{}, {}: {}",
            path.display(),
            self.place,
            text::escape(why)
        )))
    }
}

/// The long name of the flag that a key stands for.
fn flag(key: &'static str) -> &'static str {
    // What `-j` is called by those who know make.
    if key == "jobs" { "connections" } else { key }
}

/// The values of the profile `name`. All profiles are read, so that a mistake shows whichever is used.
fn values(text: &str, path: &Path, name: &str) -> Result<Vec<Value>> {
    let reader = Reader { text, path };
    let table = DeTable::parse(text)
        .map_err(|error| reader.wrong(&error.span().unwrap_or_default(), error.message()))?;
    let mut found = None;
    let mut names = Vec::new();
    for (key, value) in table.get_ref() {
        let DeValue::Table(profiles) = value.get_ref() else {
            return Err(reader.unknown(key, &[PROFILES]));
        };
        if key.get_ref() != PROFILES {
            return Err(reader.unknown(key, &[PROFILES]));
        }
        for (key, value) in profiles {
            let DeValue::Table(profile) = value.get_ref() else {
                let why = "a profile is a section: [profiles.NAME]";
                return Err(reader.wrong(&key.span(), why));
            };
            let values = reader.profile(profile)?;
            if key.get_ref() == name {
                found = Some(values);
            }
            names.push(text::escape(key.get_ref()));
        }
    }
    found.ok_or_else(|| {
        Error::Usage(format!(
            "{}: there is no profile {:?}; there {}",
            path.display(),
            name,
            if names.is_empty() {
                "are none".to_owned()
            } else {
                format!("is: {}", names.join(", "))
            }
        ))
    })
}

struct Reader<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Reader<'_> {
    fn profile(&self, table: &DeTable<'_>) -> Result<Vec<Value>> {
        let mut values: Vec<Value> = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if name == "password" {
                let why =
                    "no passwords here: `ftp-client login` keeps them, or name a `password-file`";
                return Err(self.wrong(&key.span(), why));
            }
            let Some((known, shape)) = KEYS.into_iter().find(|(known, _)| *known == name) else {
                let keys: Vec<_> = KEYS.iter().map(|(known, _)| *known).collect();
                return Err(self.unknown(key, &keys));
            };
            if values.iter().any(|other| flag(other.key) == flag(known)) {
                let why = format!("`{}` is set twice", flag(known));
                return Err(self.wrong(&key.span(), &why));
            }
            values.push(Value {
                key: known,
                shape,
                text: self.text_of(known, shape, value)?,
                place: self.place(&value.span()),
            });
        }
        Ok(values)
    }

    /// A value as its flag would have it.
    fn text_of(&self, key: &str, shape: Shape, value: &Spanned<DeValue<'_>>) -> Result<OsString> {
        let text = match (shape, value.get_ref()) {
            (Shape::Text, DeValue::String(text)) => text.to_string(),
            (Shape::Path, DeValue::String(text)) => {
                let folder = self.path.parent().map_or_else(PathBuf::new, Path::to_owned);
                return Ok(folder.join(text.as_ref()).into_os_string());
            }
            (Shape::Number, DeValue::Integer(number)) => number.to_string(),
            (Shape::Number, DeValue::Float(number)) => number.as_str().to_owned(),
            (Shape::Switch, DeValue::Boolean(on)) => on.to_string(),
            (shape, _) => {
                let needed = match shape {
                    Shape::Text => "a text in quotes",
                    Shape::Path => "a path in quotes",
                    Shape::Number => "a number",
                    Shape::Switch => "true or false",
                };
                return Err(self.wrong(&value.span(), &format!("`{key}` needs {needed}")));
            }
        };
        Ok(text.into())
    }

    fn unknown(&self, key: &Spanned<std::borrow::Cow<'_, str>>, known: &[&str]) -> Error {
        let name: String = key.get_ref().chars().take(KEY_BYTES).collect();
        let mut why = format!("unknown key `{}`", text::escape(&name));
        let near = known
            .iter()
            .map(|known| (strsim::jaro(&name, known), known))
            .filter(|(near, _)| *near > NEAR)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        if let Some((_, near)) = near {
            why.push_str(&format!("; did you mean `{near}`?"));
        }
        self.wrong(&key.span(), &why)
    }

    fn wrong(&self, span: &Range<usize>, why: &str) -> Error {
        let (path, place) = (self.path.display(), self.place(span));
        Error::Usage(format!("{path}, {place}: {why}"))
    }

    /// Line and column from 1; columns are characters.
    fn place(&self, span: &Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        format!("line {line}, column {column}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/c/config.toml";

    fn read(text: &str, name: &str) -> Result<Vec<(String, String)>> {
        let values = values(text, Path::new(PATH), name)?;
        for value in &values {
            value.judge(Path::new(PATH))?;
        }
        Ok(values
            .iter()
            .map(|value| (value.id(), value.text.to_str().unwrap().to_owned()))
            .collect())
    }

    #[test]
    fn every_key_is_a_flag_of_every_verb() {
        let command = Args::command();
        for (key, shape) in KEYS {
            let value = Value {
                key,
                shape,
                text: OsString::new(),
                place: String::new(),
            };
            let arg = command
                .get_arguments()
                .find(|arg| arg.get_id() == value.id().as_str())
                .unwrap_or_else(|| panic!("{key}"));
            assert_eq!(arg.get_long(), Some(flag(key)));
            assert!(arg.is_global_set(), "{key}");
            let takes = arg.get_action().takes_values();
            assert_eq!(takes, shape != Shape::Switch, "{key}");
        }
    }

    #[test]
    fn a_profile_is_read() {
        let text = "[profiles.a]\nserver = \"h:1\"\njobs = 4\ntls = true\nca = \"ca.pem\"\ntimeout = 1.5\n\
                    [profiles.b]\nkey = \"/k.pem\"\n";
        let pair = |id: &str, value: &str| (id.to_owned(), value.to_owned());
        let mut found = read(text, "a").unwrap();
        found.sort();
        assert_eq!(
            found,
            [
                pair("ca", "/c/ca.pem"),
                pair("connections", "4"),
                pair("server", "h:1"),
                pair("timeout", "1.5"),
                pair("tls", "true"),
            ]
        );
        assert_eq!(read(text, "b").unwrap(), [pair("key", "/k.pem")]);
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, place, why) in [
            (
                "[profiles.a]\nsever = \"x\"\n",
                "line 2, column 1",
                "did you mean `server`?",
            ),
            (
                "[profiles.b]\n\nxyz = 1\n[profiles.a]\n",
                "line 3, column 1",
                "unknown key `xyz`",
            ),
            (
                "[profile.a]\n",
                "line 1, column 2",
                "did you mean `profiles`?",
            ),
            ("profiles = 3\n", "line 1, column 1", "unknown key"),
            ("[profiles]\na = 1\n", "line 2, column 1", "[profiles.NAME]"),
            (
                "[profiles.a]\nretries = \"3\"\n",
                "line 2, column 11",
                "needs a number",
            ),
            (
                "[profiles.a]\nretries = -1\n",
                "line 2, column 11",
                "invalid value '-1'",
            ),
            (
                "[profiles.a]\nconnections = 65\n",
                "line 2, column 15",
                "65",
            ),
            (
                "[profiles.a]\ntls = 1\n",
                "line 2, column 7",
                "true or false",
            ),
            (
                "[profiles.a]\ntls-min = \"1.1\"\n",
                "line 2, column 11",
                "invalid value '1.1'",
            ),
            (
                "[profiles.a]\njobs = 1\nconnections = 1\n",
                "line ",
                "set twice",
            ),
            (
                "[profiles.a]\npassword = \"x\"\n",
                "line 2, column 1",
                "no passwords here",
            ),
            ("[profiles.a\n", "line 1, column", ""),
            ("[profiles.b]\n", "there is no profile \"a\"", "there is: b"),
            ("", "there is no profile \"a\"", "there are none"),
        ] {
            let error = read(text, "a").unwrap_err().to_string();
            assert!(error.starts_with(PATH), "{error}");
            assert!(
                error.contains(place) && error.contains(why),
                "{text}: {error}"
            );
        }
    }
}
