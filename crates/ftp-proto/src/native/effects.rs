//! What the machine wants done, and the account of it: actions, jobs, bytes not yet taken.
//!
//! The only place that makes an [`Action`].

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::Arc;

use super::Config;
use super::order::{Class, Order};
use crate::session::{Action, Channel, DiskOp, FileId, JobId, Secret, TransferReport};
use crate::wire::{Code, ErrorBody, ReplyHead, frame};

/// Payloads from this size on are queued as they are; shorter ones are joined to their neighbours.
const JOIN_BYTES: usize = 16 * 1024;
/// A joined buffer is not made longer than this.
const JOINED_BYTES: usize = 256 * 1024;
/// Room made at once for a frame's header; most are shorter.
const HEAD_BYTES: usize = 256;

/// Actions not yet polled, and what is known of those that were.
#[derive(Debug)]
pub(super) struct Effects {
    pub(super) config: Arc<Config>,
    pub(super) order: Order,
    /// Most payload bytes of one frame to the peer.
    pub(super) chunk: u32,
    actions: VecDeque<Action>,
    /// Frames that are still being joined; sealed into a `Send` before anything that must come after them.
    text: Vec<u8>,
    jobs: HashMap<JobId, u64>,
    last_job: u64,
    /// Bytes given to `Send` and `SendFile` since the connection began.
    queued: u64,
    /// Of those, bytes that the peer's side took.
    sent: u64,
    /// Answer bytes that are being made, or made and waiting for their turn.
    reserved: u64,
    muted: bool,
}

impl Effects {
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self {
            chunk: config.limits.chunk_bytes,
            config,
            order: Order::default(),
            actions: VecDeque::new(),
            text: Vec::new(),
            jobs: HashMap::new(),
            last_job: 0,
            queued: 0,
            sent: 0,
            reserved: 0,
            muted: false,
        }
    }

    pub(super) fn poll(&mut self) -> Option<Action> {
        if self.actions.is_empty() {
            self.seal();
        }
        self.actions.pop_front()
    }

    /// A request begins its work on the disk.
    pub(super) fn begin(&mut self, seq: u64, class: Class<'_>) {
        self.order.begin(seq, class);
    }

    /// Asks for an operation on the lane of request `seq`; its outcome comes back under that number.
    pub(super) fn disk(&mut self, seq: u64, op: DiskOp) {
        self.order.asked(seq);
        let job = self.next_job();
        self.jobs.insert(job, seq);
        self.push_disk(job, seq, op);
    }

    /// Closes a file that was read; nobody waits for the outcome.
    pub(super) fn release(&mut self, seq: u64) {
        let job = self.next_job();
        self.push_disk(job, seq, DiskOp::Release);
    }

    /// An operation is done: which request asked for it, if any still cares.
    pub(super) fn done(&mut self, job: JobId) -> Option<u64> {
        let seq = self.jobs.remove(&job)?;
        self.order.done(seq);
        Some(seq)
    }

    /// Sends one frame. The payload of `head.len` bytes is `payload`, or follows by [`Effects::file`].
    pub(super) fn frame(&mut self, head: &ReplyHead, payload: Vec<u8>) {
        if self.muted {
            return;
        }
        self.text.reserve(HEAD_BYTES);
        let before = self.text.len();
        let header_max = self.config.limits.header_bytes;
        if frame::encode(head, header_max, &mut self.text).is_err() {
            let apology = ErrorBody::new(Code::Internal, "the answer does not fit into a header");
            let head = error_head(head.id, apology);
            // Nothing is left to say if even this does not fit.
            let _ = frame::encode(&head, header_max, &mut self.text);
            self.queued += (self.text.len() - before) as u64;
            return;
        }
        self.queued += (self.text.len() - before + payload.len()) as u64;
        if payload.len() < JOIN_BYTES {
            self.text.extend_from_slice(&payload);
        } else {
            self.seal();
            self.push_send(payload);
        }
        if self.text.len() >= JOINED_BYTES {
            self.seal();
        }
    }

    /// Sends an error as the last frame of answer `id`.
    pub(super) fn error(&mut self, id: u64, error: ErrorBody) {
        self.frame(&error_head(id, error), Vec::new());
    }

    /// Sends a range of the file that request `seq` opened.
    pub(super) fn file(&mut self, seq: u64, offset: u64, len: u64) {
        if self.muted {
            return;
        }
        self.seal();
        self.queued += len;
        self.actions.push_back(Action::SendFile {
            channel: Channel::CONTROL,
            file: FileId(seq),
            offset,
            len,
        });
    }

    /// Asks whether this is the user.
    pub(super) fn login(&mut self, user: String, password: Secret) {
        self.actions.push_back(Action::Login { user, password });
    }

    pub(super) fn report(&mut self, report: TransferReport) {
        self.actions.push_back(Action::Report(report));
    }

    /// Closes the connection; `why` is for the log.
    pub(super) fn close(&mut self, flush: bool, why: &str) {
        self.seal();
        self.actions.push_back(Action::Close {
            channel: Channel::CONTROL,
            flush,
            why: why.to_owned(),
        });
    }

    /// From now on nothing is sent.
    pub(super) fn mute(&mut self) {
        self.seal();
        self.muted = true;
    }

    pub(super) fn is_muted(&self) -> bool {
        self.muted
    }

    /// The peer's side took bytes.
    pub(super) fn took(&mut self, len: u64) {
        self.sent = self.sent.saturating_add(len).min(self.queued);
    }

    /// Bytes queued and not yet taken.
    pub(super) fn unsent(&self) -> u64 {
        self.queued - self.sent
    }

    pub(super) fn queued(&self) -> u64 {
        self.queued
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether the window has room for more answers.
    pub(super) fn has_room(&self) -> bool {
        self.unsent() < self.config.limits.window_bytes
    }

    /// Whether a request that holds `own` reserved bytes may reserve more. The front of the queue is
    /// measured by its own alone: those behind it wait for it, so it must not wait for them.
    pub(super) fn may_reserve(&self, own: u64, front: bool) -> bool {
        let reserved = if front { own } else { self.reserved };
        self.unsent().saturating_add(reserved) < self.config.limits.window_bytes
    }

    pub(super) fn reserve(&mut self, len: u64) {
        self.reserved = self.reserved.saturating_add(len);
    }

    pub(super) fn unreserve(&mut self, len: u64) {
        self.reserved = self.reserved.saturating_sub(len);
    }

    /// Gives memory back after a burst.
    pub(super) fn shrink(&mut self) {
        self.actions.shrink_to(4);
        self.jobs.shrink_to(4);
        self.order.shrink();
    }

    fn next_job(&mut self) -> JobId {
        self.last_job += 1;
        JobId(self.last_job)
    }

    fn push_disk(&mut self, job: JobId, seq: u64, op: DiskOp) {
        self.actions.push_back(Action::Disk {
            job,
            file: FileId(seq),
            op,
        });
    }

    /// Ends the buffer that frames are joined in.
    fn seal(&mut self) {
        if !self.text.is_empty() {
            let bytes = mem::take(&mut self.text);
            self.push_send(bytes);
        }
    }

    fn push_send(&mut self, bytes: Vec<u8>) {
        self.actions.push_back(Action::Send {
            channel: Channel::CONTROL,
            bytes,
        });
    }
}

fn error_head(id: u64, error: ErrorBody) -> ReplyHead {
    ReplyHead {
        id,
        fin: true,
        error: Some(error),
        ..ReplyHead::default()
    }
}
