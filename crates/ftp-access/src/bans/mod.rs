//! Bans against guessing: each offence adds to a peer's score, time takes away from it, and too high a score is a ban,
//! each twice as long as the one before.
//!
//! A wrong password is the only offence there is. Garbage and silence are none: a web page can have its visitors' browsers
//! send both to any port, and would so have them banned, and balancers and monitors connect and say nothing. Deadlines and caps
//! are what those meet.
//!
//! The score is kept as an instant: when it will have faded. So is all else, and there is no sweep: what has faded is the
//! first to go when the table is full. A banned peer's entry is worth most, so no crowd of fresh offenders drives
//! it out; only as many *banned* peers as the table holds could. [`state`] keeps bans on the disk.

pub mod state;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use ipnet::IpNet;

use crate::address::Block;

/// Most peers that are remembered, by default.
pub const PEERS: usize = 1 << 16;
/// Most doublings of a ban.
const DOUBLINGS: u32 = 31;
/// The longest time that any rule may name, so that no sum of instants overflows: a year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// The highest score that may be let pass.
const POINTS_MAX: u32 = 1_000_000;

/// The rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Who is never banned; asked first.
    pub allow: Vec<IpNet>,
    /// A score over this is a ban.
    pub points: u32,
    /// The time in which one point fades.
    pub fade: Duration,
    /// How long the first ban is.
    pub first: Duration,
    /// How long the longest is.
    pub longest: Duration,
    /// How long after a ban it still counts for the next one.
    pub memory: Duration,
    /// Most peers that are remembered.
    pub peers: usize,
}

impl Default for Policy {
    /// Ten wrong passwords at once, then one a minute; a minute's ban, up to a day, remembered for a day.
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            points: 10,
            fade: Duration::from_secs(60),
            first: Duration::from_secs(60),
            longest: Duration::from_secs(24 * 3600),
            memory: Duration::from_secs(24 * 3600),
            peers: PEERS,
        }
    }
}

/// A new ban, for a line in the log that other programs can act upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who.
    pub peer: Block,
    /// How long, from now.
    pub lasts: Duration,
    /// The how manieth ban in a row, from 1.
    pub strike: u32,
}

/// A ban in force, by the clock on the wall, so that it goes on after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub peer: Block,
    /// When it ends.
    pub until: SystemTime,
    /// The how manieth ban in a row, from 1.
    pub strike: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// When the score has faded.
    faded: Instant,
    /// When the ban ends, or ended.
    until: Option<Instant>,
    strikes: u32,
    /// When it may be forgotten with nothing lost: its place in `Bans::worth`.
    worth: Instant,
}

/// Who is banned.
#[derive(Debug, Default)]
pub struct Bans {
    policy: Policy,
    peers: HashMap<Block, Entry>,
    /// When each may be forgotten with nothing lost.
    worth: BTreeSet<(Instant, Block)>,
}

impl Bans {
    /// Nobody yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let mut bans = Self::default();
        bans.set_policy(policy);
        bans
    }

    /// Other rules from now on; bans go on as they were given, but for who is on the allow-list.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = Policy {
            points: policy.points.min(POINTS_MAX),
            fade: policy.fade.min(LONGEST),
            first: policy.first.min(LONGEST),
            longest: policy.longest.min(LONGEST),
            memory: policy.memory.min(LONGEST),
            ..policy
        };
    }

    /// How much longer a peer is banned; `None` if it is not.
    #[must_use]
    pub fn remaining(&self, peer: IpAddr, now: Instant) -> Option<Duration> {
        if self.is_allowed(peer) {
            return None;
        }
        let until = self.peers.get(&Block::of(peer))?.until?;
        until
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }

    /// Notes an offence, which is one point. A ban, if this was one too many; who is banned already gets no other.
    pub fn offend(&mut self, peer: IpAddr, now: Instant) -> Option<Ban> {
        if self.is_allowed(peer) || self.remaining(peer, now).is_some() {
            return None;
        }
        let block = Block::of(peer);
        let known = self.peers.get(&block).copied();
        if let Some(known) = &known {
            self.worth.remove(&(known.worth, block));
        }
        let mut entry = known.unwrap_or(Entry {
            faded: now,
            until: None,
            strikes: 0,
            worth: now,
        });
        let remembered = entry
            .until
            .is_some_and(|until| until + self.policy.memory > now);
        if !remembered {
            entry.strikes = 0;
        }
        entry.faded = entry.faded.max(now) + self.policy.fade;
        let mut ban = None;
        if entry.faded > now + self.policy.fade * self.policy.points {
            let doubled = 1_u32
                .checked_shl(entry.strikes.min(DOUBLINGS))
                .unwrap_or(u32::MAX);
            let lasts = self
                .policy
                .first
                .saturating_mul(doubled)
                .min(self.policy.longest);
            entry.strikes = entry.strikes.saturating_add(1);
            entry.until = Some(now + lasts);
            entry.faded = now;
            let strike = entry.strikes;
            ban = Some(Ban {
                peer: block,
                lasts,
                strike,
            });
        }
        self.insert(block, entry);
        ban
    }

    /// The bans in force.
    #[must_use]
    pub fn standing(&self, now: Instant, wall: SystemTime) -> Vec<Standing> {
        let standing = self.peers.iter().filter_map(|(peer, entry)| {
            let left = entry.until?.checked_duration_since(now)?;
            let until = wall.checked_add(left)?;
            (!left.is_zero()).then_some(Standing {
                peer: *peer,
                until,
                strike: entry.strikes,
            })
        });
        standing.collect()
    }

    /// Takes bans over that stood before a restart; says how many still do. None lasts longer from now on than the longest
    /// ban, wherever the clock on the wall was moved to.
    pub fn restore(&mut self, standing: &[Standing], now: Instant, wall: SystemTime) -> usize {
        let mut count = 0;
        for ban in standing {
            let Ok(left) = ban.until.duration_since(wall) else {
                continue;
            };
            let left = left.min(self.policy.longest);
            if left.is_zero() || self.peers.contains_key(&ban.peer) {
                continue;
            }
            let entry = Entry {
                faded: now,
                until: Some(now + left),
                strikes: ban.strike,
                worth: now,
            };
            self.insert(ban.peer, entry);
            count += 1;
        }
        count
    }

    /// Lifts a ban, and forgets the peer.
    pub fn pardon(&mut self, peer: IpAddr) {
        let block = Block::of(peer);
        if let Some(entry) = self.peers.remove(&block) {
            self.worth.remove(&(entry.worth, block));
        }
    }

    /// How many peers are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether nobody is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Remembers a peer, who is not remembered; who is worth least goes if there is no room.
    fn insert(&mut self, peer: Block, mut entry: Entry) {
        entry.worth = match entry.until {
            Some(until) => entry.faded.max(until + self.policy.memory),
            None => entry.faded,
        };
        self.worth.insert((entry.worth, peer));
        self.peers.insert(peer, entry);
        while self.peers.len() > self.policy.peers.max(1) {
            match self.worth.pop_first() {
                Some((_, least)) => self.peers.remove(&least),
                None => break,
            };
        }
    }

    fn is_allowed(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.policy
            .allow
            .iter()
            .any(|network| network.contains(&peer))
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test begins at some instant")]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy() -> Policy {
        Policy {
            points: 3,
            fade: 10 * SECOND,
            first: 60 * SECOND,
            longest: 200 * SECOND,
            memory: 1000 * SECOND,
            ..Policy::default()
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn nth(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + n).into()
    }

    /// Offends until there is a ban.
    fn banned(bans: &mut Bans, peer: IpAddr, now: Instant) -> Ban {
        (0..100)
            .find_map(|_| bans.offend(peer, now))
            .expect("never banned")
    }

    #[test]
    fn bans_come_with_the_score_and_double_up_to_the_longest() {
        let (mut bans, peer) = (Bans::new(policy()), ip("192.0.2.1"));
        let mut now = Instant::now();
        for n in 0..3 {
            assert_eq!(bans.offend(peer, now), None, "{n}");
        }
        for (strike, lasts) in [(1, 60), (2, 120), (3, 200), (4, 200)] {
            let ban = banned(&mut bans, peer, now);
            assert_eq!((ban.strike, ban.lasts), (strike, lasts * SECOND));
            assert_eq!(bans.remaining(peer, now), Some(ban.lasts));
            // While it lasts, nothing makes it longer.
            assert_eq!(bans.offend(peer, now + SECOND), None);
            now += ban.lasts;
            assert_eq!(bans.remaining(peer, now), None);
        }
        // After long enough it begins anew.
        now += 1001 * SECOND;
        assert_eq!(banned(&mut bans, peer, now).strike, 1);
        bans.pardon(peer);
        assert!(bans.remaining(peer, now).is_none() && bans.is_empty() && bans.worth.is_empty());
    }

    #[test]
    fn a_ban_goes_on_after_a_restart_and_no_clock_makes_it_longer() {
        let (mut bans, peer) = (Bans::new(policy()), ip("2001:db8::1"));
        let (now, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + 1_000_000 * SECOND);
        banned(&mut bans, peer, now);
        bans.offend(ip("192.0.2.2"), now);
        let (now, wall) = (now + 20 * SECOND, wall + 20 * SECOND);
        let standing = bans.standing(now, wall);
        assert_eq!(standing.len(), 1, "a score is no ban: {standing:?}");
        let after = |wall: SystemTime| {
            let mut bans = Bans::new(policy());
            let count = bans.restore(&standing, now, wall);
            assert_eq!((count, bans.worth.len()), (bans.len(), bans.len()));
            (bans.remaining(ip("2001:db8::ffff"), now), bans)
        };
        assert_eq!(after(wall).0, Some(40 * SECOND));
        assert_eq!(after(wall + 39 * SECOND).0, Some(SECOND));
        assert_eq!(after(wall + 40 * SECOND).0, None);
        // The clock was set back: no longer than the longest.
        assert_eq!(after(wall - 500_000 * SECOND).0, Some(200 * SECOND));
        // It counts for the next one.
        let (_, mut bans) = after(wall);
        assert_eq!(bans.standing(now, wall), standing);
        assert_eq!(banned(&mut bans, peer, now + 41 * SECOND).strike, 2);
        assert_eq!(bans.standing(now + 200 * SECOND, wall), []);
        // The allow-list comes first, and there is room for so many only.
        let allow = vec!["2001:db8::/32".parse().unwrap()];
        let mut bans = Bans::new(Policy { allow, ..policy() });
        bans.restore(&standing, now, wall);
        assert_eq!(bans.remaining(peer, now), None);
        let many: Vec<_> = (0..50)
            .map(|n| Standing {
                peer: Block::of(nth(n)),
                ..standing[0]
            })
            .collect();
        let mut bans = Bans::new(Policy {
            peers: 10,
            ..policy()
        });
        bans.restore(&many, now, wall);
        assert_eq!((bans.len(), bans.worth.len()), (10, 10));
    }

    #[test]
    fn slow_mistakes_are_forgiven() {
        let (mut bans, peer) = (Bans::new(policy()), ip("192.0.2.1"));
        let mut now = Instant::now();
        for _ in 0..1000 {
            assert_eq!(bans.offend(peer, now), None);
            now += 10 * SECOND;
        }
    }

    #[test]
    fn a_site_is_banned_as_one_and_the_allow_list_comes_first() {
        let allow = vec![
            "10.0.0.0/8".parse().unwrap(),
            "2001:db8:7::/48".parse().unwrap(),
        ];
        let mut bans = Bans::new(Policy { allow, ..policy() });
        let now = Instant::now();
        banned(&mut bans, ip("2001:db8::1"), now);
        assert!(bans.remaining(ip("2001:db8::ffff"), now).is_some());
        assert!(bans.remaining(ip("2001:db8:0:1::1"), now).is_none());
        for friend in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8:7::1"] {
            for _ in 0..100 {
                assert_eq!(bans.offend(ip(friend), now), None);
            }
        }
        assert_eq!(bans.len(), 1);
        // Who comes onto the list later is free at once.
        let allow = vec!["2001:db8::/64".parse().unwrap()];
        bans.set_policy(Policy { allow, ..policy() });
        assert!(bans.remaining(ip("2001:db8::1"), now).is_none());
    }

    #[test]
    fn a_crowd_of_fresh_offenders_drives_no_banned_one_out() {
        let peers = 100;
        let mut bans = Bans::new(Policy { peers, ..policy() });
        let now = Instant::now();
        for n in 0..50 {
            banned(&mut bans, nth(n), now);
        }
        for n in 1000..100_000 {
            bans.offend(nth(n), now + SECOND);
            assert!(bans.len() <= peers && bans.worth.len() == bans.len());
        }
        for n in 0..50 {
            assert!(bans.remaining(nth(n), now + SECOND).is_some(), "{n}");
        }
    }
}
