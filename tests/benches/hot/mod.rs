//! The hot paths: what every frame and every small file costs on the protocol side, without a socket or a disk.
//!
//! Each path is a value made once and run as often as wanted; `paths.rs` times them.

mod shell;

use std::hint::black_box;

use ftp_proto::wire::{ReplyHead, Request, RequestHead, frame};
use ftp_proto::{Digest, VPath};

pub(crate) use self::shell::Shell;

/// Longest header, as the server has it.
pub(crate) const HEADER_MAX: u32 = 64 * 1024;

/// The first frame of a small upload, as our client says it.
pub(crate) fn put_head(id: u64, len: u64) -> RequestHead {
    RequestHead {
        id,
        verb: Some("put".into()),
        fin: true,
        len,
        path: Some("photos/2024/holiday/IMG_0042.jpeg".into()),
        size: Some(len),
        sha256: Some(Digest([0xab; 32])),
        mtime: Some(1_700_000_000),
        mtime_ns: Some(123_456_789),
        mode: Some(0o644),
        parents: true,
        ..RequestHead::default()
    }
}

/// The first frame of an answer to `get`.
pub(crate) fn get_reply() -> ReplyHead {
    ReplyHead {
        id: 7,
        len: 1 << 20,
        size: Some(4 << 30),
        offset: Some(0),
        length: Some(4 << 30),
        mtime: Some(1_700_000_000),
        mtime_ns: Some(123_456_789),
        mode: Some(0o644),
        etag: Some("fd01-1a2b3c-100000000-17a1b2c3".into()),
        ..ReplyHead::default()
    }
}

/// A whole frame, without payload.
pub(crate) fn framed<T: serde::Serialize>(head: &T) -> Vec<u8> {
    let mut out = Vec::new();
    frame::encode(head, HEADER_MAX, &mut out).unwrap();
    out
}

/// A path: its name, and what runs it once.
pub(crate) type Path = (&'static str, Box<dyn FnMut()>);

/// Every path.
pub(crate) fn paths() -> Vec<Path> {
    let put = framed(&put_head(1, 4096));
    let again = put.clone();
    let reply = framed(&get_reply());
    let head = put_head(1, 4096);
    let chunk = ReplyHead {
        id: 7,
        len: 1 << 20,
        ..ReplyHead::default()
    };
    let mut out = Vec::with_capacity(4096);
    let mut small_puts = Shell::greeted();
    let mut small_gets = Shell::greeted();
    let mut pings = Shell::greeted();
    vec![
        (
            "frame split",
            boxed(move || {
                black_box(frame::split(black_box(&put), HEADER_MAX));
            }),
        ),
        (
            "request decode",
            boxed(move || {
                let head: RequestHead = frame::decode(black_box(json(&again))).unwrap();
                black_box(Request::parse(head).unwrap());
            }),
        ),
        (
            "reply decode",
            boxed(move || {
                black_box(frame::decode::<ReplyHead>(black_box(json(&reply))).unwrap());
            }),
        ),
        (
            "request encode",
            boxed({
                let mut out = out.clone();
                move || {
                    out.clear();
                    frame::encode(black_box(&head), HEADER_MAX, &mut out).unwrap();
                }
            }),
        ),
        (
            "chunk head encode",
            boxed(move || {
                out.clear();
                frame::encode(black_box(&chunk), HEADER_MAX, &mut out).unwrap();
            }),
        ),
        (
            "path parse",
            boxed(|| {
                black_box(VPath::parse(black_box("photos/2024/holiday/IMG_0042.jpeg")).unwrap());
            }),
        ),
        ("machine: put of 4 KiB", boxed(move || small_puts.put(4096))),
        ("machine: get of 4 KiB", boxed(move || small_gets.get(4096))),
        ("machine: ping", boxed(move || pings.ping())),
    ]
}

fn boxed(path: impl FnMut() + 'static) -> Box<dyn FnMut()> {
    Box::new(path)
}

/// The text of the one header in a frame.
fn json(bytes: &[u8]) -> &[u8] {
    match frame::split(bytes, HEADER_MAX) {
        frame::Split::Head { json, .. } => json,
        frame::Split::NeedMore | frame::Split::BadLength(_) => panic!("a whole frame"),
    }
}
