//! `Purse`: what an upload has reserved of a quota, and where that goes when the upload ends.
//!
//! The store knows no quota and no user. It tells an [`Account`] of every change, at the moment of the change, and is told
//! whether there is room. What is counted is what stands under a name: a file and its bytes, whatever else they are called;
//! of leftovers and partials the bytes alone.

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ftp_proto::path::RESERVED_PREFIX;
use ftp_proto::session::Fault;
use ftp_proto::{Amount, Kind};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use crate::meta::Stat;
use crate::temp;

/// Who counts what stands beneath a root, and says whether there is room for more.
pub trait Account: Send + Sync {
    /// Reserves `more`.
    ///
    /// # Errors
    /// There is no room for it; nothing was reserved.
    fn take(&self, more: Amount) -> Result<(), Fault>;

    /// What was reserved is not needed.
    fn give(&self, back: Amount);

    /// In one step: `reserved` is reserved no more, `stored` stands on the disk, `gone` stands there no more.
    fn settle(&self, reserved: Amount, stored: Amount, gone: Amount);

    /// In one step: `gone` stands on the disk no more, `reserved` is on its way instead, whether there is room or not.
    fn adopt(&self, gone: Amount, reserved: Amount);

    /// Bytes for which there is room; `None` if there is no limit.
    fn left(&self) -> Option<u64>;
}

/// Held, where changes are counted: from a look at what a name stands for until it stands for something else, and while
/// a partial goes into a purse or out of it, which is while its lock is taken or given back. So whoever removes a name
/// knows who counts its bytes. Nothing is waited for meanwhile but the list of folders to sync.
#[derive(Default)]
pub(crate) struct Naming(Mutex<()>);

impl Naming {
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Only where there is somebody who counts.
    pub(crate) fn hold_for(
        &self,
        account: Option<&Arc<dyn Account>>,
    ) -> Option<MutexGuard<'_, ()>> {
        account.map(|_| self.hold())
    }
}

/// An upload's reservation. What is still in it goes back when it is dropped.
pub(crate) struct Purse {
    account: Arc<dyn Account>,
    held: Amount,
}

impl Purse {
    /// For a file that is there: `before` of its bytes were counted as stored, and `now` are to be reserved.
    pub(crate) fn adopt(account: &Arc<dyn Account>, before: u64, now: u64) -> Self {
        let held = Amount::of_bytes(now);
        if before > 0 || now > 0 {
            account.adopt(Amount::of_bytes(before), held);
        }
        Self {
            account: Arc::clone(account),
            held,
        }
    }

    /// From now on this one is asked; it has the same figures.
    pub(crate) fn belong(&mut self, account: &Arc<dyn Account>) {
        self.account = Arc::clone(account);
    }

    pub(crate) fn account(&self) -> &Arc<dyn Account> {
        &self.account
    }

    /// Sees to it that `need` is reserved.
    pub(crate) fn cover(&mut self, need: Amount) -> Result<(), Fault> {
        let missing = need.minus(self.held);
        if missing != Amount::default() {
            self.account.take(missing)?;
            self.held = self.held.plus(missing);
        }
        Ok(())
    }

    /// Of what was reserved, so many bytes are enough.
    pub(crate) fn narrow(&mut self, bytes: u64) {
        let back = self.held.minus(Amount::of_bytes(bytes));
        if back != Amount::default() {
            self.account.give(back);
            self.held = self.held.minus(back);
        }
    }

    /// The file stays as a partial of so many bytes.
    pub(crate) fn keep(&mut self, bytes: u64) {
        let held = std::mem::take(&mut self.held);
        let stored = Amount::of_bytes(bytes);
        self.account.settle(held, stored, Amount::default());
    }

    /// The file has its name, where `gone` stood before.
    pub(crate) fn spend(mut self, bytes: u64, gone: Amount) {
        let held = std::mem::take(&mut self.held);
        self.account.settle(held, Amount { bytes, files: 1 }, gone);
    }
}

impl Drop for Purse {
    fn drop(&mut self) {
        if self.held != Amount::default() {
            self.account.give(self.held);
        }
    }
}

/// Tells of what is gone.
pub(crate) fn tell_gone(account: Option<&Arc<dyn Account>>, gone: Amount) {
    if let Some(account) = account
        && gone != Amount::default()
    {
        account.settle(Amount::default(), Amount::default(), gone);
    }
}

/// What a file counts as.
pub(crate) fn weight(stat: &Stat) -> Amount {
    match stat.kind() {
        Kind::File => Amount {
            bytes: stat.size(),
            files: 1,
        },
        Kind::Dir | Kind::Link | Kind::Other => Amount::default(),
    }
}

/// What stands at a name counts as. What somebody is at work on is in a purse, and counts as nothing.
pub(crate) fn weigh(dir: impl AsFd, name: &CStr) -> Result<Amount, Errno> {
    let Some(stat) = Stat::find(&dir, name)? else {
        return Ok(Amount::default());
    };
    let weight = weight(&stat);
    if weight.files == 0 || !name.to_bytes().starts_with(RESERVED_PREFIX.as_bytes()) {
        return Ok(weight);
    }
    let held = is_held(dir, name);
    Ok(Amount::of_bytes(if held { 0 } else { weight.bytes }))
}

fn is_held(dir: impl AsFd, name: &CStr) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(dir, name, flags, Mode::empty());
    file.is_ok_and(|file| temp::lock(file) == Err(Errno::WOULDBLOCK))
}
