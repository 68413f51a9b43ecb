//! A model of the shell around one machine, which checks on every turn that the machine keeps the contract.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use fastrand::Rng;
use ftp_proto::session::{
    Action, Appetite, Channel, DiskOp, Fault, FaultKind, FileId, Input, JobId,
};

use super::disk::Disk;
use super::ftp::strike::Strike;
use super::lanes::Lane;
use super::link::{End, Link};
use super::player::{Machine, Player};
use super::second::Second;

pub(crate) const CONTROL: Channel = Channel::CONTROL;
pub(crate) const DATA: Channel = Channel::DATA;

/// Most bytes that a machine may leave unsent on each channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) control: u64,
    pub(crate) data: u64,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) index: usize,
    pub(crate) machine: Machine,
    pub(crate) client: Player,
    /// Whose uploads these are, where there are users.
    owner: Option<String>,
    bounds: Bounds,
    pub(super) links: [Option<Link>; 2],
    pub(super) second: Second,
    pub(crate) lanes: BTreeMap<u64, Lane>,
    jobs: BTreeSet<JobId>,
    last_job: u64,
    /// Control is closed, or about to be.
    pub(crate) end: End,
    /// Control broke, or the client hung up.
    pub(crate) was_lost: bool,
    pub(crate) reports: BTreeMap<&'static str, u64>,
    /// What the machine asked for and heard, for comparison.
    pub(crate) history: Vec<String>,
}

impl Session {
    pub(crate) fn new(
        index: usize,
        machine: Machine,
        client: Player,
        owner: Option<String>,
        bounds: Bounds,
    ) -> Self {
        Self {
            index,
            machine,
            client,
            owner,
            bounds,
            links: [Some(Link::new()), None],
            second: Second::default(),
            lanes: BTreeMap::new(),
            jobs: BTreeSet::new(),
            last_job: 0,
            end: End::Open,
            was_lost: false,
            reports: BTreeMap::new(),
            history: Vec::new(),
        }
    }

    pub(crate) fn appetite(&self, channel: Channel) -> Appetite {
        self.machine.look().appetite(channel)
    }

    pub(crate) fn link(&self, channel: Channel) -> Option<&Link> {
        self.links[usize::from(channel.0)].as_ref()
    }

    pub(super) fn link_mut(&mut self, channel: Channel) -> Option<&mut Link> {
        self.links[usize::from(channel.0)].as_mut()
    }

    pub(crate) fn may_deliver(&self, channel: Channel) -> bool {
        self.client.has_sent(channel) && self.link(channel).is_some_and(Link::has_room)
    }

    pub(crate) fn may_feed(&self, channel: Channel) -> bool {
        let Some(link) = self.link(channel).filter(|link| link.is_open()) else {
            return false;
        };
        let wants = match self.appetite(channel) {
            Appetite::Nothing => false,
            Appetite::Message => !link.stuck,
            Appetite::Payload { .. } | Appetite::Discard { .. } => true,
        };
        wants && !link.securing && !link.inbox.is_empty()
    }

    pub(crate) fn may_flush(&self, channel: Channel) -> bool {
        let flushes = |link: &Link| link.end != End::Gone && !link.securing && !link.is_flushed();
        self.client.reads(channel) && self.link(channel).is_some_and(flushes)
    }

    /// The peer closed its side, and everything before that was given.
    pub(crate) fn may_eof(&self, channel: Channel) -> bool {
        let Some(link) = self.link(channel).filter(|link| link.is_open()) else {
            return false;
        };
        let given = !self.client.has_sent(channel) && (link.inbox.is_empty() || link.stuck);
        let wants = self.appetite(channel) != Appetite::Nothing && !link.securing;
        !link.told_eof && given && wants
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
    pub(crate) fn deliver(&mut self, channel: Channel, rng: &mut Rng) {
        let link = self.links[usize::from(channel.0)].as_mut();
        if let (Some(wire), Some(link)) = (self.client.wire(channel), link) {
            link.arrive(wire, rng);
        }
    }

    /// The machine or a lane gets what is at hand.
    pub(crate) fn feed(&mut self, channel: Channel, now: Instant, rng: &mut Rng) {
        let link = self.links[usize::from(channel.0)].as_mut();
        let link = link.expect("bytes of a connection");
        match self.machine.look().appetite(channel) {
            Appetite::Nothing => {}
            Appetite::Message => {
                let len = if rng.bool() {
                    link.inbox.len()
                } else {
                    1 + rng.usize(..link.inbox.len())
                };
                self.hear(len, now);
            }
            Appetite::Payload { file, remaining } => {
                let bytes = link.take(remaining, rng);
                let len = bytes.len() as u64;
                self.lane(file.0).write(bytes);
                self.tell(Input::Payload { channel, len }, now);
            }
            Appetite::Discard { remaining } => {
                assert!(remaining > 0, "nothing to discard");
                let len = link.take(remaining, rng).len() as u64;
                self.tell(Input::Payload { channel, len }, now);
            }
        }
    }

    /// The machine reads the first `len` bytes of what has come.
    pub(crate) fn hear(&mut self, len: usize, now: Instant) {
        let Some(link) = &mut self.links[0] else {
            return;
        };
        let dialect = self.machine.dialect();
        let used = dialect.receive(CONTROL, &link.inbox[..len], now);
        assert!(used <= len, "more was consumed than was given");
        link.inbox.drain(..used);
        link.stuck = used == 0 && len >= link.inbox.len();
        self.perform(now);
    }

    pub(crate) fn run_lane(&mut self, file: u64, disk: &mut Disk, rng: &mut Rng) {
        let holder = (self.index, file);
        self.lane(file).run(holder, disk, rng);
    }

    /// An upload that is being stored, or given up.
    pub(crate) fn is_storing(&self) -> bool {
        self.lanes.values().any(Lane::is_storing)
    }

    /// A trip comes home: its fault first, then its outcomes.
    pub(crate) fn home(&mut self, file: u64, now: Instant) {
        let home = self.lane(file).home();
        if let Some(fault) = home.fault {
            let file = FileId(file);
            self.tell(Input::Fault { file, fault }, now);
            let appetite = self.appetite(DATA);
            let goes_on = matches!(appetite, Appetite::Payload { file: of, .. } if of == file);
            assert!(!goes_on, "an upload goes on that has failed");
        }
        for (job, outcome) in home.outcomes {
            assert!(self.jobs.remove(&job), "a job that nobody asked for");
            self.tell(Input::Done { job, outcome }, now);
        }
    }

    /// The kernel takes some bytes, and the peer gets them.
    pub(crate) fn flush(&mut self, channel: Channel, now: Instant, rng: &mut Rng) {
        let Some(link) = self.link_mut(channel) else {
            return;
        };
        let flushed = link.flush(rng);
        for file in flushed.short {
            if let Some(data) = self.client.data() {
                data.pad();
            }
            let fault = Fault::new(FaultKind::Changed, "shorter than it was");
            let file = FileId(file);
            self.tell(Input::Fault { file, fault }, now);
        }
        let len = flushed.bytes.len() as u64;
        self.client.read(channel, &flushed.bytes);
        self.tell(Input::Sent { channel, len }, now);
        let done = |link: &Link| link.end == End::Flushing && link.is_flushed();
        if channel == CONTROL && self.link(channel).is_some_and(done) {
            self.gone();
        }
    }

    pub(crate) fn eof(&mut self, channel: Channel, now: Instant) {
        if let Some(link) = self.link_mut(channel) {
            link.told_eof = true;
        }
        self.tell(Input::Eof { channel }, now);
    }

    /// The connection breaks.
    pub(crate) fn lose(&mut self, channel: Channel, now: Instant) {
        if channel == CONTROL {
            self.was_lost = true;
            self.gone();
        } else {
            self.drop_data(false);
        }
        let why = "reset by peer".to_owned();
        self.tell(Input::Lost { channel, why }, now);
    }

    /// Control is gone, and with it the session.
    fn gone(&mut self) {
        self.end = End::Gone;
        if let Some(link) = &mut self.links[0] {
            link.cut();
        }
    }

    pub(crate) fn tell(&mut self, input: Input, now: Instant) {
        self.history.push(format!("{input:?}"));
        self.machine.dialect().handle(input, now);
        self.perform(now);
    }

    /// The clock moved on.
    pub(crate) fn expire(&mut self, now: Instant) {
        let passed = |session: &Self| {
            let deadline = session.machine.look().deadline();
            deadline.is_some_and(|at| at <= now)
        };
        if passed(self) {
            self.tell(Input::Deadline, now);
            assert!(!passed(self), "a deadline that was told stands still");
        }
    }

    /// The world is over: every lane was ended, everything was given back.
    pub(crate) fn check_end(&self) {
        for lane in self.lanes.values() {
            lane.check_end();
        }
        assert!(self.jobs.is_empty(), "jobs without an outcome");
        assert!(self.links[1].is_none(), "a data connection without control");
        self.second.check_end();
        let deadline = self.machine.look().deadline();
        assert_eq!(deadline, None, "a deadline after the end");
        for channel in [CONTROL, DATA] {
            let appetite = self.appetite(channel);
            assert_eq!(appetite, Appetite::Nothing, "an appetite after the end");
        }
    }

    pub(super) fn lane(&mut self, file: u64) -> &mut Lane {
        self.lanes.entry(file).or_default()
    }

    fn perform(&mut self, now: Instant) {
        if self.appetite(CONTROL) != Appetite::Message
            && let Some(link) = &mut self.links[0]
        {
            link.stuck = false;
        }
        let mut count = 0;
        while let Some(action) = self.machine.dialect().poll_action() {
            count += 1;
            assert!(count < 5000, "actions without end");
            self.history.push(format!("{action:?}"));
            self.act(action, now);
        }
        let unsent = |channel| self.link(channel).map_or(0, |link: &Link| link.unsent);
        let (control, data) = (unsent(CONTROL), unsent(DATA));
        let bounds = self.bounds;
        assert!(control <= bounds.control, "{control} unsent: {bounds:?}");
        assert!(data <= bounds.data, "{data} unsent data: {bounds:?}");
        if self.end != End::Open {
            let appetite = self.appetite(CONTROL);
            assert_eq!(appetite, Appetite::Nothing, "hungry after the end");
        }
        if let Some(state) = self.machine.state()
            && Strike::DataLost.why_never(state).is_some()
        {
            assert!(!self.has_data(), "a data connection: {state:?}");
        }
        if self.machine.look().is_idle() {
            let open = self.end == End::Open;
            assert!(control == 0 || !open, "idle with bytes to send");
        }
    }

    fn act(&mut self, action: Action, now: Instant) {
        let open = self.end == End::Open;
        match action {
            Action::Send { channel, bytes } => {
                assert!(open && !bytes.is_empty(), "{:?}", self.end);
                self.sendable(channel).send(bytes);
            }
            Action::SendFile {
                channel,
                file,
                offset,
                len,
            } => {
                assert!(open, "{:?}", self.end);
                let lane = self.lane(file.0);
                lane.check_sending(offset, len);
                let inode = lane.reader.clone().expect("an open file");
                self.sendable(channel).send_file(file.0, inode, offset, len);
            }
            Action::Disk { job, file, op } => self.ask_disk(job, file, op),
            Action::Close { channel, flush, .. } if channel == CONTROL => {
                // After `Lost` it is gone already, and the machine may say so once more.
                let left = self.link(CONTROL).is_some_and(|link| !link.is_flushed());
                if open && flush && left {
                    self.end = End::Flushing;
                    self.sendable(CONTROL).end = End::Flushing;
                } else if open {
                    self.gone();
                }
            }
            Action::Report(report) => *self.reports.entry(report.outcome).or_default() += 1,
            Action::Close { flush, .. } => self.close_data(flush),
            other @ (Action::Listen { .. }
            | Action::StopListening { .. }
            | Action::Connect { .. }
            | Action::StartTls { .. }
            | Action::Login { .. }) => {
                assert!(open || matches!(other, Action::StopListening { .. }));
                self.ask_network(other, now);
            }
        }
    }

    /// A connection on which something may be sent.
    pub(super) fn sendable(&mut self, channel: Channel) -> &mut Link {
        let link = self.link_mut(channel);
        let link = link.unwrap_or_else(|| panic!("sent on no connection: {channel:?}"));
        assert!(link.is_open() && !link.securing, "sent on {link:?}");
        link
    }

    fn ask_disk(&mut self, job: JobId, file: FileId, mut op: DiskOp) {
        let open = self.end == End::Open;
        let ends = matches!(op, DiskOp::Abort | DiskOp::Release);
        assert!(open || ends, "after the end: {op:?}");
        let fresh = job.0 > self.last_job && self.jobs.insert(job);
        assert!(fresh, "a job twice");
        self.last_job = job.0;
        let sending = |link: &Link| link.is_sending(file.0);
        if open && matches!(op, DiskOp::Release) {
            let sending = self.links.iter().flatten().any(sending);
            assert!(!sending, "released while it is sent");
        }
        match &mut op {
            DiskOp::Create { options, .. } => options.owner.clone_from(&self.owner),
            DiskOp::Size { owner, .. } => owner.clone_from(&self.owner),
            DiskOp::Commit { .. } if matches!(self.machine, Machine::Ftp(_)) => {
                // Nobody said how long it would be: only the end of the connection tells.
                let told = self.link(DATA).is_some_and(|link| link.told_eof);
                assert!(told, "a commit before the end of the upload");
            }
            DiskOp::Open { .. }
            | DiskOp::Warm { .. }
            | DiskOp::Continue { .. }
            | DiskOp::Commit { .. }
            | DiskOp::Abort
            | DiskOp::Release
            | DiskOp::List { .. }
            | DiskOp::Stat { .. }
            | DiskOp::Digest { .. }
            | DiskOp::Checksum { .. }
            | DiskOp::SetMeta { .. }
            | DiskOp::Space { .. }
            | DiskOp::MakeDir { .. }
            | DiskOp::Rename { .. }
            | DiskOp::Remove { .. } => {}
        }
        self.lane(file.0).ask(job, op);
    }
}
