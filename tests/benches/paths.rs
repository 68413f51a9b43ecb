//! Times the hot paths: `cargo bench -p ftp-tests --bench paths`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

mod hot;

use divan::Bencher;

fn main() {
    divan::main();
}

#[divan::bench(args = names())]
fn path(bencher: Bencher<'_, '_>, name: &str) {
    let mut paths = hot::paths();
    let (_, run) = paths.iter_mut().find(|(known, _)| *known == name).unwrap();
    bencher.bench_local(run);
}

fn names() -> Vec<&'static str> {
    hot::paths().into_iter().map(|(name, _)| name).collect()
}
