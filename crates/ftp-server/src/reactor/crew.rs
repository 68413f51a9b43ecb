//! Several reactors as one server: the first accepts, and hands each connection to whoever has fewest.
//!
//! Nothing is shared and nothing locked: a connection goes out as a [`Guest`], and its end comes back
//! as a letter, so all counting is done by the one that accepts.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ftp_proto::session::Dialect;
use mio::net::TcpStream;

use super::Letter;
use super::listener::Cover;
use crate::pool::Mailbox;
use crate::session::SecondRules;

/// A connection on its way to the reactor that will serve it.
pub(crate) struct Guest {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) dialect: Box<dyn Dialect>,
    pub(super) cover: Cover,
    pub(super) second: Option<Arc<SecondRules>>,
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guest({})", self.peer)
    }
}

/// A connection that was handed out has ended.
#[derive(Debug)]
pub(crate) struct Left {
    /// Which mate had it.
    pub(super) mate: usize,
    /// Whose it was.
    pub(super) address: IpAddr,
}

/// Another reactor, as the one that accepts sees it.
pub(crate) struct Mate {
    mailbox: Arc<Mailbox<Letter>>,
    /// Connections it was given and has not ended.
    load: usize,
}

impl Mate {
    /// The reactor behind `mailbox`.
    pub(crate) fn new(mailbox: Arc<Mailbox<Letter>>) -> Self {
        Self { mailbox, load: 0 }
    }

    /// Hands a connection over.
    pub(super) fn send(&mut self, guest: Guest) {
        self.load += 1;
        self.mailbox.post(Letter::Guest(Box::new(guest)));
    }

    /// A connection of this mate has ended.
    pub(super) fn left(&mut self) {
        self.load = self.load.saturating_sub(1);
    }
}

/// The place of a reactor that does not accept: to whom it tells the ends of its sessions.
pub(crate) struct Desk {
    pub(super) mate: usize,
    pub(super) front: Arc<Mailbox<Letter>>,
}

impl Desk {
    /// The `mate`-th of those who serve for the reactor behind `front`.
    pub(crate) fn new(mate: usize, front: Arc<Mailbox<Letter>>) -> Self {
        Self { mate, front }
    }
}

/// Which of `mates` has fewer connections than the `own` of the one that accepts; the least loaded.
pub(super) fn least_loaded(mates: &mut [Mate], own: usize) -> Option<&mut Mate> {
    mates
        .iter_mut()
        .filter(|mate| mate.load < own)
        .min_by_key(|mate| mate.load)
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Token, Waker};

    use super::*;

    #[test]
    fn connections_go_to_the_least_loaded() {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        let mailbox = Arc::new(Mailbox::new(waker));
        let mut mates = [Mate::new(mailbox.clone()), Mate::new(mailbox)];
        assert!(
            least_loaded(&mut mates, 0).is_none(),
            "the one that accepts is as free"
        );
        mates[0].load = 1;
        assert_eq!(least_loaded(&mut mates, 1).unwrap().load, 0);
        mates[1].load = 3;
        assert_eq!(least_loaded(&mut mates, 2).unwrap().load, 1);
        assert!(least_loaded(&mut mates, 1).is_none());
        mates[0].left();
        mates[0].left();
        assert_eq!(mates[0].load, 0);
    }
}
