//! Floor 2: the disk of muxftp. Blocking, and the only crate of the server that touches it.
//!
//! A [`Store`] serves one folder. A [`Job`] is the queued [`Step`]s of one file together with its
//! [`Slot`], which holds what is open; [`Store::run`] does the steps on the caller's thread and gives
//! the slot back. An upload is verified, then made durable (many at once, by [`sync_round`]), then
//! renamed to its final name.
//!
//! What is absent: threads, sockets, clocks (but for the one that stamps files, and one for the age of kept names); a path that did not come from the jail; a file under its
//! final name that is not whole; a panic that a peer's bytes can reach.

mod block;
mod bytes;
mod count;
mod digests;
mod dirty;
mod draft;
mod error;
mod jail;
mod job;
mod listing;
mod live;
mod loan;
mod meta;
mod nearby;
mod ops;
mod pages;
mod parents;
mod partial;
#[cfg(test)]
mod powercut;
mod purse;
#[cfg(test)]
mod record;
mod resolve;
mod run;
mod scratch;
mod shared;
mod slot;
mod start;
mod store;
mod sweep;
mod sync;
mod sys;
mod temp;
mod upload;

pub use block::Block;
pub use error::OpenError;
pub use job::{Done, Job, Step};
pub use loan::{Aside, Loan};
pub use nearby::Nearby;
pub use partial::BOOT_ID;
pub use purse::Account;
pub use run::Run;
pub use shared::Options;
pub use slot::{ReadFile, Slot};
pub use store::Store;
pub use sweep::SweepReport;
pub use sync::{Parked, sync_round};
