//! What stands at a name: `statx`, told in the words of the contract.
//!
//! Everything in one [`Meta`] comes from one call, so it is of one inode at one moment.

use std::os::fd::AsFd;

use ftp_proto::Kind;
use ftp_proto::session::Meta;
use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, statx};
use rustix::io::Errno;
use rustix::process::geteuid;
use rustix::time::{ClockId, clock_gettime};

/// Which file, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// Which file, and which state of its content: as long as this is the same, so are the bytes.
///
/// Nobody can set a ctime, so whoever changes a file in place and puts its size and mtime back is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) identity: Identity,
    /// Bytes.
    pub(crate) size: u64,
    /// mtime: nanoseconds since 1970.
    pub(crate) modified: i128,
    /// ctime: nanoseconds since 1970.
    pub(crate) changed: i128,
}

/// One `statx`.
#[derive(Clone, Copy)]
pub(crate) struct Stat(Statx);

impl Stat {
    /// Of an open file or folder.
    pub(crate) fn of(fd: impl AsFd) -> Result<Self, Errno> {
        statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS).map(Self)
    }

    /// Of what stands at `name` in `dir`, a link being itself.
    pub(crate) fn at(dir: impl AsFd, name: impl rustix::path::Arg) -> Result<Self, Errno> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        statx(dir, name, flags, StatxFlags::BASIC_STATS).map(Self)
    }

    /// As [`Stat::at`], `None` if nothing stands there.
    pub(crate) fn find(
        dir: impl AsFd,
        name: impl rustix::path::Arg,
    ) -> Result<Option<Self>, Errno> {
        match Self::at(dir, name) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match FileType::from_raw_mode(self.0.stx_mode.into()) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Link,
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Kind::Other,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.0.stx_size
    }

    /// Bytes it takes on the disk, or has been promised.
    pub(crate) fn allocated(&self) -> u64 {
        self.0.stx_blocks.saturating_mul(512)
    }

    /// Whether it has one name only and belongs to the user we run as.
    pub(crate) fn is_only_ours(&self) -> bool {
        self.0.stx_nlink == 1 && self.0.stx_uid == geteuid().as_raw()
    }

    /// When it was last changed in any way, in seconds since 1970; nobody can set this.
    pub(crate) fn ctime(&self) -> i64 {
        self.0.stx_ctime.tv_sec
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity {
            device: (u64::from(self.0.stx_dev_major) << 32) | u64::from(self.0.stx_dev_minor),
            inode: self.0.stx_ino,
        }
    }

    /// Modification time: seconds and nanoseconds.
    pub(crate) fn mtime(&self) -> (i64, u32) {
        (self.0.stx_mtime.tv_sec, self.0.stx_mtime.tv_nsec)
    }

    /// Permission bits, `0o777` at most.
    pub(crate) fn mode(&self) -> u32 {
        u32::from(self.0.stx_mode) & 0o777
    }

    /// Whether the content may have changed from one look to the other, or it is another file.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.version() != other.version()
    }

    pub(crate) fn meta(&self) -> Meta {
        let (mtime, mtime_ns) = self.mtime();
        let Version {
            identity: Identity { device, inode },
            size,
            modified,
            changed,
        } = self.version();
        Meta {
            kind: self.kind(),
            size,
            mtime,
            mtime_ns,
            mode: self.mode(),
            etag: format!("{device:x}.{inode:x}.{size:x}.{modified:x}.{changed:x}"),
        }
    }

    pub(crate) fn version(&self) -> Version {
        Version {
            identity: self.identity(),
            size: self.size(),
            modified: nanos(self.0.stx_mtime),
            changed: nanos(self.0.stx_ctime),
        }
    }
}

/// The clock that stamps files, in nanoseconds since 1970: good for comparing with their times only.
pub(crate) fn file_clock() -> i128 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

fn nanos(time: StatxTimestamp) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_etag_changes_with_the_content() {
        let mut file = tempfile::tempfile().unwrap();
        let before = Stat::of(&file).unwrap();
        assert!(!before.differs(&Stat::of(&file).unwrap()));
        assert_eq!(before.kind(), Kind::File);
        file.write_all(b"x").unwrap();
        let after = Stat::of(&file).unwrap();
        assert!(before.differs(&after));
        assert_ne!(before.meta().etag, after.meta().etag);
        assert_eq!(after.meta().size, 1);
    }
}
