//! `Writer`: two threads that write and hash what the connection receives; the sink travels with the writing one.
//!
//! Each block goes to both and home to its pool when both are done: neither waits for the other, and no byte is
//! copied for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::sink::Sink;
use crate::error::Error;
use crate::hash::Hasher;
use crate::net::Block;

/// The sending end. Its queues are bounded by the pool that the blocks come from.
pub(super) struct Writer {
    to: Sender<Arc<Block>>,
    thread: JoinHandle<(Sink, Option<Error>)>,
    /// Where there is something to be hashed.
    hashing: Option<(Sender<Arc<Block>>, JoinHandle<Hasher>)>,
    failed: Arc<AtomicBool>,
    stream: bool,
}

impl Writer {
    pub(super) fn start(mut sink: Sink) -> Self {
        let (to, blocks) = channel();
        let failed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&failed);
        let stream = sink.is_stream();
        let hashing = sink.take_hasher().map(|hasher| {
            let (to, blocks) = channel();
            (to, std::thread::spawn(move || hash(hasher, &blocks)))
        });
        let thread = std::thread::spawn(move || write(sink, &blocks, &flag));
        Self {
            to,
            thread,
            hashing,
            failed,
            stream,
        }
    }

    /// Hands a block over.
    pub(super) fn write(&self, block: Block) {
        let block = Arc::new(block);
        let hashed = self
            .hashing
            .as_ref()
            .is_none_or(|(to, _)| to.send(Arc::clone(&block)).is_ok());
        if self.to.send(block).is_err() || !hashed {
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the disk has failed: no use in receiving more.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Waits for the last write; the sink comes home, or what went wrong. With `leave`, a thread that may be
    /// stuck in a write to a pipe is left behind, and its sink with it.
    pub(super) fn finish(self, leave: bool) -> (Option<Sink>, Option<Error>) {
        drop(self.to);
        let hashing = self.hashing.map(|(to, thread)| {
            drop(to);
            thread
        });
        if leave && self.stream && !self.thread.is_finished() {
            return (None, None);
        }
        let written = self.thread.join();
        match (written, hashing.map(JoinHandle::join).transpose()) {
            // The hash may be ahead of what was written: such a sink is of no use.
            (Ok((_, Some(error))), Ok(_)) => (None, Some(error)),
            (Ok((mut sink, None)), Ok(hasher)) => {
                sink.give_hasher(hasher);
                (Some(sink), None)
            }
            (Err(_), _) | (_, Err(_)) => {
                let died = std::io::Error::other("the writing thread died");
                (None, Some(Error::local("write", died)))
            }
        }
    }
}

fn write(
    mut sink: Sink,
    blocks: &Receiver<Arc<Block>>,
    failed: &AtomicBool,
) -> (Sink, Option<Error>) {
    for block in blocks {
        if let Err(error) = sink.put(block.filled()) {
            failed.store(true, Ordering::Relaxed);
            return (sink, Some(error));
        }
    }
    (sink, None)
}

fn hash(mut hasher: Hasher, blocks: &Receiver<Arc<Block>>) -> Hasher {
    for block in blocks {
        hasher.update(block.filled());
    }
    hasher
}
