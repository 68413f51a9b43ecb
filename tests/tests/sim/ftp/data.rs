//! The client's ends of its data connections: which are agreed on, and what goes over them.

use std::collections::BTreeMap;
use std::rc::Rc;

use fastrand::Rng;

use super::plan::{Comes, How, Move};

/// How the server ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    NotYet,
    /// As it should be.
    Cleanly,
    /// By a reset.
    Broken,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Conn {
    moved: Rc<Move>,
    wire: Vec<u8>,
    /// Bytes that were written.
    put: usize,
    /// The client has closed its end.
    closed: bool,
    /// The client resets it.
    resets: bool,
    pub(crate) received: Vec<u8>,
    pub(crate) ended: Ended,
    /// Some of what was received was never in the file.
    pub(crate) padded: bool,
}

impl Conn {
    /// The client has said that it sends no more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }
}

/// All of them, by port: the client's where the server connects, else the server's.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    last_port: u16,
    expected: BTreeMap<u16, Rc<Move>>,
    conns: BTreeMap<u16, Conn>,
    /// The one that is open.
    live: Option<u16>,
    /// The port that the client knocks at.
    dial: Option<u16>,
    /// The port of the next transfer, as far as the answers were read.
    agreed: Option<u16>,
    /// 150 was heard for it.
    begun: bool,
    /// Data connections are within TLS.
    pub(crate) protected: bool,
}

impl Ends {
    /// A port that the client listens at.
    pub(crate) fn listen(&mut self, moved: &Rc<Move>) -> u16 {
        self.last_port += 1;
        let port = 20_000 + self.last_port;
        self.expected.insert(port, Rc::clone(moved));
        port
    }

    /// The server has agreed to meet at `port`.
    pub(crate) fn agree(&mut self, port: u16, moved: &Rc<Move>, passive: bool) {
        if let Some(old) = self.agreed.replace(port) {
            self.expected.remove(&old);
            self.conns.remove(&old);
        }
        self.begun = false;
        self.expected.insert(port, Rc::clone(moved));
        let at_once = matches!(moved.comes, Comes::AtOnce | Comes::Deaf);
        self.dial = Some(port).filter(|_| passive && at_once);
    }

    /// 150 was heard.
    pub(crate) fn begin(&mut self) {
        self.begun = true;
        if let Some(port) = self.agreed
            && port >= 40_000
            && !self.conns.contains_key(&port)
            && let Some(moved) = self.expected.get(&port)
            && moved.comes != Comes::Never
        {
            self.dial = Some(port);
        }
    }

    /// The transfer is answered: what went over its connection.
    pub(crate) fn finish(&mut self) -> Option<Conn> {
        let port = self.agreed.take()?;
        self.begun = false;
        self.dial = None;
        self.expected.remove(&port);
        self.live.take_if(|live| *live == port);
        self.conns.remove(&port)
    }

    /// Whether the server may connect to `port`.
    pub(crate) fn takes(&self, port: u16) -> bool {
        let plan = self.expected.get(&port);
        plan.is_none_or(|moved| moved.comes != Comes::Never)
    }

    pub(crate) fn may_dial(&self) -> bool {
        self.dial.is_some()
    }

    pub(crate) fn dialed(&mut self) -> Option<u16> {
        self.dial.take()
    }

    pub(crate) fn connected(&mut self, port: u16) {
        let Some(moved) = self.expected.get(&port) else {
            return;
        };
        self.live = Some(port);
        let conn = Conn {
            moved: Rc::clone(moved),
            wire: Vec::new(),
            put: 0,
            closed: false,
            resets: false,
            received: Vec::new(),
            ended: Ended::NotYet,
            padded: false,
        };
        self.conns.insert(port, conn);
    }

    /// The server has ended the one that is open.
    pub(crate) fn lost(&mut self, clean: bool) {
        let live = self.live.take();
        if let Some(conn) = live.and_then(|port| self.conns.get_mut(&port)) {
            conn.ended = if clean { Ended::Cleanly } else { Ended::Broken };
            conn.wire.clear();
        }
    }

    pub(crate) fn wire(&mut self) -> Option<&mut Vec<u8>> {
        self.conn_mut().map(|conn| &mut conn.wire)
    }

    pub(crate) fn has_sent(&self) -> bool {
        self.conn().is_some_and(|conn| !conn.wire.is_empty())
    }

    /// Bytes that came are read.
    pub(crate) fn reads(&self) -> bool {
        self.conn()
            .is_none_or(|conn| conn.moved.comes != Comes::Deaf)
    }

    /// The file is shorter than it was: what was sent in its place is no success.
    pub(crate) fn pad(&mut self) {
        if let Some(conn) = self.conn_mut() {
            conn.padded = true;
        }
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) {
        if let Some(conn) = self.conn_mut() {
            conn.received.extend_from_slice(bytes);
        }
    }

    /// The client has closed its end, and all it sent is on its way.
    pub(crate) fn is_closed(&self) -> bool {
        self.conn().is_some_and(|conn| conn.closed)
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.conn().is_some_and(|conn| conn.resets)
    }

    /// What is under way may wait for a client that does nothing.
    pub(crate) fn dallies(&self) -> bool {
        let idle = |moved: &Rc<Move>| matches!(moved.comes, Comes::Never | Comes::Deaf);
        self.expected.values().any(idle)
    }

    /// A way to meet is agreed on.
    pub(crate) fn is_agreed(&self) -> bool {
        self.agreed.is_some()
    }

    /// There is something to do on the connection.
    pub(crate) fn may_write(&self) -> bool {
        let Some(conn) = self.conn() else {
            return false;
        };
        if conn.closed || conn.resets || conn.wire.len() > 4096 {
            return false;
        }
        let moved = &conn.moved;
        if !moved.is_upload() {
            return moved
                .breaks
                .is_some_and(|(at, _)| at <= conn.received.len());
        }
        let waits = moved.comes == Comes::Asked && !self.begun;
        !waits && moved.comes != Comes::Deaf
    }

    pub(crate) fn write(&mut self, rng: &mut Rng) {
        let protected = self.protected;
        let Some(conn) = self.conn_mut() else {
            return;
        };
        let moved = Rc::clone(&conn.moved);
        match moved.breaks {
            Some((at, how)) if !moved.is_upload() || at <= conn.put => {
                // Within TLS an end that was not announced is a break. Downloads are broken off by a reset.
                conn.resets = how == How::Reset || protected || !moved.is_upload();
                conn.closed = !conn.resets;
                if conn.resets {
                    conn.wire.clear();
                }
            }
            _ if conn.put == moved.bytes.len() => conn.closed = true,
            breaks => {
                let end = breaks.map_or(moved.bytes.len(), |(at, _)| at.min(moved.bytes.len()));
                let rest = &moved.bytes[conn.put..end];
                let len = if rng.bool() {
                    rest.len().min(5000)
                } else {
                    rng.usize(1..=rest.len().clamp(1, 900))
                };
                let len = len.min(rest.len());
                conn.wire.extend_from_slice(&rest[..len]);
                conn.put += len;
            }
        }
    }

    fn conn(&self) -> Option<&Conn> {
        self.conns.get(&self.live?)
    }

    fn conn_mut(&mut self) -> Option<&mut Conn> {
        self.conns.get_mut(&self.live?)
    }
}
