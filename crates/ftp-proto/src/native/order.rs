//! Barriers: which requests may be under way together, so that all effects are as if in order.
//!
//! Readers run together. Uploads run together where neither path is the other's or leads to it.
//! Whatever else changes the disk runs alone. Names are compared as text: two names of one folder
//! (through a symbolic link) count as different.

use std::collections::{BTreeSet, HashMap};

use crate::VPath;

/// What a request does to the disk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Class<'a> {
    /// Reads only.
    Read,
    /// Replaces one file.
    Put(&'a VPath),
    /// Changes names.
    Alone,
}

/// The requests under way on the disk: begun, and not all of their outcomes known.
#[derive(Debug, Default)]
pub(super) struct Order {
    works: HashMap<u64, Work>,
    reads: usize,
    alone: usize,
    puts: BTreeSet<String>,
}

#[derive(Debug)]
struct Work {
    kind: Kind,
    /// Operations asked and not yet done.
    jobs: u32,
    /// No more will be asked.
    over: bool,
}

#[derive(Debug)]
enum Kind {
    Read,
    Put(String),
    Alone,
}

impl Order {
    /// Whether a request of this class may begin now.
    pub(super) fn admits(&self, class: Class<'_>) -> bool {
        match class {
            Class::Read => self.alone == 0 && self.puts.is_empty(),
            Class::Put(path) => self.alone == 0 && self.reads == 0 && !self.overlaps(path.as_str()),
            Class::Alone => self.works.is_empty(),
        }
    }

    /// A request begins.
    pub(super) fn begin(&mut self, seq: u64, class: Class<'_>) {
        let kind = match class {
            Class::Read => {
                self.reads += 1;
                Kind::Read
            }
            Class::Put(path) => {
                let path = path.as_str().to_owned();
                self.puts.insert(path.clone());
                Kind::Put(path)
            }
            Class::Alone => {
                self.alone += 1;
                Kind::Alone
            }
        };
        let work = Work {
            kind,
            jobs: 0,
            over: false,
        };
        self.works.insert(seq, work);
    }

    /// An operation was asked for it.
    pub(super) fn asked(&mut self, seq: u64) {
        if let Some(work) = self.works.get_mut(&seq) {
            work.jobs += 1;
        }
    }

    /// An operation of it is done.
    pub(super) fn done(&mut self, seq: u64) {
        if let Some(work) = self.works.get_mut(&seq) {
            work.jobs = work.jobs.saturating_sub(1);
        }
        self.retire(seq);
    }

    /// No more operations will be asked for it.
    pub(super) fn over(&mut self, seq: u64) {
        if let Some(work) = self.works.get_mut(&seq) {
            work.over = true;
        }
        self.retire(seq);
    }

    /// Nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.works.is_empty()
    }

    /// Gives memory back after a burst.
    pub(super) fn shrink(&mut self) {
        self.works.shrink_to(4);
    }

    fn retire(&mut self, seq: u64) {
        let settled = |work: &Work| work.over && work.jobs == 0;
        if !self.works.get(&seq).is_some_and(settled) {
            return;
        }
        match self.works.remove(&seq).map(|work| work.kind) {
            Some(Kind::Read) => self.reads = self.reads.saturating_sub(1),
            Some(Kind::Put(path)) => {
                self.puts.remove(&path);
            }
            Some(Kind::Alone) => self.alone = self.alone.saturating_sub(1),
            None => {}
        }
    }

    /// Whether an upload under way has this path, one that leads to it, or one beneath it.
    fn overlaps(&self, path: &str) -> bool {
        if self.puts.is_empty() {
            return false;
        }
        let above = |(end, _)| path.get(..end).is_some_and(|dir| self.puts.contains(dir));
        if self.puts.contains(path) || path.match_indices('/').any(above) {
            return true;
        }
        let beneath = format!("{path}/");
        self.puts
            .range::<String, _>(&beneath..)
            .next()
            .is_some_and(|next| next.starts_with(&beneath))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> VPath {
        VPath::parse(text).unwrap()
    }

    #[test]
    fn uploads_run_together_unless_their_paths_touch() {
        let mut order = Order::default();
        order.begin(1, Class::Put(&path("a/b")));
        order.asked(1);
        for (text, may) in [
            ("a/c", true),
            ("a/b", false),
            ("a", false),
            ("a/b/c", false),
            ("a/b-c", true),
            ("b", true),
        ] {
            assert_eq!(order.admits(Class::Put(&path(text))), may, "{text}");
        }
        assert!(!order.admits(Class::Read));
        order.over(1);
        assert!(!order.admits(Class::Read), "its operation is not done");
        order.done(1);
        assert!(order.admits(Class::Alone));
    }

    #[test]
    fn readers_run_together_and_changes_run_alone() {
        let mut order = Order::default();
        order.begin(1, Class::Read);
        assert!(order.admits(Class::Read));
        assert!(!order.admits(Class::Put(&path("x"))));
        assert!(!order.admits(Class::Alone));
        order.over(1);
        order.begin(2, Class::Alone);
        assert!(!order.admits(Class::Read));
        assert!(!order.admits(Class::Put(&path("x"))));
        assert!(!order.admits(Class::Alone));
    }
}
