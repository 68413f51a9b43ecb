//! The fuzz targets over their kept corpora, and over simple changes of them, with any compiler.

#![allow(clippy::unwrap_used, reason = "test code fails by panicking")]
#![allow(
    unreachable_pub,
    reason = "the targets are another crate, which needs them public"
)]

#[path = "../fuzz/src/users.rs"]
mod users;

use std::path::Path;
use std::{fs, panic};

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut kept = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let seed = fs::read(&path).unwrap();
        kept += 1;
        let try_one = |bytes: &[u8], change: &str| {
            if panic::catch_unwind(|| run(bytes)).is_err() {
                panic!("{target}: {} {change} fails", path.display());
            }
        };
        try_one(&seed, "as it is");
        for at in 0..seed.len() {
            try_one(&seed[..at], &format!("cut at {at}"));
            let mut flipped = seed.clone();
            flipped[at] ^= 1 << (at % 8);
            try_one(&flipped, &format!("with byte {at} flipped"));
            let mut doubled = seed.clone();
            doubled.splice(at..at, seed[at..].iter().copied());
            try_one(&doubled, &format!("with its rest doubled at {at}"));
        }
    }
    assert!(kept >= 4, "{}: {kept} seeds", folder.display());
}

#[test]
fn users_file_takes_its_corpus() {
    replay("users_file", users::users_file);
}
