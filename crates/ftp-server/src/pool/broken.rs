//! Work that panicked: what its requests are answered, and what the operator hears.

use std::any::Any;

use ftp_proto::session::{Fault, FaultKind, JobId, Outcome};
use ftp_store::{Done, Slot};

/// The answer of work that panicked: all of it failed, by a fault of our own.
pub(super) fn broken(jobs: Vec<JobId>) -> Done {
    let fault = || Fault::new(FaultKind::Internal, "the disk work broke off");
    let failed = |job| (job, Outcome::Failed(fault()));
    Done {
        slot: Slot::default(),
        outcomes: jobs.into_iter().map(failed).collect(),
        fault: Some(fault()),
        blocks: Vec::new(),
    }
}

/// Tells the operator.
pub(super) fn log_panic(what: &str, panic: &(dyn Any + Send)) {
    let words = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(
        why = words.unwrap_or("no words"),
        "{what} panicked; its requests fail"
    );
}
