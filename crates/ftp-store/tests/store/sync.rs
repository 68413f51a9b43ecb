//! Group commit: many uploads in one round, each with its own outcome.

use std::fs;

use ftp_proto::session::{CreateOptions, FaultKind, Outcome};
use ftp_proto::{Durability, IfExists};
use ftp_store::{Job, Options, Parked, Run, Slot, sync_round};

use crate::common::*;

fn durable(durability: Durability) -> Case {
    Case::with(Options {
        durability,
        ..Options::default()
    })
}

fn park(case: &Case, path: &str, bytes: &[u8], options: CreateOptions) -> Parked {
    let run = case
        .store
        .run(Job::new(Slot::default(), put_steps(path, bytes, options)));
    match run {
        Run::Parked(parked) => parked,
        Run::Home(done) => panic!("{done:?}"),
    }
}

#[test]
fn every_size_of_round_answers_each_in_its_place() {
    for durability in [Durability::Data, Durability::Full] {
        for count in [0, 1, 3, 4, 100] {
            let case = durable(durability);
            let options = CreateOptions {
                parents: true,
                ..CreateOptions::default()
            };
            let content = |n: usize| bytes(n * 10, n as u64);
            let parked: Vec<_> = (0..count)
                .map(|n| {
                    let path = format!("d{}/f{n}", n % 7);
                    park(&case, &path, &content(n), options.clone())
                })
                .collect();
            for n in 0..count {
                let path = format!("d{}/f{n}", n % 7);
                assert!(!case.file(&path).exists(), "no name before the sync");
            }
            let done = sync_round(parked);
            assert_eq!(done.len(), count);
            for (n, done) in done.into_iter().enumerate() {
                assert!(done.slot.is_empty());
                assert_eq!(done.outcomes.len(), 2);
                assert_eq!(
                    done.outcomes[1].1,
                    Outcome::Committed {
                        size: n as u64 * 10,
                        digest: Some(sha256(&content(n))),
                        durability
                    }
                );
                assert!(case.read(&format!("d{}/f{n}", n % 7)) == content(n));
            }
        }
    }
}

#[test]
fn a_round_fails_only_the_guilty() {
    let case = durable(Durability::Full);
    let fail = CreateOptions {
        if_exists: IfExists::Fail,
        ..CreateOptions::default()
    };
    let any = CreateOptions::default;
    let parked = vec![
        park(&case, "a", b"a", any()),
        park(&case, "same", b"first", fail.clone()),
        park(&case, "same", b"second", fail),
        park(&case, "dir", b"x", any()),
        park(&case, "b", b"b", any()),
    ];
    fs::create_dir(case.file("dir")).unwrap();
    let kinds: Vec<_> = sync_round(parked)
        .into_iter()
        .map(|mut done| match done.outcomes.remove(1).1 {
            Outcome::Failed(fault) => Some(fault.kind),
            _ => None,
        })
        .collect();
    let exists = Some(FaultKind::Exists);
    let is_dir = Some(FaultKind::IsADirectory);
    assert_eq!(kinds, [None, None, exists, is_dir, None]);
    assert_eq!(case.names(""), ["a", "b", "dir", "same"]);
    assert_eq!(case.read("same"), b"first");
}

#[test]
fn the_last_of_two_writers_wins_and_they_never_mix() {
    let case = durable(Durability::Full);
    let (one, two) = (bytes(50_000, 1), bytes(60_000, 2));
    let first = park(&case, "f", &one, CreateOptions::default());
    let second = park(&case, "f", &two, CreateOptions::default());
    let _ = sync_round(vec![second, first]);
    assert!(case.read("f") == one);
    assert_eq!(case.names(""), ["f"]);
}

#[test]
fn a_parked_upload_that_is_dropped_leaves_nothing() {
    let case = durable(Durability::Full);
    drop(park(&case, "f", b"x", CreateOptions::default()));
    assert!(case.names("").is_empty());
}

#[test]
fn names_wait_for_their_round_under_full_only() {
    for (durability, waits) in [
        (Durability::Full, true),
        (Durability::Data, false),
        (Durability::None, false),
    ] {
        let case = durable(durability);
        for op in [
            make_dir("a/b", true),
            rename("a/b", "c", false),
            remove("a", true),
        ] {
            let run = case.store.run(Job::new(Slot::default(), vec![step(op)]));
            assert_eq!(matches!(run, Run::Parked(_)), waits);
            assert_eq!(only(home(run)), Outcome::Ended);
        }
        assert_eq!(case.names(""), ["c"]);
    }
}

#[test]
fn jobs_of_two_stores_share_a_round() {
    let (one, two) = (durable(Durability::Full), durable(Durability::Data));
    let parked = vec![
        park(&one, "f", b"one", CreateOptions::default()),
        park(&two, "f", b"two", CreateOptions::default()),
    ];
    let done = sync_round(parked);
    assert!(matches!(
        done[0].outcomes[1].1,
        Outcome::Committed {
            durability: Durability::Full,
            ..
        }
    ));
    assert!(matches!(
        done[1].outcomes[1].1,
        Outcome::Committed {
            durability: Durability::Data,
            ..
        }
    ));
    assert_eq!(
        (one.read("f"), two.read("f")),
        (b"one".to_vec(), b"two".to_vec())
    );
}
