//! The turn, in named steps.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ftp_proto::session::Channel;
use mio::net::TcpStream;
use mio::{Interest, Token};

use super::crew::{Guest, Left, least_loaded};
use super::{Bounds, Cover, Ended, LISTENERS, LISTENERS_MAX, Letter, Reactor, WAKER};
use crate::base::Key;
use crate::conn::{Conn, Place};
use crate::logins::Ruling;
use crate::session::{Drive, Session};

/// Connections accepted from one listener a turn.
const ACCEPTS: usize = 256;
/// What a light session may move in a drive, in each direction; who moves as much is heavy.
const LIGHT_BYTES: u64 = 64 * 1024;
/// What a heavy session may move in a drive, in each direction.
const HEAVY_BYTES: u64 = 1024 * 1024;
/// What all heavy sessions may move in a turn: a fraction of a millisecond, then events are looked for. More
/// made pings beside a thousand downloads wait longer, and moved no more.
const TURN_BYTES: u64 = 1024 * 1024;
/// When the pool is full, it is asked again after this at the latest: the letter that would tell of
/// room may go to another reactor.
const RESUBMIT: Duration = Duration::from_millis(1);

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its address has its share already.
    Full,
    /// The reserve of descriptors is reached.
    Descriptors,
    /// Too many log-ins of its address have failed.
    Banned,
}

impl Reactor {
    /// Runs until drained or cut.
    ///
    /// # Errors
    /// Only if the poll itself fails; nothing a peer or a file does ends the loop.
    pub(crate) fn run(&mut self) -> io::Result<Ended> {
        loop {
            self.wait()?;
            let now = Instant::now();
            self.mark();
            self.post(now);
            self.expire(now);
            self.accept(now);
            self.drive(now);
            self.settle();
            if let Some(ended) = self.ended {
                return Ok(ended);
            }
        }
    }

    /// Waits for events: not at all while somebody has work.
    fn wait(&mut self) -> io::Result<()> {
        let timeout = if self.queue.is_empty() && !self.can_accept() {
            let drain = self.drain_until;
            let (admission, lobby) = (self.admission.deadline(), self.lobby.deadline());
            let next = [self.timers.next(), admission, lobby, drain];
            let next = next.into_iter().flatten().min();
            let wait = next.map(|at| at.saturating_duration_since(Instant::now()));
            if self.orders.is_empty() {
                wait
            } else {
                Some(wait.map_or(RESUBMIT, |wait| wait.min(RESUBMIT)))
            }
        } else {
            Some(Duration::ZERO)
        };
        // Asked last: from then on letters ring.
        let timeout = if timeout == Some(Duration::ZERO) || self.mailbox.doze() {
            timeout
        } else {
            Some(Duration::ZERO)
        };
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    /// Notes what is ready. No work here.
    fn mark(&mut self) {
        for event in &self.events {
            let token = event.token();
            if token == WAKER {
                continue;
            }
            if let Some(listener) = LISTENERS
                .checked_sub(token.0)
                .filter(|number| *number < LISTENERS_MAX)
                .and_then(|number| self.listeners.get_mut(number))
            {
                listener.ready = true;
                continue;
            }
            if let Some((key, serial)) = Key::from_further(token.0) {
                if let Some(session) = self.sessions.get_mut(key) {
                    session.mark_second(serial, event);
                    self.queue.push(key);
                }
                continue;
            }
            if self.lobby.mark(event) {
                continue;
            }
            let key = Key::from_usize(token.0);
            let conn = self
                .sessions
                .get_mut(key)
                .and_then(|it| it.conn(Channel::CONTROL));
            if let Some(conn) = conn {
                conn.mark(event);
                self.queue.push(key);
            }
        }
    }

    /// Opens the mail.
    fn post(&mut self, now: Instant) {
        let mut letters = std::mem::take(&mut self.letters);
        self.mailbox.drain(&mut letters);
        for letter in letters.drain(..) {
            match letter {
                Letter::Home(home) => {
                    self.with_session(home.key, now, |session, context| {
                        session.home(home.lane, home.done, context);
                    });
                    self.queue.push(home.key);
                }
                Letter::Ruling(Ruling { key, checked }) => {
                    self.with_session(key, now, |session, context| {
                        session.take_verdict(checked, context);
                    });
                    self.queue.push(key);
                }
                Letter::Guest(guest) => self.welcome(*guest, now),
                Letter::Left(left) => {
                    self.admission.leave(left.address);
                    if let Some(mate) = self.mates.get_mut(left.mate) {
                        mate.left();
                    }
                }
                Letter::Reload(bounds) => self.reload(&bounds, now),
                Letter::Drain => self.begin_drain(now),
                Letter::Cut => self.cut(now, "the server was stopped", Ended::Cut),
            }
        }
        self.letters = letters;
    }

    /// Looks at the clock for those who asked.
    fn expire(&mut self, now: Instant) {
        self.admission.expire(now);
        self.expire_headers(now);
        while let Some(key) = self.timers.pop_due(now) {
            self.with_session(key, now, |session, context| session.expire(context));
            self.queue.push(key);
        }
        if self.drain_until.is_some_and(|at| at <= now) {
            tracing::warn!(sessions = self.sessions.len(), "the time to finish is over");
            self.cut(now, "the time to finish was over", Ended::Drained);
        }
    }

    /// Whether there may be a connection to accept, and room for it.
    fn can_accept(&self) -> bool {
        self.admission.has_room() && self.listeners.iter().any(|listener| listener.ready)
    }

    fn accept(&mut self, now: Instant) {
        self.receive_headers(now);
        for number in 0..self.listeners.len() {
            for _ in 0..ACCEPTS {
                if !self.admission.has_room() {
                    return;
                }
                let Some(listener) = self.listeners.get_mut(number) else {
                    break;
                };
                if !listener.ready {
                    break;
                }
                match listener.socket.accept() {
                    Ok((stream, peer)) => self.admit(number, stream, peer, now),
                    Err(error) => {
                        self.accept_failed(number, &error, now);
                        break;
                    }
                }
            }
        }
    }

    /// `WouldBlock` is the end of the line; anything else may pass, so accepting rests a little.
    fn accept_failed(&mut self, number: usize, error: &io::Error, now: Instant) {
        if error.kind() == io::ErrorKind::WouldBlock {
            if let Some(listener) = self.listeners.get_mut(number) {
                listener.ready = false;
            }
        } else if error.kind() != io::ErrorKind::ConnectionAborted {
            tracing::warn!(%error, "cannot accept a connection; trying again soon");
            self.admission.rest(now);
        }
    }

    /// The last checks, before anything is allocated.
    fn admit(&mut self, number: usize, stream: TcpStream, peer: SocketAddr, now: Instant) {
        let why = if stream.as_raw_fd() >= self.commons.bounds.descriptor_ceiling {
            self.admission.rest(now);
            Refusal::Descriptors
        } else if self.is_proxy(peer) {
            return self.await_header(number, stream, peer, now);
        } else if self.commons.bans.remaining(peer.ip(), now).is_some() {
            Refusal::Banned
        } else if self.admission.enter(peer.ip()) {
            return self.open(number, stream, peer, now, now);
        } else {
            Refusal::Full
        };
        self.refuse(number, stream, peer, why, now);
    }

    /// Turns a connection away, with a word.
    pub(super) fn refuse(
        &mut self,
        number: usize,
        stream: TcpStream,
        peer: SocketAddr,
        why: Refusal,
        now: Instant,
    ) {
        match why {
            Refusal::Full => {
                let why = "too many connections of one address";
                tracing::warn!(%peer, why, "connection refused");
            }
            Refusal::Descriptors => {
                tracing::warn!(%peer, why = "file descriptors run out", "connection refused");
            }
            // The ban itself was told; who goes on knocking shall not fill the log.
            Refusal::Banned => tracing::debug!(%peer, why = "banned", "connection refused"),
        }
        self.commons.metrics.count_refused();
        if let Some(listener) = self.listeners.get(number) {
            // Within TLS it would take a handshake to say a word.
            let words = match listener.front.cover() {
                Cover::First(_) => &[],
                Cover::Plain | Cover::Asked(_) => match why {
                    Refusal::Full | Refusal::Descriptors => listener.front.refusal(),
                    Refusal::Banned => listener.front.banned(),
                },
            };
            self.admission.turn_away(stream, words, now);
        }
    }

    /// Keeps a connection that came at `since`, or hands it to a mate that has fewer.
    pub(super) fn open(
        &mut self,
        number: usize,
        stream: TcpStream,
        peer: SocketAddr,
        since: Instant,
        now: Instant,
    ) {
        let Some(listener) = self.listeners.get(number) else {
            return;
        };
        self.commons.metrics.count_accepted();
        let dialect = listener.front.dialect(since);
        let guest = Guest {
            stream,
            peer,
            dialect,
            cover: listener.front.cover(),
            second: listener.front.second(),
        };
        match least_loaded(&mut self.mates, self.sessions.len()) {
            Some(mate) => mate.send(guest),
            None => self.welcome(guest, now),
        }
    }

    /// Makes a session of a connection.
    fn welcome(&mut self, guest: Guest, now: Instant) {
        let Guest {
            stream,
            peer,
            dialect,
            cover,
            second,
        } = guest;
        let id = self.commons.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (entry, times) = (self.commons.entry.clone(), self.commons.bounds.end_times);
        let mut conn = Conn::new(stream);
        let security = match cover {
            Cover::Plain => None,
            Cover::First(security) => {
                conn.start_tls(Arc::clone(&security), Place::First);
                Some(security)
            }
            Cover::Asked(security) => Some(security),
        };
        let key = self.sessions.reserve();
        let (token, both) = (
            Token(key.to_usize()),
            Interest::READABLE | Interest::WRITABLE,
        );
        if let Err(error) = self.poll.registry().register(conn.source(), token, both) {
            tracing::warn!(%error, %peer, "cannot watch a connection");
            self.sessions.remove(key);
            self.commons.metrics.count_ended();
            return self.farewell(peer);
        }
        tracing::debug!(session = id, %peer, "session began");
        let session = Session::new(id, peer, conn, dialect, entry, times, now)
            .with_security(security)
            .with_second(second);
        self.sessions.give_back(key, session);
        self.with_session(key, now, |session, context| session.meter(context));
        if self.reloaded {
            self.retime(key, now);
        }
        if self.drain_until.is_some() {
            self.with_session(key, now, |session, context| session.drain(context));
        }
        self.queue.push(key);
    }

    /// A connection is gone: whoever counts it hears of it.
    fn farewell(&mut self, peer: SocketAddr) {
        let address = peer.ip();
        match &self.desk {
            Some(desk) => desk.front.post(Letter::Left(Left {
                mate: desk.mate,
                address,
            })),
            None => self.admission.leave(address),
        }
    }

    /// Gives every light session its share, then as many heavy ones as fit into the turn.
    fn drive(&mut self, now: Instant) {
        for _ in 0..self.queue.light().len() {
            let Some(key) = self.queue.light().pop() else {
                break;
            };
            self.drive_one(key, LIGHT_BYTES, now);
        }
        let mut left = TURN_BYTES;
        for _ in 0..self.queue.heavy().len() {
            let Some(key) = self.queue.heavy().pop() else {
                break;
            };
            left = left.saturating_sub(self.drive_one(key, HEAVY_BYTES, now));
            if left == 0 {
                break;
            }
        }
    }

    /// Drives a session; says how many bytes it moved.
    fn drive_one(&mut self, key: Key, share: u64, now: Instant) -> u64 {
        let drove = self.with_session(key, now, |session, context| {
            (session.drive(share, context), session.deadline())
        });
        let Some((drove, deadline)) = drove else {
            return 0;
        };
        if drove.state == Drive::Over {
            self.close(key, now);
            return drove.moved;
        }
        if let Some(at) = deadline {
            self.timers.arm(key, at);
        }
        self.queue.weigh(key, drove.moved >= LIGHT_BYTES);
        if drove.state == Drive::Again {
            self.queue.push(key);
        }
        drove.moved
    }

    fn close(&mut self, key: Key, now: Instant) {
        if let Some(session) = self.sessions.remove(key) {
            session.log_end(now);
            self.commons.metrics.count_ended();
            self.farewell(session.peer());
        }
    }

    /// Sends jobs off, wakes who waited for memory, ends when there is nothing left.
    fn settle(&mut self) {
        self.commons
            .pool
            .submit_all(&mut self.orders, &self.mailbox);
        self.commons
            .metrics
            .note_waiting(self.commons.pool.waiting());
        self.memory.pop_waiting(|key| self.queue.push(key));
        if self.drain_until.is_some() && self.sessions.len() == 0 && self.orders.is_empty() {
            self.ended.get_or_insert(Ended::Drained);
        }
    }

    /// Takes over what may change while it runs: caps, times and rates, in sessions that are under way too.
    fn reload(&mut self, bounds: &Bounds, now: Instant) {
        let own = &mut self.commons.bounds;
        own.max_connections = bounds.max_connections;
        own.max_per_address = bounds.max_per_address;
        own.proxies = bounds.proxies.clone();
        own.drain_time = bounds.drain_time;
        own.end_times = bounds.end_times;
        own.times = bounds.times;
        own.rates = bounds.rates;
        own.transfers_per_address = bounds.transfers_per_address;
        self.admission
            .recap(bounds.max_connections, bounds.max_per_address);
        self.reloaded = true;
        self.lobby.rearm(now);
        for key in self.sessions.keys() {
            self.retime(key, now);
            // Driving it arms its timer anew.
            self.queue.push(key);
        }
    }

    fn retime(&mut self, key: Key, now: Instant) {
        let (times, ends) = (self.commons.bounds.times, self.commons.bounds.end_times);
        self.with_session(key, now, |session, context| {
            session.retime(times, ends, context);
            session.recheck(context);
            // By what the user may use now.
            session.meter(context);
        });
    }

    fn begin_drain(&mut self, now: Instant) {
        if self.drain_until.is_some() {
            return;
        }
        tracing::info!(sessions = self.sessions.len(), "draining");
        self.listeners.clear();
        self.clear_lobby();
        self.drain_until = Some(now + self.commons.bounds.drain_time);
        for key in self.sessions.keys() {
            self.with_session(key, now, |session, context| session.drain(context));
            self.queue.push(key);
        }
    }

    fn cut(&mut self, now: Instant, why: &str, ended: Ended) {
        self.listeners.clear();
        self.clear_lobby();
        for key in self.sessions.keys() {
            self.with_session(key, now, |session, context| {
                session.cut(why, context);
                session.flush_last(context);
            });
            self.close(key, now);
        }
        self.ended = Some(ended);
    }
}
