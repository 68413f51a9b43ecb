//! The local disk: folders held open, sources to read, partials that become files.
//!
//! No file appears under its name other than through [`Partial::commit`].

mod folder;
mod partial;
mod source;
mod walk;

pub(crate) use folder::Folder;
pub(crate) use partial::{Meta, Partial, USUAL_MODE, is_partial_name};
pub(crate) use source::{Source, read_some};
pub(crate) use walk::{Found, walk};
