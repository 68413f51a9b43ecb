//! `Run`: what one reading of a folder found, sorted; as much of it as its bound allows.

use std::os::fd::AsFd;
use std::time::Duration;

use ftp_proto::path::check_name;
use rustix::fs::RawDir;
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::AGE;

/// For `getdents64(2)`.
const NAME_BUFFER: usize = 128 * 1024;

/// The names that one reading found behind a cursor, sorted.
pub(crate) struct Run {
    names: Names,
    /// Only names behind this one were read.
    after: Option<String>,
    /// There are no more behind its last name.
    whole: bool,
    /// When its reading began, since the machine started.
    read: Duration,
}

impl Run {
    /// Reads the names behind `after`: the first ones, as many as `bytes` hold and at least `least`.
    pub(super) fn read(
        dir: impl AsFd,
        after: Option<&str>,
        least: usize,
        bytes: usize,
    ) -> Result<Self, Errno> {
        let read = clock();
        let mut first = First::new(least, bytes);
        let mut buffer: Vec<u8> = Vec::with_capacity(NAME_BUFFER);
        let mut entries = RawDir::new(dir, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = match entry {
                // The folder was removed while it was read.
                Err(Errno::NOENT) => break,
                other => other?,
            };
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if after.is_none_or(|after| name > after) && check_name(name).is_ok() {
                first.offer(name);
            }
        }
        let whole = first.ceiling.is_none();
        Ok(Self {
            names: first.names.sorted(),
            after: after.map(str::to_owned),
            whole,
            read,
        })
    }

    #[cfg(test)]
    pub(super) fn of(names: Names, read: Duration) -> Self {
        Self {
            names,
            after: None,
            whole: true,
            read,
        }
    }

    /// When its reading began, since the machine started.
    pub(super) fn read_at(&self) -> Duration {
        self.read
    }

    /// Its names behind `after`, sorted.
    pub(crate) fn names(&self, after: Option<&str>) -> impl Iterator<Item = &str> {
        let names = &self.names;
        let from = after.map_or(0, |after| {
            names
                .spans
                .partition_point(|span| names.name(*span) <= after)
        });
        names.spans.iter().skip(from).map(|span| names.name(*span))
    }

    /// The last of its names.
    pub(crate) fn last(&self) -> Option<&str> {
        self.names.last()
    }

    /// Whether there are no more names behind its last one.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether it has names behind `cursor`, and all up to its last one.
    pub(super) fn covers(&self, cursor: &str) -> bool {
        self.after.as_deref().is_none_or(|after| after <= cursor)
            && self.last().is_some_and(|last| last > cursor)
    }

    pub(super) fn is_old(&self, now: Duration) -> bool {
        now.saturating_sub(self.read) > AGE
    }

    pub(super) fn bytes(&self) -> usize {
        self.names.bytes()
    }
}

/// The first of the names that are offered.
struct First {
    names: Names,
    /// This one and those behind it are left out.
    ceiling: Option<String>,
    least: usize,
    bytes: usize,
}

impl First {
    fn new(least: usize, bytes: usize) -> Self {
        Self {
            names: Names::default(),
            ceiling: None,
            least: least.max(1),
            bytes,
        }
    }

    fn offer(&mut self, name: &str) {
        if self
            .ceiling
            .as_deref()
            .is_some_and(|ceiling| name >= ceiling)
        {
            return;
        }
        self.names.push(name);
        // So far over the bound that cutting is rare.
        let many = self.names.spans.len() >= self.least.saturating_mul(2);
        if many && self.names.bytes() >= self.bytes.saturating_add(self.bytes / 2) {
            let keep = (self.names.spans.len() / 3 * 2).max(self.least);
            if let Some(next) = self.names.cut(keep) {
                self.ceiling = Some(next);
            }
        }
    }
}

/// Names in one text.
#[derive(Default)]
pub(super) struct Names {
    text: String,
    spans: Vec<Span>,
}

/// Where a name stands in the text.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

impl Names {
    pub(super) fn push(&mut self, name: &str) {
        // The bounds of a run are far below.
        let place = |number| u32::try_from(number).unwrap_or(u32::MAX);
        self.spans.push(Span {
            start: place(self.text.len()),
            len: place(name.len()),
        });
        self.text.push_str(name);
    }

    fn name(&self, span: Span) -> &str {
        let start = span.start as usize;
        let end = start.saturating_add(span.len as usize);
        self.text.get(start..end).unwrap_or_default()
    }

    fn last(&self) -> Option<&str> {
        self.spans.last().map(|span| self.name(*span))
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.spans.len() * size_of::<Span>()
    }

    /// Leaves the first `keep` names, in any order, and returns the one behind them.
    fn cut(&mut self, keep: usize) -> Option<String> {
        if keep >= self.spans.len() {
            return None;
        }
        let mut spans = std::mem::take(&mut self.spans);
        let order = |a: &Span, b: &Span| self.name(*a).cmp(self.name(*b));
        let (kept, next, _) = spans.select_nth_unstable_by(keep, order);
        let mut left = Self::default();
        for span in kept {
            left.push(self.name(*span));
        }
        let ceiling = self.name(*next).to_owned();
        *self = left;
        Some(ceiling)
    }

    /// In order, and each once.
    fn sorted(mut self) -> Self {
        // The names of a large folder mostly begin alike; what comes then decides without a look at the text.
        let shared = self.shared_prefix();
        let key = |span: &Span| {
            let rest = self.name(*span).as_bytes().get(shared..);
            let mut key = [0; 8];
            for (to, from) in key.iter_mut().zip(rest.unwrap_or_default()) {
                *to = *from;
            }
            u64::from_be_bytes(key)
        };
        let mut keyed: Vec<(u64, Span)> =
            self.spans.iter().map(|span| (key(span), *span)).collect();
        keyed.sort_unstable_by(|(a, left), (b, right)| {
            let names = || self.name(*left).cmp(self.name(*right));
            a.cmp(b).then_with(names)
        });
        // A name that is moved may be read twice.
        keyed.dedup_by(|(a, left), (b, right)| a == b && self.name(*left) == self.name(*right));
        self.spans = keyed.into_iter().map(|(_, span)| span).collect();
        self.spans.shrink_to_fit();
        self.text.shrink_to_fit();
        self
    }

    /// How many bytes all names begin with.
    fn shared_prefix(&self) -> usize {
        let Some((first, rest)) = self.spans.split_first() else {
            return 0;
        };
        let first = self.name(*first).as_bytes();
        rest.iter().fold(first.len(), |shared, span| {
            let name = self.name(*span).as_bytes();
            let pairs = first.iter().take(shared).zip(name);
            pairs.take_while(|(a, b)| a == b).count()
        })
    }
}

/// Of the machine, fine enough to tell which of two readings began first.
pub(super) fn clock() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

#[cfg(test)]
mod tests {
    use rustix::fs::CWD;

    use super::*;
    use crate::jail::child;
    use crate::sys;
    use crate::temp::file_mode;

    #[test]
    fn a_run_is_sorted_and_bounded_and_the_next_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let mut want: Vec<String> = (0..1_000)
            .map(|n| format!("shared-prefix-{:05}", n * 7_919 % 1_000))
            .chain(["a", "z", "shared"].map(str::to_owned))
            .collect();
        let dir = child(CWD, root.path()).unwrap();
        for name in &want {
            sys::create(&dir, name, file_mode()).unwrap();
        }
        want.sort();
        for (least, bytes) in [(1, 0), (10, 0), (7, 3_000), (2_000, 0), (1, 1 << 20)] {
            let mut got: Vec<String> = Vec::new();
            loop {
                let dir = child(CWD, root.path()).unwrap();
                let after = got.last().cloned();
                let run = Run::read(dir, after.as_deref(), least, bytes).unwrap();
                let most = (bytes * 2).max(2 * least * 27);
                assert!(run.bytes() <= most, "{} of {most}", run.bytes());
                let names: Vec<_> = run.names(None).map(str::to_owned).collect();
                assert!(run.is_whole() || names.len() >= least);
                got.extend(names);
                if run.is_whole() {
                    break;
                }
            }
            assert_eq!(got, want, "{least} {bytes}");
        }
    }

    #[test]
    fn a_name_that_is_read_twice_is_there_once() {
        let mut first = First::new(1, 1_000);
        for name in ["b", "a", "b", "b\u{1}", "", "a"] {
            first.offer(name);
        }
        let names = first.names.sorted();
        let found: Vec<_> = names.spans.iter().map(|span| names.name(*span)).collect();
        assert_eq!(found, ["", "a", "b", "b\u{1}"]);
    }
}
