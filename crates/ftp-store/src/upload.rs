//! `Upload`: a file on its way in, under a temp name beside its target.
//!
//! Nothing stands under the target's name before every byte is verified; then a rename puts it
//! there in one step. An upload that is dropped takes its temp file with it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use ftp_proto::path::RESERVED_PREFIX;
use ftp_proto::session::{CreateOptions, Fault, FaultKind, Outcome};
use ftp_proto::{Digest, Durability, IfExists, Kind, VPath};
use rustix::fs::{FlockOperation, Mode, flock};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::error::{At, refuse};
use crate::jail::{Jail, Place};
use crate::meta::Stat;
use crate::sys;

/// How many random names are tried before giving up.
const NAME_TRIES: usize = 16;

/// An upload under way.
pub(crate) struct Upload {
    path: VPath,
    place: Place,
    options: CreateOptions,
    temp: Temp,
    bytes: Bytes,
}

/// A file that grows at its end, and the digest of all that is in it.
struct Bytes {
    file: OwnedFd,
    hasher: Sha256,
    len: u64,
}

/// A name that goes away with its holder, unless it became the file's own.
struct Temp {
    dir: Arc<OwnedFd>,
    name: String,
    kept: bool,
}

/// An upload that is whole: its digest and size are what the sender said.
pub(crate) struct Verified {
    pub(crate) path: VPath,
    place: Place,
    options: CreateOptions,
    temp: Temp,
    file: OwnedFd,
    size: u64,
    digest: Digest,
}

/// What the rule of [`IfExists`] says of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Write,
    Skip,
}

impl Upload {
    /// Makes the temp file. The caller has asked [`judge`].
    pub(crate) fn begin(path: VPath, place: Place, options: CreateOptions) -> Result<Self, Fault> {
        let (temp, file) = Temp::create(&place.dir).at(&path)?;
        Ok(Self {
            path,
            place,
            options,
            temp,
            bytes: Bytes {
                file,
                hasher: Sha256::new(),
                len: 0,
            },
        })
    }

    pub(crate) fn path(&self) -> &VPath {
        &self.path
    }

    /// The file that is being written.
    pub(crate) fn file(&self) -> impl AsFd {
        &self.bytes.file
    }

    /// Bytes in it so far.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len
    }

    /// Appends `bytes`. After an error the upload is of no use.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Bytes { file, hasher, len } = &mut self.bytes;
        let end = len.saturating_add(bytes.len() as u64);
        if self.options.size.is_some_and(|size| end > size) {
            return Err(refuse(
                FaultKind::SizeMismatch,
                &self.path,
                "more bytes came than were said",
            ));
        }
        sys::write(file, bytes, *len).at(&self.path)?;
        hasher.update(bytes);
        *len = end;
        Ok(())
    }

    /// Checks that the bytes are the sender's, and gives the file its mode and time.
    pub(crate) fn verify(
        self,
        digest: Option<Digest>,
        size: Option<u64>,
    ) -> Result<Verified, Fault> {
        let Self {
            path,
            place,
            options,
            temp,
            bytes,
        } = self;
        for said in [size, options.size].into_iter().flatten() {
            if said != bytes.len {
                let words = format!("{} bytes came where {said} were said", bytes.len);
                return Err(refuse(FaultKind::SizeMismatch, &path, &words));
            }
        }
        let found = Digest(bytes.hasher.finalize().into());
        if let Some(said) = digest.filter(|said| *said != found) {
            let words = format!("the bytes that came have SHA-256 {found}, not {said}");
            return Err(refuse(FaultKind::DigestMismatch, &path, &words));
        }
        if let Some(mode) = options.mode {
            sys::set_mode(&bytes.file, mode).at(&path)?;
        }
        if let Some((seconds, nanos)) = options.mtime {
            sys::set_mtime(&bytes.file, seconds, nanos).at(&path)?;
        }
        Ok(Verified {
            path,
            place,
            options,
            temp,
            file: bytes.file,
            size: bytes.len,
            digest: found,
        })
    }
}

impl Verified {
    /// The file, for syncing.
    pub(crate) fn file(&self) -> impl AsFd {
        &self.file
    }

    /// The folder it stands in, for syncing.
    pub(crate) fn dir(&self) -> &Arc<OwnedFd> {
        &self.place.dir
    }

    /// Puts the file under its name, in one step, unless the rule of [`IfExists`] speaks against it.
    pub(crate) fn publish(mut self, durability: Durability) -> Result<Outcome, Fault> {
        let Place { dir, name } = &self.place;
        let moved = match self.options.if_exists {
            IfExists::Replace => sys::rename(dir, &self.temp.name, dir, name),
            IfExists::Newer => {
                let stat = Stat::find(dir, name.as_str()).at(&self.path)?;
                match ruling(stat, &self.options, &self.path)? {
                    Verdict::Skip => return Ok(Outcome::Skipped),
                    Verdict::Write => sys::rename(dir, &self.temp.name, dir, name),
                }
            }
            IfExists::Fail => sys::rename_new(dir, &self.temp.name, dir, name),
            IfExists::Skip => match sys::rename_new(dir, &self.temp.name, dir, name) {
                Err(Errno::EXIST) => return Ok(Outcome::Skipped),
                other => other,
            },
        };
        moved.at(&self.path)?;
        self.temp.kept = true;
        Ok(Outcome::Committed {
            size: self.size,
            digest: self.digest,
            durability,
        })
    }
}

impl Temp {
    fn create(dir: &Arc<OwnedFd>) -> Result<(Self, OwnedFd), Errno> {
        for _ in 0..NAME_TRIES {
            let name = format!("{RESERVED_PREFIX}t{:016x}", fastrand::u64(..));
            // The mode of an ordinary new file, which the umask narrows; `verify` sets another.
            match sys::create(dir, &name, Mode::from_raw_mode(0o644)) {
                Ok(file) => {
                    let temp = Self {
                        dir: Arc::clone(dir),
                        name,
                        kept: false,
                    };
                    // Tells a sweep, of this process or another, that somebody is at work on it.
                    // A file system without locks only loses that.
                    flock(&file, FlockOperation::NonBlockingLockExclusive).ok();
                    return Ok((temp, file));
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Errno::BUSY)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.kept {
            // Best effort: what stays is swept later.
            sys::unlink(&self.dir, &self.name).ok();
        }
    }
}

/// Whether a file may be written at `place`, by what stands there and the rule of [`IfExists`].
pub(crate) fn judge(
    jail: &Jail,
    path: &VPath,
    place: &Place,
    options: &CreateOptions,
) -> Result<Verdict, Fault> {
    let stat = Stat::find(&place.dir, place.name.as_str()).at(path)?;
    // The rename would replace a link by the file; where it means a folder, that is not what the sender wants.
    if stat.is_some_and(|stat| stat.kind() == Kind::Link)
        && jail.stat(path).is_ok_and(|stat| stat.kind() == Kind::Dir)
    {
        return Err(Errno::ISDIR).at(path);
    }
    ruling(stat, options, path)
}

fn ruling(stat: Option<Stat>, options: &CreateOptions, path: &VPath) -> Result<Verdict, Fault> {
    let Some(stat) = stat else {
        return Ok(Verdict::Write);
    };
    match stat.kind() {
        Kind::Dir => return Err(Errno::ISDIR).at(path),
        Kind::Other => return Err(Errno::NXIO).at(path),
        Kind::File | Kind::Link => {}
    }
    match options.if_exists {
        IfExists::Replace => Ok(Verdict::Write),
        IfExists::Fail => Err(Errno::EXIST).at(path),
        IfExists::Skip => Ok(Verdict::Skip),
        // Without a time of its own it cannot be the newer one.
        IfExists::Newer => match options.mtime {
            Some(time) if time > stat.mtime() => Ok(Verdict::Write),
            Some(_) | None => Ok(Verdict::Skip),
        },
    }
}
