//! `Tally`: what a run achieved, counted by all workers; `Summary`: what is told at its end.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::event::Outcome;
use crate::error::Error;

/// What a run achieved.
#[derive(Debug, Default)]
pub struct Summary {
    /// Files moved, and folders made.
    pub done: u64,
    /// Of these, files that were not verified, as it was asked for.
    pub unverified: u64,
    /// Files that were to be kept, and what was left out (links, devices).
    pub skipped: u64,
    /// Failures.
    pub failed: u64,
    /// Bytes of the files moved.
    pub bytes: u64,
    /// Of these, bytes that an earlier attempt had moved.
    pub resumed: u64,
    /// The failures, one of each kind at most ([`Summary::KINDS`]), in the order they came.
    pub errors: Vec<Error>,
}

impl Summary {
    /// Errors that are kept.
    pub const KINDS: usize = 32;

    /// Adds another run's.
    pub fn add(&mut self, other: Self) {
        self.done += other.done;
        self.unverified += other.unverified;
        self.skipped += other.skipped;
        self.bytes += other.bytes;
        self.resumed += other.resumed;
        let failed = self.failed + other.failed;
        for error in other.errors {
            self.add_failure(error);
        }
        self.failed = failed;
    }

    /// Adds one failure.
    pub fn add_failure(&mut self, error: Error) {
        self.failed += 1;
        let kind = |error: &Error| (std::mem::discriminant(error), error.code());
        if self.errors.len() < Self::KINDS
            && !self.errors.iter().any(|seen| kind(seen) == kind(&error))
        {
            self.errors.push(error);
        }
    }
}

/// A summary in the making.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Summary>);

impl Tally {
    pub(crate) fn done(&self, outcome: &Outcome) {
        let mut summary = self.lock();
        match outcome {
            Outcome::Moved {
                size,
                resumed,
                verified,
                sha256: _,
                durability: _,
            } => {
                summary.done += 1;
                summary.unverified += u64::from(!verified);
                summary.bytes += size;
                summary.resumed += resumed;
            }
            Outcome::Made => summary.done += 1,
            Outcome::Kept => summary.skipped += 1,
        }
    }

    pub(crate) fn skipped(&self) {
        self.lock().skipped += 1;
    }

    pub(crate) fn failed(&self, error: Error) {
        self.lock().add_failure(error);
    }

    pub(crate) fn finish(self) -> Summary {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Summary> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_failures_are_a_few_errors() {
        let tally = Tally::default();
        for number in 0..1000 {
            tally.failed(Error::Lost(format!("{number}")));
            tally.failed(Error::Integrity(String::new()));
        }
        tally.done(&Outcome::Kept);
        tally.done(&Outcome::Made);
        let summary = tally.finish();
        assert_eq!(
            (summary.failed, summary.errors.len(), summary.skipped),
            (2000, 2, 1)
        );
        assert_eq!(summary.done, 1);
    }
}
