//! The fuzz targets over their kept corpora, and over simple changes of them, with any compiler.

#![allow(clippy::unwrap_used, reason = "test code fails by panicking")]
#![allow(
    unreachable_pub,
    reason = "the targets are another crate, which needs them public"
)]

#[path = "../../ftp-proto/tests/replay/mod.rs"]
mod replay;
#[path = "../fuzz/src/users.rs"]
mod users;

#[test]
fn users_file_takes_its_corpus() {
    replay::replay(env!("CARGO_MANIFEST_DIR"), "users_file", users::users_file);
}
