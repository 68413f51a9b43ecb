//! The least shell that a native machine needs: takes its actions, answers its disk jobs at once.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ftp_proto::native::{Config, Native};
use ftp_proto::session::{
    Action, Appetite, Channel, Content, Dialect, DiskOp, Input, JobId, Meta, Outcome,
};
use ftp_proto::wire::RequestHead;
use ftp_proto::{Digest, Durability, Kind, Limits};

use super::{framed, put_head};

/// One session, in memory.
pub(crate) struct Shell {
    machine: Native,
    now: Instant,
    id: u64,
    /// Bytes that went to the peer.
    sent: u64,
    jobs: Vec<(JobId, Outcome)>,
}

impl Shell {
    /// A session that has said `hello`.
    pub(crate) fn greeted() -> Self {
        let config = Config {
            limits: Limits::default(),
            server: "bench".into(),
            durability: Durability::None,
            read_only: false,
            login: None,
        };
        let now = Instant::now();
        let mut shell = Self {
            machine: Native::new(Arc::new(config), now),
            now,
            id: 0,
            sent: 0,
            jobs: Vec::new(),
        };
        let head = RequestHead {
            version: Some(1),
            ..request("hello")
        };
        shell.ask(head);
        shell
    }

    /// A whole small upload: head, payload, the worker's answers, the reply.
    pub(crate) fn put(&mut self, len: u64) {
        self.id += 1;
        let bytes = framed(&put_head(self.id, len));
        self.hear(&bytes);
        let mut left = len;
        while left > 0 {
            let Appetite::Payload { remaining, .. } = self.machine.appetite(Channel::CONTROL)
            else {
                panic!("the machine wants no payload");
            };
            let taken = remaining.min(left);
            left -= taken;
            let channel = Channel::CONTROL;
            self.tell(Input::Payload {
                channel,
                len: taken,
            });
        }
        self.settle();
    }

    /// A whole small download.
    pub(crate) fn get(&mut self, len: usize) {
        let head = RequestHead {
            path: Some("photos/2024/holiday/IMG_0042.jpeg".into()),
            ..request("get")
        };
        black_box(len);
        self.ask(head);
    }

    /// A ping without payload.
    pub(crate) fn ping(&mut self) {
        self.ask(request("ping"));
    }

    fn ask(&mut self, head: RequestHead) {
        self.id += 1;
        let before = self.sent;
        let bytes = framed(&RequestHead {
            id: self.id,
            ..head
        });
        self.hear(&bytes);
        self.settle();
        assert!(self.sent > before, "an answer");
    }

    fn hear(&mut self, bytes: &[u8]) {
        let taken = self.machine.receive(Channel::CONTROL, bytes, self.now);
        assert_eq!(taken, bytes.len(), "the whole head");
        self.drain();
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.drain();
    }

    /// Answers what was asked of the disk until nothing is asked any more.
    fn settle(&mut self) {
        while let Some((job, outcome)) = self.jobs.pop() {
            self.tell(Input::Done { job, outcome });
        }
    }

    fn drain(&mut self) {
        let mut sent = 0;
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Send { bytes, .. } => sent += bytes.len() as u64,
                Action::SendFile { len, .. } => sent += len,
                Action::Disk { job, op, .. } => self.jobs.insert(0, (job, outcome(&op))),
                Action::Close { .. }
                | Action::Listen { .. }
                | Action::StopListening { .. }
                | Action::Connect { .. }
                | Action::StartTls { .. }
                | Action::Login { .. } => panic!("never asked for: {action:?}"),
                Action::Report(report) => drop(black_box(report)),
            }
        }
        if sent > 0 {
            self.sent += sent;
            let channel = Channel::CONTROL;
            self.tell(Input::Sent { channel, len: sent });
        }
    }
}

fn request(verb: &str) -> RequestHead {
    RequestHead {
        verb: Some(verb.into()),
        fin: true,
        ..RequestHead::default()
    }
}

/// What a worker would answer.
fn outcome(op: &DiskOp) -> Outcome {
    let digest = Digest([0xab; 32]);
    match op {
        DiskOp::Open { .. } => Outcome::Opened {
            meta: Meta {
                kind: Kind::File,
                size: 4096,
                mtime: 1_700_000_000,
                mtime_ns: 0,
                mode: 0o644,
                etag: "fd01-1a2b3c-1000-17a1b2c3".into(),
            },
            content: Some(Content {
                bytes: vec![0; 4096],
                digest,
            }),
            digest: None,
        },
        DiskOp::Create { .. } => Outcome::Created { partial: None },
        DiskOp::Commit { .. } => Outcome::Committed {
            size: 4096,
            digest: Some(digest),
            durability: Durability::None,
        },
        DiskOp::Abort
        | DiskOp::Release
        | DiskOp::Continue { .. }
        | DiskOp::Warm { .. }
        | DiskOp::List { .. }
        | DiskOp::Stat { .. }
        | DiskOp::Size { .. }
        | DiskOp::Digest { .. }
        | DiskOp::Checksum { .. }
        | DiskOp::SetMeta { .. }
        | DiskOp::Space { .. }
        | DiskOp::MakeDir { .. }
        | DiskOp::Rename { .. }
        | DiskOp::Remove { .. } => Outcome::Ended,
    }
}
