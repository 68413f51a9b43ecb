//! One session of the native machine, driven in memory: the least shell that keeps the contract.
//!
//! No socket, no disk, no payload: the machine sees only how many bytes of it there were, and so does this.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use ftp_proto::native::{Config, Native};
use ftp_proto::session::{
    Action, Appetite, Channel, Content, Dialect, DiskOp, Input, JobId, Meta, Outcome,
};
use ftp_proto::{Digest, Durability, Kind, Limits};

/// Payload is told, and the peer takes bytes, in pieces of this many: a block of the server's.
const PIECE: u64 = 256 * 1024;

/// A session of a peer that takes every byte at once, and of workers that do every job well.
pub(crate) struct Session {
    machine: Native,
    now: Instant,
    /// How long every file is.
    file_bytes: u64,
    /// What a file holds that is short enough to be answered at once.
    content: Vec<u8>,
    jobs: VecDeque<(JobId, DiskOp)>,
    /// Answer bytes that the peer has not taken yet.
    unsent: u64,
    committed: u64,
    opened: u64,
    warmed: u64,
}

/// What must have been done in the end, so that nobody counts a path that was not gone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Done {
    /// So many uploads.
    Committed(u64),
    /// So many files opened and answered at once.
    Opened(u64),
    /// So many bytes brought into memory.
    Warmed(u64),
}

impl Session {
    /// A connection that was just accepted.
    pub(crate) fn new(file_bytes: u64) -> Self {
        let config = Config {
            limits: Limits::default(),
            server: "muxftp".into(),
            durability: Durability::None,
            read_only: false,
            login: None,
        };
        let now = Instant::now();
        let inline = file_bytes <= u64::from(config.limits.inline_bytes);
        let content = if inline { file_bytes } else { 0 };
        Self {
            machine: Native::new(Arc::new(config), now),
            now,
            file_bytes,
            content: vec![0xab; usize::try_from(content).unwrap_or_default()],
            jobs: VecDeque::new(),
            unsent: 0,
            committed: 0,
            opened: 0,
            warmed: 0,
        }
    }

    /// Says everything: texts, each with the payload that follows it.
    ///
    /// # Panics
    /// If not all was taken, answered and `done`.
    pub(crate) fn play(mut self, script: &[(Vec<u8>, u64)], done: Done) {
        for (text, payload) in script {
            self.say(text, *payload);
        }
        self.settle();
        assert!(self.machine.is_idle(), "something is left undone");
        match done {
            Done::Committed(files) => assert_eq!(self.committed, files),
            Done::Opened(files) => assert_eq!(self.opened, files),
            Done::Warmed(bytes) => assert_eq!(self.warmed, bytes),
        }
    }

    /// Gives text and payload as the machine takes them; where it wants nothing, the workers get on first.
    fn say(&mut self, text: &[u8], payload: u64) {
        let (mut text, mut payload) = (text, payload);
        while !text.is_empty() || payload > 0 {
            match self.machine.appetite(Channel::CONTROL) {
                Appetite::Message => {
                    let used = self.machine.receive(Channel::CONTROL, text, self.now);
                    assert!(used > 0, "whole headers are not taken");
                    text = &text[used..];
                    self.perform();
                }
                Appetite::Payload { remaining, .. } => {
                    let len = remaining.min(payload).min(PIECE);
                    payload -= len;
                    let channel = Channel::CONTROL;
                    self.tell(Input::Payload { channel, len });
                }
                Appetite::Nothing => {
                    assert!(!self.jobs.is_empty() || self.unsent > 0, "stuck");
                    self.settle();
                }
                Appetite::Discard { .. } => panic!("a request was refused"),
            }
        }
    }

    /// The workers do what they were asked, the peer takes what it is sent, until nothing is left.
    fn settle(&mut self) {
        while !self.jobs.is_empty() || self.unsent > 0 {
            let away = self.jobs.len();
            for (job, op) in self.jobs.drain(..away).collect::<Vec<_>>() {
                let outcome = self.outcome(op);
                self.tell(Input::Done { job, outcome });
            }
            while self.unsent > 0 {
                let len = self.unsent.min(PIECE);
                self.unsent -= len;
                let channel = Channel::CONTROL;
                self.tell(Input::Sent { channel, len });
            }
        }
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.perform();
    }

    fn perform(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Send { bytes, .. } => self.unsent += bytes.len() as u64,
                Action::SendFile { len, .. } => self.unsent += len,
                Action::Disk { job, op, .. } => self.jobs.push_back((job, op)),
                Action::Close { .. }
                | Action::Listen { .. }
                | Action::StopListening { .. }
                | Action::Connect { .. }
                | Action::StartTls { .. }
                | Action::Login { .. } => panic!("never asked for: {action:?}"),
                Action::Report(report) => {
                    assert_eq!(report.outcome, "ok");
                }
            }
        }
    }

    fn outcome(&mut self, op: DiskOp) -> Outcome {
        let digest = Digest([0xab; 32]);
        match op {
            DiskOp::Open { inline, .. } => {
                let small = self.file_bytes <= u64::from(inline);
                self.opened += u64::from(small);
                Outcome::Opened {
                    meta: self.meta(),
                    content: small.then(|| Content {
                        bytes: self.content.clone(),
                        digest,
                    }),
                    digest: None,
                }
            }
            DiskOp::Warm { len, last, .. } => {
                self.warmed += len;
                let digest = last.then_some(digest);
                Outcome::Warmed { len, digest }
            }
            DiskOp::Create { .. } => Outcome::Created { partial: None },
            DiskOp::Commit { .. } => {
                self.committed += 1;
                Outcome::Committed {
                    size: self.file_bytes,
                    digest: Some(digest),
                    durability: Durability::None,
                }
            }
            DiskOp::Release => Outcome::Ended,
            DiskOp::Abort
            | DiskOp::Continue { .. }
            | DiskOp::List { .. }
            | DiskOp::Stat { .. }
            | DiskOp::Size { .. }
            | DiskOp::Digest { .. }
            | DiskOp::Checksum { .. }
            | DiskOp::SetMeta { .. }
            | DiskOp::Space { .. }
            | DiskOp::MakeDir { .. }
            | DiskOp::Rename { .. }
            | DiskOp::Remove { .. } => panic!("nobody asked for {op:?}"),
        }
    }

    fn meta(&self) -> Meta {
        Meta {
            kind: Kind::File,
            size: self.file_bytes,
            mtime: 1_700_000_000,
            mtime_ns: 123_456_789,
            mode: 0o644,
            etag: "fd01-1a2b3c-100000000-17a1b2c3d4e5f607".into(),
        }
    }
}
