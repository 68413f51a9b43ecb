//! One reusable buffer a thread, and reading a file range through it.
//!
//! A job borrows the buffer for one pass and keeps nothing of it.

use std::cell::RefCell;
use std::os::fd::AsFd;

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread, retry_on_intr};

/// Small enough to stay in the processor's cache between the copy and the hash.
const BYTES: usize = 256 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Reads `len` bytes from `offset`, or as many as there are, gives each piece to `take`, and returns
/// how many there were.
pub(crate) fn read_range(
    file: impl AsFd,
    offset: u64,
    len: u64,
    mut take: impl FnMut(&[u8]),
) -> Result<u64, Errno> {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(BYTES, 0);
        let mut done = 0;
        while done < len {
            let want = usize::try_from(len - done).map_or(BYTES, |rest| rest.min(BYTES));
            let room = buffer.get_mut(..want).unwrap_or_default();
            let Some(at) = offset.checked_add(done) else {
                break;
            };
            let count = match retry_on_intr(|| pread(&file, &mut *room, at)) {
                // An offset that the kernel's signed one cannot hold is behind every end.
                Ok(0) | Err(Errno::INVAL) => break,
                Ok(count) => count,
                Err(error) => return Err(error),
            };
            take(room.get(..count).unwrap_or_default());
            done += count as u64;
        }
        Ok(done)
    })
}

/// Reads a small file whole, straight to where it stays: `len` bytes, or as many as there are; if it has
/// grown, maybe more.
pub(crate) fn read_whole(file: impl AsFd, len: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let at = bytes.len() as u64;
        if retry_on_intr(|| pread(&file, spare_capacity(&mut bytes), at))? == 0 {
            break;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn reads_what_is_there_and_no_more() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..600_000_u32).map(|n| n as u8).collect();
        file.write_all(&bytes).unwrap();
        for (offset, len, want) in [
            (0, u64::MAX, &bytes[..]),
            (5, 10, &bytes[5..15]),
            (599_999, 10, &bytes[599_999..]),
            (600_001, 10, &[][..]),
            (u64::MAX, 10, &[][..]),
            (0, 0, &[][..]),
        ] {
            let mut got = Vec::new();
            let count = read_range(&file, offset, len, |piece| got.extend_from_slice(piece));
            assert_eq!(count, Ok(want.len() as u64), "{offset}+{len}");
            assert!(got == want, "{offset}+{len}");
        }
    }
}
