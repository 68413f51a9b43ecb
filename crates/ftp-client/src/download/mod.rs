//! Files from the server: asked for ahead, verified, and only then in their place.

mod hashing;
mod mover;
mod options;
mod plan;
mod prove;
mod receive;
mod sink;
mod split;
mod stream;
mod task;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unverified_tests;
mod writer;

pub use options::GetOptions;

pub(crate) use mover::Downloader;
pub(crate) use sink::{Out, Sink};
pub(crate) use split::{SPLIT_BYTES, split};
pub(crate) use task::{Download, Target};
