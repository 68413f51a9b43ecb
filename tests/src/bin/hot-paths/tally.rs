//! What `strace -c` says, as numbers.

use std::collections::BTreeMap;

/// How often each system call was made, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally(BTreeMap<String, u64>);

impl Tally {
    /// Reads a table; `None` while it is not whole.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut calls = BTreeMap::new();
        let mut sum = 0;
        for line in text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            // % time, seconds, usecs/call, calls, errors (may be absent), syscall.
            let [_, _, _, count, .., name] = words.as_slice() else {
                continue;
            };
            let Ok(count) = count.parse::<u64>() else {
                continue;
            };
            if *name == "total" {
                return (count == sum).then_some(Self(calls));
            }
            sum += count;
            calls.insert((*name).to_owned(), count);
        }
        None
    }

    /// Without the calls that `other` made too.
    pub(crate) fn less(mut self, other: &Self) -> Self {
        for (name, count) in &mut self.0 {
            *count = count.saturating_sub(other.0.get(name).copied().unwrap_or(0));
        }
        self
    }

    /// All calls.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The calls that are made most, most first.
    pub(crate) fn most(&self, names: usize) -> Vec<(&str, u64)> {
        let mut calls: Vec<_> = self.0.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        calls.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        calls.truncate(names);
        calls.retain(|(_, count)| *count > 0);
        calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "strace: Process 7 attached
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.600000           6      1000           write
 40.00    0.400000           8       500        17 openat2
------ ----------- ----------- --------- --------- ----------------
100.00    1.000000           6      1500        17 total
";

    #[test]
    fn a_whole_table_is_read() {
        let tally = Tally::parse(TABLE).unwrap();
        assert_eq!(tally.total(), 1500);
        assert_eq!(tally.most(1), [("write", 1000)]);
        let less = Tally::parse(&TABLE.replace("1500 ", "1100 ").replace("1000  ", "600  "));
        let rest = tally.less(&less.unwrap());
        assert_eq!(rest.most(9), [("write", 400)]);
    }

    #[test]
    fn half_a_table_is_none() {
        for end in 0..TABLE.len() - 1 {
            assert_eq!(Tally::parse(&TABLE[..end]), None, "{end}");
        }
        assert_eq!(Tally::parse(&TABLE.replace("1500", "1499")), None);
    }
}
