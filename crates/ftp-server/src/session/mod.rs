//! Floor 6: the only place that knows both a protocol machine and its sockets and files.
//!
//! One function drives a session until nothing moves or its share is spent: feed the machine by its
//! appetite, do what it asks, send its lanes to the pool, flush its sockets. Never blocks.

mod bandwidth;
mod feed;
mod gate;
mod lane;
mod link;
mod memory;
mod perform;
mod second;
mod transfers;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::session::{Channel, Dialect, DiskOp, FileId, Input, JobId, Times};
use ftp_store::Done;
use mio::Registry;

use crate::base::Key;
use crate::conn::{Conn, Security};
use crate::logins::Home;
use crate::metrics::Metrics;
use crate::pool::Order;

pub(crate) use bandwidth::Bandwidth;
use bandwidth::{Meters, Whose};
pub use bandwidth::{Rate, Rates};
pub(crate) use gate::Entry;
use gate::Gate;
use lane::Lane;
use link::Link;
pub(crate) use memory::Memory;
use second::Second;
pub(crate) use second::SecondRules;
pub(crate) use transfers::Transfers;

/// Rounds of one drive.
const ROUNDS: usize = 16;
/// A deadline that passes while the disk works for the session, or a bandwidth limit holds it up, is looked at again after
/// this.
const EXCUSE: Duration = Duration::from_secs(1);
/// How long what is said at a cut may take to get through. Who may not be here any more is gone within a second.
const LAST_WORD: Duration = Duration::from_millis(500);
/// Channels of a session: control and data.
const CHANNELS: usize = 2;

/// What a session borrows from its reactor while it is driven.
pub(crate) struct Context<'a> {
    /// The session's own key.
    pub(crate) key: Key,
    /// The turn's time.
    pub(crate) now: Instant,
    /// A buffer for bytes that no block takes; empty between calls.
    pub(crate) scratch: &'a mut [u8],
    /// Shared memory.
    pub(crate) memory: &'a mut Memory,
    /// Jobs on their way to the pool.
    pub(crate) orders: &'a mut VecDeque<Order>,
    /// Where verdicts on log-ins go.
    pub(crate) home: &'a Arc<dyn Home>,
    /// Counters.
    pub(crate) metrics: &'a Metrics,
    /// What all sessions have used of the bandwidth.
    pub(crate) bandwidth: &'a Arc<Bandwidth>,
    /// What there is.
    pub(crate) rates: &'a Rates,
    /// The transfers of all sessions.
    pub(crate) transfers: &'a Arc<Transfers>,
    /// Most transfers of one address at a time.
    pub(crate) transfers_per_address: Option<u32>,
    /// Where further sockets are watched.
    pub(crate) registry: &'a Registry,
    /// A socket whose descriptor is this high is not kept.
    pub(crate) descriptor_ceiling: i32,
}

/// Where a drive left a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drive {
    /// Nothing moves until an event, a letter or a deadline.
    Waiting,
    /// Its share is spent: drive it again after the others.
    Again,
    /// It is over: free it.
    Over,
}

/// What a drive did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drove {
    /// Where it left the session.
    pub(crate) state: Drive,
    /// Bytes moved, in both directions.
    pub(crate) moved: u64,
}

/// How long the ends of a session may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndTimes {
    /// Without progress while the last bytes are flushed.
    pub(crate) stall: Duration,
    /// To linger after them.
    pub(crate) linger: Duration,
}

/// One client.
pub(crate) struct Session {
    id: u64,
    peer: SocketAddr,
    dialect: Box<dyn Dialect>,
    gate: Gate,
    links: [Option<Box<Link>>; CHANNELS],
    lanes: BTreeMap<FileId, Lane>,
    /// Lanes that may have a job to send.
    pending: VecDeque<FileId>,
    /// Jobs whose file is gone, numbered from the top so that no machine's own number collides.
    own_jobs: u64,
    /// Memory reserved for answers: those being made and those in the outbox.
    reserved: usize,
    /// Memory counted for text that is not consumed.
    text_held: usize,
    /// The part of `reserved` whose answer is still being made.
    reserved_away: usize,
    end_times: EndTimes,
    /// What a channel is wrapped in when the machine asks for it.
    security: Option<Arc<Security>>,
    /// Absent where bandwidth is not limited.
    meters: Option<Box<Meters>>,
    /// While a file is open, if transfers are counted.
    transfer: Option<transfers::Ticket>,
    /// For data connections, where the dialect has them.
    second: Option<Box<Second>>,
    /// The machine's deadline is not given before: the disk is at work or a limit holds up, and the peer is not to blame.
    excused: Option<Instant>,
    since: Instant,
    ending: Option<String>,
    received: u64,
    sent: u64,
}

impl Session {
    /// A session on a fresh connection; the machine hears that control is open.
    pub(crate) fn new(
        id: u64,
        peer: SocketAddr,
        conn: Conn,
        mut dialect: Box<dyn Dialect>,
        entry: Entry,
        end_times: EndTimes,
        now: Instant,
    ) -> Self {
        dialect.handle(
            Input::Opened {
                channel: Channel::CONTROL,
                peer: Some(peer),
            },
            now,
        );
        Self {
            id,
            peer,
            dialect,
            gate: Gate::new(entry),
            links: [Some(Box::new(Link::new(conn, now))), None],
            lanes: BTreeMap::new(),
            pending: VecDeque::new(),
            own_jobs: 0,
            reserved: 0,
            reserved_away: 0,
            text_held: 0,
            end_times,
            security: None,
            meters: None,
            transfer: None,
            second: None,
            excused: None,
            since: now,
            ending: None,
            received: 0,
            sent: 0,
        }
    }

    /// The machine may ask for TLS.
    pub(crate) fn with_security(mut self, security: Option<Arc<Security>>) -> Self {
        self.security = security;
        self
    }

    /// The machine may ask for data connections.
    pub(crate) fn with_second(mut self, rules: Option<Arc<SecondRules>>) -> Self {
        self.second = rules.map(|rules| Box::new(Second::new(rules)));
        self
    }

    /// The address at the other end.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The socket of a channel.
    pub(crate) fn conn(&mut self, channel: Channel) -> Option<&mut Conn> {
        Some(&mut self.link(channel)?.conn)
    }

    fn link(&mut self, channel: Channel) -> Option<&mut Link> {
        self.links.get_mut(usize::from(channel.0))?.as_deref_mut()
    }

    /// When the session wants to be woken at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let links = self
            .links
            .iter()
            .flatten()
            .filter_map(|link| link.deadline(self.end_times));
        let machine = self
            .dialect
            .deadline()
            .map(|at| self.excused.map_or(at, |until| at.max(until)));
        let meters = self.meters.as_ref().and_then(|meters| meters.wake());
        let leaving = self.second.as_ref().and_then(|second| second.deadline());
        let own = leaving.into_iter().chain(meters);
        machine.into_iter().chain(links).chain(own).min()
    }

    /// Takes new times over, for what is waited for already too.
    pub(crate) fn retime(&mut self, times: Times, end_times: EndTimes, ctx: &Context<'_>) {
        self.end_times = end_times;
        self.tell(Input::Times(times), ctx);
    }

    /// Takes the present rates over.
    pub(crate) fn meter(&mut self, ctx: &Context<'_>) {
        let user = self.gate.seated().map(|user| {
            let limits = user.limits();
            (user.name().into(), limits.upload_rate, limits.download_rate)
        });
        let whose = Whose {
            session: self.id,
            address: self.peer.ip(),
            user,
        };
        self.meters = Meters::new(ctx.bandwidth, ctx.rates, &whose);
    }

    /// Tells the machine to stop when it can.
    pub(crate) fn drain(&mut self, ctx: &Context<'_>) {
        self.tell(Input::Drain, ctx);
    }

    /// Breaks the session off. A machine that has a last word has [`LAST_WORD`] to bring it over.
    pub(crate) fn cut(&mut self, why: &str, ctx: &Context<'_>) {
        let closes = |session: &mut Self| session.conn(Channel::CONTROL).map(|it| it.is_closing());
        if closes(self) == Some(false) {
            self.tell(Input::Cut { why: why.into() }, ctx);
            if closes(self) == Some(true)
                && let Some(link) = self.link(Channel::CONTROL)
            {
                link.until = Some(ctx.now + LAST_WORD);
                return self.lose(Channel::DATA, why.to_owned(), ctx);
            }
        }
        for channel in [Channel::DATA, Channel::CONTROL] {
            self.lose(channel, why.to_owned(), ctx);
        }
    }

    /// Brings over what is said last, as far as the socket takes it at once: nobody drives this session any more.
    pub(crate) fn flush_last(&mut self, ctx: &mut Context<'_>) {
        let mut share = Share {
            read: 0,
            write: u64::MAX,
        };
        self.flush(Channel::CONTROL, &mut share, ctx);
    }

    /// Looks at the clock.
    pub(crate) fn expire(&mut self, ctx: &Context<'_>) {
        let excused = self.excused.is_some_and(|until| until > ctx.now);
        if !excused && self.dialect.deadline().is_some_and(|at| at <= ctx.now) {
            self.excused = self.excuse(ctx.now).map(|time| ctx.now + time);
            if self.excused.is_none() {
                self.tell(Input::Deadline, ctx);
            }
        }
        for channel in [Channel::CONTROL, Channel::DATA] {
            let times = self.end_times;
            if let Some(link) = self.link(channel)
                && link.deadline(times).is_some_and(|at| at <= ctx.now)
            {
                self.lose(
                    channel,
                    "the peer did not take the last bytes".to_owned(),
                    ctx,
                );
            }
        }
    }

    /// For how much longer the machine's deadline is not given: it is not the peer who is waited for.
    fn excuse(&mut self, now: Instant) -> Option<Duration> {
        if self.gate.is_nobodys() {
            // Before a log-in there is one time for everything.
            return None;
        }
        if self.lanes.values().any(Lane::is_away) {
            return Some(EXCUSE);
        }
        // Time in which a bucket held it up does not count; who waits for one now is not to blame at all.
        let (held_up, waited) = self.meters.as_mut()?.waited(now);
        let most = self.end_times.stall.max(EXCUSE);
        let least = if held_up { EXCUSE } else { Duration::ZERO };
        Some(waited.clamp(least, most)).filter(|time| !time.is_zero())
    }

    /// Takes a job's result.
    pub(crate) fn home(&mut self, lane: u64, done: Done, ctx: &mut Context<'_>) {
        let file = FileId(lane);
        if let Some(entry) = self.lanes.get_mut(&file) {
            let (blocks, answer) = entry.home(done.slot);
            ctx.memory.release(blocks);
            self.reserved_away -= answer.min(self.reserved_away);
            if entry.take_uncounted() {
                self.gate.count_anew();
            }
        }
        for block in done.blocks {
            ctx.memory.recycle(block);
        }
        if let Some(fault) = done.fault {
            self.tell(Input::Fault { file, fault }, ctx);
        }
        for (job, outcome) in done.outcomes {
            if job.0 < u64::MAX - self.own_jobs {
                let outcome = self.gate.review(job, outcome);
                self.tell(Input::Done { job, outcome }, ctx);
            }
        }
        if self.lanes.get(&file).is_some_and(Lane::is_over) {
            self.lanes.remove(&file);
            if self.lanes.is_empty() {
                self.transfer = None;
            }
        } else {
            self.pending.push_back(file);
        }
    }

    /// Moves what can be moved, within `bytes` in each direction.
    pub(crate) fn drive(&mut self, bytes: u64, ctx: &mut Context<'_>) -> Drove {
        let mut share = Share {
            read: bytes,
            write: bytes,
        };
        let state = self.rounds(&mut share, ctx);
        if let Some(meters) = &mut self.meters {
            meters.settle();
        }
        let moved = (bytes - share.read) + (bytes - share.write);
        Drove { state, moved }
    }

    fn rounds(&mut self, share: &mut Share, ctx: &mut Context<'_>) -> Drive {
        for _ in 0..ROUNDS {
            let mut moved = self.perform(ctx);
            moved |= self.welcome_second(ctx);
            for channel in [Channel::CONTROL, Channel::DATA] {
                moved |= self.feed(channel, share, ctx);
            }
            self.settle_text(ctx);
            moved |= self.dispatch(ctx);
            for channel in [Channel::CONTROL, Channel::DATA] {
                moved |= self.flush(channel, share, ctx);
            }
            self.settle_second(ctx);
            if self.is_over(ctx) {
                return Drive::Over;
            }
            if !moved {
                return Drive::Waiting;
            }
            if share.read == 0 || share.write == 0 {
                break;
            }
        }
        Drive::Again
    }

    /// Control is gone: what was asked of the disk is still done (a commit among it), what the machine left
    /// open is ended, and those that are away are waited for.
    fn is_over(&mut self, ctx: &mut Context<'_>) -> bool {
        if self.links.first().is_some_and(Option::is_some) {
            return false;
        }
        if let Some(link) = self.links.get_mut(1) {
            *link = None;
        }
        self.second = None;
        for (file, lane) in &mut self.lanes {
            if lane.is_left_open() {
                self.own_jobs += 1;
                lane.push(JobId(u64::MAX - self.own_jobs), DiskOp::Abort);
                self.pending.push_back(*file);
            }
        }
        self.lanes.retain(|_, lane| !lane.is_over());
        self.settle_text(ctx);
        self.dispatch(ctx);
        if self.lanes.is_empty() {
            ctx.memory.unreserve(std::mem::take(&mut self.reserved));
            return true;
        }
        false
    }

    /// Gives the machine an input, and does what it asks.
    fn tell(&mut self, input: Input, ctx: &Context<'_>) {
        self.dialect.handle(input, ctx.now);
        self.perform(ctx);
    }

    /// The line that a session leaves in the log.
    pub(crate) fn log_end(&self, now: Instant) {
        let seconds = now.duration_since(self.since).as_secs_f64();
        tracing::info!(
            session = self.id,
            peer = %self.peer,
            user = self.gate.user(),
            seconds,
            received = self.received,
            sent = self.sent,
            reason = self.ending.as_deref().unwrap_or("closed"),
            "session ended"
        );
    }
}

/// What is left of a drive's share.
#[derive(Debug)]
struct Share {
    read: u64,
    write: u64,
}
