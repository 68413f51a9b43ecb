//! `Checksum`: CRC-32 or MD5 of a range of a file that nobody changes meanwhile. Always read: none is ever stored.

use std::fmt::Write as _;
use std::os::fd::AsFd;

use ftp_proto::VPath;
use ftp_proto::session::{Algorithm, Fault, Outcome};
use md5::{Digest as _, Md5};
use rustix::fs::{Advice, fadvise};

use super::digest::range;
use crate::error::At;
use crate::scratch;
use crate::shared::Shared;

pub(super) fn checksum(
    shared: &Shared,
    path: &VPath,
    algorithm: Algorithm,
    offset: u64,
    len: Option<u64>,
) -> Result<Outcome, Fault> {
    let (file, opened) = shared.jail.file(path)?;
    let len = range(path, &opened, offset, len)?;
    // Only a hint.
    fadvise(file.as_fd(), offset, None, Advice::Sequential).ok();
    let mut sum = Sum::new(algorithm);
    let read = scratch::read_range(&file, offset, len, |piece| sum.update(piece)).at(path)?;
    super::digest::unchanged(path, &file, &opened, read == len)?;
    let hex = sum.hex();
    Ok(Outcome::Summed { hex, len })
}

/// A checksum on its way.
enum Sum {
    Crc32(crc32fast::Hasher),
    Md5(Md5),
}

impl Sum {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
            Algorithm::Md5 => Self::Md5(Md5::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.update(bytes),
        }
    }

    fn hex(self) -> String {
        match self {
            Self::Crc32(hasher) => format!("{:08x}", hasher.finalize()),
            Self::Md5(hasher) => hasher
                .finalize()
                .iter()
                .fold(String::new(), |mut hex, byte| {
                    let _ = write!(hex, "{byte:02x}");
                    hex
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (algorithm, empty, digits) in [
            (Algorithm::Crc32, "00000000", "cbf43926"),
            (
                Algorithm::Md5,
                "d41d8cd98f00b204e9800998ecf8427e",
                "25f9e794323b453885f5181f1b624d0b",
            ),
        ] {
            assert_eq!(Sum::new(algorithm).hex(), empty);
            let mut sum = Sum::new(algorithm);
            sum.update(b"1234");
            sum.update(b"56789");
            assert_eq!(sum.hex(), digits);
        }
    }
}
