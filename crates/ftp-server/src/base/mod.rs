//! Floor 3: data structures of a readiness loop. Knows nothing of sessions, protocols or files.

mod arena;
mod budget;
mod readiness;
mod runqueue;
mod schedule;
mod timers;

pub(crate) use arena::{Arena, Key};
pub(crate) use budget::Budget;
pub(crate) use readiness::Readiness;
pub(crate) use runqueue::RunQueue;
pub(crate) use schedule::Schedule;
pub(crate) use timers::Timers;
