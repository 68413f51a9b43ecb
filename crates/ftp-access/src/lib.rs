//! Floor 2: who may do what on muxftp, and how much.
//!
//! - [`users`]: the users file, read whole or refused whole, and edited safely.
//! - [`password`]: argon2id, with the same work for a user who is not there.
//! - [`rights`]: the one gate: [`Grant::judge`] says of every operation whether it may be done.
//! - [`bans`]: who guesses is kept out, for longer each time.
//! - [`buckets`]: bandwidth, one ledger of token buckets for each direction.
//! - [`quota`]: bytes and files of each user, as they land.
//! - [`counts`]: connections and transfers at a time.
//! - [`address`], [`size`], [`files`]: what counts as one peer; sizes and rates as people write them; small files replaced whole.
//!
//! What is absent: threads, sockets, a clock (time is an argument), a look at a served file, a collection
//! without a bound, an answer "yes" to what could not be understood.

pub mod address;
pub mod bans;
pub mod buckets;
pub mod counts;
pub mod files;
pub mod password;
pub mod quota;
pub mod rights;
pub mod size;
pub mod users;

pub use password::{Password, Scratch};
pub use rights::{Grant, Judgement, Right, Rights};
pub use users::{User, Users, Verdict};
