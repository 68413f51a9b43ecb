//! The fuzz targets over their kept corpora, and over simple changes of them, with any compiler.

#![allow(clippy::unwrap_used, reason = "test code fails by panicking")]
#![allow(
    unreachable_pub,
    reason = "the targets are another crate, which needs them public"
)]

#[path = "../fuzz/src/dialogue.rs"]
mod dialogue;
#[path = "../fuzz/src/ops.rs"]
mod ops;
#[path = "../fuzz/src/text.rs"]
mod text;

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
fn decoder_takes_its_corpus() {
    replay("decoder", text::decoder);
}

#[test]
fn vpath_takes_its_corpus() {
    replay("vpath", text::vpath);
}

#[test]
fn native_ops_takes_its_corpus() {
    replay("native_ops", ops::native_ops);
}

#[test]
fn rfc959_dialogue_takes_its_corpus() {
    replay("rfc959_dialogue", dialogue::rfc959_dialogue);
}

/// Dialogues by chance, the same ones every time.
#[test]
fn rfc959_dialogue_takes_chance() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    for round in 0..20_000 {
        let len = 10 + usize::from(next());
        let bytes: Vec<u8> = (0..len).map(|_| next()).collect();
        let played = panic::catch_unwind(|| dialogue::rfc959_dialogue(&bytes));
        assert!(played.is_ok(), "round {round}: {bytes:?}");
    }
}

#[test]
fn login_ops_takes_its_corpus() {
    replay("login_ops", ops::login_ops);
}

#[test]
fn proxy_header_takes_its_corpus() {
    replay("proxy_header", text::proxy_header);
}
