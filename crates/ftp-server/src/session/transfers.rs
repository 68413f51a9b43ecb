//! Transfers at a time, where they are limited.
//!
//! A session that has a file open counts as one, however much waits behind it: what one connection asks for moves one after
//! the other. Where nothing is limited nobody is counted, and no lock is taken.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ftp_access::address::Block;
use ftp_access::counts::{Counts, Full, What, Whose};
use ftp_proto::session::{DiskOp, Fault, FaultKind};

/// The transfers of all sessions.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    counts: Mutex<Counts>,
}

/// A transfer that is counted, until this is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    transfers: Arc<Transfers>,
    taken: Option<ftp_access::counts::Ticket>,
}

impl Transfers {
    /// Counts a transfer of this address, if it has fewer than `cap`.
    ///
    /// # Errors
    /// [`FaultKind::Busy`], to be tried again later.
    pub(super) fn begin(self: &Arc<Self>, address: IpAddr, cap: u32) -> Result<Ticket, Fault> {
        let whose = Whose::Address(Block::of(address));
        let taken = self.counts().take(whose, What::Transfer, Some(cap));
        let refuse = |full: Full| {
            let detail = format!("{full} from one address; try again when one has ended");
            Fault::new(FaultKind::Busy, detail)
        };
        Ok(Ticket {
            taken: Some(taken.map_err(refuse)?),
            transfers: Arc::clone(self),
        })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.transfers.counts().give_back(taken);
        }
    }
}

/// Whether a transfer begins with it.
pub(super) fn begins(op: &DiskOp) -> bool {
    match op {
        DiskOp::Open { .. } | DiskOp::Create { .. } => true,
        DiskOp::Warm { .. }
        | DiskOp::Continue { .. }
        | DiskOp::Commit { .. }
        | DiskOp::Abort
        | DiskOp::Release
        | DiskOp::List { .. }
        | DiskOp::Stat { .. }
        | DiskOp::Digest { .. }
        | DiskOp::Checksum { .. }
        | DiskOp::SetMeta { .. }
        | DiskOp::Space { .. }
        | DiskOp::MakeDir { .. }
        | DiskOp::Rename { .. }
        | DiskOp::Remove { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_may_be_and_again_when_one_has_ended() {
        let transfers: Arc<Transfers> = Arc::default();
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let first = transfers.begin(one, 1).unwrap();
        let fault = transfers.begin(one, 1).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Busy);
        assert!(
            fault.detail.contains("at most 1 from one address"),
            "{fault:?}"
        );
        let other = transfers.begin(two, 1).unwrap();
        drop(first);
        drop((transfers.begin(one, 1).unwrap(), other));
    }
}
