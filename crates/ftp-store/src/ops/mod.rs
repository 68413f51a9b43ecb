//! The operations, one a module. Each returns what it did, or the fault that its outcome carries.

mod checksum;
mod create;
mod digest;
mod guards;
mod list;
mod make_dir;
mod read;
mod remove;
mod rename;
mod set_meta;
mod space;

use std::sync::Arc;

use ftp_proto::session::{DiskOp, Fault, Outcome};

use crate::job::Effect;
use crate::nearby::Nearby;
use crate::purse::Account;
use crate::shared::Shared;
use crate::slot::{Slot, State};
use crate::start;

/// Does one operation on the file in `slot`, or on a path beneath the root.
pub(crate) fn perform(
    shared: &Arc<Shared>,
    account: Option<&Arc<dyn Account>>,
    slot: &mut Slot,
    op: DiskOp,
    nearby: &mut Nearby,
) -> Result<Effect, Fault> {
    let outcome = match op {
        DiskOp::Open { path, inline } => read::open(shared, slot, path, inline)?,
        DiskOp::Warm {
            offset,
            len,
            digest,
            last,
        } => read::warm(shared, slot, offset, len, digest, last)?,
        DiskOp::Create { path, options } => {
            create::create(shared, account, slot, path, options, nearby)?
        }
        DiskOp::Continue { keep } => create::resume(slot, keep)?,
        DiskOp::Commit { digest, size } => {
            return create::commit(shared, slot, digest, size, nearby);
        }
        DiskOp::Abort | DiskOp::Release => {
            slot.state = State::Empty;
            Outcome::Ended
        }
        DiskOp::List {
            path,
            after,
            entries,
            bytes,
        } => list::list(shared, &path, after, entries, bytes)?,
        DiskOp::Stat { path } => Outcome::Found(shared.jail.stat(&path)?.meta()),
        DiskOp::Size {
            path,
            resume,
            owner,
        } => start::size(shared, &path, resume, owner.as_deref())?,
        DiskOp::Digest { path, offset, len } => digest::digest(shared, &path, offset, len)?,
        DiskOp::Checksum {
            path,
            algorithm,
            offset,
            len,
        } => checksum::checksum(shared, &path, algorithm, offset, len)?,
        DiskOp::SetMeta { path, mtime, mode } => set_meta::set_meta(shared, &path, mtime, mode)?,
        DiskOp::Space { path } => space::space(shared, account, &path)?,
        DiskOp::MakeDir { path, parents } => {
            nearby.forget();
            return make_dir::make_dir(shared, &path, parents);
        }
        DiskOp::Rename { from, to, replace } => {
            nearby.forget();
            return rename::rename(shared, account, &from, &to, replace);
        }
        DiskOp::Remove { path, recursive } => {
            nearby.forget();
            return remove::remove(shared, account, &path, recursive);
        }
    };
    Ok(Effect::Told(outcome))
}
