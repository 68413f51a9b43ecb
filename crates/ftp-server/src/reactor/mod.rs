//! Floor 7: the turn of the loop. Owns the poll, the listeners and the sessions; knows no protocol word.

mod admission;
mod crew;
mod listener;
mod lobby;
mod turn;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use ftp_proto::session::Times;
use ipnet::IpNet;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::bans::Bans;
use crate::base::{Arena, Key, Schedule, Timers};
use crate::logins::{Home, Ruling};
use crate::metrics::Metrics;
use crate::pool::{Mailbox, Order, Pool};
use crate::session::{Bandwidth, Context, EndTimes, Entry, Memory, Rates, Session, Transfers};

use admission::Admission;
pub(crate) use crew::{Desk, Mate};
use crew::{Guest, Left};
pub(crate) use listener::{Cover, Front, Listener, listen};
use lobby::Lobby;

/// The waker's token; keys never reach it, since their generation leaves out the top bit.
pub(crate) const WAKER: Token = Token(usize::MAX);
/// Listeners have the tokens below the waker's.
const LISTENERS: usize = usize::MAX - 1;
/// Most listeners.
const LISTENERS_MAX: usize = 64;
/// Events taken from the kernel a turn.
const EVENTS: usize = 1024;
/// The buffer for bytes that no block takes.
const SCRATCH_BYTES: usize = 256 * 1024;

/// Everything that can reach a reactor from outside its sockets.
#[derive(Debug)]
pub(crate) enum Letter {
    /// A job came home.
    Home(crate::pool::Letter),
    /// It is known who a peer is.
    Ruling(Ruling),
    /// A connection to serve.
    Guest(Box<Guest>),
    /// A connection that was handed out has ended.
    Left(Left),
    /// Take these bounds over, as far as they can change.
    Reload(Arc<Bounds>),
    /// Stop when what is under way has ended.
    Drain,
    /// Stop now.
    Cut,
}

impl From<crate::pool::Letter> for Letter {
    fn from(letter: crate::pool::Letter) -> Self {
        Self::Home(letter)
    }
}

impl Home for Mailbox<Letter> {
    fn take(&self, ruling: Ruling) {
        self.post(Letter::Ruling(ruling));
    }
}

/// Bounds and times of a reactor.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) max_connections: usize,
    pub(crate) max_per_address: usize,
    /// Who is believed to say for whom it connects.
    pub(crate) proxies: Arc<[IpNet]>,
    /// A connection whose descriptor is this high is turned away: the rest is kept for files.
    pub(crate) descriptor_ceiling: i32,
    pub(crate) buffer_bytes: usize,
    pub(crate) drain_time: Duration,
    pub(crate) end_times: EndTimes,
    /// What bandwidth there is.
    pub(crate) rates: Rates,
    /// Most transfers of one address at a time.
    pub(crate) transfers_per_address: Option<u32>,
    /// What sessions wait for, as the machines were made with.
    pub(crate) times: Times,
}

/// How a reactor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything under way was finished.
    Drained,
    /// Something was broken off.
    Cut,
}

/// What all reactors of a server have in common.
#[derive(Clone)]
pub(crate) struct Commons {
    pub(crate) pool: Arc<Pool<Letter>>,
    pub(crate) entry: Entry,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) bounds: Bounds,
    pub(crate) bandwidth: Arc<Bandwidth>,
    pub(crate) transfers: Arc<Transfers>,
    pub(crate) bans: Arc<Bans>,
    /// The last number given to a session, for the log.
    pub(crate) last_id: Arc<AtomicU64>,
}

/// One loop: a poll, its sessions, its timers.
pub(crate) struct Reactor {
    poll: Poll,
    events: Events,
    mailbox: Arc<Mailbox<Letter>>,
    /// The same, for verdicts.
    home: Arc<dyn Home>,
    commons: Commons,
    listeners: Vec<Listener>,
    /// Who takes connections off the one that accepts.
    mates: Vec<Mate>,
    /// Where one that does not accept tells the ends of its sessions.
    desk: Option<Desk>,
    sessions: Arena<Session>,
    queue: Schedule,
    timers: Timers,
    memory: Memory,
    /// Jobs that the pool had no room for.
    orders: VecDeque<Order>,
    letters: Vec<Letter>,
    scratch: Vec<u8>,
    admission: Admission,
    lobby: Lobby,
    /// The bounds were changed: a machine that was made before and arrives now is told.
    reloaded: bool,
    /// When draining ends by force.
    drain_until: Option<Instant>,
    ended: Option<Ended>,
}

impl Reactor {
    /// A reactor without sessions.
    ///
    /// # Errors
    /// If the system gives no poll.
    pub(crate) fn new(commons: Commons) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mailbox = Arc::new(Mailbox::new(Waker::new(poll.registry(), WAKER)?));
        let bounds = &commons.bounds;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            home: mailbox.clone(),
            mailbox,
            memory: Memory::new(bounds.buffer_bytes),
            admission: Admission::new(bounds.max_connections, bounds.max_per_address),
            lobby: Lobby::new(),
            commons,
            listeners: Vec::new(),
            mates: Vec::new(),
            desk: None,
            sessions: Arena::new(),
            queue: Schedule::default(),
            timers: Timers::default(),
            orders: VecDeque::new(),
            letters: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES],
            reloaded: false,
            drain_until: None,
            ended: None,
        })
    }

    /// Where letters reach it.
    pub(crate) fn mailbox(&self) -> &Arc<Mailbox<Letter>> {
        &self.mailbox
    }

    /// Makes it the one that accepts, for itself and for `mates`.
    ///
    /// # Errors
    /// If a listener cannot be watched.
    pub(crate) fn front(
        &mut self,
        mut listeners: Vec<Listener>,
        mates: Vec<Mate>,
    ) -> io::Result<()> {
        listeners.truncate(LISTENERS_MAX);
        for (number, listener) in listeners.iter_mut().enumerate() {
            let token = Token(LISTENERS - number);
            self.poll
                .registry()
                .register(&mut listener.socket, token, Interest::READABLE)?;
        }
        self.listeners = listeners;
        self.mates = mates;
        Ok(())
    }

    /// Makes it one that serves what another accepts.
    pub(crate) fn serve(&mut self, desk: Desk) {
        self.desk = Some(desk);
    }

    /// Lends a session out, does `work` on it, and gives it back.
    fn with_session<R>(
        &mut self,
        key: Key,
        now: Instant,
        work: impl FnOnce(&mut Session, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let mut session = self.sessions.lend(key)?;
        let mut context = Context {
            key,
            now,
            scratch: &mut self.scratch,
            memory: &mut self.memory,
            orders: &mut self.orders,
            home: &self.home,
            metrics: &self.commons.metrics,
            bandwidth: &self.commons.bandwidth,
            rates: &self.commons.bounds.rates,
            transfers: &self.commons.transfers,
            transfers_per_address: self.commons.bounds.transfers_per_address,
            registry: self.poll.registry(),
            descriptor_ceiling: self.commons.bounds.descriptor_ceiling,
        };
        let result = work(&mut session, &mut context);
        self.sessions.give_back(key, session);
        Some(result)
    }
}
