//! `Hashers`: threads that take the digest of blocks while a worker writes them.

use std::io;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, available_parallelism};

use ftp_store::{Aside, Loan};

use super::join;

/// Dropping it ends the threads.
pub(super) struct Hashers {
    /// Without room in between: what is taken is in somebody's hands at once.
    lend: Option<SyncSender<Loan>>,
    threads: Vec<JoinHandle<()>>,
}

impl Hashers {
    /// Starts half as many threads as there are cores (what is hashed has to be received and written, too), at least
    /// one and no more than there are workers.
    pub(super) fn start(workers: usize) -> io::Result<Self> {
        let (lend, loans) = sync_channel(0);
        let mut hashers = Self {
            lend: Some(lend),
            threads: Vec::new(),
        };
        let loans = Arc::new(Mutex::new(loans));
        let cores = available_parallelism().map_or(1, NonZero::get);
        for number in 0..(cores / 2).clamp(1, workers.max(1)) {
            let loans = Arc::clone(&loans);
            let thread = Builder::new().name(format!("hash-{number}"));
            hashers.threads.push(thread.spawn(move || work(&loans))?);
        }
        Ok(hashers)
    }
}

impl Aside for Hashers {
    fn take(&self, loan: Loan) -> bool {
        let lend = self.lend.as_ref();
        lend.is_some_and(|lend| lend.try_send(loan).is_ok())
    }
}

impl Drop for Hashers {
    fn drop(&mut self) {
        self.lend = None;
        self.threads.drain(..).for_each(join);
    }
}

fn work(loans: &Mutex<Receiver<Loan>>) {
    loop {
        // Held while it waits: the others wait for their turn to wait.
        let loan = loans.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match loan {
            Ok(loan) => loan.work(),
            Err(_) => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use ftp_proto::VPath;
    use ftp_proto::session::{CreateOptions, DiskOp, JobId, Outcome};
    use ftp_store::{Block, Job, Nearby, Options, Run, Slot, Step, Store};

    use super::*;

    /// Counts what was taken.
    struct Counted(Hashers, AtomicUsize);

    impl Aside for Counted {
        fn take(&self, loan: Loan) -> bool {
            let taken = self.0.take(loan);
            self.1.fetch_add(taken.into(), Ordering::Relaxed);
            taken
        }
    }

    /// Hashes nothing.
    struct Nobody;

    impl Aside for Nobody {
        fn take(&self, _: Loan) -> bool {
            false
        }
    }

    /// Uploads blocks in one job.
    fn upload(store: &Store, aside: &dyn Aside) -> Outcome {
        const BLOCK: usize = 256 * 1024;
        let blocks = [1, 2, 3].map(|number| vec![number; BLOCK]);
        let op = |job, op| Step::Op { job, op };
        let mut steps = vec![op(
            JobId(1),
            DiskOp::Create {
                path: VPath::parse("f").unwrap(),
                options: CreateOptions::default(),
            },
        )];
        steps.extend(blocks.map(|block| Step::Write(Block::from(block))));
        steps.push(op(
            JobId(2),
            DiskOp::Commit {
                digest: None,
                size: Some(3 * BLOCK as u64),
            },
        ));
        let slot = Slot::default();
        let run = store.run_with(Job::new(slot, steps), &mut Nearby::default(), aside);
        let done = match run {
            Run::Home(done) => done,
            Run::Parked(parked) => ftp_store::sync_round(vec![parked]).remove(0),
        };
        assert_eq!(done.blocks.len(), 3, "they can be used again");
        done.outcomes.into_iter().last().unwrap().1
    }

    #[test]
    fn an_upload_is_verified_whoever_hashes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Options::default()).unwrap();
        let hashers = Counted(Hashers::start(4).unwrap(), AtomicUsize::new(0));
        let expected = upload(&store, &Nobody);
        assert!(matches!(
            expected,
            Outcome::Committed {
                digest: Some(_),
                ..
            }
        ));
        let until = Instant::now() + Duration::from_secs(20);
        // A thread that has just begun, or just ended, is not idle yet.
        while hashers.1.load(Ordering::Relaxed) < 3 {
            assert!(Instant::now() < until, "nobody ever hashed");
            assert_eq!(upload(&store, &hashers), expected);
        }
    }
}
