//! How far a transfer has come, and what is said if it comes no further.

use super::reply::{self, Reply};
use crate::session::Outcome;

/// What an outcome of the disk, or room in the window, did to a transfer.
#[derive(Debug)]
pub(super) enum Progress {
    /// There is more to come.
    Going,
    /// What is needed before 150 is there; this is what to say.
    Prepared(Reply),
    /// Every byte is queued.
    Complete,
}

/// What is said of an outcome that is none of those hoped for, and what the log says.
pub(super) fn refused(outcome: Outcome) -> (Reply, &'static str) {
    match outcome {
        Outcome::Failed(fault) => (reply::fault(&fault), reply::outcome(fault.kind)),
        Outcome::Opened { .. }
        | Outcome::Warmed { .. }
        | Outcome::Created { .. }
        | Outcome::Continued
        | Outcome::Committed { .. }
        | Outcome::Skipped
        | Outcome::Listed { .. }
        | Outcome::Found(_)
        | Outcome::Sized { .. }
        | Outcome::Digested { .. }
        | Outcome::Summed { .. }
        | Outcome::Room { .. }
        | Outcome::Ended => (reply::unexpected(), "internal"),
    }
}
