//! One thread flips path components between folders and links to the outside, while others run every
//! operation. Nothing outside is read or changed. `MUXFTP_RACE_SECONDS` makes it longer than 3 s.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ftp_proto::Durability;
use ftp_proto::session::{CreateOptions, DiskOp, Outcome};
use ftp_store::{Options, Slot};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::common::*;

const SECRET: &[u8] = b"secret";

fn time() -> Duration {
    let more = std::env::var("MUXFTP_RACE_SECONDS").ok();
    Duration::from_secs(more.and_then(|text| text.parse().ok()).unwrap_or(3))
}

/// `d` is a folder and `l` a link to the outside, until they are flipped; `f` stands in both.
fn prepare(case: &Case) {
    let outside = case.outside().join("else");
    fs::create_dir_all(outside.join("sub/deep")).unwrap();
    fs::write(outside.join("f"), SECRET).unwrap();
    fs::write(outside.join("sub/f"), SECRET).unwrap();
    fs::write(outside.join("sub/deep/canary"), SECRET).unwrap();
    symlink(&outside, case.file("l")).unwrap();
    fs::create_dir_all(case.file("d/sub/deep")).unwrap();
    fs::create_dir_all(case.file("tree/t")).unwrap();
    symlink(&outside, case.file("tree/u")).unwrap();
}

fn flip(case: &Case, one: &str, other: &str) {
    let (one, other) = (case.file(one), case.file(other));
    // It fails while a worker has just removed one of them.
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).ok();
}

fn any_op(rng: &mut fastrand::Rng) -> DiskOp {
    let paths = [
        "d/f",
        "l/f",
        "d/sub/f",
        "d",
        "d/sub",
        "tree",
        "tree/t",
        "tree/t/x",
        "d/new",
        "d/sub/deep",
    ];
    let mut pick = || paths[rng.usize(..paths.len())];
    let (path, other) = (pick(), pick());
    match rng.u8(..9) {
        0 => open(path, 100),
        1 => DiskOp::Stat { path: vpath(path) },
        2 => DiskOp::Digest {
            path: vpath(path),
            offset: 0,
            len: None,
        },
        3 => DiskOp::List {
            path: vpath(["d", "l", path][rng.usize(..3)]),
            after: None,
            entries: 100,
            bytes: 1 << 20,
        },
        4 => make_dir(&format!("{path}/sub/deep"), true),
        5 => rename(path, other, rng.bool()),
        6 => remove(path, rng.bool()),
        7 => remove("tree", true),
        _ => make_dir("tree/t/x/y", true),
    }
}

/// No answer holds anything from outside.
fn check(op: &DiskOp, outcome: &Outcome) {
    let secret = sha256(SECRET);
    let leaked = match outcome {
        Outcome::Opened {
            content: Some(content),
            ..
        } => content.bytes == SECRET,
        Outcome::Digested { digest, .. } => *digest == secret,
        Outcome::Listed { entries, .. } => entries.iter().any(|entry| entry.name == "canary"),
        Outcome::Opened { .. } => true,
        _ => false,
    };
    assert!(!leaked, "{op:?}: {outcome:?}");
}

fn work(case: &Case, seed: u64) -> usize {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut reached = 0;
    for _ in 0..100 {
        let outcome = if rng.u8(..4) == 0 {
            let resumable = CreateOptions {
                size: Some(4),
                resume: rng.bool(),
                parents: rng.bool(),
                ..CreateOptions::default()
            };
            let path = ["d/f", "d/sub/f", "tree/t/x/f"][rng.usize(..3)];
            let mut steps = put_steps(path, b"mine", resumable);
            steps.insert(1, step(DiskOp::Continue { keep: false }));
            let done = case.run(Slot::default(), steps);
            done.outcomes.into_iter().next_back().unwrap().1
        } else {
            let op = any_op(&mut rng);
            let outcome = case.op(op.clone());
            check(&op, &outcome);
            outcome
        };
        reached += usize::from(!matches!(outcome, Outcome::Failed(_)));
    }
    reached
}

#[test]
fn nothing_outside_is_read_or_changed() {
    for follow_links in [true, false] {
        let case = Case::with(Options {
            durability: Durability::None,
            follow_links,
            ..Options::default()
        });
        prepare(&case);
        let stop = AtomicBool::new(false);
        let (flips, reached) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let end = Instant::now() + time() / 2;
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    flip(&case, "d", "l");
                    flip(&case, "tree/t", "tree/u");
                    let outside = case.outside().join("else");
                    if flips.fetch_add(1, Ordering::Relaxed) % 64 == 0 {
                        fs::create_dir_all(case.file("tree")).ok();
                        symlink(&outside, case.file("tree/u")).ok();
                    }
                }
            });
            let workers: Vec<_> = (0..3)
                .map(|number| {
                    let (case, reached) = (&case, &reached);
                    scope.spawn(move || {
                        let mut seed = number;
                        while Instant::now() < end {
                            reached.fetch_add(work(case, seed), Ordering::Relaxed);
                            seed += 3;
                        }
                    })
                })
                .collect();
            let failed = workers.into_iter().any(|worker| worker.join().is_err());
            stop.store(true, Ordering::Relaxed);
            assert!(!failed);
        });
        let outside = case.outside().join("else");
        let names = |path: &str| {
            let mut names: Vec<_> = fs::read_dir(outside.join(path))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(""), ["f", "sub"]);
        assert_eq!(names("sub"), ["deep", "f"]);
        assert_eq!(names("sub/deep"), ["canary"]);
        for path in ["f", "sub/f", "sub/deep/canary"] {
            assert_eq!(fs::read(outside.join(path)).unwrap(), SECRET);
        }
        // The race was one: things were flipped, and operations came through.
        assert!(flips.into_inner() > 100 && reached.into_inner() > 100);
    }
}
