//! What waits to be sent: a queue of memory and of file ranges, sent without copying either.
//!
//! Keeps the order and the byte count that was announced, whatever happens to a file meanwhile. Never
//! blocks; holds no heap memory while it is empty.

use std::collections::{VecDeque, vec_deque};
use std::io;
use std::io::IoSlice;
use std::sync::Arc;

use ftp_store::ReadFile;

use super::calls::FileSent;
use super::transport::Transport;

/// Fewer bytes than this are copied behind the last ones rather than queued by themselves: measured, the copy
/// costs less than one more piece.
const JOIN_BELOW: usize = 4 * 1024;
/// A segment does not grow beyond this by joining, so that growing it stays cheap.
const JOINED_MAX: usize = 64 * 1024;
/// Most pieces of memory in one system call.
const SLICES: usize = 64;
/// Most bytes of one `sendfile`: a bound on how long the loop is away in the kernel.
const FILE_BYTES_A_CALL: u64 = 1024 * 1024;

/// What stands in for the bytes that a file turned out not to have.
static ZEROS: [u8; 16 * 1024] = [0; 16 * 1024];

/// Segments in the order in which they leave.
#[derive(Default)]
pub(super) struct Outbox {
    segments: VecDeque<Segment>,
    /// Unsent bytes that are held in memory.
    memory: usize,
}

enum Segment {
    /// Memory; the first `sent` bytes are gone. Never fully sent.
    Bytes { bytes: Vec<u8>, sent: usize },
    /// A range of a file; `left` is never 0.
    File {
        file: Arc<ReadFile>,
        tag: u64,
        offset: u64,
        left: u64,
    },
    /// The rest of a file range whose file was shorter; `left` is never 0.
    Zeros { left: u64 },
}

/// What a flush did.
#[derive(Debug)]
pub(crate) struct Flush {
    /// Bytes the kernel took, padding included.
    pub(crate) bytes: u64,
    /// Why it stopped.
    pub(crate) state: FlushState,
    /// The tags of file ranges that were padded with zeros, because the file is shorter now or cannot be read.
    pub(crate) short: Vec<u64>,
    /// The connection broke; the outbox is empty then, and nothing can be sent any more.
    pub(crate) lost: Option<io::Error>,
}

/// Why a flush stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlushState {
    /// There is nothing more to send.
    Empty,
    /// The kernel takes no more now; an event will come.
    Blocked,
    /// The budget is used up; there is more to send.
    Spent,
}

impl Flush {
    /// No byte was sent.
    pub(super) fn nothing(state: FlushState) -> Self {
        Self {
            bytes: 0,
            state,
            short: Vec::new(),
            lost: None,
        }
    }
}

impl Outbox {
    /// Queues bytes.
    pub(super) fn push_bytes(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        self.memory = self.memory.saturating_add(bytes.len());
        if bytes.len() < JOIN_BELOW
            && let Some(Segment::Bytes { bytes: last, .. }) = self.segments.back_mut()
            && last.len() + bytes.len() <= JOINED_MAX
        {
            last.extend_from_slice(&bytes);
        } else {
            self.segments.push_back(Segment::Bytes { bytes, sent: 0 });
        }
    }

    /// Queues a range of a file.
    pub(super) fn push_file(&mut self, file: Arc<ReadFile>, tag: u64, offset: u64, len: u64) {
        if len == 0 {
            return;
        }
        self.segments.push_back(Segment::File {
            file,
            tag,
            offset,
            left: len,
        });
    }

    /// Unsent bytes.
    pub(super) fn len(&self) -> u64 {
        self.segments.iter().map(Segment::left).sum()
    }

    /// Unsent bytes that are held in memory.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Whether everything is sent.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether there is any heap memory behind it.
    #[cfg(test)]
    pub(super) fn owns_memory(&self) -> bool {
        self.segments.capacity() > 0
    }

    /// Sends until the kernel blocks, `budget` bytes are gone, or nothing is left.
    pub(super) fn flush(&mut self, transport: &mut Transport, budget: u64) -> Flush {
        let mut flush = Flush::nothing(FlushState::Empty);
        while let Some(front) = self.segments.front() {
            let budget = budget.saturating_sub(flush.bytes);
            if budget == 0 {
                flush.state = FlushState::Spent;
                break;
            }
            let sent = match front {
                Segment::Bytes { .. } | Segment::Zeros { .. } => {
                    self.send_memory(transport, budget)
                }
                Segment::File { .. } => self.send_file(transport, budget, &mut flush.short),
            };
            match sent {
                Ok(len) => flush.bytes = flush.bytes.saturating_add(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    flush.state = FlushState::Blocked;
                    break;
                }
                Err(error) => {
                    flush.lost = Some(error);
                    *self = Self::default();
                }
            }
        }
        if self.segments.is_empty() {
            // The ring's own memory goes too.
            self.segments = VecDeque::new();
        }
        flush
    }

    /// Sends the pieces of memory at the front in one call.
    fn send_memory(&mut self, transport: &mut Transport, budget: u64) -> io::Result<u64> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        for (slot, piece) in slices.iter_mut().zip(Pieces::new(&self.segments, budget)) {
            *slot = IoSlice::new(piece);
            used += 1;
        }
        let sent = wide(transport.send(slices.get(..used).unwrap_or_default())?);
        self.advance(sent);
        Ok(sent)
    }

    /// Sends from the file range at the front, or finds that it has to be padded.
    fn send_file(
        &mut self,
        transport: &mut Transport,
        budget: u64,
        short: &mut Vec<u64>,
    ) -> io::Result<u64> {
        let Some(front) = self.segments.front_mut() else {
            return Ok(0);
        };
        let Segment::File {
            file,
            tag,
            offset,
            left,
        } = front
        else {
            return Ok(0);
        };
        let (tag, left) = (*tag, *left);
        let ask = left.min(budget).min(FILE_BYTES_A_CALL);
        match transport.send_file(file, *offset, narrow(ask)) {
            FileSent::Bytes(sent) => {
                let sent = wide(sent);
                self.advance(sent);
                Ok(sent)
            }
            FileSent::Short => {
                *front = Segment::Zeros { left };
                short.push(tag);
                Ok(0)
            }
            FileSent::Failed(error) => Err(error),
        }
    }

    /// Forgets the first `sent` bytes.
    fn advance(&mut self, sent: u64) {
        let mut rest = sent;
        while rest > 0 {
            let Some(front) = self.segments.front_mut() else {
                debug_assert!(false, "the kernel took more than it was given");
                return;
            };
            let gone = front.advance(rest);
            rest -= gone;
            if let Segment::Bytes { .. } = front {
                self.memory = self.memory.saturating_sub(narrow(gone));
            }
            if front.left() == 0 {
                self.segments.pop_front();
            }
        }
    }
}

impl Segment {
    /// Unsent bytes.
    fn left(&self) -> u64 {
        match self {
            Self::Bytes { bytes, sent } => wide(bytes.len() - sent),
            Self::File { left, .. } | Self::Zeros { left } => *left,
        }
    }

    /// Forgets up to `n` bytes of the front; returns how many.
    fn advance(&mut self, n: u64) -> u64 {
        let gone = n.min(self.left());
        match self {
            Self::Bytes { sent, .. } => *sent += narrow(gone),
            Self::File { offset, left, .. } => {
                *offset += gone;
                *left -= gone;
            }
            Self::Zeros { left } => *left -= gone,
        }
        gone
    }
}

/// The contiguous pieces of memory at the front of the queue, up to a budget.
struct Pieces<'a> {
    segments: vec_deque::Iter<'a, Segment>,
    /// Zeros still owed by the segment that was reached.
    zeros: u64,
    budget: u64,
}

impl<'a> Pieces<'a> {
    fn new(segments: &'a VecDeque<Segment>, budget: u64) -> Self {
        Self {
            segments: segments.iter(),
            zeros: 0,
            budget,
        }
    }

    /// Cuts `piece` to the budget.
    fn within_budget(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let piece = piece.get(..narrow(self.budget)).unwrap_or(piece);
        self.budget -= wide(piece.len());
        piece
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.budget == 0 {
            return None;
        }
        if self.zeros == 0 {
            match self.segments.next()? {
                Segment::Bytes { bytes, sent } => {
                    return Some(self.within_budget(bytes.get(*sent..).unwrap_or_default()));
                }
                Segment::Zeros { left } => self.zeros = *left,
                Segment::File { .. } => return None,
            }
        }
        let zeros = ZEROS.get(..narrow(self.zeros)).unwrap_or(&ZEROS);
        let piece = self.within_budget(zeros);
        self.zeros -= wide(piece.len());
        Some(piece)
    }
}

/// A length in memory as a count of bytes on the wire.
fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// A count of bytes on the wire as a length in memory, or as much as memory can hold.
fn narrow(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
