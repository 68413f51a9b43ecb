//! The questions that wait: bounded in all and for each peer, and peers take turns. Who was let in before goes before
//! strangers, so that a flood of guesses, from however many addresses, does not hold up those who come every day.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use ftp_access::address::Block;

use super::Ask;

/// Most questions that wait.
const WAITING: usize = 1024;
/// Most questions of one peer that wait: a burst of connections fits, a flood does not.
const WAITING_OF_ONE: usize = 64;

/// Most peers that are remembered as let in; the oldest are forgotten.
const KNOWN: usize = 4096;
/// One turn in so many is for strangers, whoever else waits.
const STRANGERS_TURN: u32 = 4;

/// Asks by peer, and whose turn it is.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Default)]
struct State {
    of: HashMap<Block, VecDeque<Ask>>,
    /// Each stranger that has a question once, in the order of their turns.
    turns: VecDeque<Block>,
    /// The same for those who were let in before.
    known_turns: VecDeque<Block>,
    known: HashSet<Block>,
    /// Those, the one that was let in first in front.
    since: VecDeque<Block>,
    /// Turns since the last one of a stranger.
    passed: u32,
    len: usize,
    stopped: bool,
}

impl Queue {
    /// Takes a question, or gives it back if there is no room.
    pub(super) fn push(&self, ask: Ask) -> Option<Ask> {
        let mut state = self.lock();
        let peer = Block::of(ask.peer);
        let own = state.of.get(&peer).map_or(0, VecDeque::len);
        if state.stopped || state.len >= WAITING || own >= WAITING_OF_ONE {
            return Some(ask);
        }
        if own == 0 {
            state.line_up(peer);
        }
        state.of.entry(peer).or_default().push_back(ask);
        state.len += 1;
        drop(state);
        self.rung.notify_one();
        None
    }

    /// The next question, once there is one; `None` when it is time to stop.
    pub(super) fn pop(&self) -> Option<Ask> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(ask) = state.next() {
                return Some(ask);
            }
            let woken = self.rung.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A log-in from there was good (`welcome`), or was not.
    pub(super) fn remember(&self, peer: IpAddr, welcome: bool) {
        let mut state = self.lock();
        let peer = Block::of(peer);
        if welcome && state.known.insert(peer) {
            state.since.push_back(peer);
            if state.since.len() > KNOWN
                && let Some(oldest) = state.since.pop_front()
            {
                state.known.remove(&oldest);
            }
        } else if !welcome && state.known.remove(&peer) {
            state.since.retain(|known| *known != peer);
        }
    }

    /// What waits is dropped, and who waits goes home.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        *state = State {
            stopped: true,
            ..State::default()
        };
        drop(state);
        self.rung.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn line_up(&mut self, peer: Block) {
        if self.known.contains(&peer) {
            self.known_turns.push_back(peer);
        } else {
            self.turns.push_back(peer);
        }
    }

    fn next_peer(&mut self) -> Option<Block> {
        if self.passed + 1 < STRANGERS_TURN
            && let Some(peer) = self.known_turns.pop_front()
        {
            self.passed += 1;
            return Some(peer);
        }
        self.passed = 0;
        let stranger = self.turns.pop_front();
        stranger.or_else(|| self.known_turns.pop_front())
    }

    fn next(&mut self) -> Option<Ask> {
        let peer = self.next_peer()?;
        let own = self.of.get_mut(&peer)?;
        let ask = own.pop_front()?;
        self.len -= 1;
        if own.is_empty() {
            self.of.remove(&peer);
        } else {
            self.line_up(peer);
        }
        Some(ask)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Claim, Home, Ruling};
    use super::*;
    use crate::base::Key;

    struct Nowhere;

    impl Home for Nowhere {
        fn take(&self, _: Ruling) {}
    }

    fn ask(peer: [u8; 4]) -> Ask {
        Ask {
            key: Key::from_usize(1),
            peer: IpAddr::from(peer),
            claim: Claim::Certificate("x".into()),
            home: Arc::new(Nowhere),
        }
    }

    #[test]
    fn who_was_let_in_goes_before_strangers_but_not_always() {
        let queue = Queue::default();
        let (friend, of) = ([192, 0, 2, 9], |peer: [u8; 4]| IpAddr::from(peer));
        queue.remember(of(friend), true);
        for stranger in 0..100 {
            assert!(queue.push(ask([198, 51, 100, stranger])).is_none());
        }
        for _ in 0..4 {
            assert!(queue.push(ask(friend)).is_none());
        }
        let order: Vec<_> = (0..6)
            .map(|_| queue.pop().unwrap().peer == of(friend))
            .collect();
        assert_eq!(order, [true, true, true, false, true, false]);
        // A wrong password, and it is a stranger again.
        queue.remember(of(friend), false);
        assert!(queue.push(ask(friend)).is_none());
        assert_ne!(queue.pop().unwrap().peer, of(friend));
        for net in 0..=255 {
            for host in 0..=255 {
                queue.remember(of([203, 0, net, host]), true);
            }
        }
        let state = queue.lock();
        assert_eq!((state.known.len(), state.since.len()), (KNOWN, KNOWN));
    }

    #[test]
    fn peers_take_turns_and_a_flood_is_bounded() {
        let queue = Queue::default();
        let (flood, other) = ([192, 0, 2, 1], [192, 0, 2, 2]);
        for _ in 0..WAITING_OF_ONE {
            assert!(queue.push(ask(flood)).is_none());
        }
        assert!(queue.push(ask(flood)).is_some(), "no room for more of one");
        assert!(queue.push(ask(other)).is_none());
        let order: Vec<_> = (0..3).map(|_| queue.pop().unwrap().peer).collect();
        let of = |peer: [u8; 4]| IpAddr::from(peer);
        assert_eq!(order, [of(flood), of(other), of(flood)]);
        for net in 0..=255 {
            for host in 0..=255 {
                queue.push(ask([198, 51, net, host]));
            }
        }
        assert_eq!(queue.lock().len, WAITING);
        queue.stop();
        assert!(queue.pop().is_none() && queue.push(ask(other)).is_some());
    }
}
