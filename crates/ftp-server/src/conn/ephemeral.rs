//! The ports that the system gives to those who ask for any (`ip(7)`, `ip_local_port_range`), to choose from by chance.
//!
//! Keeps nothing of what was chosen. Reads two files of `/proc` once, at the start: never on a loop.

use std::fs;
use std::ops::RangeInclusive;

const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const RESERVED: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";

/// From one port to another, without those that the machine's owner keeps back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ephemeral {
    range: Option<(u16, u16)>,
    reserved: Vec<RangeInclusive<u16>>,
}

impl Ephemeral {
    /// As the system has them now; `None` if it does not tell. Blocks for the disk.
    #[allow(
        clippy::disallowed_methods,
        reason = "not files that are served, and no loop runs yet"
    )]
    pub(crate) fn of_system() -> Option<Self> {
        let range = fs::read_to_string(RANGE).ok()?;
        let reserved = fs::read_to_string(RESERVED).ok()?;
        let mut ends = range.split_whitespace().map(str::parse);
        let (Some(Ok(low)), Some(Ok(high)), None) = (ends.next(), ends.next(), ends.next()) else {
            return None;
        };
        Some(Self::of(low, high, &reserved))
    }

    /// These, but for those of a list such as `8080,9000-9010`.
    pub(super) fn of(low: u16, high: u16, reserved: &str) -> Self {
        let reserved = reserved.trim().split(',').filter_map(|part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            Some(from.parse().ok()?..=to.parse().ok()?)
        });
        Self {
            range: (1024 <= low && low <= high).then_some((low, high)),
            reserved: reserved.collect(),
        }
    }

    /// One of them; `None` where there are none, or chance fell upon one that is kept back.
    pub(super) fn choose(&self) -> Option<u16> {
        let (low, high) = self.range?;
        let port = fastrand::u16(low..=high);
        let kept = self.reserved.iter().any(|range| range.contains(&port));
        (!kept).then_some(port)
    }

    #[cfg(test)]
    pub(super) fn ends(&self) -> (u16, u16) {
        self.range.unwrap()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_systems_lists_are_read() {
        let found = Ephemeral::of(40_000, 40_003, "80,40001-40002,50000\n");
        let chosen = (0..200).filter_map(|_| found.choose());
        let chosen: BTreeSet<_> = chosen.collect();
        assert_eq!(Vec::from_iter(chosen), [40_000, 40_003]);
        assert_eq!(Ephemeral::of(40_000, 40_000, "\n").choose(), Some(40_000));
        assert!(Ephemeral::of_system().is_some());
    }

    #[test]
    fn what_makes_no_sense_gives_no_port() {
        for (low, high) in [(1, 80), (5_000, 4_000)] {
            assert_eq!(Ephemeral::of(low, high, "").choose(), None);
        }
        assert_eq!(Ephemeral::default().choose(), None);
    }
}
