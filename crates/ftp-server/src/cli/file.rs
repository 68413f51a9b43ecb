//! The configuration file as text: TOML in, one value a key out, each with its place. Reads no disk, knows no rule
//! between keys.
//!
//! A table is a common beginning: `[log]` with `level` under it is the key `log-level`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kind::Shape;
use super::settings::{Setting, TABLE};

/// Most mistakes that are told at once.
const MISTAKES: usize = 20;
/// Longest key for which the nearest known one is looked for.
const KEY_MAX: usize = 64;
/// How near a known key has to be to be named.
const NEAR: f64 = 0.7;

/// A place in the file, counted from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) place: Place,
    pub(super) why: String,
}

/// A value as a flag would have it, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) text: OsString,
}

/// Every key that is set, by the setting's field; and what is wrong, the first [`MISTAKES`] of it. Relative paths begin at `folder`.
pub(super) fn read(text: &str, folder: &Path) -> (BTreeMap<&'static str, Entry>, Vec<Mistake>) {
    let mut reader = Reader {
        text,
        folder,
        entries: BTreeMap::new(),
        mistakes: Vec::new(),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors.iter().take(MISTAKES) {
        let span = error.span().unwrap_or_default();
        reader.mistake(&span, one_line(error.message()));
    }
    // What follows a broken line may be read wrongly: one mistake at a time then.
    if reader.mistakes.is_empty() {
        reader.table("", table.get_ref());
    }
    reader.mistakes.sort_by_key(|mistake| mistake.place);
    (reader.entries, reader.mistakes)
}

struct Reader<'a> {
    text: &'a str,
    folder: &'a Path,
    entries: BTreeMap<&'static str, Entry>,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    /// The keys of a table whose own name, with a `-` behind it, is `before`.
    fn table(&mut self, before: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            if self.mistakes.len() >= MISTAKES {
                return;
            }
            let name = format!("{before}{}", key.get_ref());
            let known = TABLE.iter().find(|setting| setting.name() == name);
            match (known, value.get_ref()) {
                (Some(setting), _) => self.setting(setting, &key.span(), value),
                (None, DeValue::Table(inner)) if begins_one(&format!("{name}-")) => {
                    self.table(&format!("{name}-"), inner);
                }
                (None, DeValue::Table(_)) => self.unknown("section", &name, &key.span()),
                (
                    None,
                    DeValue::String(_)
                    | DeValue::Integer(_)
                    | DeValue::Float(_)
                    | DeValue::Boolean(_)
                    | DeValue::Datetime(_)
                    | DeValue::Array(_),
                ) => self.unknown("key", &name, &key.span()),
            }
        }
    }

    fn unknown(&mut self, what: &str, name: &str, span: &Range<usize>) {
        let mut why = format!("unknown {what} `{}`", one_line(name));
        if let Some(near) = nearest(name) {
            why.push_str(&format!("; did you mean `{near}`?"));
        }
        self.mistake(span, why);
    }

    fn setting(&mut self, setting: &Setting, span: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        let place = self.place(span);
        let text = match self.value(setting.form.shape(), value) {
            Ok(text) => text,
            Err((span, found)) => {
                let (name, allowed) = (setting.name(), setting.form.allowed());
                return self.mistake(&span, format!("{name}: {allowed} is needed, not {found}"));
            }
        };
        if let Some(other) = self.entries.get(setting.field) {
            let (first, again) = (place.min(other.place), place.max(other.place));
            let name = setting.name();
            let why = format!("{name} is set twice: also in line {}", first.line);
            self.mistakes.push(Mistake { place: again, why });
            return;
        }
        self.entries.insert(setting.field, Entry { place, text });
    }

    /// The value as text, or where there is what instead.
    fn value(
        &self,
        shape: Shape,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<OsString, (Range<usize>, &'static str)> {
        let text = match (shape, value.get_ref()) {
            (Shape::Switch, DeValue::Boolean(on)) => on.to_string(),
            (Shape::Number | Shape::Quantity, DeValue::Integer(number)) => {
                // One that does not fit is out of every range, and told as it was written.
                let read = i128::from_str_radix(number.as_str(), number.radix());
                read.map_or_else(|_| number.as_str().to_owned(), |it| it.to_string())
            }
            (Shape::Quantity, DeValue::Float(number)) => number.as_str().to_owned(),
            (Shape::Quantity | Shape::Word | Shape::List, DeValue::String(text)) => {
                text.to_string()
            }
            (Shape::MaybePath(absent), DeValue::String(text)) if text == absent => text.to_string(),
            (Shape::Path | Shape::MaybePath(_), DeValue::String(text)) if text.is_empty() => {
                String::new()
            }
            (Shape::Path | Shape::MaybePath(_), DeValue::String(text)) => {
                return Ok(self.folder.join(text.as_ref()).into_os_string());
            }
            (Shape::List, DeValue::Array(items)) => {
                let mut parts = Vec::new();
                for item in items.iter() {
                    let part = item.get_ref().as_str();
                    parts.push(part.ok_or_else(|| (item.span(), type_of(item.get_ref())))?);
                }
                parts.join(",")
            }
            (_, other) => return Err((value.span(), type_of(other))),
        };
        Ok(text.into())
    }

    fn mistake(&mut self, span: &Range<usize>, why: String) {
        let place = self.place(span);
        self.mistakes.push(Mistake { place, why });
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Place {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

fn begins_one(prefix: &str) -> bool {
    TABLE
        .iter()
        .any(|setting| setting.name().starts_with(prefix))
}

/// The known key that was probably meant.
fn nearest(name: &str) -> Option<String> {
    if name.len() > KEY_MAX {
        return None;
    }
    let known = TABLE.iter().filter(|setting| !setting.hidden);
    known
        .map(|setting| (strsim::jaro(name, &setting.name()), setting))
        .filter(|(near, _)| *near > NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, setting)| setting.name())
}

/// A text as it can stand in a message: of one line, and not long.
pub(super) fn one_line(text: &str) -> String {
    let mut line: String = text.chars().take(KEY_MAX * 2).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line.escape_debug()
        .to_string()
        .replace("\\\"", "\"")
        .replace("\\'", "'")
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
