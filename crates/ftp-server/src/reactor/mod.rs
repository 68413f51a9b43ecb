//! Floor 7: the turn of the loop. Owns the poll, the listeners and the sessions; knows no protocol word.

mod admission;
mod listener;
mod turn;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_store::Store;
use mio::{Events, Interest, Poll, Token};

use crate::base::{Arena, Key, RunQueue, Timers};
use crate::metrics::Metrics;
use crate::pool::{Mailbox, Order, Pool};
use crate::session::{Context, EndTimes, Memory, Session};

use admission::Admission;
pub(crate) use listener::{Front, Listener};

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

/// Bounds and times of a reactor.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) max_connections: usize,
    pub(crate) max_per_address: usize,
    /// A connection whose descriptor is this high is turned away: the rest is kept for files.
    pub(crate) descriptor_ceiling: i32,
    pub(crate) buffer_bytes: usize,
    pub(crate) drain_time: Duration,
    pub(crate) end_times: EndTimes,
}

/// How a reactor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything under way was finished.
    Drained,
    /// Something was broken off.
    Cut,
}

/// One loop: a poll, its sessions, its timers.
pub(crate) struct Reactor {
    poll: Poll,
    events: Events,
    mailbox: Arc<Mailbox<Letter>>,
    pool: Arc<Pool<Letter>>,
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    bounds: Bounds,
    listeners: Vec<Listener>,
    sessions: Arena<Session>,
    queue: RunQueue,
    timers: Timers,
    memory: Memory,
    /// Jobs that the pool had no room for.
    orders: VecDeque<Order>,
    letters: Vec<Letter>,
    scratch: Vec<u8>,
    admission: Admission,
    next_id: u64,
    /// When draining ends by force.
    drain_until: Option<Instant>,
    ended: Option<Ended>,
}

impl Reactor {
    /// A reactor over its listeners. The poll is the one that the mailbox's waker was made for.
    pub(crate) fn new(
        poll: Poll,
        mailbox: Arc<Mailbox<Letter>>,
        pool: Arc<Pool<Letter>>,
        store: Arc<Store>,
        metrics: Arc<Metrics>,
        bounds: Bounds,
        mut listeners: Vec<Listener>,
    ) -> io::Result<Self> {
        listeners.truncate(LISTENERS_MAX);
        for (number, listener) in listeners.iter_mut().enumerate() {
            let token = Token(LISTENERS - number);
            poll.registry()
                .register(&mut listener.socket, token, Interest::READABLE)?;
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            mailbox,
            pool,
            store,
            metrics,
            memory: Memory::new(bounds.buffer_bytes),
            admission: Admission::new(bounds.max_connections, bounds.max_per_address),
            bounds,
            listeners,
            sessions: Arena::new(),
            queue: RunQueue::default(),
            timers: Timers::default(),
            orders: VecDeque::new(),
            letters: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES],
            next_id: 1,
            drain_until: None,
            ended: None,
        })
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
            metrics: &self.metrics,
        };
        let result = work(&mut session, &mut context);
        self.sessions.give_back(key, session);
        Some(result)
    }

    /// A number for the log.
    fn next_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}
