//! The store over a temp folder, as a worker uses it for small files: one job a file, nothing synced.

use std::fs;
use std::hint::black_box;

use ftp_proto::session::{CreateOptions, DiskOp, JobId, Outcome};
use ftp_proto::{Digest, Durability, VPath};
use ftp_store::{Block, Done, Job, Options, Run, Slot, Step, Store, sync_round};
use ftp_tests::Scratch;
use sha2::{Digest as _, Sha256};

/// Files up to this size are read whole when they are opened.
const INLINE_BYTES: u32 = 64 * 1024;

/// A served folder, with files to open in it.
pub(crate) struct Disk {
    store: Store,
    bytes: &'static [u8],
    digest: Digest,
    _scratch: Scratch,
}

impl Disk {
    /// With so many files that hold `bytes`.
    pub(crate) fn new(files: u64, bytes: &'static [u8]) -> Self {
        let scratch = Scratch::new("hot-paths-store");
        for folder in ["old/there", "new/there"] {
            fs::create_dir_all(scratch.join(folder)).unwrap();
        }
        for number in 0..files {
            fs::write(scratch.join(name("old", number)), bytes).unwrap();
        }
        let options = Options {
            durability: Durability::None,
            // Not every valgrind knows `openat2`: without it all count the same, the walk from part to part.
            follow_links: false,
            ..Options::default()
        };
        Self {
            store: Store::open(scratch.path(), options).unwrap(),
            bytes,
            digest: Digest(Sha256::digest(bytes).into()),
            _scratch: scratch,
        }
    }

    /// A whole upload, as the server sends it to a worker: one job.
    pub(crate) fn put(&self, number: u64) {
        let options = CreateOptions {
            size: Some(self.bytes.len() as u64),
            mtime: Some((1_700_000_000, 123_456_789)),
            mode: Some(0o644),
            parents: true,
            ..CreateOptions::default()
        };
        let path = VPath::parse(&name("new", number)).unwrap();
        let create = DiskOp::Create { path, options };
        let commit = DiskOp::Commit {
            digest: Some(self.digest),
            size: Some(self.bytes.len() as u64),
        };
        let write = Step::Write(Block::from(self.bytes.to_vec()));
        self.run(vec![op(create), write, op(commit)]);
    }

    /// Opens a small file, which reads it.
    pub(crate) fn open(&self, number: u64) {
        let path = VPath::parse(&name("old", number)).unwrap();
        let inline = INLINE_BYTES;
        self.run(vec![op(DiskOp::Open { path, inline })]);
    }

    fn run(&self, steps: Vec<Step>) {
        let slot = Slot::default();
        let done = match self.store.run(Job::new(slot, steps)) {
            Run::Home(done) => vec![done],
            Run::Parked(parked) => sync_round(vec![parked]),
        };
        for Done {
            outcomes, fault, ..
        } in black_box(done)
        {
            assert_eq!(fault, None);
            for (_, outcome) in outcomes {
                assert!(!matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
            }
        }
    }
}

fn op(op: DiskOp) -> Step {
    Step::Op { job: JobId(1), op }
}

fn name(folder: &str, number: u64) -> String {
    format!("{folder}/there/{number}")
}
