//! A folder listed page by page: what an entry costs, and how soon the first page is there.

use std::fs::File;
use std::time::Instant;

use ftp_proto::Durability;
use ftp_proto::session::{DiskOp, Outcome};
use ftp_store::Slot;

use crate::meter::Meter;
use crate::{Bench, Case, step, vpath};

/// Entries in a page, as the server has it.
const PAGE: u32 = 4096;

/// The cost of an entry must not depend on how many there are.
pub(crate) fn list(bench: &Bench) {
    for count in [1_000, 10_000, 100_000, bench.entries] {
        let case = bench.case(Durability::None);
        // In an order that no sort finds done already.
        for n in 0..count {
            let name = format!("{:06}.bin", n * 7_919 % count);
            File::create(case.root().join(name)).unwrap();
        }
        let first = Instant::now();
        page(&case, None);
        let first = first.elapsed();
        let meter = Meter::start();
        let (mut listed, mut after) = (0, None);
        loop {
            let (names, last, more) = page(&case, after);
            listed += names;
            after = last;
            if !more {
                break;
            }
        }
        assert_eq!(listed, count);
        meter.per_item(&format!("list {count}"), count);
        println!(
            "{:16} {:9.2} ms to the first page",
            "",
            first.as_secs_f64() * 1e3
        );
    }
}

/// How many entries, the last one's name, and whether there are more.
fn page(case: &Case, after: Option<String>) -> (usize, Option<String>, bool) {
    let op = DiskOp::List {
        path: vpath(""),
        after,
        entries: PAGE,
        bytes: 1 << 20,
    };
    let mut done = case.done(Slot::default(), vec![step(op)]);
    match done.outcomes.pop() {
        Some((_, Outcome::Listed { entries, next })) => {
            (entries.len(), next.clone(), next.is_some())
        }
        other => panic!("{other:?}"),
    }
}
