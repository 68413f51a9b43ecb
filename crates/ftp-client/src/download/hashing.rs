//! Looking back over bytes of a partial that were written before.

use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::hash::Hasher;
use crate::local::Partial;

/// Bytes read at once for hashing.
const READ_BYTES: usize = 1024 * 1024;

/// Adds a partial's bytes from `from` to `to` to a hash.
///
/// # Errors
/// [`Error::Local`], [`Error::Interrupted`]; [`Error::Changed`] if there are fewer.
pub(super) fn hash_more(
    partial: &Partial,
    hasher: &mut Hasher,
    from: u64,
    to: u64,
    cancel: &Cancel,
) -> Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let mut offset = from;
    while offset < to {
        cancel.check()?;
        let most = usize::try_from(to - offset)
            .unwrap_or(usize::MAX)
            .min(READ_BYTES);
        let out = buffer.get_mut(..most).unwrap_or_default();
        let count = partial.read_at(out, offset)?;
        if count == 0 {
            return Err(Error::Changed("a partial became shorter".into()));
        }
        hasher.update(out.get(..count).unwrap_or_default());
        offset += count as u64;
    }
    Ok(())
}
