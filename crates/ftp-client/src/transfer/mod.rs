//! Many files at once: a bounded queue of tasks, workers with a connection each, retries, one tally.
//!
//! It knows neither files nor verbs; [`Mover`]s (uploads, downloads) do.

mod crew;
mod event;
mod queue;
mod tally;
mod worker;

pub use event::{Event, Item, Observer, Outcome, Silent, Way};
pub use tally::Summary;

pub(crate) use queue::{Queue, Take};
pub(crate) use worker::{Again, Context, Mover, persist, run, run_one};
