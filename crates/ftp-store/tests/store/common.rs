//! A store over a temp folder of its own, and one call for each thing to do with it.

use std::fs;
use std::path::{Path, PathBuf};

use ftp_proto::session::{CreateOptions, DiskOp, Entry, Fault, FaultKind, JobId, Meta, Outcome};
use ftp_proto::{Digest, Durability, VPath};
use ftp_store::{Block, Done, Job, Options, Run, Slot, Step, Store, sync_round};
use sha2::{Digest as _, Sha256};

/// The served folder is `inside` of the temp folder, so that there is an outside.
pub(crate) struct Case {
    pub(crate) store: Store,
    temp: tempfile::TempDir,
}

impl Case {
    pub(crate) fn new() -> Self {
        Self::with(Options {
            durability: Durability::None,
            ..Options::default()
        })
    }

    pub(crate) fn with(options: Options) -> Self {
        let temp = tempfile::tempdir().unwrap();
        Self::on(temp, options)
    }

    pub(crate) fn on(temp: tempfile::TempDir, options: Options) -> Self {
        let root = temp.path().join("inside");
        fs::create_dir_all(&root).unwrap();
        let store = Store::open(&root, options).unwrap();
        Self { store, temp }
    }

    /// The same folder, as the next process finds it.
    pub(crate) fn restart(self, options: Options) -> Self {
        let Self { store, temp } = self;
        drop(store);
        Self::on(temp, options)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.temp.path().join("inside")
    }

    pub(crate) fn outside(&self) -> &Path {
        self.temp.path()
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    /// Puts a file there behind the store's back.
    pub(crate) fn plant(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.file(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn link(&self, to: impl AsRef<Path>, name: &str) {
        std::os::unix::fs::symlink(to, self.file(name)).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.file(path)).unwrap()
    }

    /// Names in a folder, the server's own among them.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.file(path))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Runs a job, with a round of syncing of its own if it needs one.
    pub(crate) fn run(&self, slot: Slot, steps: Vec<Step>) -> Done {
        home(self.store.run(Job::new(slot, steps)))
    }

    /// One operation that needs no slot.
    pub(crate) fn op(&self, op: DiskOp) -> Outcome {
        only(self.run(Slot::default(), vec![step(op)]))
    }

    pub(crate) fn fails(&self, op: DiskOp) -> FaultKind {
        fault(self.op(op)).kind
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8], options: CreateOptions) -> Outcome {
        let done = self.run(Slot::default(), put_steps(path, bytes, options));
        assert!(done.slot.is_empty());
        done.outcomes.into_iter().next_back().unwrap().1
    }

    pub(crate) fn get(&self, path: &str) -> Result<Vec<u8>, Fault> {
        match self.op(open(path, u32::MAX)) {
            Outcome::Opened {
                content: Some(content),
                ..
            } => {
                assert_eq!(content.digest, sha256(&content.bytes));
                Ok(content.bytes)
            }
            other => Err(fault(other)),
        }
    }

    pub(crate) fn stat(&self, path: &str) -> Meta {
        match self.op(DiskOp::Stat { path: vpath(path) }) {
            Outcome::Found(meta) => meta,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn page(&self, path: &str, after: Option<&str>, entries: u32) -> (Vec<Entry>, bool) {
        match self.op(DiskOp::List {
            path: vpath(path),
            after: after.map(str::to_owned),
            entries,
            bytes: 1 << 20,
        }) {
            Outcome::Listed { entries, next } => {
                assert_eq!(
                    next.as_ref(),
                    entries.last().map(|e| &e.name).filter(|_| next.is_some())
                );
                (entries, next.is_some())
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn listed(&self, path: &str) -> Vec<String> {
        let (entries, more) = self.page(path, None, 4096);
        assert!(!more);
        entries.into_iter().map(|entry| entry.name).collect()
    }
}

pub(crate) fn home(run: Run) -> Done {
    match run {
        Run::Home(done) => done,
        Run::Parked(parked) => sync_round(vec![parked]).pop().unwrap(),
    }
}

pub(crate) fn only(done: Done) -> Outcome {
    assert_eq!(done.outcomes.len(), 1);
    done.outcomes.into_iter().next().unwrap().1
}

#[track_caller]
pub(crate) fn fault(outcome: Outcome) -> Fault {
    match outcome {
        Outcome::Failed(fault) => fault,
        other => panic!("it worked: {other:?}"),
    }
}

pub(crate) fn step(op: DiskOp) -> Step {
    Step::Op { job: JobId(1), op }
}

pub(crate) fn write(bytes: &[u8]) -> Step {
    Step::Write(Block::from(bytes.to_vec()))
}

pub(crate) fn open(path: &str, inline: u32) -> DiskOp {
    let path = vpath(path);
    DiskOp::Open { path, inline }
}

pub(crate) fn create(path: &str, options: CreateOptions) -> DiskOp {
    let path = vpath(path);
    DiskOp::Create { path, options }
}

pub(crate) fn remove(path: &str, recursive: bool) -> DiskOp {
    let path = vpath(path);
    DiskOp::Remove { path, recursive }
}

pub(crate) fn rename(from: &str, to: &str, replace: bool) -> DiskOp {
    DiskOp::Rename {
        from: vpath(from),
        to: vpath(to),
        replace,
    }
}

pub(crate) fn make_dir(path: &str, parents: bool) -> DiskOp {
    let path = vpath(path);
    DiskOp::MakeDir { path, parents }
}

/// A whole upload in one job.
pub(crate) fn put_steps(path: &str, bytes: &[u8], options: CreateOptions) -> Vec<Step> {
    let half = bytes.len() / 2;
    vec![
        step(create(path, options)),
        write(&bytes[..half]),
        write(&bytes[half..]),
        step(commit(bytes)),
    ]
}

pub(crate) fn commit(bytes: &[u8]) -> DiskOp {
    DiskOp::Commit {
        digest: Some(sha256(bytes)),
        size: Some(bytes.len() as u64),
    }
}

pub(crate) fn vpath(text: &str) -> VPath {
    VPath::parse(text).unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Bytes that differ everywhere.
pub(crate) fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes
}

pub(crate) fn fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
}
