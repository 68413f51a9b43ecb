//! Counts: connections and transfers at a time, of each user and of each address.
//!
//! What is taken is a [`Ticket`], and is given back with it. An entry lives only as long as somebody holds one.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::address::Block;

/// Most entries; over it nothing more is taken.
pub const ENTRIES: usize = 1 << 20;

/// Whose.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// A user's, over all their sessions.
    User(Arc<str>),
    /// A peer's, whoever it is.
    Address(Block),
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A connection, from accept (address) or log-in (user) to its end.
    Connection,
    /// A transfer, from its first to its last byte.
    Transfer,
}

/// One that was taken. It goes back with [`Counts::give_back`]; a ticket that is dropped counts for ever.
#[derive(Debug)]
#[must_use = "to be given back"]
pub struct Ticket(Whose, What);

/// There are as many as may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Full {
    /// Of what.
    pub what: What,
    /// How many may be.
    pub cap: u32,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Connection => "connections",
            What::Transfer => "transfers",
        };
        write!(f, "too many {what} at a time: at most {}", self.cap)
    }
}

impl std::error::Error for Full {}

/// How many there are.
#[derive(Debug, Default)]
pub struct Counts {
    live: HashMap<(Whose, What), u32>,
}

impl Counts {
    /// Takes one, if there are fewer than `cap` (`None`: as many as they like).
    ///
    /// # Errors
    /// There are that many already.
    pub fn take(&mut self, whose: Whose, what: What, cap: Option<u32>) -> Result<Ticket, Full> {
        let cap = cap.unwrap_or(u32::MAX);
        let full = Full { what, cap };
        let key = (whose, what);
        let count = self.live.get(&key).copied().unwrap_or(0);
        if count >= cap || (count == 0 && self.live.len() >= ENTRIES) {
            return Err(full);
        }
        self.live.insert(key.clone(), count + 1);
        Ok(Ticket(key.0, what))
    }

    /// Gives one back.
    pub fn give_back(&mut self, ticket: Ticket) {
        let key = (ticket.0, ticket.1);
        if let Some(count) = self.live.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.live.remove(&key);
            }
        }
    }

    /// How many there are now.
    #[must_use]
    pub fn now(&self, whose: &Whose, what: What) -> u32 {
        let key = (whose.clone(), what);
        self.live.get(&key).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_hold_and_nothing_stays_behind() {
        let mut counts = Counts::default();
        let anna = || Whose::User("anna".into());
        let held: Vec<_> = (0..3)
            .map(|_| counts.take(anna(), What::Connection, Some(3)).unwrap())
            .collect();
        let full = counts.take(anna(), What::Connection, Some(3)).unwrap_err();
        assert_eq!(
            full.to_string(),
            "too many connections at a time: at most 3"
        );
        // Another count, another user, an address: each on its own.
        let transfer = counts.take(anna(), What::Transfer, Some(1)).unwrap();
        assert!(counts.take(anna(), What::Transfer, Some(1)).is_err());
        let block = Block::of("192.0.2.1".parse().unwrap());
        let address = counts.take(Whose::Address(block), What::Connection, None);
        assert_eq!(counts.now(&anna(), What::Connection), 3);
        // A cap that was lowered meanwhile cuts nobody, and lets nobody in.
        assert!(counts.take(anna(), What::Connection, Some(1)).is_err());
        for ticket in held.into_iter().chain([transfer, address.unwrap()]) {
            counts.give_back(ticket);
        }
        assert_eq!(counts.now(&anna(), What::Connection), 0);
        assert!(counts.live.is_empty());
        assert!(counts.take(anna(), What::Transfer, Some(0)).is_err());
        assert!(counts.live.is_empty());
    }

    #[test]
    fn any_order_of_taking_and_giving_keeps_the_sum() {
        for seed in 0..50 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut counts, mut held) = (Counts::default(), Vec::new());
            for _ in 0..500 {
                if rng.bool() {
                    let whose = Whose::User(format!("u{}", rng.u32(..4)).into());
                    let what = if rng.bool() {
                        What::Connection
                    } else {
                        What::Transfer
                    };
                    let before = counts.now(&whose, what);
                    let taken = counts.take(whose, what, Some(5));
                    assert_eq!(taken.is_ok(), before < 5);
                    held.extend(taken.ok());
                } else if !held.is_empty() {
                    counts.give_back(held.swap_remove(rng.usize(..held.len())));
                }
                let sum: u32 = counts.live.values().sum();
                assert_eq!(sum as usize, held.len());
            }
        }
    }
}
