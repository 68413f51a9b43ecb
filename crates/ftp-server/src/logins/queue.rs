//! The questions that wait: bounded in all and for each peer, and peers take turns. Who was let in before goes before
//! strangers and has a seat that no stranger takes, so that a flood of guesses, from however many addresses, does not hold up those
//! who come every day.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ftp_access::address::Block;

use super::Ask;

/// Most questions that wait.
const WAITING: usize = 1024;
/// Those let in before may ask when so many more wait: strangers alone do not fill it up.
const WAITING_OF_KNOWN: usize = 256;
/// Most questions of one peer that wait: a burst of connections fits, a flood does not.
const WAITING_OF_ONE: usize = 64;

/// Most peers that are remembered as let in; the oldest are forgotten.
const KNOWN: usize = 4096;
/// One turn in so many of the common seats is for strangers, whoever else waits.
const STRANGERS_TURN: u32 = 4;

/// Whom a thread works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// Anybody. There may be several.
    Common,
    /// Those who were let in before. There is one at most.
    Reserved,
}

/// What a thread has to do next.
pub(super) enum Next {
    Check(Ask),
    /// Nobody came for as long as it would wait.
    Rest,
    Stop,
}

/// Asks by peer, and whose turn it is.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Wakes the common seats.
    rung: Condvar,
    /// Wakes the reserved one.
    known_rung: Condvar,
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
    /// Turns of the common seats since the last one of a stranger.
    passed: u32,
    /// The thread of the reserved seat waits to be called.
    free: bool,
    len: usize,
    stopped: bool,
}

impl Queue {
    /// Takes a question, or gives it back if there is no room.
    pub(super) fn push(&self, ask: Ask) -> Option<Ask> {
        let mut state = self.lock();
        let peer = Block::of(ask.peer);
        let own = state.of.get(&peer).map_or(0, VecDeque::len);
        let room = match state.known.contains(&peer) {
            true => WAITING + WAITING_OF_KNOWN,
            false => WAITING,
        };
        if state.stopped || state.len >= room || own >= WAITING_OF_ONE {
            return Some(ask);
        }
        if own == 0 {
            state.line_up(peer);
        }
        state.of.entry(peer).or_default().push_back(ask);
        state.len += 1;
        self.ring(&state);
        None
    }

    /// The next question for that seat, once there is one. With `patience` it is waited for no longer than that.
    pub(super) fn pop(&self, seat: Seat, patience: Option<Duration>) -> Next {
        let bell = match seat {
            Seat::Common => &self.rung,
            Seat::Reserved => &self.known_rung,
        };
        let mut state = self.lock();
        let mut late = false;
        loop {
            if state.stopped {
                return Next::Stop;
            }
            if seat == Seat::Reserved {
                state.free = false;
            }
            if let Some(ask) = state.next(seat) {
                // Its peer may have more, which another seat can take.
                self.ring(&state);
                return Next::Check(ask);
            }
            if late {
                return Next::Rest;
            }
            if seat == Seat::Reserved {
                state.free = true;
            }
            (state, late) = wait(bell, state, patience);
        }
    }

    /// A log-in from there was good (`welcome`), or was not.
    pub(super) fn remember(&self, peer: IpAddr, welcome: bool) {
        let mut state = self.lock();
        let peer = Block::of(peer);
        if welcome && state.known.insert(peer) {
            state.since.push_back(peer);
            state.line_up_anew(peer);
            if state.since.len() > KNOWN
                && let Some(oldest) = state.since.pop_front()
            {
                state.known.remove(&oldest);
                state.line_up_anew(oldest);
            }
        } else if !welcome && state.known.remove(&peer) {
            state.since.retain(|known| *known != peer);
            state.line_up_anew(peer);
        }
        self.ring(&state);
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
        self.known_rung.notify_all();
    }

    /// Calls a thread to each seat that has something to do. The common ones leave the first of the known to the reserved one.
    fn ring(&self, state: &State) {
        if state.free && !state.known_turns.is_empty() {
            self.known_rung.notify_one();
        }
        if state.shared() > 0 || !state.turns.is_empty() {
            self.rung.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the bell; says whether it was in vain.
fn wait<'a>(
    bell: &Condvar,
    state: MutexGuard<'a, State>,
    patience: Option<Duration>,
) -> (MutexGuard<'a, State>, bool) {
    let Some(patience) = patience else {
        let woken = bell.wait(state);
        return (woken.unwrap_or_else(PoisonError::into_inner), false);
    };
    let woken = bell.wait_timeout(state, patience);
    let (state, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
    (state, timeout.timed_out())
}

impl State {
    fn line_up(&mut self, peer: Block) {
        if self.known.contains(&peer) {
            self.known_turns.push_back(peer);
        } else {
            self.turns.push_back(peer);
        }
    }

    /// What waits of a peer waits where it belongs now.
    fn line_up_anew(&mut self, peer: Block) {
        if self.of.contains_key(&peer) {
            self.turns.retain(|other| *other != peer);
            self.known_turns.retain(|other| *other != peer);
            self.line_up(peer);
        }
    }

    /// Turns of the known that the common seats may take: whoever sits at the reserved one and does nothing has the first.
    fn shared(&self) -> usize {
        self.known_turns
            .len()
            .saturating_sub(usize::from(self.free))
    }

    fn next_peer(&mut self, seat: Seat) -> Option<Block> {
        if seat == Seat::Reserved {
            return self.known_turns.pop_front();
        }
        let known = self.shared() > 0;
        if known && self.passed + 1 < STRANGERS_TURN {
            self.passed += 1;
            return self.known_turns.pop_front();
        }
        self.passed = 0;
        let stranger = self.turns.pop_front();
        if stranger.is_none() && known {
            return self.known_turns.pop_front();
        }
        stranger
    }

    fn next(&mut self, seat: Seat) -> Option<Ask> {
        let peer = self.next_peer(seat)?;
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

    fn of(peer: [u8; 4]) -> IpAddr {
        IpAddr::from(peer)
    }

    /// Who is next at that seat, without waiting.
    fn at(queue: &Queue, seat: Seat) -> Option<IpAddr> {
        match queue.pop(seat, Some(Duration::ZERO)) {
            Next::Check(ask) => Some(ask.peer),
            Next::Rest | Next::Stop => None,
        }
    }

    #[test]
    fn who_was_let_in_goes_before_strangers_but_not_always() {
        let queue = Queue::default();
        let friend = [192, 0, 2, 9];
        queue.remember(of(friend), true);
        for stranger in 0..100 {
            assert!(queue.push(ask([198, 51, 100, stranger])).is_none());
        }
        for _ in 0..4 {
            assert!(queue.push(ask(friend)).is_none());
        }
        let order: Vec<_> = (0..6)
            .map(|_| at(&queue, Seat::Common) == Some(of(friend)))
            .collect();
        assert_eq!(order, [true, true, true, false, true, false]);
        // A wrong password, and it is a stranger again.
        queue.remember(of(friend), false);
        assert!(queue.push(ask(friend)).is_none());
        assert_ne!(at(&queue, Seat::Common), Some(of(friend)));
        for net in 0..=255 {
            for host in 0..=255 {
                queue.remember(of([203, 0, net, host]), true);
            }
        }
        let state = queue.lock();
        assert_eq!((state.known.len(), state.since.len()), (KNOWN, KNOWN));
    }

    #[test]
    fn the_reserved_seat_is_no_strangers() {
        let queue = Queue::default();
        let (friend, stranger) = ([192, 0, 2, 9], [198, 51, 100, 1]);
        assert!(queue.push(ask(stranger)).is_none());
        assert_eq!(at(&queue, Seat::Reserved), None);
        queue.remember(of(friend), true);
        for _ in 0..4 {
            assert!(queue.push(ask(friend)).is_none());
        }
        assert_eq!(at(&queue, Seat::Reserved), Some(of(friend)));
        // What waits of a peer that is not known any more is a stranger's, and the other way round.
        queue.remember(of(friend), false);
        assert_eq!(at(&queue, Seat::Reserved), None);
        queue.remember(of(stranger), true);
        assert_eq!(at(&queue, Seat::Reserved), Some(of(stranger)));
        assert_eq!(at(&queue, Seat::Common), Some(of(friend)));
    }

    #[test]
    fn the_common_seats_leave_one_of_the_known_to_the_reserved_one_while_it_is_free() {
        let queue = Queue::default();
        let (first, second) = ([192, 0, 2, 1], [192, 0, 2, 2]);
        for peer in [first, second] {
            queue.remember(of(peer), true);
        }
        assert_eq!(at(&queue, Seat::Reserved), None);
        queue.lock().free = true;
        assert!(queue.push(ask(first)).is_none());
        assert_eq!(at(&queue, Seat::Common), None);
        assert!(queue.push(ask(second)).is_none());
        assert_eq!(at(&queue, Seat::Common), Some(of(first)));
        assert_eq!(at(&queue, Seat::Common), None);
        assert_eq!(at(&queue, Seat::Reserved), Some(of(second)));
        // From now on it is busy.
        assert!(queue.push(ask(first)).is_none());
        assert_eq!(at(&queue, Seat::Common), Some(of(first)));
    }

    /// Whoever sleeps is called to what it may take, and to nothing else: three questions of one peer, three threads.
    #[test]
    fn a_burst_of_one_who_was_let_in_has_all_seats_and_one_of_a_stranger_the_common_ones() {
        let queue = Queue::default();
        let (friend, stranger) = ([192, 0, 2, 9], [198, 51, 100, 1]);
        queue.remember(of(friend), true);
        let (tell, told) = std::sync::mpsc::channel();
        let take = |seat| {
            let (queue, tell) = (&queue, tell.clone());
            move || {
                if let Next::Check(ask) = queue.pop(seat, None) {
                    tell.send((seat, ask.peer)).unwrap();
                }
            }
        };
        let heard = || told.recv_timeout(Duration::from_secs(30)).unwrap();
        std::thread::scope(|scope| {
            for seat in [Seat::Common, Seat::Common, Seat::Reserved] {
                scope.spawn(take(seat));
            }
            for _ in 0..3 {
                assert!(queue.push(ask(friend)).is_none());
            }
            let mut seats: Vec<_> = (0..3).map(|_| heard()).map(|(seat, _)| seat).collect();
            seats.sort_by_key(|seat| *seat == Seat::Reserved);
            assert_eq!(seats, [Seat::Common, Seat::Common, Seat::Reserved]);
            for seat in [Seat::Common, Seat::Common, Seat::Reserved] {
                scope.spawn(take(seat));
            }
            for _ in 0..3 {
                assert!(queue.push(ask(stranger)).is_none());
            }
            for _ in 0..2 {
                assert_eq!(heard(), (Seat::Common, of(stranger)));
            }
            assert!(queue.push(ask(friend)).is_none());
            assert_eq!(heard(), (Seat::Reserved, of(friend)));
            queue.stop();
        });
    }

    #[test]
    fn peers_take_turns_and_a_flood_is_bounded() {
        let queue = Queue::default();
        let (flood, other, friend) = ([192, 0, 2, 1], [192, 0, 2, 2], [192, 0, 2, 9]);
        for _ in 0..WAITING_OF_ONE {
            assert!(queue.push(ask(flood)).is_none());
        }
        assert!(queue.push(ask(flood)).is_some(), "no room for more of one");
        assert!(queue.push(ask(other)).is_none());
        let order: Vec<_> = (0..3).map(|_| at(&queue, Seat::Common)).collect();
        assert_eq!(order, [flood, other, flood].map(|peer| Some(of(peer))));
        for net in 0..=255 {
            for host in 0..=255 {
                queue.push(ask([198, 51, net, host]));
            }
        }
        assert_eq!(queue.lock().len, WAITING);
        // Who was let in before still finds room, and it has a bound too.
        queue.remember(of(friend), true);
        assert!(queue.push(ask(friend)).is_none());
        for host in 10..=255 {
            queue.remember(of([192, 0, 2, host]), true);
            for _ in 0..2 {
                queue.push(ask([192, 0, 2, host]));
            }
        }
        assert_eq!(queue.lock().len, WAITING + WAITING_OF_KNOWN);
        queue.stop();
        assert!(at(&queue, Seat::Common).is_none() && queue.push(ask(other)).is_some());
    }
}
