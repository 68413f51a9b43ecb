//! A seeded workload, and what it may say of each path at each point of the record.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use ftp_proto::session::{CreateOptions, Digesting, DiskOp, JobId, Outcome};
use ftp_proto::{Digest, Durability, VPath};
use sha2::{Digest as _, Sha256};

use crate::record::{self, Event};
use crate::{Block, Done, Job, Options, Parked, Run, Slot, Step, Store, sync_round};

/// Steps of one workload.
const STEPS: usize = 120;
/// Uploads go here…
const TARGETS: [&str; 6] = ["a", "b", "c", "d/a", "d/e/a", "f/g/h/a"];
/// …and renames and removals to those that stand in the root.
const IN_ROOT: usize = 3;
/// Few, so that attempts meet partials of others.
const SIZES: [usize; 4] = [0, 700, 5_000, 20_000];

pub(super) struct Work {
    store: Store,
    durability: Durability,
    sessions: Vec<Session>,
    parked: Vec<(Parked, Claim)>,
    /// All that ever stood at a path, in the order in which it came there.
    versions: BTreeMap<String, Vec<Version>>,
    contents: BTreeSet<(String, Vec<u8>)>,
    _root: tempfile::TempDir,
}

struct Session {
    slot: Slot,
    path: String,
    content: Vec<u8>,
    sent: usize,
}

/// What a parked job says when it is answered.
enum Claim {
    Upload(Session),
    /// Versions that stand there already, but may still be lost.
    Names(Vec<(String, usize)>),
}

struct Version {
    /// Positions in the record: it may be there from…
    began: usize,
    /// …and must be there from.
    answered: Option<usize>,
    /// `None`: nothing stands there.
    content: Option<Vec<u8>>,
}

impl Work {
    pub(super) fn run(rng: &mut Rng, durability: Durability) -> (Self, Vec<Event>) {
        let root = tempfile::tempdir().unwrap();
        let options = Options {
            durability,
            checkpoint_bytes: 2_000,
            ..Options::default()
        };
        let store = Store::open(root.path(), options).unwrap();
        let mut work = Self {
            store,
            durability,
            sessions: Vec::new(),
            parked: Vec::new(),
            versions: BTreeMap::new(),
            contents: BTreeSet::new(),
            _root: root,
        };
        record::begin(work.store.shared().jail.root().unwrap());
        for _ in 0..STEPS {
            work.step(rng);
        }
        work.round(rng);
        (work, record::end())
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        TARGETS.into_iter()
    }

    /// Every path and size that an upload was begun with.
    pub(super) fn attempts(&self) -> BTreeSet<(&str, u64)> {
        let contents = self.contents.iter();
        contents
            .map(|(path, content)| (path.as_str(), content.len() as u64))
            .collect()
    }

    /// Whether a file of that path and size was sent whose first `len` bytes have this digest.
    pub(super) fn sent(&self, path: &str, size: u64, len: u64, digest: Digest) -> bool {
        self.contents.iter().any(|(target, content)| {
            let prefix = usize::try_from(len).ok().and_then(|len| content.get(..len));
            target == path
                && content.len() as u64 == size
                && prefix.is_some_and(|prefix| Self::digest(prefix) == digest)
        })
    }

    /// Answers given to uploads.
    pub(super) fn answered(&self) -> usize {
        let all = self.versions.values().flatten();
        all.filter(|version| version.answered.is_some()).count()
    }

    /// Whether `found` may be at `path` after a cut at event `at`.
    pub(super) fn accepts(&self, path: &str, at: usize, found: Option<&[u8]>) -> bool {
        let Some(versions) = self.versions.get(path) else {
            return found.is_none();
        };
        let answered = versions
            .iter()
            .rposition(|version| version.answered.is_some_and(|then| then <= at));
        // Under `data` the bytes are safe, but a name may be the old one.
        let since = match (self.durability, answered) {
            (Durability::Full, Some(last)) => last,
            (Durability::Full, None) | (Durability::Data | Durability::None, _) => 0,
        };
        let bound = self.durability == Durability::Full && answered.is_some();
        (found.is_none() && !bound)
            || versions.iter().skip(since).any(|version| {
                let may_be = version.began <= at;
                may_be && version.content.as_deref() == found
            })
    }

    pub(super) fn digest(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    fn step(&mut self, rng: &mut Rng) {
        match rng.u8(..100) {
            0..20 => self.begin(rng),
            20..60 => self.send(rng),
            60..75 => self.commit(rng),
            75..80 => {
                if let Some(session) = self.pick(rng) {
                    drop(session);
                }
            }
            80..87 => self.rename(rng),
            87..90 => self.remove(rng),
            _ => self.round(rng),
        }
    }

    fn begin(&mut self, rng: &mut Rng) {
        let path = TARGETS[rng.usize(..TARGETS.len())];
        let size = SIZES[rng.usize(..SIZES.len())];
        // Of one path and size there are two contents, so that some attempts fit a partial and some do not.
        let mut content = vec![rng.u8(..2); size];
        Rng::with_seed(size as u64 + u64::from(content.first() == Some(&1))).fill(&mut content);
        self.contents.insert((path.to_owned(), content.clone()));
        let options = CreateOptions {
            size: Some(size as u64),
            parents: true,
            resume: rng.bool(),
            digesting: match rng.bool() {
                true => Digesting::Upload,
                false => Digesting::OnDemand,
            },
            ..CreateOptions::default()
        };
        let path = path.to_owned();
        let op = DiskOp::Create {
            path: VPath::parse(&path).unwrap(),
            options,
        };
        let done = home(self.run_op(Slot::default(), op));
        let mut session = Session {
            slot: done.slot,
            path,
            content,
            sent: 0,
        };
        match &done.outcomes[0].1 {
            Outcome::Created { partial: None } => {}
            Outcome::Created {
                partial: Some(partial),
            } => {
                let len = usize::try_from(partial.offset).unwrap();
                let keep = Self::digest(&session.content[..len]) == partial.digest;
                session.sent = if keep { len } else { 0 };
                let done = home(self.run_op(session.slot, DiskOp::Continue { keep }));
                session.slot = done.slot;
            }
            // In use by an upload that is being committed.
            _ => return,
        }
        self.sessions.push(session);
    }

    fn send(&mut self, rng: &mut Rng) {
        let Some(mut session) = self.pick(rng) else {
            return;
        };
        let rest = session.content.len() - session.sent;
        let piece = rng.usize(..=rest.min(3_000));
        self.send_some(&mut session, piece);
        self.sessions.push(session);
    }

    fn send_some(&self, session: &mut Session, piece: usize) {
        let end = session.sent + piece;
        let block = Block::from(session.content[session.sent..end].to_vec());
        let slot = std::mem::take(&mut session.slot);
        let steps = vec![Step::Write(block)];
        session.slot = home(self.store.run(Job::new(slot, steps))).slot;
        session.sent = end;
    }

    fn commit(&mut self, rng: &mut Rng) {
        let Some(mut session) = self.pick(rng) else {
            return;
        };
        let rest = session.content.len() - session.sent;
        self.send_some(&mut session, rest);
        let op = DiskOp::Commit {
            digest: Some(Self::digest(&session.content)),
            size: None,
        };
        // One whose partial was taken over fails here, as it must.
        if let Run::Parked(parked) = self.run_op(std::mem::take(&mut session.slot), op) {
            self.parked.push((parked, Claim::Upload(session)));
        }
    }

    fn rename(&mut self, rng: &mut Rng) {
        let (from, to) = (rng.usize(..IN_ROOT), rng.usize(..IN_ROOT));
        if from == to {
            return;
        }
        let (from, to) = (TARGETS[from], TARGETS[to]);
        let began = record::position();
        let op = DiskOp::Rename {
            from: VPath::parse(from).unwrap(),
            to: VPath::parse(to).unwrap(),
            replace: true,
        };
        let run = self.run_op(Slot::default(), op);
        if let Some(content) = self.current(from) {
            let changes = [(from, None), (to, Some(content))];
            self.changed(run, began, changes.into());
        }
    }

    fn remove(&mut self, rng: &mut Rng) {
        let path = TARGETS[rng.usize(..IN_ROOT)];
        let began = record::position();
        let op = DiskOp::Remove {
            path: VPath::parse(path).unwrap(),
            recursive: false,
        };
        let run = self.run_op(Slot::default(), op);
        if self.current(path).is_some() {
            self.changed(run, began, vec![(path, None)]);
        }
    }

    /// Names have changed, and may change back until the job is answered.
    fn changed(&mut self, run: Run, began: usize, changes: Vec<(&str, Option<Vec<u8>>)>) {
        let parked = match run {
            Run::Parked(parked) => Some(parked),
            Run::Home(_) => None,
        };
        let mut claim = Vec::new();
        for (path, content) in changes {
            let versions = self.versions.entry(path.to_owned()).or_default();
            claim.push((path.to_owned(), versions.len()));
            versions.push(Version {
                began,
                answered: None,
                content,
            });
        }
        if let Some(parked) = parked {
            self.parked.push((parked, Claim::Names(claim)));
        }
    }

    /// Syncs some of what is parked, in some order.
    fn round(&mut self, rng: &mut Rng) {
        rng.shuffle(&mut self.parked);
        let count = rng.usize(..=self.parked.len());
        let (parked, claims): (Vec<_>, Vec<_>) = self.parked.drain(..count).unzip();
        let began = record::position();
        let done = sync_round(parked);
        let answered = Some(record::position());
        for (done, claim) in done.into_iter().zip(claims) {
            let (_, outcome) = done.outcomes.into_iter().next_back().unwrap();
            match (claim, outcome) {
                (Claim::Upload(session), Outcome::Committed { .. }) => {
                    self.versions
                        .entry(session.path)
                        .or_default()
                        .push(Version {
                            began,
                            answered,
                            content: Some(session.content),
                        });
                }
                (Claim::Names(names), Outcome::Ended) => {
                    for (path, index) in names {
                        let versions = self.versions.get_mut(&path).unwrap();
                        versions[index].answered = answered;
                    }
                }
                (_, outcome) => panic!("{outcome:?}"),
            }
        }
    }

    fn pick(&mut self, rng: &mut Rng) -> Option<Session> {
        let count = self.sessions.len();
        (count > 0).then(|| self.sessions.swap_remove(rng.usize(..count)))
    }

    fn current(&self, path: &str) -> Option<Vec<u8>> {
        self.versions.get(path)?.last()?.content.clone()
    }

    fn run_op(&self, slot: Slot, op: DiskOp) -> Run {
        let job = JobId(0);
        let steps = vec![Step::Op { job, op }];
        self.store.run(Job::new(slot, steps))
    }
}

fn home(run: Run) -> Done {
    match run {
        Run::Home(done) => done,
        Run::Parked(parked) => panic!("{parked:?}"),
    }
}
