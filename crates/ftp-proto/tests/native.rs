//! Script tests of the native machine: `tests/native/*.script`, inputs → actions.
//!
//! The notation is explained in `script/mod.rs`. With `MUXFTP_BLESS=1` the expectations are
//! rewritten from what the machine did; read the difference before it is committed.

#![allow(clippy::unwrap_used, reason = "test code fails by panicking")]

mod script;
mod scripts;

#[test]
fn scripts_play_as_written() {
    scripts::all_play_as_written("native", script::play);
}
