//! Where values come from: flags over environment over file over defaults. Every layer is read, so a mistake is
//! told even where another layer would have hidden it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::file::{self, Entry, Place, one_line};
use super::kind::Kind;
use super::settings::{Settings, TABLE, Values};

/// Longest configuration file, in bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// What was typed and what the environment had, by the setting's field; and the name of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    pub(super) flags: BTreeMap<&'static str, OsString>,
    pub(super) environment: BTreeMap<&'static str, OsString>,
    pub(super) file: Option<PathBuf>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nobody set it.
    Default,
    /// A place in the file.
    File(PathBuf, Place),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(String),
}

/// What is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Where; nowhere in particular if the file itself cannot be read.
    pub(super) origin: Option<Origin>,
    /// What is wrong, and what is allowed.
    pub(super) why: String,
}

/// Every setting, and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) settings: Settings,
    pub(super) origins: BTreeMap<&'static str, Origin>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, place) => {
                let path = path.to_string_lossy();
                let path = path.escape_debug();
                write!(f, "{path}:{}:{}", place.line, place.column)
            }
            Self::Environment(name) => write!(f, "{name}"),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        f.write_str(&self.why)
    }
}

impl Sources {
    /// Reads the file, if there is one, and takes each setting from the highest layer that has it. Blocks.
    ///
    /// # Errors
    /// Everything that is wrong, in any layer.
    pub(super) fn load(&self) -> Result<Loaded, Vec<Problem>> {
        let Some(path) = &self.file else {
            return self.resolve("", Path::new(""));
        };
        let text = read_file(path).map_err(|error| {
            let path = path.to_string_lossy();
            let why = format!("cannot read {}: {error}", path.escape_debug());
            vec![Problem { origin: None, why }]
        })?;
        self.resolve(&text, path)
    }

    /// [`Sources::load`], with the text of the file at hand.
    ///
    /// # Errors
    /// Everything that is wrong, in any layer.
    pub(super) fn resolve(&self, text: &str, path: &Path) -> Result<Loaded, Vec<Problem>> {
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let (entries, mistakes) = file::read(text, folder);
        let problems = mistakes.into_iter().map(|mistake| Problem {
            origin: Some(Origin::File(path.to_owned(), mistake.place)),
            why: mistake.why,
        });
        let mut layers = Layers {
            sources: self,
            path,
            entries,
            problems: problems.collect(),
            origins: BTreeMap::new(),
        };
        match Settings::resolve(&mut layers) {
            Some(settings) if layers.problems.is_empty() => Ok(Loaded {
                settings,
                origins: layers.origins,
            }),
            Some(_) | None => Err(layers.problems),
        }
    }
}

/// The layers while values are taken from them.
pub(super) struct Layers<'a> {
    sources: &'a Sources,
    path: &'a Path,
    entries: BTreeMap<&'static str, Entry>,
    problems: Vec<Problem>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Values for Layers<'_> {
    /// From the highest layer that has it; every layer has to be readable.
    fn value<K: Kind>(&mut self, field: &'static str, kind: &K, default: &str) -> Option<K::Value> {
        let row = TABLE.iter().find(|setting| setting.field == field)?;
        let mut found = self.try_read(kind, Origin::Default, default.as_ref(), field);
        let mut sound = found.is_some();
        let mut layers: Vec<(Origin, OsString)> = Vec::new();
        if let Some(entry) = self.entries.remove(field) {
            let origin = Origin::File(self.path.to_owned(), entry.place);
            layers.push((origin, entry.text));
        }
        if let Some(text) = self.sources.environment.get(field) {
            layers.push((Origin::Environment(row.variable()), text.clone()));
        }
        if let Some(text) = self.sources.flags.get(field) {
            layers.push((Origin::Flag(row.name()), text.clone()));
        }
        for (origin, text) in layers {
            found = self.try_read(kind, origin, &text, field);
            sound &= found.is_some();
        }
        found.filter(|_| sound)
    }
}

impl Layers<'_> {
    fn try_read<K: Kind>(
        &mut self,
        kind: &K,
        origin: Origin,
        text: &OsStr,
        field: &'static str,
    ) -> Option<K::Value> {
        let value = kind.read(text);
        if value.is_some() {
            self.origins.insert(field, origin);
            return value;
        }
        let name = match &origin {
            Origin::File(..) | Origin::Default => format!("{}: ", field.replace('_', "-")),
            Origin::Environment(_) | Origin::Flag(_) => String::new(),
        };
        let text = one_line(&text.to_string_lossy());
        let why = format!("{name}{} is needed, not `{text}`", kind.allowed());
        let origin = Some(origin);
        self.problems.push(Problem { origin, why });
        None
    }
}

/// The file's text, of at most [`FILE_MAX`] bytes.
#[allow(
    clippy::disallowed_types,
    reason = "the configuration is not beneath a served root, and is never read on a loop"
)]
fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    let read = file.take(FILE_MAX + 1).read_to_string(&mut text);
    match read {
        Ok(len) if len as u64 > FILE_MAX => Err(io::Error::other("it is longer than 1 MiB")),
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(io::Error::other("it is not UTF-8 text"))
        }
        Err(error) => Err(error),
    }
}
