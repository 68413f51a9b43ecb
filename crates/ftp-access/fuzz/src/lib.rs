//! What is fuzzed: one function a target, from bytes to a panic or none.
//!
//! The functions are also called by a test of `ftp-access`, which replays the kept corpus with any compiler.

mod users;

pub use users::users_file;
