//! Standard FTP against the clients that people have, and against peers that misbehave. Loopback only; what is not
//! installed is said to be skipped.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code fails by panicking, and says what it skips"
)]

#[path = "interop/abuse.rs"]
mod abuse;
#[path = "interop/both.rs"]
mod both;
#[path = "interop/clients.rs"]
mod clients;
#[path = "interop/control.rs"]
mod control;
#[path = "interop/matrix.rs"]
mod matrix;
#[path = "interop/place.rs"]
mod place;
#[path = "interop/python.rs"]
mod python;
#[path = "interop/resume.rs"]
mod resume;
#[path = "interop/users.rs"]
mod users;
