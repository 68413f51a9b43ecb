//! Quotas: bytes and files of each user, counted as bytes land, over all sessions and across restarts.
//!
//! An upload holds a [`Claim`]: room that is reserved ahead in pieces, so that the ledger is asked once a megabyte and
//! not once a read, and two sessions can never both take the last of it. What is committed stays counted; what is given up
//! goes back; what a replaced or removed file had goes back too. [`state`] keeps the figures on the disk.

pub mod state;

use std::collections::HashMap;
use std::sync::Arc;

use ftp_proto::session::{Fault, FaultKind};

/// Bytes that are reserved at a time.
pub const PIECE: u64 = 1 << 20;
/// Most users whose figures are kept in memory.
pub const USERS: usize = crate::users::USERS;

/// So much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Amount {
    /// Bytes.
    pub bytes: u64,
    /// Files.
    pub files: u64,
}

/// How much a user may have; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Quota {
    /// Bytes.
    pub bytes: Option<u64>,
    /// Files.
    pub files: Option<u64>,
}

/// Room for one upload. It goes back with [`Quotas::commit`] or [`Quotas::abort`]; one that is dropped stays reserved until
/// the next recount.
#[derive(Debug)]
#[must_use = "to be committed or aborted"]
pub struct Claim {
    user: Arc<str>,
    /// Reserved in the ledger.
    reserved: u64,
    /// Landed, of that.
    landed: u64,
}

#[derive(Debug, Default)]
struct Account {
    stored: Amount,
    reserved: Amount,
    /// Differs from what is on the disk.
    changed: bool,
}

/// Everybody's figures.
#[derive(Debug, Default)]
pub struct Quotas {
    accounts: HashMap<Arc<str>, Account>,
}

impl Claim {
    /// Counts bytes that landed, if they were reserved. `false`: [`Quotas::land`] has to be asked. It needs no ledger, and so
    /// no lock where the ledger has one.
    #[must_use]
    pub fn land(&mut self, bytes: u64) -> bool {
        match self.landed.checked_add(bytes) {
            Some(landed) if landed <= self.reserved => {
                self.landed = landed;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Bytes that landed so far.
    #[must_use]
    pub fn landed(&self) -> u64 {
        self.landed
    }
}

impl Quotas {
    /// Sets what a user has, as [`state::load`] or a recount found it; reservations go on. `false`: there are too many
    /// users, and it was not taken.
    pub fn set(&mut self, user: &Arc<str>, stored: Amount) -> bool {
        if self.accounts.len() >= USERS && !self.accounts.contains_key(user) {
            return false;
        }
        self.accounts.entry(Arc::clone(user)).or_default().stored = stored;
        true
    }

    /// Whether the user's figures were set.
    #[must_use]
    pub fn knows(&self, user: &str) -> bool {
        self.accounts.contains_key(user)
    }

    /// What a user has, without reservations.
    #[must_use]
    pub fn stored(&self, user: &str) -> Amount {
        self.accounts
            .get(user)
            .map_or_else(Amount::default, |account| account.stored)
    }

    /// Begins an upload of one file. Where its size is known, the room for all of it is reserved at once, so that it is refused
    /// before the first byte and not after the last but one.
    ///
    /// # Errors
    /// [`FaultKind::Quota`].
    pub fn begin(
        &mut self,
        user: &Arc<str>,
        quota: Quota,
        size: Option<u64>,
    ) -> Result<Claim, Fault> {
        if self.accounts.len() >= USERS && !self.accounts.contains_key(user) {
            let why = "the server keeps the quotas of no more users";
            return Err(Fault::new(FaultKind::Quota, why));
        }
        let account = self.accounts.entry(Arc::clone(user)).or_default();
        let files = account.stored.files.saturating_add(account.reserved.files);
        if let Some(most) = quota.files.filter(|most| files >= *most) {
            let detail =
                format!("the quota of user `{user}` is {most} files, and there are {files}");
            return Err(Fault::new(FaultKind::Quota, detail));
        }
        let size = size.unwrap_or(0);
        account.reserve(user, quota, size)?;
        account.reserved.files += 1;
        Ok(Claim {
            user: Arc::clone(user),
            reserved: size,
            landed: 0,
        })
    }

    /// Counts bytes that landed, and reserves ahead for those to come.
    ///
    /// # Errors
    /// [`FaultKind::Quota`]: they do not fit; nothing was counted, and the upload is to be broken off.
    pub fn land(&mut self, claim: &mut Claim, quota: Quota, bytes: u64) -> Result<(), Fault> {
        if claim.land(bytes) {
            return Ok(());
        }
        let missing = claim
            .landed
            .saturating_add(bytes)
            .saturating_sub(claim.reserved);
        let account = self.accounts.entry(Arc::clone(&claim.user)).or_default();
        // A whole piece if there is room for one, else exactly what has landed.
        let ahead = missing.saturating_add(PIECE);
        let got = match account.reserve(&claim.user, quota, ahead) {
            Ok(()) => ahead,
            Err(_) => {
                account.reserve(&claim.user, quota, missing)?;
                missing
            }
        };
        claim.reserved += got;
        claim.landed += bytes;
        Ok(())
    }

    /// The file has its name: it counts, with the size that it has. `replaced` is the size of the file whose place it took,
    /// if there was one.
    pub fn commit(&mut self, claim: Claim, size: u64, replaced: Option<u64>) {
        let user = Arc::clone(&claim.user);
        self.end(claim);
        self.change(&user, |stored| {
            stored.bytes = stored.bytes.saturating_add(size);
            stored.files = stored.files.saturating_add(1);
            if let Some(old) = replaced {
                stored.bytes = stored.bytes.saturating_sub(old);
                stored.files = stored.files.saturating_sub(1);
            }
        });
    }

    /// The upload was given up. `kept` bytes stay on the disk as a partial and stay counted: until it is taken up again,
    /// or swept (then [`removed`](Self::removed) tells).
    pub fn abort(&mut self, claim: Claim, kept: u64) {
        let user = Arc::clone(&claim.user);
        self.end(claim);
        if kept > 0 {
            self.change(&user, |stored| {
                stored.bytes = stored.bytes.saturating_add(kept)
            });
        }
    }

    /// Bytes or files of the user's are gone: removed, swept, or moved elsewhere. A partial that an upload takes up is
    /// bytes and no file.
    pub fn removed(&mut self, user: &Arc<str>, gone: Amount) {
        self.change(user, |stored| {
            stored.bytes = stored.bytes.saturating_sub(gone.bytes);
            stored.files = stored.files.saturating_sub(gone.files);
        });
    }

    /// What changed since it was last asked for, to be written with [`state::save`].
    pub fn changed(&mut self) -> Vec<(Arc<str>, Amount)> {
        let mut list = Vec::new();
        for (user, account) in &mut self.accounts {
            if std::mem::take(&mut account.changed) {
                list.push((Arc::clone(user), account.stored));
            }
        }
        list
    }

    fn end(&mut self, claim: Claim) {
        if let Some(account) = self.accounts.get_mut(&claim.user) {
            let reserved = &mut account.reserved;
            reserved.bytes = reserved.bytes.saturating_sub(claim.reserved);
            reserved.files = reserved.files.saturating_sub(1);
        }
    }

    fn change(&mut self, user: &Arc<str>, change: impl FnOnce(&mut Amount)) {
        if let Some(account) = self.accounts.get_mut(user) {
            change(&mut account.stored);
            account.changed = true;
        }
    }
}

impl Account {
    fn reserve(&mut self, user: &str, quota: Quota, bytes: u64) -> Result<(), Fault> {
        let used = self.stored.bytes.saturating_add(self.reserved.bytes);
        let wanted = used.checked_add(bytes);
        match (wanted, quota.bytes) {
            (Some(wanted), Some(most)) if wanted > most => {}
            (Some(_), _) => {
                self.reserved.bytes += bytes;
                return Ok(());
            }
            (None, _) => {}
        }
        let most = quota.bytes.unwrap_or(u64::MAX);
        let left = most.saturating_sub(used);
        let detail =
            format!("the quota of user `{user}` is {most} bytes, of which {left} are left");
        Err(Fault::new(FaultKind::Quota, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna() -> Arc<str> {
        "anna".into()
    }

    fn bytes(bytes: u64) -> Quota {
        let bytes = Some(bytes);
        Quota { bytes, files: None }
    }

    #[test]
    fn what_lands_is_counted_to_the_byte() {
        let (mut quotas, quota) = (Quotas::default(), bytes(3 * PIECE + 10));
        let mut claim = quotas.begin(&anna(), quota, None).unwrap();
        let mut landed = 0;
        let fault = loop {
            match quotas.land(&mut claim, quota, 1000) {
                Ok(()) => landed += 1000,
                Err(fault) => break fault,
            }
        };
        assert_eq!(fault.kind, FaultKind::Quota);
        assert_eq!(landed, (3 * PIECE + 10) / 1000 * 1000);
        assert_eq!(claim.landed(), landed);
        quotas.abort(claim, 0);
        assert_eq!(quotas.accounts["anna"].reserved, Amount::default());
        assert_eq!(quotas.stored("anna"), Amount::default());
    }

    #[test]
    fn a_known_size_is_refused_before_the_first_byte() {
        let (mut quotas, quota) = (Quotas::default(), bytes(100));
        let claim = quotas.begin(&anna(), quota, Some(60)).unwrap();
        let fault = quotas.begin(&anna(), quota, Some(41)).unwrap_err();
        assert!(fault.detail.contains("40 are left"), "{}", fault.detail);
        let other = quotas.begin(&anna(), quota, Some(40)).unwrap();
        assert!(quotas.begin(&"ben".into(), quota, Some(100)).is_ok());
        quotas.commit(claim, 60, None);
        quotas.abort(other, 15);
        let stored = Amount {
            bytes: 75,
            files: 1,
        };
        assert_eq!(quotas.stored("anna"), stored);
        assert_eq!(quotas.changed(), [(anna(), stored)]);
        assert!(quotas.changed().is_empty());
    }

    #[test]
    fn files_are_counted_with_those_on_their_way() {
        let quota = Quota {
            bytes: None,
            files: Some(2),
        };
        let mut quotas = Quotas::default();
        let first = quotas.begin(&anna(), quota, None).unwrap();
        let second = quotas.begin(&anna(), quota, None).unwrap();
        assert!(quotas.begin(&anna(), quota, None).is_err());
        quotas.commit(first, 5, None);
        quotas.commit(second, 5, Some(5));
        assert_eq!(quotas.stored("anna"), Amount { bytes: 5, files: 1 });
        let third = quotas.begin(&anna(), quota, None).unwrap();
        quotas.commit(third, 7, None);
        assert!(quotas.begin(&anna(), quota, None).is_err());
        quotas.removed(&anna(), Amount { bytes: 7, files: 1 });
        assert!(quotas.begin(&anna(), quota, None).is_ok());
    }

    #[test]
    fn no_order_of_sessions_exceeds_the_quota() {
        for seed in 0..100 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let most = rng.u64(1..8 * PIECE);
            let (mut quotas, quota) = (Quotas::default(), bytes(most));
            let (mut claims, mut stored) = (Vec::new(), 0);
            for _ in 0..300 {
                match rng.u8(..4) {
                    0 => {
                        let size = rng.bool().then(|| rng.u64(..2 * PIECE));
                        claims.extend(quotas.begin(&anna(), quota, size).ok());
                    }
                    1 if !claims.is_empty() => {
                        let claim: Claim = claims.swap_remove(rng.usize(..claims.len()));
                        let landed = claim.landed();
                        if rng.bool() {
                            quotas.commit(claim, landed, None);
                            stored += landed;
                        } else {
                            quotas.abort(claim, 0);
                        }
                    }
                    _ if !claims.is_empty() => {
                        let at = rng.usize(..claims.len());
                        quotas.land(&mut claims[at], quota, rng.u64(..PIECE)).ok();
                    }
                    _ => {}
                }
                let landed: u64 = claims.iter().map(Claim::landed).sum();
                assert!(stored + landed <= most, "seed {seed}");
                assert_eq!(quotas.stored("anna").bytes, stored);
            }
            for claim in claims {
                quotas.abort(claim, 0);
            }
            let account = quotas.accounts.get("anna");
            let reserved = account.map_or_else(Amount::default, |account| account.reserved);
            assert_eq!(reserved, Amount::default());
        }
    }
}
