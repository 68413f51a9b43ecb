//! What is asked before an operation.

use ftp_proto::VPath;
use ftp_proto::session::{Fault, FaultKind};

use crate::error::{misuse, refuse};
use crate::shared::Shared;
use crate::slot::Slot;

/// Refuses to change anything in a store that is only to be read.
pub(super) fn writable(shared: &Shared, path: &VPath) -> Result<(), Fault> {
    if shared.options.read_only {
        return Err(refuse(
            FaultKind::ReadOnly,
            path,
            "the server takes no changes",
        ));
    }
    Ok(())
}

/// A slot holds one file at a time.
pub(super) fn vacant(slot: &Slot) -> Result<(), Fault> {
    if slot.is_empty() {
        Ok(())
    } else {
        Err(misuse("another file is still open on this lane"))
    }
}
