//! What is counted: after whatever was done, the figures are those of the disk, and never more than there is room for.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use ftp_proto::session::{CreateOptions, DiskOp, Fault, FaultKind, Outcome, Start};
use ftp_proto::{Amount, Durability, IfExists};
use ftp_store::{Account, Job, Options, Slot, Step};

use crate::common::*;

/// Figures, and how much there may be.
#[derive(Default)]
struct Ledger {
    most: Amount,
    figures: Mutex<(Amount, Amount)>,
}

impl Ledger {
    fn new(bytes: u64, files: u64) -> Arc<Self> {
        Arc::new(Self {
            most: Amount { bytes, files },
            figures: Mutex::default(),
        })
    }

    fn stored(&self) -> Amount {
        self.figures.lock().unwrap().0
    }

    fn reserved(&self) -> Amount {
        self.figures.lock().unwrap().1
    }
}

/// Like [`Amount::minus`], but there must be so much.
#[track_caller]
fn minus(all: Amount, less: Amount) -> Amount {
    assert!(
        all.bytes >= less.bytes && all.files >= less.files,
        "{all:?} - {less:?}"
    );
    all.minus(less)
}

impl Account for Ledger {
    fn take(&self, more: Amount) -> Result<(), Fault> {
        let (stored, reserved) = &mut *self.figures.lock().unwrap();
        let used = stored.plus(*reserved).plus(more);
        let fits = |used: u64, most: u64, more: u64| used <= most || more == 0;
        if !fits(used.bytes, self.most.bytes, more.bytes)
            || !fits(used.files, self.most.files, more.files)
        {
            return Err(Fault::new(FaultKind::Quota, "no room"));
        }
        *reserved = reserved.plus(more);
        Ok(())
    }

    fn give(&self, back: Amount) {
        let (_, reserved) = &mut *self.figures.lock().unwrap();
        *reserved = minus(*reserved, back);
    }

    fn settle(&self, held: Amount, more: Amount, gone: Amount) {
        let (stored, reserved) = &mut *self.figures.lock().unwrap();
        *reserved = minus(*reserved, held);
        *stored = minus(stored.plus(more), gone);
    }

    fn adopt(&self, gone: Amount, held: Amount) {
        let (stored, reserved) = &mut *self.figures.lock().unwrap();
        *stored = minus(*stored, gone);
        *reserved = reserved.plus(held);
    }

    fn left(&self) -> Option<u64> {
        let (stored, reserved) = *self.figures.lock().unwrap();
        Some(self.most.bytes - stored.plus(reserved).bytes)
    }
}

fn counted(mut case: Case, ledger: &Arc<Ledger>) -> Case {
    let account: Arc<dyn Account> = ledger.clone();
    case.store = case.store.counted(Some(account));
    case
}

fn count(case: &Case) -> Amount {
    case.store.count(&mut || true).unwrap()
}

fn some(bytes: u64, files: u64) -> Amount {
    Amount { bytes, files }
}

fn plain() -> CreateOptions {
    CreateOptions::default()
}

fn sized(size: u64) -> CreateOptions {
    CreateOptions {
        size: Some(size),
        ..plain()
    }
}

fn resumable(size: u64) -> CreateOptions {
    CreateOptions {
        resume: true,
        ..sized(size)
    }
}

fn ok(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Committed { .. })
}

#[test]
fn a_known_size_is_refused_before_the_first_byte_and_an_unknown_one_where_it_ends() {
    for durability in [Durability::Full, Durability::None] {
        let ledger = Ledger::new(100, 10);
        let options = Options {
            durability,
            ..Options::default()
        };
        let case = counted(Case::with(options), &ledger);
        assert!(ok(&case.put("a", &[1; 60], sized(60))));
        assert_eq!(ledger.stored(), some(60, 1));
        assert_eq!(case.fails(create("b", sized(41))), FaultKind::Quota);
        let steps = vec![step(create("b", plain())), write(&[1; 40])];
        let slot = case.run(Slot::default(), steps).slot;
        assert_eq!(ledger.reserved(), some(40, 1));
        let done = case.run(slot, vec![write(&[1])]);
        assert_eq!(done.fault.unwrap().kind, FaultKind::Quota);
        assert_eq!(ledger.reserved(), Amount::default());
        assert_eq!(case.listed(""), ["a"]);
        // The room for a file and that for the one it replaces are needed at once.
        assert!(!ok(&case.put("a", &[2; 60], sized(60))));
        assert_eq!(case.read("a"), [1; 60]);
        assert!(ok(&case.put("a", &[2; 40], sized(40))));
        assert_eq!(ledger.stored(), some(40, 1));
        assert_eq!(count(&case), ledger.stored());
        let room = case.op(DiskOp::Space { path: vpath("") });
        assert_eq!(room, Outcome::Room { bytes: Some(60) });
    }
}

#[test]
fn files_are_counted_with_those_on_their_way_but_not_twice() {
    let ledger = Ledger::new(1000, 2);
    let case = counted(Case::new(), &ledger);
    assert!(ok(&case.put("a", b"one", plain())));
    let begun = case.run(Slot::default(), vec![step(create("b", plain()))]);
    assert_eq!(case.fails(create("c", plain())), FaultKind::Quota);
    // One that stands there already is no other.
    assert!(ok(&case.put("a", b"other", plain())));
    drop(begun);
    assert!(ok(&case.put("c", b"two", plain())));
    assert_eq!(ledger.stored(), some(8, 2));
    assert_eq!(case.op(remove("a", false)), Outcome::Ended);
    assert_eq!(case.op(rename("c", "b", false)), Outcome::Ended);
    assert_eq!(ledger.stored(), some(3, 1));
    // Its target vanished while it was on its way: then it is one file more.
    let steps = vec![step(create("b", plain())), write(b"new")];
    let slot = case.run(Slot::default(), steps).slot;
    assert_eq!(case.op(remove("b", false)), Outcome::Ended);
    assert!(ok(&only(case.run(slot, vec![step(commit(b"new"))]))));
    assert_eq!(ledger.stored(), some(3, 1));
    // And refused, if there are as many as may be by now.
    let steps = vec![step(create("b", plain())), write(b"newer")];
    let slot = case.run(Slot::default(), steps).slot;
    assert_eq!(case.op(rename("b", "c", false)), Outcome::Ended);
    assert!(ok(&case.put("d", b"last", plain())));
    let late = only(case.run(slot, vec![step(commit(b"newer"))]));
    assert_eq!(fault(late).kind, FaultKind::Quota);
    assert_eq!(case.names(""), ["c", "d"]);
    assert_eq!(ledger.stored(), some(7, 2));
    assert_eq!(ledger.reserved(), Amount::default());
    assert_eq!(count(&case), ledger.stored());
}

/// Between a look at what stands there and the rename nobody else replaces it.
#[test]
fn what_two_replace_at_once_is_gone_once() {
    let ledger = Ledger::new(1 << 30, 10);
    let case = counted(Case::new(), &ledger);
    // So that what is taken away too much is not lost at zero.
    assert!(ok(&case.put("large", &[7; 1 << 20], plain())));
    thread::scope(|scope| {
        for len in [1, 1000, 2000] {
            let (case, bytes) = (&case, vec![7; len]);
            scope.spawn(move || {
                for _ in 0..3_000 {
                    assert!(ok(&case.put("f", &bytes, plain())));
                }
            });
        }
    });
    assert_eq!(ledger.reserved(), Amount::default());
    assert_eq!(count(&case), ledger.stored());
}

#[test]
fn a_partial_counts_as_its_bytes_until_it_is_a_file_or_gone() {
    let ledger = Ledger::new(100, 1);
    let case = counted(Case::new(), &ledger);
    let half = |case: &Case| {
        let steps = vec![step(create("f", resumable(80))), write(&[7; 50])];
        drop(case.run(Slot::default(), steps).slot);
    };
    half(&case);
    assert_eq!(
        (ledger.stored(), ledger.reserved()),
        (some(50, 0), some(0, 0))
    );
    assert_eq!(count(&case), some(50, 0));
    assert_eq!(case.fails(create("g", sized(51))), FaultKind::Quota);
    let steps = vec![
        step(create("f", resumable(80))),
        step(DiskOp::Continue { keep: true }),
    ];
    let slot = case.run(Slot::default(), steps).slot;
    assert_eq!(
        (ledger.stored(), ledger.reserved()),
        (some(0, 0), some(80, 1))
    );
    assert_eq!(count(&case), some(0, 0), "somebody is at work on it");
    let steps = vec![write(&[7; 30]), step(commit(&[7; 80]))];
    assert!(ok(&only(case.run(slot, steps))));
    assert_eq!(ledger.stored(), some(80, 1));
    assert_eq!(case.op(remove("f", false)), Outcome::Ended);
    half(&case);
    // What is left for it may be too little by now.
    assert!(ok(&case.put("g", &[1; 50], sized(50))));
    let steps = vec![
        step(create("f", resumable(80))),
        step(DiskOp::Continue { keep: true }),
    ];
    let done = case.run(Slot::default(), steps);
    let refused = fault(done.outcomes.into_iter().next_back().unwrap().1);
    assert_eq!(refused.kind, FaultKind::Quota);
    drop(done.slot);
    assert_eq!(ledger.reserved(), Amount::default());
    assert_eq!(count(&case), ledger.stored());
}

#[test]
fn what_goes_is_counted_wherever_it_was() {
    let ledger = Ledger::new(1000, 100);
    let case = counted(Case::new(), &ledger);
    let parents = CreateOptions {
        parents: true,
        ..plain()
    };
    for path in ["d/a", "d/e/b", "d/e/f/c", "x"] {
        assert!(ok(&case.put(path, &[1; 10], parents.clone())));
    }
    drop(
        case.run(
            Slot::default(),
            vec![step(create("d/e/p", resumable(80))), write(&[7; 50])],
        )
        .slot,
    );
    case.link("../x", "d/l");
    assert_eq!(ledger.stored(), some(90, 4));
    assert_eq!(count(&case), ledger.stored());
    // Somebody is at work in a folder that is removed.
    let steps = vec![step(create("d/q", resumable(80))), write(&[7; 20])];
    let slot = case.run(Slot::default(), steps).slot;
    assert_eq!(case.op(remove("d", true)), Outcome::Ended);
    assert_eq!(
        (ledger.stored(), ledger.reserved()),
        (some(10, 1), some(80, 1))
    );
    drop(slot);
    assert_eq!(
        (ledger.stored(), ledger.reserved()),
        (some(10, 1), some(0, 0))
    );
    // Leftovers alone are an empty folder.
    case.op(make_dir("d", false));
    drop(
        case.run(
            Slot::default(),
            vec![step(create("d/q", resumable(80))), write(&[7; 20])],
        )
        .slot,
    );
    assert_eq!(ledger.stored(), some(30, 1));
    assert_eq!(case.op(remove("d", false)), Outcome::Ended);
    drop(
        case.run(
            Slot::default(),
            vec![step(create("q", resumable(80))), write(&[7; 20])],
        )
        .slot,
    );
    assert_eq!(ledger.stored(), some(30, 1));
    let later = SystemTime::now() + Duration::from_secs(30 * 24 * 60 * 60);
    assert_eq!(case.store.sweep(later, 1000).removed, 1);
    assert_eq!(ledger.stored(), some(10, 1));
    // A rename over a file takes that one away; of two names for one file both stay.
    assert!(ok(&case.put("y", &[1; 5], plain())));
    std::fs::hard_link(case.file("y"), case.file("z")).unwrap();
    assert_eq!(case.op(rename("y", "x", true)), Outcome::Ended);
    assert_eq!(ledger.stored(), some(5, 1));
    assert_eq!(case.op(rename("x", "z", true)), Outcome::Ended);
    assert_eq!(case.listed(""), ["x", "z"]);
    assert_eq!(ledger.stored(), some(5, 1), "the second name was not ours");
}

#[test]
fn what_is_on_its_way_when_counting_begins_is_counted() {
    let plain_case = Case::new();
    let steps = vec![step(create("f", resumable(80))), write(&[7; 50])];
    let partial = plain_case.run(Slot::default(), steps).slot;
    let steps = vec![step(create("g", plain())), write(&[7; 10])];
    let nameless = plain_case.run(Slot::default(), steps).slot;
    let ledger = Ledger::new(100, 10);
    let case = counted(plain_case, &ledger);
    assert_eq!(count(&case), Amount::default());
    let done = case.run(partial, vec![step(DiskOp::Abort)]);
    assert_eq!(only(done), Outcome::Ended);
    assert_eq!(ledger.stored(), some(50, 0));
    let done = case.run(nameless, vec![write(&[7; 20]), step(commit(&[7; 30]))]);
    assert!(ok(&only(done)));
    assert_eq!(ledger.stored(), some(80, 1));
    assert_eq!(count(&case), ledger.stored());
}

/// Between "somebody is at work on it" and "it is kept" is no moment in which a removal goes uncounted, or counts twice.
#[test]
fn a_folder_that_goes_while_an_upload_in_it_breaks_is_counted_once() {
    let ledger = Ledger::new(1 << 30, 1000);
    let options = Options {
        durability: Durability::None,
        ..Options::default()
    };
    let case = counted(Case::with(options), &ledger);
    let options = CreateOptions {
        parents: true,
        ..resumable(80)
    };
    let keep = DiskOp::Continue { keep: true };
    let rounds = 20_000;
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                let job = |slot, steps: Vec<Step>| home(case.store.run(Job::new(slot, steps)));
                let begun = job(Slot::default(), vec![step(create("d/f", options.clone()))]);
                // What an earlier round left, if it stands yet, is gone on with.
                let steps = vec![step(keep.clone()), write(&[7])];
                drop(job(begun.slot, steps));
            }
        });
        scope.spawn(|| {
            for _ in 0..rounds {
                drop(case.op(remove("d", true)));
            }
        });
    });
    assert_eq!(ledger.reserved(), Amount::default());
    assert_eq!(count(&case), ledger.stored());
}

/// Sessions, each with a thread, do everything to the same few names.
#[test]
fn whatever_is_done_at_once_the_figures_are_those_of_the_disk() {
    for durability in [Durability::Full, Durability::None] {
        let ledger = Ledger::new(5000, 6);
        let options = Options {
            durability,
            ..Options::default()
        };
        let case = counted(Case::with(options), &ledger);
        thread::scope(|scope| {
            for seed in 0..4 {
                let (case, ledger) = (&case, &ledger);
                scope.spawn(move || {
                    let mut rng = fastrand::Rng::with_seed(seed);
                    for _ in 0..150 {
                        random(case, &mut rng);
                        let (stored, reserved) = *ledger.figures.lock().unwrap();
                        let used = stored.plus(reserved);
                        assert!(used.bytes <= 5000 && used.files <= 6, "{used:?}");
                    }
                });
            }
        });
        assert_eq!(ledger.reserved(), Amount::default());
        assert_eq!(count(&case), ledger.stored());
    }
}

fn random(case: &Case, rng: &mut fastrand::Rng) {
    const NAMES: [&str; 6] = ["a", "b", "d/a", "d/b", "d/e/a", "f"];
    let name = NAMES[rng.usize(..NAMES.len())];
    let size = rng.usize(1..2000);
    let content = bytes(size, 1);
    let options = CreateOptions {
        size: rng.bool().then_some(size as u64),
        parents: true,
        resume: rng.bool(),
        if_exists: if rng.bool() {
            IfExists::Replace
        } else {
            IfExists::Fail
        },
        ..plain()
    };
    match rng.u8(..8) {
        0 => drop(case.op(remove(name, false))),
        1 => drop(case.op(remove("d", true))),
        2 => drop(case.op(rename(name, "f", true))),
        3 => drop(case.op(rename("d", "g", false))),
        4 => drop(case.op(remove("g", true))),
        _ => {
            let job = |slot, steps: Vec<Step>| home(case.store.run(Job::new(slot, steps)));
            let done = job(Slot::default(), vec![step(create(name, options))]);
            let offered = done.outcomes.iter().find_map(|(_, outcome)| match outcome {
                Outcome::Created { partial } => partial.as_ref().map(|it| it.offset),
                _ => None,
            });
            let mut steps = Vec::new();
            let mut from = 0;
            if let Some(offset) = offered {
                let keep = rng.bool();
                steps.push(step(DiskOp::Continue { keep }));
                from = if keep { offset as usize } else { 0 };
            }
            let end = rng.usize(from..=size);
            steps.push(write(&content[from..end]));
            if rng.bool() {
                steps.push(write(&content[end..]));
                steps.push(step(commit(&content)));
            }
            drop(job(done.slot, steps));
        }
    }
}

#[test]
fn uploads_that_go_on_by_a_number_are_counted_as_they_land() {
    let ledger = Ledger::new(100, 10);
    let case = counted(Case::new(), &ledger);
    let begin = |start, bytes: &[u8]| {
        let options = CreateOptions {
            resume: true,
            start: Some(start),
            ..plain()
        };
        case.run(
            Slot::default(),
            vec![step(create("f", options)), write(bytes)],
        )
    };
    let stands = |amount| {
        assert_eq!((ledger.stored(), ledger.reserved()), (amount, some(0, 0)));
        assert_eq!(count(&case), amount);
    };
    let last = DiskOp::Commit {
        digest: None,
        size: None,
    };
    drop(begin(Start::At(0), &[1; 40]));
    stands(some(40, 0));
    drop(begin(Start::At(0), &[2; 30]));
    stands(some(30, 0));
    drop(begin(Start::At(20), &[3; 5]));
    stands(some(25, 0));
    // What cannot be finished is no use for the next attempt either.
    let done = begin(Start::At(0), &[6; 60]);
    assert_eq!(done.fault, None);
    let done = case.run(done.slot, vec![write(&[6; 60])]);
    assert_eq!(done.fault.unwrap().kind, FaultKind::Quota);
    drop(done.slot);
    stands(some(0, 0));
    drop(begin(Start::At(0), &[3; 25]));
    let slot = begin(Start::At(25), &[4; 20]).slot;
    assert!(ok(&only(case.run(slot, vec![step(last.clone())]))));
    stands(some(45, 1));
    // A copy needs room beside what it is of.
    let append = Start::End { told: None };
    let done = begin(append, &[5; 11]);
    assert_eq!(done.fault.unwrap().kind, FaultKind::Quota);
    drop(done.slot);
    stands(some(45, 1));
    let slot = begin(append, &[5; 10]).slot;
    assert_eq!(ledger.reserved(), some(55, 0));
    assert!(ok(&only(case.run(slot, vec![step(last)]))));
    stands(some(55, 1));
    assert_eq!(
        fault(begin(append, b"").outcomes.remove(0).1).kind,
        FaultKind::Quota
    );
    stands(some(55, 1));
}
