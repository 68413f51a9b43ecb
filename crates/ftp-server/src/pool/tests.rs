//! Real stores in temp folders; the blocking calls are stood in for where a test needs a gate or a panic.
#![allow(
    clippy::disallowed_methods,
    reason = "a test looks at the disk past the store"
)]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use ftp_proto::VPath;
use ftp_proto::session::{CreateOptions, DiskOp, FaultKind, JobId, Outcome};
use ftp_store::{Block, Options, Slot, Step};
use mio::{Events, Poll, Token, Waker};

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

/// A pool over a folder of its own, and the loop's end of its mailbox.
struct Desk {
    pool: Pool<Letter>,
    store: Arc<Store>,
    poll: Poll,
    mailbox: Arc<Mailbox<Letter>>,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(workers: usize, bound: usize, hands: Hands) -> Self {
        let poll = Poll::new().unwrap();
        let mailbox = Arc::new(Mailbox::new(Waker::new(poll.registry(), Token(0)).unwrap()));
        let folder = tempfile::tempdir().unwrap();
        Self {
            pool: Pool::with_hands(workers, bound, hands).unwrap(),
            store: Arc::new(Store::open(folder.path(), Options::default()).unwrap()),
            poll,
            mailbox,
            folder,
        }
    }

    fn order(&self, lane: u64, steps: Vec<Step>) -> Order {
        let slot = Slot::default();
        Order {
            key: Key::from_usize(5),
            lane,
            store: Arc::clone(&self.store),
            job: Job::new(slot, steps),
        }
    }

    /// A whole upload: jobs `10 * lane` and the next.
    fn put(&self, lane: u64) -> Order {
        let path = VPath::parse(&format!("file-{lane}")).unwrap();
        let mut block = Block::with_capacity(16);
        block.extend_from_slice(b"payload");
        let options = CreateOptions::default();
        let (digest, size) = (None, None);
        self.order(
            lane,
            vec![
                op(10 * lane, DiskOp::Create { path, options }),
                Step::Write(block),
                op(10 * lane + 1, DiskOp::Commit { digest, size }),
            ],
        )
    }

    /// Jobs `10 * lane` and the next; no disk is touched for writing.
    fn stat(&self, lane: u64, path: &str) -> Order {
        let path = VPath::parse(path).unwrap();
        let stat = || DiskOp::Stat { path: path.clone() };
        self.order(lane, vec![op(10 * lane, stat()), op(10 * lane + 1, stat())])
    }

    /// Submits all, as room comes, and waits for as many letters, sorted by lane.
    fn settle(&mut self, orders: impl IntoIterator<Item = Order>) -> Vec<Letter> {
        let mut orders: VecDeque<_> = orders.into_iter().collect();
        let count = orders.len();
        self.submit(&mut orders);
        let letters = self.letters(count, |pool, home| pool.submit_all(&mut orders, home));
        assert!(orders.is_empty());
        letters
    }

    fn submit(&self, orders: &mut VecDeque<Order>) {
        self.pool.submit_all(orders, &self.mailbox);
    }

    /// Waits for `count` letters, and checks that there are no more.
    fn letters(
        &mut self,
        count: usize,
        mut each_turn: impl FnMut(&Pool<Letter>, &Arc<Mailbox<Letter>>),
    ) -> Vec<Letter> {
        let mut events = Events::with_capacity(4);
        let mut letters = Vec::new();
        while letters.len() < count {
            let wait = if self.mailbox.doze() {
                DEADLINE
            } else {
                Duration::ZERO
            };
            self.poll.poll(&mut events, Some(wait)).unwrap();
            assert!(
                wait.is_zero() || !events.is_empty(),
                "{} of {count} letters",
                letters.len()
            );
            self.mailbox.drain(&mut letters);
            each_turn(&self.pool, &self.mailbox);
        }
        assert_eq!(letters.len(), count);
        letters.sort_by_key(|letter| letter.lane);
        for letter in &letters {
            let jobs: Vec<_> = letter.done.outcomes.iter().map(|(job, _)| job.0).collect();
            assert_eq!(jobs, [10 * letter.lane, 10 * letter.lane + 1]);
            assert_eq!(letter.key, Key::from_usize(5));
        }
        letters
    }
}

fn op(job: u64, op: DiskOp) -> Step {
    Step::Op {
        job: JobId(job),
        op,
    }
}

fn hands() -> Hands {
    Hands {
        run: Box::new(Store::run_near),
        sync: Box::new(sync_round),
        slow_disk: None,
    }
}

fn committed(letter: &Letter) -> bool {
    let last = letter.done.outcomes.last();
    matches!(last, Some((_, Outcome::Committed { size: 7, .. })))
}

fn broke(letter: &Letter) -> bool {
    let internal = |outcome: &Outcome| matches!(outcome, Outcome::Failed(fault) if fault.kind == FaultKind::Internal);
    letter.done.slot.is_empty()
        && letter
            .done
            .outcomes
            .iter()
            .all(|(_, outcome)| internal(outcome))
}

/// Holds back whoever passes, tells that somebody came, and with how much.
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    came: Mutex<Sender<usize>>,
}

impl Gate {
    fn new() -> (Arc<Self>, Receiver<usize>) {
        let (came, comers) = channel();
        let gate = Self {
            open: Mutex::new(false),
            opened: Condvar::new(),
            came: Mutex::new(came),
        };
        (Arc::new(gate), comers)
    }

    fn pass(&self, with: usize) {
        self.came.lock().unwrap().send(with).unwrap();
        let open = self.open.lock().unwrap();
        let (_open, waited) = self
            .opened
            .wait_timeout_while(open, DEADLINE, |open| !*open)
            .unwrap();
        assert!(!waited.timed_out());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

#[test]
fn every_order_yields_one_letter() {
    let mut desk = Desk::new(3, 16, hands());
    let orders: Vec<_> = (0..400)
        .map(|lane| match lane % 4 {
            0 => desk.put(lane),
            _ => desk.stat(lane, "nothing"),
        })
        .collect();
    let letters = desk.settle(orders);
    for (lane, letter) in letters.iter().enumerate() {
        assert_eq!(letter.lane, lane as u64);
        assert_eq!(committed(letter), lane % 4 == 0);
        let name = desk.folder.path().join(format!("file-{lane}"));
        assert_eq!(name.exists(), lane % 4 == 0);
    }
}

#[test]
fn what_does_not_fit_stays_with_the_asker() {
    let (gate, comers) = Gate::new();
    let at_the_gate = Arc::clone(&gate);
    let mut desk = Desk::new(
        1,
        3,
        Hands {
            run: Box::new(move |store, job, nearby| {
                at_the_gate.pass(1);
                store.run_near(job, nearby)
            }),
            ..hands()
        },
    );
    let mut orders: VecDeque<_> = (0..10).map(|lane| desk.stat(lane, "")).collect();
    desk.submit(&mut orders);
    assert_eq!(orders.len(), 7);
    comers.recv_timeout(DEADLINE).unwrap();
    desk.submit(&mut orders);
    desk.submit(&mut orders);
    assert_eq!((orders.len(), desk.pool.waiting()), (6, 3));
    assert_eq!(orders.front().unwrap().lane, 4, "from the front");
    gate.open();
    desk.letters(10, |pool, home| pool.submit_all(&mut orders, home));
}

#[test]
fn a_panic_is_an_answer_and_the_worker_goes_on() {
    let run = |store: &Store, job: Job, nearby: &mut Nearby| {
        let trips = |step: &Step| matches!(step, Step::Op { op: DiskOp::Stat { path }, .. } if path.as_str() == "trip");
        assert!(!job.steps.iter().any(trips), "a trip wire");
        store.run_near(job, nearby)
    };
    let mut desk = Desk::new(
        1,
        100,
        Hands {
            run: Box::new(run),
            ..hands()
        },
    );
    let paths = ["", "trip", "", "trip", "trip", ""];
    let orders: Vec<_> = (0..)
        .zip(paths)
        .map(|(lane, path)| desk.stat(lane, path))
        .collect();
    for (letter, path) in desk.settle(orders).iter().zip(paths) {
        assert_eq!(broke(letter), path == "trip");
        assert_eq!(letter.done.fault.is_some(), path == "trip");
    }
}

#[test]
fn small_uploads_are_taken_several_at_once_but_no_more_than_a_share() {
    let queue = Queue::<Letter>::new(1000, 2);
    let desk = Desk::new(1, 1, hands());
    let mut orders: VecDeque<_> = (0..12).map(|lane| desk.put(lane)).collect();
    orders.push_back(desk.stat(12, ""));
    orders.extend((13..100).map(|lane| desk.put(lane)));
    queue.push(&mut orders, &desk.mailbox);
    let mut sizes = Vec::new();
    while queue.len() > 0 {
        let mut batch = Vec::new();
        assert!(queue.next(&mut batch, 16));
        sizes.push(batch.len());
    }
    // Up to another kind, that alone, then as many as are allowed, and at last half of what is left.
    assert_eq!(sizes[..6], [12, 1, 16, 16, 16, 16]);
    assert_eq!(sizes[6..], [12, 6, 3, 1, 1]);
    queue.stop();
    assert!(!queue.next(&mut Vec::new(), 16));
}

#[test]
fn a_panic_in_a_batch_is_the_answer_of_one() {
    let run = |store: &Store, job: Job, nearby: &mut Nearby| {
        let trips = |step: &Step| matches!(step, Step::Op { op: DiskOp::Create { path, .. }, .. } if path.as_str() == "file-7");
        assert!(!job.steps.iter().any(trips), "a trip wire");
        store.run_near(job, nearby)
    };
    let mut desk = Desk::new(
        1,
        100,
        Hands {
            run: Box::new(run),
            ..hands()
        },
    );
    let orders: Vec<_> = (0..40).map(|lane| desk.put(lane)).collect();
    for letter in desk.settle(orders) {
        assert_eq!(broke(&letter), letter.lane == 7);
        assert_eq!(committed(&letter), letter.lane != 7);
    }
}

#[test]
fn a_round_that_breaks_off_is_answered_in_full() {
    for panics in [true, false] {
        let rounds = Mutex::new(0);
        let sync = move |parked| {
            let mut rounds = rounds.lock().unwrap_or_else(|it| it.into_inner());
            *rounds += 1;
            match (*rounds, panics) {
                (1, true) => panic!("a trip wire"),
                (1, false) => Vec::new(),
                _ => sync_round(parked),
            }
        };
        let mut desk = Desk::new(
            1,
            100,
            Hands {
                sync: Box::new(sync),
                ..hands()
            },
        );
        let order = desk.put(1);
        assert!(broke(&desk.settle([order])[0]));
        let order = desk.put(2);
        assert!(committed(&desk.settle([order])[0]));
    }
}

#[test]
fn while_one_round_syncs_the_next_gathers() {
    let (gate, rounds) = Gate::new();
    let at_the_gate = Arc::clone(&gate);
    let sync = move |parked: Vec<Parked>| {
        at_the_gate.pass(parked.len());
        sync_round(parked)
    };
    let mut desk = Desk::new(
        2,
        100,
        Hands {
            sync: Box::new(sync),
            ..hands()
        },
    );
    desk.submit(&mut VecDeque::from([desk.put(0)]));
    assert_eq!(
        rounds.recv_timeout(DEADLINE).unwrap(),
        1,
        "alone, it waits for nobody"
    );
    let mut orders: VecDeque<_> = (1..51).map(|lane| desk.put(lane)).collect();
    desk.submit(&mut orders);
    let start = Instant::now();
    while desk.pool.syncer.len() < 50 {
        assert!(start.elapsed() < DEADLINE);
        std::thread::yield_now();
    }
    gate.open();
    let letters = desk.letters(51, |_, _| {});
    assert!(letters.iter().all(committed));
    assert_eq!(rounds.recv_timeout(DEADLINE).unwrap(), 50);
    assert!(rounds.try_recv().is_err(), "no third round");
}

#[test]
fn a_stop_does_not_wait_for_a_slow_disk() {
    let hour = Some(Duration::from_secs(3600));
    let mut desk = Desk::new(
        2,
        100,
        Hands {
            slow_disk: hour,
            ..hands()
        },
    );
    let mut orders: VecDeque<_> = (0..10).map(|lane| desk.put(lane)).collect();
    desk.submit(&mut orders);
    let start = Instant::now();
    let empty = Desk::new(1, 1, hands());
    drop(mem::replace(&mut desk.pool, empty.pool));
    assert!(start.elapsed() < DEADLINE);
    let mut letters = Vec::new();
    desk.mailbox.drain(&mut letters);
    assert!(
        letters.len() <= 2,
        "what waited is dropped, what was begun is done"
    );
}

#[test]
fn a_stop_finishes_what_only_waits_for_syncing() {
    let (gate, rounds) = Gate::new();
    let at_the_gate = Arc::clone(&gate);
    let sync = move |parked: Vec<Parked>| {
        at_the_gate.pass(parked.len());
        sync_round(parked)
    };
    let desk = Desk::new(
        1,
        100,
        Hands {
            sync: Box::new(sync),
            ..hands()
        },
    );
    desk.submit(&mut VecDeque::from([desk.put(3)]));
    rounds.recv_timeout(DEADLINE).unwrap();
    let Desk {
        pool,
        mailbox,
        folder,
        ..
    } = desk;
    let stopper = std::thread::spawn(move || drop(pool));
    gate.open();
    stopper.join().unwrap();
    let mut letters = Vec::new();
    mailbox.drain(&mut letters);
    assert!(letters.len() == 1 && committed(&letters[0]));
    assert_eq!(
        std::fs::read(folder.path().join("file-3")).unwrap(),
        b"payload"
    );
}
