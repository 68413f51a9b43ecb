//! The fuzz targets over their kept corpora, and over simple changes of them, with any compiler.

#![allow(clippy::unwrap_used, reason = "test code fails by panicking")]
#![allow(
    unreachable_pub,
    reason = "the targets are another crate, which needs them public"
)]

#[path = "../fuzz/src/control.rs"]
mod control;
#[path = "../fuzz/src/dialogue.rs"]
mod dialogue;
#[path = "../fuzz/src/ops.rs"]
mod ops;
mod replay;
#[path = "../fuzz/src/replies.rs"]
mod replies;
#[path = "../fuzz/src/source.rs"]
mod source;
#[path = "../fuzz/src/text.rs"]
mod text;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn decoder_takes_its_corpus() {
    replay::replay(HERE, "decoder", text::decoder);
}

#[test]
fn vpath_takes_its_corpus() {
    replay::replay(HERE, "vpath", text::vpath);
}

#[test]
fn native_ops_takes_its_corpus() {
    replay::replay(HERE, "native_ops", ops::native_ops);
}

#[test]
fn rfc959_line_takes_its_corpus() {
    replay::replay(HERE, "rfc959_line", control::rfc959_line);
}

#[test]
fn rfc959_reply_takes_its_corpus() {
    replay::replay(HERE, "rfc959_reply", control::rfc959_reply);
}

#[test]
fn rfc959_dialogue_takes_its_corpus() {
    replay::replay(HERE, "rfc959_dialogue", dialogue::rfc959_dialogue);
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
        let played = std::panic::catch_unwind(|| dialogue::rfc959_dialogue(&bytes));
        assert!(played.is_ok(), "round {round}: {bytes:?}");
    }
}

#[test]
fn login_ops_takes_its_corpus() {
    replay::replay(HERE, "login_ops", ops::login_ops);
}

#[test]
fn proxy_header_takes_its_corpus() {
    replay::replay(HERE, "proxy_header", text::proxy_header);
}
