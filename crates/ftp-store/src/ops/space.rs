//! `Space`: how much may still be written in a folder, by what its file system says, and a quota.

use std::sync::Arc;

use ftp_proto::VPath;
use ftp_proto::session::{Fault, Outcome};
use rustix::fs::fstatfs;

use crate::error::At;
use crate::purse::Account;
use crate::shared::Shared;

pub(super) fn space(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    path: &VPath,
) -> Result<Outcome, Fault> {
    let dir = shared.jail.dir(path).at(path)?;
    let system = fstatfs(&dir).at(path)?;
    let block = u64::try_from(system.f_bsize).unwrap_or(1);
    // Zero blocks in all is how a file system says that it does not count.
    let bytes = (system.f_blocks > 0).then(|| system.f_bavail.saturating_mul(block));
    let quota = account.and_then(|account| account.left());
    let bytes = bytes.into_iter().chain(quota).min();
    Ok(Outcome::Room { bytes })
}
