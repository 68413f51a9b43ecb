//! `Loan`: blocks whose digest another thread takes while a worker writes them.
//!
//! The store starts no thread: whoever runs jobs may bring [`Aside`]. Nobody waits for it to become idle: if it is
//! not, who writes hashes as well. What is lent is shared memory that nobody changes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use sha2::{Digest as _, Sha256};

use crate::block::Block;

/// Fewer bytes than this are hashed sooner than another thread wakes up.
const WORTH_LENDING: usize = 128 * 1024;

/// Who does [`Loan::work`] on another thread.
pub trait Aside: Sync {
    /// Begins at once, or says that nobody is idle.
    fn take(&self, loan: Loan) -> bool;
}

/// How a job's blocks are written.
#[derive(Clone, Copy)]
pub(crate) struct Pace<'a> {
    /// Who may take their digest meanwhile.
    pub(crate) aside: Option<&'a dyn Aside>,
    /// The sender waits for them.
    pub(crate) pressed: bool,
}

/// What is to be hashed, and who wants the hasher back.
#[derive(Debug)]
pub struct Loan {
    hasher: Sha256,
    blocks: Arc<Vec<Block>>,
    home: SyncSender<Sha256>,
}

impl Loan {
    /// Hashes the blocks, lets go of them, and sends the hasher home.
    pub fn work(self) {
        let Self {
            mut hasher,
            blocks,
            home,
        } = self;
        update(&mut hasher, &blocks);
        drop(blocks);
        // Nobody waits for it any more only if the worker panicked.
        drop(home.send(hasher));
    }
}

/// Whether there is more to hash than it costs to lend it.
pub(crate) fn is_worth(blocks: &[Block]) -> bool {
    blocks.iter().map(Block::len).sum::<usize>() >= WORTH_LENDING
}

/// Has the digest go on over these blocks elsewhere, if somebody is idle. If the receiver hears nothing, nobody did it.
pub(crate) fn lend(
    hasher: &Sha256,
    blocks: &Arc<Vec<Block>>,
    aside: &dyn Aside,
) -> Option<Receiver<Sha256>> {
    let (home, back) = sync_channel(1);
    let loan = Loan {
        hasher: hasher.clone(),
        blocks: Arc::clone(blocks),
        home,
    };
    aside.take(loan).then_some(back)
}

/// Has a digest go on over blocks.
pub(crate) fn update(hasher: &mut Sha256, blocks: &[Block]) {
    for block in blocks {
        hasher.update(block.as_slice());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Idle always; does what it takes, or loses it.
    pub(crate) enum Double {
        Works,
        Loses,
    }

    impl Aside for Double {
        fn take(&self, loan: Loan) -> bool {
            match self {
                Self::Works => loan.work(),
                Self::Loses => drop(loan),
            }
            true
        }
    }

    /// Never idle.
    pub(crate) struct Busy;

    impl Aside for Busy {
        fn take(&self, _: Loan) -> bool {
            false
        }
    }

    pub(crate) fn blocks(count: u8, bytes: usize) -> Vec<Block> {
        let block = |number| Block::from(vec![number; bytes]);
        (0..count).map(block).collect()
    }

    #[test]
    fn the_hasher_comes_home_and_the_blocks_are_let_go() {
        let blocks = Arc::new(blocks(3, 10));
        let home = lend(&Sha256::new(), &blocks, &Double::Works).unwrap();
        let mut own = Sha256::new();
        update(&mut own, &blocks);
        assert_eq!(home.recv().unwrap().finalize(), own.finalize());
        assert!(lend(&Sha256::new(), &blocks, &Busy).is_none());
        assert!(Arc::into_inner(blocks).is_some());
    }

    #[test]
    fn little_is_not_worth_it() {
        assert!(is_worth(&blocks(2, WORTH_LENDING / 2)));
        assert!(!is_worth(&blocks(2, WORTH_LENDING / 2 - 1)));
    }
}
