//! What is fuzzed: one function a target, from bytes to a panic or none.
//!
//! The functions are also called by a test of `ftp-server`, which replays the kept corpus with any compiler.

pub use ftp_server::cli::fuzzing::configuration;
