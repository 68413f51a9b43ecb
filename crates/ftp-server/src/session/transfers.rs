//! Transfers and log-ins at a time: transfers where they are limited, log-ins always, since a reload may limit them.
//!
//! A session that has a file open counts as one transfer, however much waits behind it: what one connection asks for moves one
//! after the other. Where transfers are not limited none is counted, and no lock is taken.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ftp_access::User;
use ftp_access::address::Block;
use ftp_access::counts::{Counts, Full, What, Whose};
use ftp_proto::session::{DiskOp, Fault, FaultKind};

/// The transfers and log-ins of all sessions.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    counts: Mutex<Counts>,
}

/// What is counted, until this is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    transfers: Arc<Transfers>,
    taken: Vec<ftp_access::counts::Ticket>,
}

impl Transfers {
    /// Counts a transfer from this address of this user, if both have fewer than they may; nothing is counted, and there is
    /// no ticket, if neither is limited.
    ///
    /// # Errors
    /// [`FaultKind::Busy`], to be tried again later.
    pub(super) fn begin(
        self: &Arc<Self>,
        address: (IpAddr, Option<u32>),
        user: Option<&User>,
    ) -> Result<Option<Ticket>, Fault> {
        let (address, of_address) = address;
        let of_user = user.and_then(|user| user.limits().transfers);
        if of_address.is_none() && of_user.is_none() {
            return Ok(None);
        }
        let mut ticket = self.ticket();
        let take = |ticket: &mut Ticket, whose, cap, of: &str| {
            let taken = self.counts().take(whose, What::Transfer, cap);
            let refuse = |full: Full| {
                let detail = format!("{full} {of}; try again when one has ended");
                Fault::new(FaultKind::Busy, detail)
            };
            ticket.taken.push(taken.map_err(refuse)?);
            Ok::<_, Fault>(())
        };
        if of_address.is_some() {
            let whose = Whose::Address(Block::of(address));
            take(&mut ticket, whose, of_address, "from one address")?;
        }
        if let Some(user) = user.filter(|_| of_user.is_some()) {
            let whose = Whose::User(user.name().into());
            take(&mut ticket, whose, of_user, "of one user")?;
        }
        Ok(Some(ticket))
    }

    /// Counts a log-in of this user, if they have fewer than they may.
    ///
    /// # Errors
    /// There are as many already.
    pub(super) fn seat(self: &Arc<Self>, user: &User) -> Result<Ticket, Full> {
        let whose = Whose::User(user.name().into());
        let cap = user.limits().connections;
        let taken = self.counts().take(whose, What::Connection, cap)?;
        let mut ticket = self.ticket();
        ticket.taken.push(taken);
        Ok(ticket)
    }

    fn ticket(self: &Arc<Self>) -> Ticket {
        Ticket {
            transfers: Arc::clone(self),
            taken: Vec::new(),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.transfers.counts();
        for taken in self.taken.drain(..) {
            counts.give_back(taken);
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
        | DiskOp::Size { .. }
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
    use ftp_access::Users;

    use super::*;

    fn user(limits: &str) -> Arc<User> {
        let text = format!(
            "[anonymous]\nenabled = true\nroot = \"/srv\"\npreset = \"full\"\n[anonymous.limits]\n{limits}"
        );
        let users = Users::parse(&text).unwrap();
        Arc::clone(users.anonymous().unwrap())
    }

    #[test]
    fn as_many_of_an_address_as_may_be_and_again_when_one_has_ended() {
        let transfers: Arc<Transfers> = Arc::default();
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let begin = |from| transfers.begin((from, Some(1)), None);
        let first = begin(one).unwrap();
        assert!(first.is_some());
        let fault = begin(one).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Busy);
        let why = "at most 1 from one address";
        assert!(fault.detail.contains(why), "{fault:?}");
        let other = begin(two).unwrap();
        drop(first);
        drop((begin(one).unwrap(), other));
        assert!(transfers.begin((one, None), None).unwrap().is_none());
    }

    #[test]
    fn a_user_has_as_many_over_all_addresses() {
        let transfers: Arc<Transfers> = Arc::default();
        let user = user("transfers = 2\nconnections = 1");
        let from = |n| (IpAddr::from([192, 0, 2, n]), Some(2));
        let held = [1, 2].map(|n| transfers.begin(from(n), Some(&user)).unwrap());
        let fault = transfers.begin(from(3), Some(&user)).unwrap_err();
        assert!(fault.detail.contains("at most 2 of one user"), "{fault:?}");
        // What was refused is not counted for the address either.
        let more = [0, 1].map(|_| transfers.begin(from(3), None).unwrap());
        drop((held, more));
        drop(transfers.begin(from(3), Some(&user)).unwrap());
        let seat = transfers.seat(&user).unwrap();
        assert_eq!(transfers.seat(&user).unwrap_err().cap, 1);
        drop(seat);
        drop(transfers.seat(&user).unwrap());
    }
}
