//! Quotas: bytes and files beneath a root, counted as bytes land, over all sessions and across restarts.
//!
//! There is one [`Ledger`] a root. An upload reserves what it needs before it writes it, and what it has reserved becomes
//! what is stored when the file has its name; so two sessions can never both take the last of it. What is given up, replaced
//! or removed goes back. [`state`] keeps the figures on the disk.

pub mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

use ftp_proto::Amount;
use ftp_proto::session::{Fault, FaultKind};

/// How much a user may have; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Quota {
    /// Bytes.
    pub bytes: Option<u64>,
    /// Files.
    pub files: Option<u64>,
}

impl Quota {
    /// Whether anything is limited.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.bytes.is_some() || self.files.is_some()
    }
}

/// What stands beneath a root, and what is on its way there.
#[derive(Debug, Default)]
pub struct Ledger {
    figures: Mutex<Figures>,
}

#[derive(Debug, Default)]
struct Figures {
    /// It is known what is stored.
    counted: bool,
    stored: Amount,
    reserved: Amount,
    /// Changes of what is stored so far: a count during which there were none is right.
    changes: u64,
}

impl Ledger {
    /// Whether it is known what is stored.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.lock().counted
    }

    /// What is stored, without reservations; `None` before it was counted.
    #[must_use]
    pub fn stored(&self) -> Option<Amount> {
        let figures = self.lock();
        figures.counted.then_some(figures.stored)
    }

    /// A mark to begin a count with.
    #[must_use]
    pub fn mark(&self) -> u64 {
        self.lock().changes
    }

    /// Takes over what was counted since `mark`; `false` if something changed meanwhile, and it is to be counted again.
    #[must_use]
    pub fn counted(&self, mark: u64, stored: Amount) -> bool {
        let mut figures = self.lock();
        if figures.changes != mark {
            return false;
        }
        figures.stored = stored;
        figures.counted = true;
        true
    }

    /// Takes over what was counted although something changed meanwhile: better than nothing.
    pub fn estimated(&self, stored: Amount) {
        let mut figures = self.lock();
        figures.stored = stored;
        figures.counted = true;
    }

    /// What is stored is not known any more: nobody counts from now on.
    pub fn forget(&self) {
        let mut figures = self.lock();
        figures.counted = false;
        figures.changes += 1;
    }

    /// Reserves `more` for `user`, if that fits into the quota.
    ///
    /// # Errors
    /// [`FaultKind::Quota`], and nothing was reserved; [`FaultKind::Busy`] while it is not known what is stored.
    pub fn take(&self, user: &str, quota: Quota, more: Amount) -> Result<(), Fault> {
        let mut figures = self.lock();
        let used = figures.used();
        if quota.is_set() && !figures.counted {
            let why = "the server is counting what is stored, for the quota; try again soon";
            return Err(Fault::new(FaultKind::Busy, why));
        }
        let over = |used: u64, more: u64, most: Option<u64>| {
            let wanted = used.checked_add(more);
            most.filter(|most| more > 0 && wanted.is_none_or(|wanted| wanted > *most))
        };
        if let Some(most) = over(used.files, more.files, quota.files) {
            let there = used.files;
            let detail =
                format!("the quota of user `{user}` is {most} files, and there are {there}");
            return Err(Fault::new(FaultKind::Quota, detail));
        }
        if let Some(most) = over(used.bytes, more.bytes, quota.bytes) {
            let left = most.saturating_sub(used.bytes);
            let detail =
                format!("the quota of user `{user}` is {most} bytes, of which {left} are left");
            return Err(Fault::new(FaultKind::Quota, detail));
        }
        figures.reserved = figures.reserved.plus(more);
        Ok(())
    }

    /// What was reserved is not needed.
    pub fn give(&self, back: Amount) {
        let mut figures = self.lock();
        figures.reserved = figures.reserved.minus(back);
    }

    /// In one step: `reserved` is reserved no more, `stored` stands on the disk, `gone` stands there no more.
    pub fn settle(&self, reserved: Amount, stored: Amount, gone: Amount) {
        let mut figures = self.lock();
        figures.reserved = figures.reserved.minus(reserved);
        figures.stored = figures.stored.plus(stored).minus(gone);
        figures.changes += 1;
    }

    /// In one step: `gone` stands on the disk no more, and `reserved` is on its way instead, whether that fits or not: it was
    /// there before.
    pub fn adopt(&self, gone: Amount, reserved: Amount) {
        let mut figures = self.lock();
        figures.stored = figures.stored.minus(gone);
        figures.reserved = figures.reserved.plus(reserved);
        figures.changes += 1;
    }

    /// How many bytes may still come; `None` where they are not limited.
    #[must_use]
    pub fn left(&self, quota: Quota) -> Option<u64> {
        let used = self.lock().used();
        quota.bytes.map(|most| most.saturating_sub(used.bytes))
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        // Figures are whole between any two statements.
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Figures {
    fn used(&self) -> Amount {
        self.stored.plus(self.reserved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(bytes: u64, files: u64) -> Ledger {
        let ledger = Ledger::default();
        assert!(ledger.counted(ledger.mark(), Amount { bytes, files }));
        ledger
    }

    fn some(bytes: u64, files: u64) -> Amount {
        Amount { bytes, files }
    }

    fn quota(bytes: u64, files: u64) -> Quota {
        let (bytes, files) = (Some(bytes), Some(files));
        Quota { bytes, files }
    }

    #[test]
    fn what_is_taken_is_counted_to_the_byte_and_to_the_file() {
        let (ledger, quota) = (ledger(40, 1), quota(100, 3));
        ledger.take("anna", quota, some(60, 1)).unwrap();
        assert_eq!(ledger.left(quota), Some(0));
        let fault = ledger.take("anna", quota, some(1, 0)).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Quota);
        assert!(
            fault.detail.contains("`anna` is 100 bytes") && fault.detail.contains("0 are left"),
            "{fault:?}"
        );
        // Nothing more of a kind that is used up, but of the other.
        ledger.take("anna", quota, some(0, 1)).unwrap();
        let fault = ledger.take("anna", quota, some(0, 1)).unwrap_err();
        assert!(
            fault.detail.contains("3 files, and there are 3"),
            "{fault:?}"
        );
        ledger.give(some(0, 1));
        ledger.settle(some(60, 1), some(50, 1), some(40, 1));
        assert_eq!(ledger.stored(), Some(some(50, 1)));
        assert_eq!(ledger.left(quota), Some(50));
        // Somebody else may have more, or all they like; numbers that cannot be added up are too much.
        ledger
            .take("ben", Quota::default(), some(u64::MAX, 1))
            .unwrap();
        assert!(ledger.take("anna", quota, some(1, 0)).is_err());
    }

    #[test]
    fn over_the_quota_nothing_comes_and_everything_may_go() {
        let (ledger, quota) = (ledger(500, 9), quota(100, 3));
        assert!(ledger.take("anna", quota, some(1, 0)).is_err());
        ledger.take("anna", quota, Amount::default()).unwrap();
        ledger.settle(Amount::default(), Amount::default(), some(450, 7));
        ledger.take("anna", quota, some(50, 1)).unwrap();
    }

    #[test]
    fn before_it_was_counted_nobody_takes_and_what_changes_meanwhile_is_noticed() {
        let (ledger, quota) = (Ledger::default(), quota(100, 3));
        let fault = ledger.take("anna", quota, some(1, 0)).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Busy);
        let changes: [&dyn Fn(); 3] = [
            &|| ledger.settle(Amount::default(), Amount::default(), some(5, 1)),
            // A partial that the count has seen may be on its way by now, and come back as it was.
            &|| ledger.adopt(some(5, 0), some(5, 0)),
            &|| ledger.forget(),
        ];
        for change in changes {
            let mark = ledger.mark();
            change();
            assert!(!ledger.counted(mark, some(20, 2)));
            assert_eq!(ledger.stored(), None);
        }
        ledger.give(some(5, 0));
        assert!(ledger.counted(ledger.mark(), some(15, 1)));
        ledger.take("anna", quota, some(85, 2)).unwrap();
        ledger.forget();
        assert!(!ledger.is_counted());
        ledger.estimated(some(1, 1));
        assert_eq!(ledger.stored(), Some(some(1, 1)));
    }

    #[test]
    fn no_order_of_sessions_exceeds_the_quota() {
        for seed in 0..100 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let most = rng.u64(1..1000);
            let (ledger, quota) = (ledger(0, 0), quota(most, 5));
            let (mut taken, mut stored) = (Vec::new(), Vec::new());
            for _ in 0..300 {
                match rng.u8(..4) {
                    0 => {
                        let more = some(rng.u64(..most), 1);
                        if ledger.take("anna", quota, more).is_ok() {
                            taken.push(more);
                        }
                    }
                    1 if !taken.is_empty() => {
                        let its: Amount = taken.swap_remove(rng.usize(..taken.len()));
                        let size = some(rng.u64(..=its.bytes), 1);
                        let gone: Amount = stored.pop().unwrap_or_default();
                        ledger.settle(its, size, gone);
                        stored.push(size);
                    }
                    2 if !stored.is_empty() => {
                        let its: Amount = stored.swap_remove(rng.usize(..stored.len()));
                        // Its bytes are on their way again, as those of a partial are.
                        ledger.adopt(its, its);
                        taken.push(its);
                    }
                    _ if !taken.is_empty() => {
                        ledger.give(taken.swap_remove(rng.usize(..taken.len())));
                    }
                    _ => {}
                }
                let sum = |list: &[Amount]| list.iter().copied().fold(some(0, 0), Amount::plus);
                let all = sum(&stored).plus(sum(&taken));
                assert!(all.bytes <= most && all.files <= 5, "seed {seed}: {all:?}");
                assert_eq!(ledger.stored(), Some(sum(&stored)), "seed {seed}");
                assert_eq!(ledger.left(quota), Some(most - all.bytes), "seed {seed}");
            }
        }
    }
}
