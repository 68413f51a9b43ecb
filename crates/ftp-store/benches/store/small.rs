//! Many small files, one job each.

use ftp_proto::Durability;
use ftp_proto::session::{CreateOptions, DiskOp};
use ftp_store::{Block, Slot, Step};

use crate::meter::Meter;
use crate::{Bench, Case, noise, sha256, step, vpath};

/// What the issue of small files is measured with.
pub(crate) const BYTES: usize = 4096;

pub(crate) fn put(bench: &Bench) {
    fill(bench, "put", &CreateOptions::default());
}

/// As a tree is sent: with mode and time.
pub(crate) fn put_attributes(bench: &Bench) {
    let options = CreateOptions {
        size: Some(BYTES as u64),
        mtime: Some((1_600_000_000, 5)),
        mode: Some(0o644),
        ..CreateOptions::default()
    };
    fill(bench, "put-attributes", &options);
}

pub(crate) fn get(bench: &Bench) {
    let case = fill(bench, "(put for get)", &CreateOptions::default());
    let meter = Meter::start();
    for number in 0..bench.files {
        let path = vpath(&format!("a/b/{number}"));
        let inline = 64 * 1024;
        case.done(Slot::default(), vec![step(DiskOp::Open { path, inline })]);
    }
    meter.per_item("get", bench.files);
}

/// The steps of one whole upload.
pub(crate) fn steps(path: &str, bytes: &[u8], options: CreateOptions) -> Vec<Step> {
    vec![
        step(DiskOp::Create {
            path: vpath(path),
            options,
        }),
        Step::Write(Block::from(bytes.to_vec())),
        step(DiskOp::Commit {
            digest: Some(sha256(bytes)),
            size: None,
        }),
    ]
}

fn fill(bench: &Bench, name: &str, options: &CreateOptions) -> Case {
    let case = bench.case(Durability::None);
    std::fs::create_dir_all(case.root().join("a/b")).unwrap();
    let bytes = noise(BYTES);
    let jobs: Vec<_> = (0..bench.files)
        .map(|number| steps(&format!("a/b/{number}"), &bytes, options.clone()))
        .collect();
    let meter = Meter::start();
    for job in jobs {
        case.done(Slot::default(), job);
    }
    meter.per_item(name, bench.files);
    case
}
