//! One large file: what writing, hashing and both cost.

use std::os::fd::OwnedFd;

use ftp_proto::Durability;
use ftp_proto::session::{CreateOptions, DiskOp};
use ftp_store::{Block, Slot, Step};
use rustix::io::pwrite;
use sha2::{Digest as _, Sha256};

use crate::meter::Meter;
use crate::{Bench, Case, noise, step, vpath};

/// As the server hands them over.
const BLOCK: usize = 256 * 1024;
/// Blocks that are on their way at once: together more than a processor's own cache.
const BLOCKS: usize = 16;
/// What one frame of a download is warmed by.
const WARM: u64 = 1024 * 1024;

/// The system call alone.
pub(crate) fn write(bench: &Bench) {
    let case = bench.case(Durability::None);
    let file = OwnedFd::from(std::fs::File::create(case.root().join("f")).unwrap());
    let noise = noise(BLOCK * BLOCKS);
    let meter = Meter::start();
    let mut offset = 0;
    for block in noise.chunks(BLOCK).cycle() {
        if offset >= bench.bytes {
            break;
        }
        offset += pwrite(&file, block, offset).unwrap() as u64;
    }
    meter.per_byte("write", bench.bytes);
}

/// SHA-256 alone.
pub(crate) fn hash(bench: &Bench) {
    let noise = noise(BLOCK * BLOCKS);
    let meter = Meter::start();
    let mut hasher = Sha256::new();
    let blocks = usize::try_from(bench.bytes).unwrap() / BLOCK;
    for block in noise.chunks(BLOCK).cycle().take(blocks) {
        hasher.update(block);
    }
    assert_ne!(hasher.finalize().as_slice(), [0; 32]);
    meter.per_byte("hash", bench.bytes);
}

/// Through the store: both.
pub(crate) fn upload(bench: &Bench) {
    filled(bench, "upload");
}

pub(crate) fn warm(bench: &Bench) {
    warmed(bench, "warm", false);
}

pub(crate) fn warm_digest(bench: &Bench) {
    warmed(bench, "warm-digest", true);
}

fn filled(bench: &Bench, name: &str) -> Case {
    let case = bench.case(Durability::None);
    let mut blocks: Vec<Block> = noise(BLOCK * BLOCKS)
        .chunks(BLOCK)
        .map(|bytes| Block::from(bytes.to_vec()))
        .collect();
    let path = vpath("f");
    let options = CreateOptions {
        size: Some(bench.bytes),
        ..CreateOptions::default()
    };
    let meter = Meter::start();
    let mut slot = case
        .done(
            Slot::default(),
            vec![step(DiskOp::Create { path, options })],
        )
        .slot;
    for _ in 0..bench.bytes / BLOCK as u64 {
        let done = case.done(slot, vec![Step::Write(blocks.remove(0))]);
        slot = done.slot;
        // Its bytes are still in it.
        blocks.extend(done.blocks.into_iter().map(|mut block| {
            block.advance(BLOCK);
            block
        }));
    }
    let commit = DiskOp::Commit {
        digest: None,
        size: None,
    };
    case.done(slot, vec![step(commit)]);
    meter.per_byte(name, bench.bytes);
    case
}

fn warmed(bench: &Bench, name: &str, digest: bool) {
    let case = filled(bench, "(put for warm)");
    let (path, inline) = (vpath("f"), 0);
    let meter = Meter::start();
    let mut slot = case
        .done(Slot::default(), vec![step(DiskOp::Open { path, inline })])
        .slot;
    for offset in (0..bench.bytes).step_by(usize::try_from(WARM).unwrap()) {
        let warm = DiskOp::Warm {
            offset,
            len: WARM,
            digest,
            last: offset + WARM >= bench.bytes,
        };
        slot = case.done(slot, vec![step(warm)]).slot;
    }
    drop(slot);
    meter.per_byte(name, bench.bytes);
}
