//! The fuzz target over its kept corpus, and over simple changes of it, with any compiler.

#![allow(clippy::unwrap_used, reason = "test code fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a corpus is files")]

use ftp_server::cli::fuzzing;

#[path = "../../ftp-proto/tests/replay/mod.rs"]
mod replay;

#[test]
fn configuration_takes_its_corpus() {
    let folder = env!("CARGO_MANIFEST_DIR");
    replay::replay(folder, "configuration", fuzzing::configuration);
}
