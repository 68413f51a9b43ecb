//! Files to the server: small ones pipelined in one frame each, large ones in chunks read and hashed ahead.

mod mover;
mod options;
mod reader;
mod stream;
mod task;
#[cfg(test)]
mod tests;

pub use options::PutOptions;

pub(crate) use mover::Uploader;
pub(crate) use task::{Upload, What};
