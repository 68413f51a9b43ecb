//! File ranges and the page cache: bringing pages there, so that who sends them waits for no disk.
//!
//! Nothing here looks at bytes.

use std::io::IoSliceMut;
use std::num::NonZeroU64;
use std::os::fd::AsFd;

use rustix::fs::{Advice, fadvise, fstatfs};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2, retry_on_intr};

use crate::meta::Stat;

/// From one look to the next where the pages are probably there: few are dropped alone.
const STRIDE: u64 = 64 * 1024;
/// From one touch to the next where they are not: pages so near to each other come from the disk together.
const STRETCH: u64 = 16 * 1024;
/// What `statfs(2)` calls a tmpfs.
const TMPFS: u64 = 0x0102_1994;

/// Brings a range into the page cache and waits until it is there. Returns how much of it there is.
pub(crate) fn touch(file: impl AsFd, offset: u64, len: u64) -> Result<u64, Errno> {
    let there = len.min(Stat::of(&file)?.size().saturating_sub(offset));
    let end = offset.saturating_add(there);
    if let Some(cold) = first_cold(&file, offset, end)? {
        // All of it is asked for at once. Only a hint; the reads find out.
        let range = NonZeroU64::new(end - cold);
        fadvise(&file, cold, range, Advice::WillNeed).ok();
        wait(&file, cold, end, STRETCH)?;
    }
    Ok(there)
}

/// Whether a file is in memory and nowhere else (but for swap).
pub(crate) fn is_in_memory(file: impl AsFd) -> Result<bool, Errno> {
    let kind = u64::try_from(fstatfs(file)?.f_type);
    Ok(kind == Ok(TMPFS))
}

/// From where on pages are missing, as far as a quick look tells.
fn first_cold(file: impl AsFd, offset: u64, end: u64) -> Result<Option<u64>, Errno> {
    let mut byte = [0];
    for at in points(offset, end, STRIDE) {
        let look = || {
            let room = &mut [IoSliceMut::new(&mut byte)];
            preadv2(&file, room, at, ReadWriteFlags::NOWAIT)
        };
        match retry_on_intr(look) {
            Ok(_) => {}
            Err(Errno::AGAIN) => return Ok(Some(at)),
            // A file system that cannot look without waiting.
            Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) if is_in_memory(&file)? => {
                wait(file, at, end, STRIDE)?;
                return Ok(None);
            }
            Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => return Ok(Some(at)),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Reads a byte of each `step`, which costs a small part of reading all of it.
fn wait(file: impl AsFd, offset: u64, end: u64, step: u64) -> Result<(), Errno> {
    let mut byte = [0];
    points(offset, end, step).try_for_each(|at| {
        retry_on_intr(|| pread(&file, &mut byte[..], at))?;
        Ok(())
    })
}

/// The first byte, one in each `step` after it, and the last.
fn points(offset: u64, end: u64, step: u64) -> impl Iterator<Item = u64> {
    let next = move |at: &u64| {
        let at = at.saturating_add(step);
        (at < end).then_some(at)
    };
    let first = (offset < end).then_some(offset);
    let last = (offset < end).then(|| end - 1);
    std::iter::successors(first, next).chain(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys;

    #[test]
    fn both_ends_are_looked_at() {
        let all = |offset, end| points(offset, end, 10).collect::<Vec<_>>();
        assert!(all(5, 5).is_empty());
        assert_eq!(all(5, 6), [5, 5]);
        assert_eq!(all(5, 25), [5, 15, 24]);
        assert_eq!(all(5, 26), [5, 15, 25, 25]);
        assert_eq!(all(u64::MAX - 1, u64::MAX), [u64::MAX - 1, u64::MAX - 1]);
    }

    #[test]
    fn what_was_dropped_comes_back() {
        let file = tempfile::tempfile().unwrap();
        let len = 3 * 1024 * 1024 + 5;
        sys::write(&file, &vec![7; len], 0).unwrap();
        let len = len as u64;
        let cold = |from| first_cold(&file, from, len).unwrap();
        assert_eq!(touch(&file, 0, u64::MAX), Ok(len));
        if is_in_memory(&file).unwrap() {
            assert_eq!(cold(0), None);
            println!("skipped: the temp folder is in memory");
            return;
        }
        sys::sync_all(&file).unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        if cold(0).is_none() {
            println!("skipped: the pages stay");
            return;
        }
        assert_eq!(touch(&file, 1024 * 1024, u64::MAX), Ok(len - 1024 * 1024));
        assert_eq!(cold(1024 * 1024), None);
        assert_eq!(touch(&file, 0, len), Ok(len));
        assert_eq!(cold(0), None);
        assert_eq!(touch(&file, len, 1), Ok(0));
    }
}
