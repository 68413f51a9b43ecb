//! A fuzz target's kept corpus, played with any compiler.

use std::path::Path;
use std::{fs, panic};

/// Runs every input that is kept for `target` beneath `crate_folder`, and simple changes of it.
pub(crate) fn replay(crate_folder: &str, target: &str, run: fn(&[u8])) {
    let folder = Path::new(crate_folder).join("fuzz/corpus").join(target);
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
