//! What is fuzzed: one function a target, from bytes to a panic or none.
//!
//! The functions are also called by a test of `ftp-proto`, which replays the kept corpus with any compiler.

mod control;
mod dialogue;
mod ops;
mod replies;
mod source;
mod text;

pub use control::{rfc959_line, rfc959_reply};
pub use dialogue::rfc959_dialogue;
pub use ops::{login_ops, native_ops};
pub use text::{decoder, proxy_header, vpath};
