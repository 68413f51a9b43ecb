//! Names and contents that clients of both dialects use.

use fastrand::Rng;
use ftp_proto::VPath;

/// Few names, so that requests meet.
const NAMES: [&str; 8] = ["a", "b", "c", "d", "d/a", "d/b", "d/e/f", "d/e"];

pub(crate) fn path(rng: &mut Rng) -> VPath {
    VPath::parse(NAMES[rng.usize(..NAMES.len())]).unwrap()
}

pub(crate) fn content(rng: &mut Rng, longest: usize) -> Vec<u8> {
    let len = match rng.u32(..6) {
        0 => 0,
        1 => 1,
        2 | 3 => rng.usize(..200),
        _ => rng.usize(..longest),
    };
    let fill = rng.u8(..);
    (0..len)
        .map(|at| fill.wrapping_add((at % 251) as u8))
        .collect()
}
