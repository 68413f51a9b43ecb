//! The questions that wait: bounded in all and for each peer, and peers take turns.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use ftp_access::address::Block;

use super::Ask;

/// Most questions that wait.
const WAITING: usize = 1024;
/// Most questions of one peer that wait: a burst of connections fits, a flood does not.
const WAITING_OF_ONE: usize = 64;

/// Asks by peer, and whose turn it is.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Default)]
struct State {
    of: HashMap<Block, VecDeque<Ask>>,
    /// Each peer that has a question once, in the order of their turns.
    turns: VecDeque<Block>,
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
            state.turns.push_back(peer);
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
    fn next(&mut self) -> Option<Ask> {
        let peer = self.turns.pop_front()?;
        let own = self.of.get_mut(&peer)?;
        let ask = own.pop_front()?;
        self.len -= 1;
        if own.is_empty() {
            self.of.remove(&peer);
        } else {
            self.turns.push_back(peer);
        }
        Some(ask)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
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
