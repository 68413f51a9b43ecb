//! Connections from listed proxies that have not said yet for whom they come.
//!
//! The header is looked at where it lies, in the kernel (`MSG_PEEK` of recv(2)), and taken from there as a whole: what
//! follows it, whatever protocol or wrapping, is left to the session. A connection that says nothing costs a socket and no buffer.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::time::Instant;

use ftp_proto::proxy::{self, Header, Reading};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::Reactor;
use super::turn::Refusal;
use crate::base::{Arena, Key, Timers};

/// What tells the tokens of those who wait here from those of sessions: keys leave out the top bit.
const MARK: usize = 1 << (usize::BITS - 1);

/// A connection from a proxy.
#[derive(Debug)]
struct Caller {
    stream: TcpStream,
    /// The proxy's own address.
    via: SocketAddr,
    /// By which listener it came.
    number: usize,
    /// When it came: the time it has to say hello runs from then on.
    since: Instant,
    /// The proxy sends no more, or the connection broke.
    ended: bool,
}

/// What is known of a caller.
#[derive(Debug)]
enum Told {
    /// Not enough yet.
    Wait,
    /// For whom it comes; `None` if for itself.
    Named(Option<SocketAddr>),
    /// It is not to be served: why.
    Wrong(String),
}

/// The waiting ones. Admission counts them, so they are bounded.
pub(super) struct Lobby {
    waiting: Arena<Caller>,
    timers: Timers,
    /// Whom events named.
    marked: Vec<Key>,
}

impl Caller {
    /// Looks at what has come; takes the header once it is whole.
    fn look(&mut self, scratch: &mut [u8]) -> Told {
        let most = scratch.len().min(proxy::HEADER_MAX);
        let Some(buffer) = scratch.get_mut(..most) else {
            return Told::Wait;
        };
        let bytes = match self.stream.peek(buffer) {
            Ok(0) => return Told::Wrong("it closed before its PROXY header".to_owned()),
            Ok(len) => buffer.get(..len).unwrap_or_default(),
            Err(error) if is_later(&error) => &[],
            Err(error) => return Told::Wrong(error.to_string()),
        };
        match proxy::read(bytes) {
            Reading::Header(header) => self.take(header, scratch),
            Reading::Wrong(wrong) => Told::Wrong(wrong.why().to_owned()),
            Reading::More if self.ended => {
                Told::Wrong("it closed within its PROXY header".to_owned())
            }
            Reading::More => Told::Wait,
        }
    }

    /// Takes the header out of the kernel's hands: all of it is there.
    fn take(&mut self, header: Header, scratch: &mut [u8]) -> Told {
        let mut left = header.len;
        while left > 0 {
            let room = scratch.get_mut(..left).unwrap_or_default();
            match self.stream.read(room) {
                Ok(0) => return Told::Wrong("its PROXY header went away".to_owned()),
                Ok(len) => left -= len.min(left),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Told::Wrong(error.to_string()),
            }
        }
        Told::Named(header.source)
    }
}

impl Lobby {
    /// Nobody waits.
    pub(super) fn new() -> Self {
        Self {
            waiting: Arena::new(),
            timers: Timers::default(),
            marked: Vec::new(),
        }
    }

    /// Has a caller wait for its header until `due`.
    ///
    /// # Errors
    /// If the poll cannot watch it; then it is gone.
    fn keep(&mut self, mut caller: Caller, due: Instant, registry: &Registry) -> io::Result<()> {
        let key = self.waiting.reserve();
        let token = Token(key.to_usize() | MARK);
        let watched = registry.register(&mut caller.stream, token, Interest::READABLE);
        if watched.is_err() {
            self.waiting.remove(key);
            return watched;
        }
        self.waiting.give_back(key, caller);
        self.timers.arm(key, due);
        Ok(())
    }

    /// Notes an event; `false` if it is for a session.
    pub(super) fn mark(&mut self, event: &Event) -> bool {
        let Token(number) = event.token();
        if number & MARK == 0 {
            return false;
        }
        let key = Key::from_usize(number & !MARK);
        if let Some(caller) = self.waiting.get_mut(key) {
            caller.ended |= event.is_read_closed() || event.is_error();
            self.marked.push(key);
        }
        true
    }

    /// Somebody whom an event named and of whom all is known; no longer here.
    fn pop_told(&mut self, scratch: &mut [u8], registry: &Registry) -> Option<(Caller, Told)> {
        while let Some(key) = self.marked.pop() {
            let Some(caller) = self.waiting.get_mut(key) else {
                continue;
            };
            match caller.look(scratch) {
                Told::Wait => {}
                told @ (Told::Named(_) | Told::Wrong(_)) => {
                    return Some((self.remove(key, registry)?, told));
                }
            }
        }
        None
    }

    /// Somebody whose time is up, no longer here; `due` tells until when it may wait.
    fn pop_late(
        &mut self,
        now: Instant,
        due: impl Fn(Instant) -> Instant,
        registry: &Registry,
    ) -> Option<Caller> {
        while let Some(key) = self.timers.pop_due(now) {
            let Some(caller) = self.waiting.get_mut(key) else {
                continue;
            };
            let due = due(caller.since);
            if due <= now {
                return self.remove(key, registry);
            }
            self.timers.arm(key, due);
        }
        None
    }

    /// Looks at all the clocks anew: the time to wait was changed.
    pub(super) fn rearm(&mut self, now: Instant) {
        for key in self.waiting.keys() {
            self.timers.arm(key, now);
        }
    }

    /// When somebody's time may be up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Sends everybody away; says how many that were.
    fn clear(&mut self) -> usize {
        let all = self.waiting.len();
        *self = Self::new();
        all
    }

    fn remove(&mut self, key: Key, registry: &Registry) -> Option<Caller> {
        let mut caller = self.waiting.remove(key)?;
        if let Err(error) = registry.deregister(&mut caller.stream) {
            tracing::debug!(%error, peer = %caller.via, "cannot stop watching a connection");
        }
        Some(caller)
    }
}

impl Reactor {
    /// Whether a peer may say for whom it comes.
    pub(super) fn is_proxy(&self, peer: SocketAddr) -> bool {
        let address = peer.ip().to_canonical();
        let mut listed = self.commons.bounds.proxies.iter();
        listed.any(|network| network.contains(&address))
    }

    /// Takes in a connection from a proxy; mostly its header is there already.
    pub(super) fn await_header(
        &mut self,
        number: usize,
        stream: TcpStream,
        via: SocketAddr,
        now: Instant,
    ) {
        self.admission.enter_unnamed();
        let mut caller = Caller {
            stream,
            via,
            number,
            since: now,
            ended: false,
        };
        match caller.look(&mut self.scratch) {
            Told::Wait => {
                let due = now + self.commons.bounds.times.hello;
                let kept = self.lobby.keep(caller, due, self.poll.registry());
                if let Err(error) = kept {
                    tracing::warn!(%error, peer = %via, "cannot watch a connection");
                    self.admission.leave_unnamed();
                }
            }
            told @ (Told::Named(_) | Told::Wrong(_)) => self.decide(caller, told, now),
        }
    }

    /// Looks at those whom events named.
    pub(super) fn receive_headers(&mut self, now: Instant) {
        while let Some((caller, told)) =
            (self.lobby).pop_told(&mut self.scratch, self.poll.registry())
        {
            self.decide(caller, told, now);
        }
    }

    /// Sends away whose time is up.
    pub(super) fn expire_headers(&mut self, now: Instant) {
        let time = self.commons.bounds.times.hello;
        let due = |since| since + time;
        while let Some(caller) = self.lobby.pop_late(now, due, self.poll.registry()) {
            let why = "no PROXY header came in time".to_owned();
            self.decide(caller, Told::Wrong(why), now);
        }
    }

    /// Sends everybody away who waits for a header.
    pub(super) fn clear_lobby(&mut self) {
        for _ in 0..self.lobby.clear() {
            self.admission.leave_unnamed();
        }
    }

    /// A session for whom the proxy named, or none.
    fn decide(&mut self, caller: Caller, told: Told, now: Instant) {
        let via = caller.via;
        let source = match told {
            Told::Wait => return,
            Told::Named(source) => source,
            Told::Wrong(why) => {
                tracing::warn!(peer = %via, why, "connection refused");
                self.commons.metrics.count_refused();
                return self.admission.leave_unnamed();
            }
        };
        let peer = source.unwrap_or(via);
        tracing::debug!(%peer, %via, "a proxy named its client");
        let why = if self.commons.bans.remaining(peer.ip(), now).is_some() {
            self.admission.leave_unnamed();
            Refusal::Banned
        } else if self.admission.name(peer.ip()) {
            return self.open(caller.number, caller.stream, peer, caller.since, now);
        } else {
            Refusal::Full
        };
        self.refuse(caller.number, caller.stream, peer, why, now);
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
