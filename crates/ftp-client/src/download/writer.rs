//! `Writer`: a thread that hashes and writes what the connection receives; the sink travels with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::sink::Sink;
use crate::error::Error;
use crate::net::Block;

/// The sending end. Its queue is bounded by the pool that the blocks come from.
pub(super) struct Writer {
    to: Sender<Block>,
    thread: JoinHandle<(Sink, Option<Error>)>,
    failed: Arc<AtomicBool>,
    stream: bool,
}

impl Writer {
    pub(super) fn start(sink: Sink) -> Self {
        let (to, blocks) = channel();
        let failed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&failed);
        let stream = sink.is_stream();
        let thread = std::thread::spawn(move || write(sink, &blocks, &flag));
        Self {
            to,
            thread,
            failed,
            stream,
        }
    }

    /// Hands a block over.
    pub(super) fn write(&self, block: Block) {
        if self.to.send(block).is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the disk has failed: no use in receiving more.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Waits for the last write; the sink comes home, with what went wrong. With `leave`, a thread that may be
    /// stuck in a write to a pipe is left behind, and its sink with it.
    pub(super) fn finish(self, leave: bool) -> (Option<Sink>, Option<Error>) {
        drop(self.to);
        if leave && self.stream && !self.thread.is_finished() {
            return (None, None);
        }
        match self.thread.join() {
            Ok((sink, error)) => (Some(sink), error),
            Err(_) => {
                let died = std::io::Error::other("the writing thread died");
                (None, Some(Error::local("write", died)))
            }
        }
    }
}

fn write(mut sink: Sink, blocks: &Receiver<Block>, failed: &AtomicBool) -> (Sink, Option<Error>) {
    for block in blocks {
        if let Err(error) = sink.write(block.filled()) {
            failed.store(true, Ordering::Relaxed);
            return (sink, Some(error));
        }
    }
    (sink, None)
}
