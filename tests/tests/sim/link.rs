//! One connection as the server has it: what came and was not taken, what is to go, and how far its end is.

use std::collections::VecDeque;
use std::rc::Rc;

use fastrand::Rng;

use super::fs::Inode;

/// Most bytes that lie unread at the server; what is more stays with the network.
const INBOX: usize = 80_000;

/// A piece of the outbox.
#[derive(Debug)]
enum Segment {
    Bytes(VecDeque<u8>),
    File {
        file: u64,
        inode: Rc<Inode>,
        offset: u64,
        len: u64,
    },
}

/// How the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    /// `Close` was asked; what is queued still leaves.
    Flushing,
    Gone,
}

/// What the kernel took.
#[derive(Debug, Default)]
pub(crate) struct Flushed {
    pub(crate) bytes: Vec<u8>,
    /// Files that were shorter than what was to be sent of them.
    pub(crate) short: Vec<u64>,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) inbox: Vec<u8>,
    /// The machine took nothing of the inbox last time.
    pub(crate) stuck: bool,
    outbox: VecDeque<Segment>,
    pub(crate) unsent: u64,
    pub(crate) end: End,
    pub(crate) told_eof: bool,
    /// TLS was begun and is not up: no byte comes or goes.
    pub(crate) securing: bool,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self {
            inbox: Vec::new(),
            stuck: false,
            outbox: VecDeque::new(),
            unsent: 0,
            end: End::Open,
            told_eof: false,
            securing: false,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.end == End::Open
    }

    /// Room for what is on its way.
    pub(crate) fn has_room(&self) -> bool {
        self.is_open() && self.inbox.len() < INBOX
    }

    /// Nothing is left to be sent.
    pub(crate) fn is_flushed(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Some of `wire` arrives.
    pub(crate) fn arrive(&mut self, wire: &mut Vec<u8>, rng: &mut Rng) {
        let len = if rng.u32(..3) == 0 {
            1
        } else {
            1 + rng.usize(..wire.len())
        };
        self.inbox.extend(wire.drain(..len));
        self.stuck = false;
    }

    /// Payload of at most `remaining` bytes.
    pub(crate) fn take(&mut self, remaining: u64, rng: &mut Rng) -> Vec<u8> {
        let most = self
            .inbox
            .len()
            .min(usize::try_from(remaining).unwrap_or(usize::MAX));
        let len = if rng.bool() {
            most
        } else {
            1 + rng.usize(..most)
        };
        self.inbox.drain(..len).collect()
    }

    pub(crate) fn send(&mut self, bytes: Vec<u8>) {
        self.unsent += bytes.len() as u64;
        self.outbox.push_back(Segment::Bytes(bytes.into()));
    }

    pub(crate) fn send_file(&mut self, file: u64, inode: Rc<Inode>, offset: u64, len: u64) {
        self.unsent += len;
        self.outbox.push_back(Segment::File {
            file,
            inode,
            offset,
            len,
        });
    }

    /// A range of the file is still in the outbox.
    pub(crate) fn is_sending(&self, wanted: u64) -> bool {
        let of_it =
            |segment: &Segment| matches!(segment, Segment::File { file, .. } if *file == wanted);
        self.outbox.iter().any(of_it)
    }

    /// Nothing that is queued will be sent.
    pub(crate) fn cut(&mut self) {
        self.outbox.clear();
        self.end = End::Gone;
    }

    /// The kernel takes some bytes. A file that is shorter than it was is padded.
    pub(crate) fn flush(&mut self, rng: &mut Rng) -> Flushed {
        let most = if rng.bool() {
            usize::MAX
        } else {
            1 + rng.usize(..3000)
        };
        let mut flushed = Flushed::default();
        let taken = &mut flushed.bytes;
        while let Some(front) = self.outbox.front_mut() {
            let room = most - taken.len();
            match front {
                Segment::Bytes(bytes) => {
                    let len = bytes.len().min(room);
                    taken.extend(bytes.drain(..len));
                    if !bytes.is_empty() {
                        break;
                    }
                }
                Segment::File {
                    file,
                    inode,
                    offset,
                    len,
                } => {
                    let part = room.min(usize::try_from(*len).unwrap());
                    let bytes = inode.bytes.borrow();
                    let from = usize::try_from(*offset).unwrap().min(bytes.len());
                    let there = &bytes[from..bytes.len().min(from + part)];
                    taken.extend(there);
                    if there.len() < part {
                        taken.resize(taken.len() + part - there.len(), 0);
                        flushed.short.push(*file);
                    }
                    *offset += part as u64;
                    *len -= part as u64;
                    if *len > 0 {
                        break;
                    }
                }
            }
            self.outbox.pop_front();
        }
        self.unsent -= flushed.bytes.len() as u64;
        flushed
    }
}
