//! The calls that change the disk: every one the store makes, each in one line.
//!
//! Nothing here decides anything. They stand together so that one place sees every change in its
//! order: under test they are recorded, and the power-cut model replays the record. All errors are
//! those of the system call named.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    self, AtFlags, FallocateFlags, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT,
    XattrFlags,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::path::Arg;

#[cfg(test)]
use crate::record::{self, Trouble};

/// How far a partial can be believed.
const PARTIAL: &str = "user.muxftp.partial";
/// SHA-256 of a whole file.
const DIGEST: &str = "user.muxftp.sha256";

/// `openat(O_CREAT | O_EXCL)`: a new, empty file for reading and writing.
pub(crate) fn create(dir: impl AsFd, name: &str, mode: Mode) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::openat(&dir, name, flags, mode)?;
    #[cfg(test)]
    record::create(dir, name, &file);
    Ok(file)
}

/// `openat(O_TMPFILE)`: a new, empty file without a name, for reading and writing.
pub(crate) fn create_nameless(dir: impl AsFd, mode: Mode) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let file = fs::openat(&dir, c".", flags, mode)?;
    #[cfg(test)]
    record::create_nameless(&file);
    Ok(file)
}

/// `linkat(AT_EMPTY_PATH)`: a name for a file that has none. Before Linux 6.10 it takes a privilege.
pub(crate) fn link(file: impl AsFd, dir: impl AsFd, name: &str) -> Result<(), Errno> {
    fs::linkat(&file, c"", &dir, name, AtFlags::EMPTY_PATH)?;
    #[cfg(test)]
    record::name(dir, name, file);
    Ok(())
}

/// `pwrite(2)`, all of it.
pub(crate) fn write(file: impl AsFd, bytes: &[u8], offset: u64) -> Result<(), Errno> {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        let at = offset.checked_add(done as u64).ok_or(Errno::FBIG)?;
        match retry_on_intr(|| rustix::io::pwrite(&file, rest, at))? {
            0 => return Err(Errno::IO),
            count => done += count,
        }
        #[cfg(test)]
        record::write(
            &file,
            at,
            &rest[..done - usize::try_from(at - offset).unwrap()],
        );
    }
    Ok(())
}

/// `fallocate(2)`: room for the whole file, where the file system can promise it.
pub(crate) fn reserve(file: impl AsFd, offset: u64, len: u64) -> Result<(), Errno> {
    match retry_on_intr(|| fs::fallocate(&file, FallocateFlags::KEEP_SIZE, offset, len)) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => other,
    }
}

/// `ftruncate(2)`; also gives back room that was reserved behind `len`.
pub(crate) fn truncate(file: impl AsFd, len: u64) -> Result<(), Errno> {
    retry_on_intr(|| fs::ftruncate(&file, len))?;
    #[cfg(test)]
    record::truncate(&file, len);
    Ok(())
}

/// `fgetxattr(2)` of a partial's attribute; returns its length.
pub(crate) fn attribute(file: impl AsFd, value: &mut [u8]) -> Result<usize, Errno> {
    fs::fgetxattr(file, PARTIAL, value)
}

/// `fsetxattr(2)` of a partial's attribute.
pub(crate) fn set_attribute(file: impl AsFd, value: &[u8]) -> Result<(), Errno> {
    fs::fsetxattr(&file, PARTIAL, value, XattrFlags::empty())?;
    #[cfg(test)]
    record::attribute(file, Some(value));
    Ok(())
}

/// `fremovexattr(2)` of a partial's attribute.
pub(crate) fn clear_attribute(file: impl AsFd) -> Result<(), Errno> {
    match fs::fremovexattr(&file, PARTIAL) {
        Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS) => {}
        // The file has its mode, which may forbid us to write. What stays says nothing under another name.
        Err(Errno::ACCESS | Errno::PERM) => return Ok(()),
        other => other?,
    }
    #[cfg(test)]
    record::attribute(file, None);
    Ok(())
}

/// `fgetxattr(2)` of a file's stored digest; returns its length.
pub(crate) fn stored_digest(file: impl AsFd, value: &mut [u8]) -> Result<usize, Errno> {
    fs::fgetxattr(file, DIGEST, value)
}

/// `fsetxattr(2)` of a file's stored digest. Not recorded: it says of itself what it is true of.
pub(crate) fn store_digest(file: impl AsFd, value: &[u8]) -> Result<(), Errno> {
    fs::fsetxattr(file, DIGEST, value, XattrFlags::empty())
}

/// `fremovexattr(2)` of a file's stored digest.
pub(crate) fn forget_digest(file: impl AsFd) -> Result<(), Errno> {
    fs::fremovexattr(file, DIGEST)
}

/// `fchmod(2)`.
pub(crate) fn set_mode(file: impl AsFd, bits: u32) -> Result<(), Errno> {
    fs::fchmod(file, Mode::from_raw_mode(bits & 0o777))
}

/// `futimens(2)`, the modification time only.
pub(crate) fn set_mtime(file: impl AsFd, seconds: i64, nanos: u32) -> Result<(), Errno> {
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: seconds,
            // Larger values are out of range, or mean "now" and "leave it".
            tv_nsec: nanos.min(999_999_999).into(),
        },
    };
    fs::futimens(file, &times)
}

/// `fsync(2)` of a file.
pub(crate) fn sync_all(file: impl AsFd) -> Result<(), Errno> {
    #[cfg(test)]
    record::meets(Trouble::SyncOfFiles)?;
    retry_on_intr(|| fs::fsync(&file))?;
    #[cfg(test)]
    record::sync(file, true);
    Ok(())
}

/// `fdatasync(2)` of a file.
pub(crate) fn sync_data(file: impl AsFd) -> Result<(), Errno> {
    #[cfg(test)]
    record::meets(Trouble::SyncOfFiles)?;
    retry_on_intr(|| fs::fdatasync(&file))?;
    #[cfg(test)]
    record::sync(file, false);
    Ok(())
}

/// `fsync(2)` of a folder that may be held with `O_PATH`.
pub(crate) fn sync_dir(dir: impl AsFd) -> Result<(), Errno> {
    #[cfg(test)]
    record::meets(Trouble::SyncOfFolders)?;
    let dir = crate::jail::reopen(dir)?;
    match retry_on_intr(|| fs::fsync(&dir)) {
        // Some file systems have nothing to sync in a folder.
        Err(Errno::INVAL | Errno::NOTSUP) => {}
        other => other?,
    }
    #[cfg(test)]
    record::sync_dir(dir);
    Ok(())
}

/// `syncfs(2)` of the file system that holds `file`.
pub(crate) fn sync_file_system(file: impl AsFd) -> Result<(), Errno> {
    #[cfg(test)]
    record::meets(Trouble::SyncOfFiles)?;
    retry_on_intr(|| fs::syncfs(&file))?;
    #[cfg(test)]
    record::sync_system();
    Ok(())
}

/// `renameat(2)`: replaces what stands there, in one step.
pub(crate) fn rename(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> Result<(), Errno> {
    fs::renameat(&from, old, &to, new)?;
    #[cfg(test)]
    record::rename(from, old, to, new);
    Ok(())
}

/// `renameat2(RENAME_NOREPLACE)`, or what comes nearest where the file system lacks it.
///
/// Errors: `EXIST` if something stands there.
pub(crate) fn rename_new(
    from: impl AsFd,
    old: &str,
    to: impl AsFd,
    new: &str,
) -> Result<(), Errno> {
    match fs::renameat_with(&from, old, &to, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            return rename_new_by_link(from, old, to, new);
        }
        other => other?,
    }
    #[cfg(test)]
    record::rename(from, old, to, new);
    Ok(())
}

/// A hard link fails in one step if the name is taken. Folders have none: there we can only look first.
fn rename_new_by_link(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> Result<(), Errno> {
    match fs::linkat(&from, old, &to, new, AtFlags::empty()) {
        Ok(()) => {
            #[cfg(test)]
            record::link(&from, old, to, new);
            unlink(from, old)
        }
        Err(Errno::PERM | Errno::NOTSUP | Errno::ISDIR | Errno::MLINK) => {
            if crate::meta::Stat::find(&to, new)?.is_some() {
                return Err(Errno::EXIST);
            }
            rename(from, old, to, new)
        }
        Err(error) => Err(error),
    }
}

/// `unlinkat(2)` of anything but a folder.
pub(crate) fn unlink(dir: impl AsFd, name: impl Arg) -> Result<(), Errno> {
    name.into_with_c_str(|name| {
        fs::unlinkat(&dir, name, AtFlags::empty())?;
        #[cfg(test)]
        record::remove(&dir, &name.to_string_lossy());
        Ok(())
    })
}

/// `unlinkat(AT_REMOVEDIR)`: an empty folder.
pub(crate) fn remove_dir(dir: impl AsFd, name: impl Arg) -> Result<(), Errno> {
    name.into_with_c_str(|name| {
        fs::unlinkat(&dir, name, AtFlags::REMOVEDIR)?;
        #[cfg(test)]
        record::remove(&dir, &name.to_string_lossy());
        Ok(())
    })
}

/// `mkdirat(2)`, the process's umask honoured.
pub(crate) fn make_dir(dir: impl AsFd, name: &str) -> Result<(), Errno> {
    fs::mkdirat(&dir, name, Mode::from_raw_mode(0o777))?;
    #[cfg(test)]
    record::create(&dir, name, crate::jail::child(&dir, name)?);
    Ok(())
}
