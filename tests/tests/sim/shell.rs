//! A model of the shell around one machine, which checks on every turn that the machine keeps the contract.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fastrand::Rng;
use ftp_proto::native::{Config, Native};
use ftp_proto::session::{
    Action, Appetite, Channel, Dialect, DiskOp, Fault, FaultKind, FileId, Input, JobId,
};

use super::client::Client;
use super::disk::Disk;
use super::fs::Inode;
use super::lanes::Lane;

const CONTROL: Channel = Channel::CONTROL;

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

/// How the control channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    /// `Close` was asked; what is queued still leaves.
    Flushing,
    Gone,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) index: usize,
    pub(crate) machine: Native,
    pub(crate) client: Client,
    config: Arc<Config>,
    inbox: Vec<u8>,
    /// The machine took nothing of the inbox last time.
    stuck: bool,
    outbox: VecDeque<Segment>,
    unsent: u64,
    pub(crate) lanes: BTreeMap<u64, Lane>,
    jobs: BTreeSet<JobId>,
    last_job: u64,
    pub(crate) end: End,
    told_eof: bool,
    pub(crate) reports: BTreeMap<&'static str, u64>,
}

impl Session {
    pub(crate) fn new(index: usize, config: &Arc<Config>, client: Client, now: Instant) -> Self {
        Self {
            index,
            machine: Native::new(Arc::clone(config), now),
            client,
            config: Arc::clone(config),
            inbox: Vec::new(),
            stuck: false,
            outbox: VecDeque::new(),
            unsent: 0,
            lanes: BTreeMap::new(),
            jobs: BTreeSet::new(),
            last_job: 0,
            end: End::Open,
            told_eof: false,
            reports: BTreeMap::new(),
        }
    }

    pub(crate) fn appetite(&self) -> Appetite {
        self.machine.appetite(CONTROL)
    }

    pub(crate) fn may_deliver(&self) -> bool {
        self.end == End::Open && !self.client.wire.is_empty() && self.inbox.len() < 80_000
    }

    pub(crate) fn may_feed(&self) -> bool {
        let wants = match self.appetite() {
            Appetite::Nothing => false,
            Appetite::Message => !self.stuck,
            Appetite::Payload { .. } | Appetite::Discard { .. } => true,
        };
        self.end == End::Open && wants && !self.inbox.is_empty()
    }

    pub(crate) fn may_flush(&self) -> bool {
        self.end != End::Gone && self.client.reads && !self.outbox.is_empty()
    }

    /// The peer closed its side, and everything before that was given.
    pub(crate) fn may_eof(&self) -> bool {
        let given = self.client.wire.is_empty() && (self.inbox.is_empty() || self.stuck);
        self.end == End::Open && !self.told_eof && given && self.appetite() != Appetite::Nothing
    }

    /// A file is open for sending, or being sent.
    pub(crate) fn is_reading(&self) -> bool {
        self.end != End::Gone && self.lanes.values().any(Lane::is_reading)
    }

    /// Nothing more will happen.
    pub(crate) fn is_over(&self) -> bool {
        self.end == End::Gone && self.lanes.values().all(Lane::is_settled)
    }

    /// Some bytes arrive.
    pub(crate) fn deliver(&mut self, rng: &mut Rng) {
        let wire = &mut self.client.wire;
        let len = if rng.u32(..3) == 0 {
            1
        } else {
            1 + rng.usize(..wire.len())
        };
        self.inbox.extend(wire.drain(..len));
        self.stuck = false;
    }

    /// The machine or a lane gets what is at hand.
    pub(crate) fn feed(&mut self, now: Instant, rng: &mut Rng) {
        match self.appetite() {
            Appetite::Nothing => {}
            Appetite::Message => {
                let len = if rng.bool() {
                    self.inbox.len()
                } else {
                    1 + rng.usize(..self.inbox.len())
                };
                let used = self.machine.receive(CONTROL, &self.inbox[..len], now);
                assert!(used <= len, "more was consumed than was given");
                self.inbox.drain(..used);
                self.stuck = used == 0 && len == self.inbox.len();
                self.perform();
            }
            Appetite::Payload { file, remaining } => {
                let bytes = self.take(remaining, rng);
                let len = bytes.len() as u64;
                self.lane(file.0).write(bytes);
                self.tell(
                    Input::Payload {
                        channel: CONTROL,
                        len,
                    },
                    now,
                );
            }
            Appetite::Discard { remaining } => {
                assert!(remaining > 0, "nothing to discard");
                let len = self.take(remaining, rng).len() as u64;
                self.tell(
                    Input::Payload {
                        channel: CONTROL,
                        len,
                    },
                    now,
                );
            }
        }
    }

    pub(crate) fn run_lane(&mut self, file: u64, disk: &mut Disk, rng: &mut Rng) {
        let holder = (self.index, file);
        self.lane(file).run(holder, disk, rng);
    }

    /// A trip comes home: its fault first, then its outcomes.
    pub(crate) fn home(&mut self, file: u64, now: Instant) {
        let home = self.lane(file).home();
        if let Some(fault) = home.fault {
            self.tell(
                Input::Fault {
                    file: FileId(file),
                    fault,
                },
                now,
            );
        }
        for (job, outcome) in home.outcomes {
            assert!(self.jobs.remove(&job), "a job that nobody asked for");
            self.tell(Input::Done { job, outcome }, now);
        }
    }

    /// The kernel takes some bytes, and the peer gets them.
    pub(crate) fn flush(&mut self, now: Instant, rng: &mut Rng) {
        let most = if rng.bool() {
            u64::MAX
        } else {
            1 + rng.u64(..3000)
        };
        let mut taken: Vec<u8> = Vec::new();
        let mut short = Vec::new();
        while let Some(front) = self.outbox.front_mut() {
            let room = most - taken.len() as u64;
            match front {
                Segment::Bytes(bytes) => {
                    let len = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
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
                    let part = room.min(*len);
                    let bytes = inode.bytes.borrow();
                    let from = usize::try_from(*offset).unwrap().min(bytes.len());
                    let there =
                        &bytes[from..bytes.len().min(from + usize::try_from(part).unwrap())];
                    taken.extend(there);
                    if (there.len() as u64) < part {
                        taken.resize(
                            taken.len() + usize::try_from(part).unwrap() - there.len(),
                            0,
                        );
                        short.push(*file);
                    }
                    *offset += part;
                    *len -= part;
                    if *len > 0 {
                        break;
                    }
                }
            }
            self.outbox.pop_front();
        }
        for file in short {
            let fault = Fault::new(FaultKind::Changed, "shorter than it was");
            self.tell(
                Input::Fault {
                    file: FileId(file),
                    fault,
                },
                now,
            );
        }
        let len = taken.len() as u64;
        self.unsent -= len;
        self.client.read(&taken);
        self.tell(
            Input::Sent {
                channel: CONTROL,
                len,
            },
            now,
        );
        if self.end == End::Flushing && self.outbox.is_empty() {
            self.end = End::Gone;
        }
    }

    pub(crate) fn eof(&mut self, now: Instant) {
        self.told_eof = true;
        self.tell(Input::Eof { channel: CONTROL }, now);
    }

    pub(crate) fn lose(&mut self, now: Instant) {
        self.outbox.clear();
        self.end = End::Gone;
        let why = "reset by peer".to_owned();
        self.tell(
            Input::Lost {
                channel: CONTROL,
                why,
            },
            now,
        );
    }

    pub(crate) fn tell(&mut self, input: Input, now: Instant) {
        self.machine.handle(input, now);
        self.perform();
    }

    /// The clock moved on.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self.machine.deadline().is_some_and(|at| at <= now) {
            self.tell(Input::Deadline, now);
            let passed = self.machine.deadline().is_some_and(|at| at <= now);
            assert!(!passed, "a deadline that was told stands still");
        }
    }

    /// The world is over: every lane was ended, everything was given back.
    pub(crate) fn check_end(&self) {
        for lane in self.lanes.values() {
            lane.check_end();
        }
        assert!(self.jobs.is_empty(), "jobs without an outcome");
        assert_eq!(self.machine.deadline(), None, "a deadline after the end");
        assert_eq!(
            self.appetite(),
            Appetite::Nothing,
            "an appetite after the end"
        );
    }

    fn take(&mut self, remaining: u64, rng: &mut Rng) -> Vec<u8> {
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

    fn lane(&mut self, file: u64) -> &mut Lane {
        self.lanes.entry(file).or_default()
    }

    fn perform(&mut self) {
        self.stuck &= self.appetite() == Appetite::Message;
        let mut count = 0;
        while let Some(action) = self.machine.poll_action() {
            count += 1;
            assert!(count < 5000, "actions without end");
            self.act(action);
        }
        let limits = &self.config.limits;
        let answers = limits.pipeline as u64 * (2048 + u64::from(limits.ping_bytes));
        let page = u64::from(limits.page_bytes) + u64::from(limits.inline_bytes);
        let bound = 2 * limits.window_bytes + 2 * u64::from(limits.chunk_bytes) + answers + page;
        assert!(
            self.unsent <= bound,
            "{} bytes unsent, {bound} allowed",
            self.unsent
        );
        if self.end != End::Open {
            assert_eq!(self.appetite(), Appetite::Nothing, "hungry after the end");
        }
        if self.machine.is_idle() {
            assert!(
                self.unsent == 0 || self.end != End::Open,
                "idle with bytes to send"
            );
        }
    }

    /// A range of the file is still in the outbox.
    fn is_sending(&self, wanted: u64) -> bool {
        let of_it =
            |segment: &Segment| matches!(segment, Segment::File { file, .. } if *file == wanted);
        self.outbox.iter().any(of_it)
    }

    fn act(&mut self, action: Action) {
        let open = self.end == End::Open;
        match action {
            Action::Send { channel, bytes } => {
                assert!(
                    open && channel == CONTROL && !bytes.is_empty(),
                    "{:?}",
                    self.end
                );
                self.unsent += bytes.len() as u64;
                self.outbox.push_back(Segment::Bytes(bytes.into()));
            }
            Action::SendFile {
                channel,
                file,
                offset,
                len,
            } => {
                assert!(open && channel == CONTROL, "{:?}", self.end);
                let lane = self.lane(file.0);
                lane.check_sending(offset, len);
                let inode = lane.reader.clone().unwrap();
                self.unsent += len;
                self.outbox.push_back(Segment::File {
                    file: file.0,
                    inode,
                    offset,
                    len,
                });
            }
            Action::Disk { job, file, op } => {
                let ends = matches!(op, DiskOp::Abort | DiskOp::Release);
                assert!(open || ends, "after the end: {op:?}");
                assert!(
                    job.0 > self.last_job && self.jobs.insert(job),
                    "a job twice"
                );
                self.last_job = job.0;
                if open && matches!(op, DiskOp::Release) {
                    assert!(!self.is_sending(file.0), "released while it is sent");
                }
                self.lane(file.0).ask(job, op);
            }
            Action::Close { channel, flush, .. } => {
                assert!(channel == CONTROL, "there is no other");
                // After `Lost` it is gone already, and the machine may say so once more.
                if open {
                    let left = flush && !self.outbox.is_empty();
                    self.end = if left { End::Flushing } else { End::Gone };
                }
            }
            Action::Report(report) => *self.reports.entry(report.outcome).or_default() += 1,
            Action::Listen { .. }
            | Action::StopListening { .. }
            | Action::Connect { .. }
            | Action::StartTls { .. }
            | Action::Login { .. } => panic!("this dialect never asks for {action:?}"),
        }
    }
}
