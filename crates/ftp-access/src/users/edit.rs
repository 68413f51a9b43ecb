//! Changes of the users file, from text to text: comments, order and spacing of all else stay.
//!
//! What comes out was read again and is a good file; a file that is not good to begin with is not changed.

use std::fmt;
use std::path::PathBuf;

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, RawString, Table, value};

use super::read::FileError;
use super::{User, Users};
use crate::rights::Preset;

/// A user to be added.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// Their name.
    pub name: String,
    /// Their password's hash, as [`Hash::make`](crate::password::Hash::make) makes it.
    pub hash: Option<String>,
    /// Their root; may come from a group.
    pub root: Option<PathBuf>,
    /// Their rights; may come from a group.
    pub preset: Option<Preset>,
    /// Their groups.
    pub groups: Vec<String>,
    /// Certificate names that stand for them.
    pub certificates: Vec<String>,
}

/// Why a change is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditError {
    /// The file is not good as it is.
    Before(FileError),
    /// The file would not be good.
    After(FileError),
    /// There is such a user already.
    Exists(String),
    /// There is no such user.
    Missing(String),
    /// The users stand in a form that is not edited here.
    Form,
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(error) => write!(f, "the users file is not good as it is: {error}"),
            // The place is one in a text that nobody has seen.
            Self::After(error) => write!(f, "not changed: {}", error.message),
            Self::Exists(name) => write!(f, "there is a user `{name}` already"),
            Self::Missing(name) => write!(f, "there is no user `{name}`"),
            Self::Form => {
                f.write_str("the users are not written as `[[user]]`; change them by hand")
            }
        }
    }
}

impl std::error::Error for EditError {}

/// Adds a user at the end.
///
/// # Errors
/// The name is taken, or the file is not good, before or after.
pub fn add(text: &str, new: &NewUser) -> Result<String, EditError> {
    let (mut document, users) = open(text)?;
    if users.find(&new.name).is_some() {
        return Err(EditError::Exists(new.name.clone()));
    }
    let mut table = Table::new();
    table["name"] = value(&new.name);
    if let Some(hash) = &new.hash {
        table["password"] = value(hash);
    }
    if let Some(root) = &new.root {
        table["root"] = value(root.to_string_lossy().into_owned());
    }
    if let Some(preset) = new.preset {
        table["preset"] = value(preset.word());
    }
    if !new.groups.is_empty() {
        table["groups"] = value(new.groups.iter().collect::<Array>());
    }
    if !new.certificates.is_empty() {
        table["certificates"] = value(new.certificates.iter().collect::<Array>());
    }
    if document.is_empty() {
        // All there is are comments: they stay at the top.
        let comments = document.trailing().as_str().unwrap_or_default().to_owned();
        table.decor_mut().set_prefix(comments);
        document.set_trailing("");
    } else {
        table.decor_mut().set_prefix("\n");
    }
    document
        .entry("user")
        .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()))
        .as_array_of_tables_mut()
        .ok_or(EditError::Form)?
        .push(table);
    close(&document)
}

/// Gives a user another password.
///
/// # Errors
/// There is no such user, or the file is not good, before or after.
pub fn passwd(text: &str, name: &str, hash: &str) -> Result<String, EditError> {
    let (mut document, _) = open(text)?;
    let list = list(&mut document, name)?;
    let user = list
        .iter_mut()
        .find(|table| is(table, name))
        .ok_or_else(|| EditError::Missing(name.to_owned()))?;
    // A comment behind the old hash stays.
    match user.get_mut("password").and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = hash.into();
            *old.decor_mut() = decor;
        }
        None => user["password"] = value(hash),
    }
    close(&document)
}

/// Removes a user, with the comment right above them; what stands above that, after a blank line, stays.
///
/// # Errors
/// There is no such user, or the file is not good, before or after.
pub fn remove(text: &str, name: &str) -> Result<String, EditError> {
    let (mut document, _) = open(text)?;
    let list = list(&mut document, name)?;
    let at = list
        .iter()
        .position(|table| is(table, name))
        .ok_or_else(|| EditError::Missing(name.to_owned()))?;
    let above = list.get(at).and_then(|table| table.decor().prefix());
    let above = above.and_then(RawString::as_str).unwrap_or_default();
    let kept = above
        .rsplit_once("\n\n")
        .map(|(kept, _)| format!("{kept}\n\n"));
    let kept = kept.filter(|kept| !kept.trim().is_empty());
    list.remove(at);
    let next = list.get_mut(at).map(Table::decor_mut);
    if let (Some(kept), Some(next)) = (&kept, next) {
        let own = next
            .prefix()
            .and_then(RawString::as_str)
            .unwrap_or_default();
        let both = format!("{kept}{}", own.trim_start_matches('\n'));
        next.set_prefix(both);
    } else if let Some(kept) = kept {
        let end = document.trailing().as_str().unwrap_or_default();
        let both = format!("{kept}{end}");
        document.set_trailing(both);
    }
    let gone = |item: &Item| {
        item.as_array_of_tables()
            .is_some_and(ArrayOfTables::is_empty)
    };
    if document.get("user").is_some_and(gone) {
        document.remove("user");
    }
    close(&document)
}

fn open(text: &str) -> Result<(DocumentMut, Users), EditError> {
    let users = Users::parse(text).map_err(EditError::Before)?;
    let document = text.parse().map_err(|_| EditError::Form)?;
    Ok((document, users))
}

fn list<'a>(document: &'a mut DocumentMut, name: &str) -> Result<&'a mut ArrayOfTables, EditError> {
    match document.get_mut("user") {
        None => Err(EditError::Missing(name.to_owned())),
        Some(item) => item.as_array_of_tables_mut().ok_or(EditError::Form),
    }
}

fn is(table: &Table, name: &str) -> bool {
    table.get("name").and_then(Item::as_str) == Some(name)
}

fn close(document: &DocumentMut) -> Result<String, EditError> {
    let text = document.to_string();
    Users::parse(&text).map_err(EditError::After)?;
    Ok(text)
}

impl User {
    /// One line for `user list`: name, root, rights, and what is unusual, with tabs between them. Whatever a name in it
    /// holds, it drives no terminal.
    #[must_use]
    pub fn summary(&self) -> String {
        let root = self.grant().root().to_string_lossy();
        let mut line = format!("{}\t{}\t", self.name(), root.escape_debug());
        for (at, (folder, rights)) in self.grant().rules().iter().enumerate() {
            let gap = if at > 0 { "; " } else { "" };
            let slash = if folder.is_root() { "" } else { "/" };
            let folder = folder.to_string();
            line.push_str(&format!("{gap}{slash}{}: {rights}", folder.escape_debug()));
        }
        if !self.is_enabled() {
            line.push_str("\tdisabled");
        }
        if !self.has_password() && !self.is_guest() {
            line.push_str("\tby certificate only");
        }
        line
    }
}
