//! Whether each of several sources gets a name of its own.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::{Error, Result};

/// A source, what it is to become, and whether it is a folder.
pub(super) struct Goal<'a> {
    pub(super) source: Cow<'a, str>,
    pub(super) name: Cow<'a, str>,
    pub(super) is_folder: bool,
}

/// Of two files with one name one would be lost, and chance would say which. Folders of one name become one, as with cp.
///
/// # Errors
/// [`Error::Usage`], with `nothing` that was done.
pub(super) fn check<'a>(goals: impl IntoIterator<Item = Goal<'a>>, nothing: &str) -> Result<()> {
    let mut names = HashMap::new();
    for goal in goals {
        let Goal {
            source,
            name,
            is_folder,
        } = goal;
        let before = names.insert(name.clone(), (source.clone(), is_folder));
        if let Some((other, was_folder)) = before
            && other != source
            && !(was_folder && is_folder)
        {
            return Err(Error::Usage(format!(
                "{other} and {source} would both become {name}: {nothing}"
            )));
        }
    }
    Ok(())
}
