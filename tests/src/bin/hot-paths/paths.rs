//! The hot paths by name: fixed data, fixed numbers of operations, the same instructions each time.

use std::hint::black_box;
use std::iter;
use std::rc::Rc;

use ftp_proto::wire::frame::{self, Split};
use ftp_proto::wire::{ReplyHead, Request, RequestHead};
use ftp_proto::{Digest, VPath};

use crate::disk::Disk;
use crate::machine::{Done, Session};

/// A path to be counted.
pub(crate) struct Path {
    /// What the table and the baseline call it.
    pub(crate) name: &'static str,
    /// How often it is run for one count.
    pub(crate) calls: u64,
    /// Operations in one run.
    pub(crate) operations: u64,
    /// Runs it.
    pub(crate) run: Box<dyn FnMut()>,
}

/// Longest header, as both ends have it.
const HEADER_BYTES: u32 = 64 * 1024;
/// As people name files.
const NAME: &str = "photos/2024/holiday/IMG_0042.jpeg";

/// Every path, ready to run.
pub(crate) fn all() -> Vec<Path> {
    let mut paths = words();
    paths.extend(machines());
    paths.extend(disks());
    paths
}

/// The language: frames, headers, paths.
fn words() -> Vec<Path> {
    let request = framed(&small_put(7, 4096));
    let mut reply = Vec::new();
    frame::encode(&first_chunk(), HEADER_BYTES, &mut reply).unwrap();
    let mut out = Vec::with_capacity(1024);
    let mut answer = Vec::with_capacity(1024);
    let bytes = request.clone();
    vec![
        each("frame: split", move || {
            black_box(frame::split(black_box(&bytes), HEADER_BYTES));
        }),
        each("request: decode and parse", move || {
            let head: RequestHead = frame::decode(text(black_box(&request))).unwrap();
            black_box(Request::parse(head).unwrap());
        }),
        each("request: encode", {
            let head = small_put(7, 4096);
            move || {
                out.clear();
                frame::encode(black_box(&head), HEADER_BYTES, &mut out).unwrap();
            }
        }),
        each("reply: decode", move || {
            black_box(frame::decode::<ReplyHead>(text(black_box(&reply))).unwrap());
        }),
        each("reply: encode", {
            let head = first_chunk();
            move || {
                answer.clear();
                frame::encode(black_box(&head), HEADER_BYTES, &mut answer).unwrap();
            }
        }),
        each("path: parse", || {
            black_box(VPath::parse(black_box(NAME)).unwrap());
        }),
    ]
}

/// The server's machine, without a socket and without a disk.
fn machines() -> Vec<Path> {
    const FILES: u64 = 1000;
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1024 * MIB;
    const CHUNKS: u64 = GIB / MIB;
    let puts = script((1..=FILES).map(|id| (small_put(id, 4096), 4096)));
    // All in one piece, as they come out of a socket.
    let mut gets = script([]);
    gets.push(((1..=FILES).flat_map(|id| framed(&get(id))).collect(), 0));
    let upload = script((0..=CHUNKS).map(|chunk| {
        let head = large_put(chunk, CHUNKS);
        let len = head.len;
        (head, len)
    }));
    let download = script([(get(7), 0)]);
    vec![
        once("machine: small put, pipelined", FILES, move || {
            Session::new(4096).play(&puts, Done::Committed(FILES));
        }),
        once("machine: small get, pipelined", FILES, move || {
            Session::new(4096).play(&gets, Done::Opened(FILES));
        }),
        once("machine: MiB of a large upload", CHUNKS, move || {
            Session::new(GIB).play(&upload, Done::Committed(1));
        }),
        once("machine: MiB of a large download", CHUNKS, move || {
            Session::new(GIB).play(&download, Done::Warmed(GIB));
        }),
    ]
}

/// The store, without syncing. The files are one block of SHA-256 each: beneath valgrind there are no instructions for
/// it, and with larger files its counts would drown all others.
fn disks() -> Vec<Path> {
    const FILES: u64 = 500;
    let disk = Rc::new(Disk::new(FILES, b"one block of SHA-256, not a page"));
    let puts = Rc::clone(&disk);
    let (mut put, mut opened) = (0, 0);
    vec![
        path("store: put of 32 bytes", FILES, 1, move || {
            puts.put(put);
            put += 1;
        }),
        path("store: inline open of 32 bytes", FILES, 1, move || {
            disk.open(opened);
            opened += 1;
        }),
    ]
}

fn each(name: &'static str, run: impl FnMut() + 'static) -> Path {
    path(name, 10_000, 1, run)
}

fn once(name: &'static str, operations: u64, run: impl FnMut() + 'static) -> Path {
    path(name, 1, operations, run)
}

fn path(name: &'static str, calls: u64, operations: u64, run: impl FnMut() + 'static) -> Path {
    Path {
        name,
        calls,
        operations,
        run: Box::new(run),
    }
}

/// Whole frames to be said one after the other, each with the bytes of payload that follow it.
fn script(frames: impl IntoIterator<Item = (RequestHead, u64)>) -> Vec<(Vec<u8>, u64)> {
    let frames = iter::once((hello(), 0)).chain(frames);
    frames
        .map(|(head, payload)| (framed(&head), payload))
        .collect()
}

fn hello() -> RequestHead {
    RequestHead {
        id: u64::MAX,
        verb: Some("hello".into()),
        version: Some(1),
        fin: true,
        ..RequestHead::default()
    }
}

/// The only frame of a small upload, as our client says it.
fn small_put(id: u64, len: u64) -> RequestHead {
    RequestHead {
        fin: true,
        len,
        size: Some(len),
        sha256: Some(Digest([0xab; 32])),
        mtime: Some(1_700_000_000),
        mtime_ns: Some(123_456_789),
        mode: Some(0o644),
        parents: true,
        ..request(id, "put")
    }
}

/// One frame of a large upload whose digest comes with its last, empty frame.
fn large_put(chunk: u64, chunks: u64) -> RequestHead {
    let len = u64::from(chunk < chunks) << 20;
    if chunk == 0 {
        return RequestHead {
            len,
            size: Some(chunks << 20),
            ..request(7, "put")
        };
    }
    RequestHead {
        id: 7,
        len,
        fin: chunk == chunks,
        sha256: (chunk == chunks).then_some(Digest([0xab; 32])),
        ..RequestHead::default()
    }
}

fn get(id: u64) -> RequestHead {
    RequestHead {
        fin: true,
        ..request(id, "get")
    }
}

fn request(id: u64, verb: &str) -> RequestHead {
    RequestHead {
        id,
        verb: Some(verb.into()),
        path: Some(NAME.into()),
        ..RequestHead::default()
    }
}

/// The first frame of an answer to `get`.
fn first_chunk() -> ReplyHead {
    ReplyHead {
        id: 7,
        len: 1 << 20,
        size: Some(4 << 30),
        offset: Some(0),
        length: Some(4 << 30),
        mtime: Some(1_700_000_000),
        mtime_ns: Some(123_456_789),
        mode: Some(0o644),
        etag: Some("fd01-1a2b3c-100000000-17a1b2c3d4e5f607".into()),
        ..ReplyHead::default()
    }
}

fn framed(head: &RequestHead) -> Vec<u8> {
    let mut out = Vec::new();
    frame::encode(head, HEADER_BYTES, &mut out).unwrap();
    out
}

/// The JSON of a frame's header.
fn text(bytes: &[u8]) -> &[u8] {
    match frame::split(bytes, HEADER_BYTES) {
        Split::Head { json, .. } => json,
        Split::NeedMore | Split::BadLength(_) => panic!("not a whole header"),
    }
}
