//! Who may come in: caps in all and per address, checked before anything is allocated.

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown};
use std::time::{Duration, Instant};

use ftp_access::address::Block;
use mio::net::TcpStream;

/// How long a refused connection is kept, so that its refusal arrives before the end.
const LEAVE_TIME: Duration = Duration::from_secs(1);
/// Most refused connections that are kept: fewer than the descriptors that are spared for files.
const LEAVING_MAX: usize = 8;
/// How long accepting rests when descriptors run out.
const REST_TIME: Duration = Duration::from_millis(50);

/// Counts and caps.
pub(super) struct Admission {
    max: usize,
    max_per_address: usize,
    live: usize,
    /// In IPv6 by /64: whoever has one has all of its addresses.
    per_address: HashMap<Block, usize>,
    leaving: VecDeque<(Instant, TcpStream)>,
    /// Accepting rests until then: descriptors ran out.
    rest_until: Option<Instant>,
}

impl Admission {
    pub(super) fn new(max: usize, max_per_address: usize) -> Self {
        Self {
            max,
            max_per_address,
            live: 0,
            per_address: HashMap::new(),
            leaving: VecDeque::new(),
            rest_until: None,
        }
    }

    /// Takes new caps over: who is in stays.
    pub(super) fn recap(&mut self, max: usize, max_per_address: usize) {
        self.max = max;
        self.max_per_address = max_per_address;
    }

    /// Whether another connection may be accepted at all.
    pub(super) fn has_room(&self) -> bool {
        self.live < self.max && self.rest_until.is_none()
    }

    /// Counts a connection of `address` in; `false` if it has too many.
    pub(super) fn enter(&mut self, address: IpAddr) -> bool {
        let count = self.per_address.entry(Block::of(address)).or_insert(0);
        if *count >= self.max_per_address {
            return false;
        }
        *count += 1;
        self.live += 1;
        true
    }

    /// Counts a connection in whose address is still to be told.
    pub(super) fn enter_unnamed(&mut self) {
        self.live += 1;
    }

    /// Counts one of those for the address that was told; out, and `false`, if that has too many.
    pub(super) fn name(&mut self, address: IpAddr) -> bool {
        self.leave_unnamed();
        self.enter(address)
    }

    /// Counts one of those out.
    pub(super) fn leave_unnamed(&mut self) {
        self.live = self.live.saturating_sub(1);
    }

    /// Counts a connection out.
    pub(super) fn leave(&mut self, address: IpAddr) {
        let block = Block::of(address);
        if let Some(count) = self.per_address.get_mut(&block) {
            self.live -= 1;
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&block);
            }
        }
    }

    /// Tells a connection to go away, as far as its socket takes the words at once.
    pub(super) fn turn_away(&mut self, mut stream: TcpStream, words: &[u8], now: Instant) {
        // Read first: unread bytes would turn the close into a reset that eats the words.
        let mut unread = [0; 512];
        while matches!(stream.read(&mut unread), Ok(len) if len == unread.len()) {}
        if stream.write(words).is_ok() && stream.shutdown(Shutdown::Write).is_ok() {
            if self.leaving.len() >= LEAVING_MAX {
                self.leaving.pop_front();
            }
            self.leaving.push_back((now + LEAVE_TIME, stream));
        }
    }

    /// Lets accepting rest.
    pub(super) fn rest(&mut self, now: Instant) {
        self.rest_until = Some(now + REST_TIME);
    }

    /// Ends what is due.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.rest_until.is_some_and(|at| at <= now) {
            self.rest_until = None;
        }
        while self.leaving.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, mut stream)) = self.leaving.pop_front() {
                let mut unread = [0; 4096];
                while matches!(stream.read(&mut unread), Ok(len) if len == unread.len()) {}
            }
        }
    }

    /// When `expire` has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.leaving
            .front()
            .map(|(at, _)| *at)
            .into_iter()
            .chain(self.rest_until)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_hold_and_come_back() {
        let mut admission = Admission::new(3, 2);
        let (a, b) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        assert!(admission.enter(a) && admission.enter(a));
        assert!(!admission.enter(a));
        assert!(admission.enter(b));
        admission.leave(a);
        assert!(admission.enter(a));
        assert!(!admission.has_room());
        admission.leave(b);
        assert!(admission.has_room());
    }

    #[test]
    fn a_site_has_the_connections_of_one_address() {
        let mut admission = Admission::new(9, 1);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(admission.enter(address("2001:db8::1")));
        assert!(!admission.enter(address("2001:db8::2")));
        assert!(admission.enter(address("2001:db8:0:1::1")));
        assert!(admission.enter(address("192.0.2.1")));
        assert!(!admission.enter(address("::ffff:192.0.2.1")));
        admission.leave(address("2001:db8::1"));
        assert!(admission.enter(address("2001:db8::2")));
    }

    #[test]
    fn new_caps_let_stay_who_is_in() {
        let mut admission = Admission::new(3, 3);
        let a = IpAddr::from([127, 0, 0, 1]);
        assert!(admission.enter(a) && admission.enter(a));
        admission.recap(1, 1);
        assert!(!admission.has_room() && !admission.enter(a));
        admission.leave(a);
        assert!(!admission.has_room());
        admission.recap(9, 2);
        assert!(admission.has_room() && admission.enter(a) && !admission.enter(a));
    }

    #[test]
    fn who_is_not_named_counts_in_all_and_then_by_name() {
        let mut admission = Admission::new(2, 1);
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        admission.enter_unnamed();
        admission.enter_unnamed();
        assert!(!admission.has_room());
        assert!(admission.name(a));
        assert!(!admission.has_room());
        assert!(!admission.name(a), "two of one address");
        assert!(admission.has_room(), "who was refused is out");
        admission.enter_unnamed();
        assert!(admission.name(b));
        admission.leave(a);
        admission.leave(b);
        admission.enter_unnamed();
        admission.leave_unnamed();
        assert_eq!((admission.live, admission.per_address.len()), (0, 0));
    }

    #[test]
    fn a_rest_ends() {
        let now = Instant::now();
        let mut admission = Admission::new(1, 1);
        admission.rest(now);
        assert!(!admission.has_room());
        let due = admission.deadline().unwrap();
        admission.expire(due);
        assert!(admission.has_room());
        assert_eq!(admission.deadline(), None);
    }
}
