//! The server's side of paths and trees: what a person types, what a listing says, a tree as a stream.

mod path;
mod walk;

pub use path::{RemoteArg, remote_arg};

pub(crate) use walk::{Lister, Walked, page};
