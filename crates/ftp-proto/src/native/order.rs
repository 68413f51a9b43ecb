//! Barriers: which requests may be under way together, so that all effects are as if in order.
//!
//! Readers run together. Uploads run together where neither path is the other's or leads to it, and
//! neither may make a folder that the other needs. Whatever else changes the disk runs alone. Names
//! are compared as text: two names of one folder (through a symbolic link) count as different.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::VPath;

/// What a request does to the disk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Class<'a> {
    /// Reads only.
    Read,
    /// Replaces one file; with `parents`, it makes the folders that lead there.
    Put {
        /// Which.
        path: &'a VPath,
        /// It makes missing folders.
        parents: bool,
    },
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
    /// Uploads by the top folder of their path: those that do not make folders, and those that do.
    tops: BTreeMap<String, [usize; 2]>,
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
    Put { path: String, parents: bool },
    Alone,
}

impl Order {
    /// Whether a request of this class may begin now.
    pub(super) fn admits(&self, class: Class<'_>) -> bool {
        match class {
            Class::Read => self.alone == 0 && self.puts.is_empty(),
            Class::Put { path, parents } => {
                let path = path.as_str();
                let free = self.alone == 0 && self.reads == 0;
                free && !self.overlaps(path) && !self.needs_folders(path, parents)
            }
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
            Class::Put { path, parents } => {
                let path = path.as_str().to_owned();
                self.puts.insert(path.clone());
                self.count_top(&path, parents, 1);
                Kind::Put { path, parents }
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
            Some(Kind::Put { path, parents }) => {
                self.puts.remove(&path);
                self.count_top(&path, parents, -1);
            }
            Some(Kind::Alone) => self.alone = self.alone.saturating_sub(1),
            None => {}
        }
    }

    /// Whether this upload may make folders that another needs, or the other way round.
    fn needs_folders(&self, path: &str, parents: bool) -> bool {
        let Some((top, _)) = path.split_once('/') else {
            return false;
        };
        let [finding, making] = self.tops.get(top).copied().unwrap_or_default();
        if parents { finding > 0 } else { making > 0 }
    }

    fn count_top(&mut self, path: &str, parents: bool, by: isize) {
        let Some((top, _)) = path.split_once('/') else {
            return;
        };
        if !self.tops.contains_key(top) {
            self.tops.insert(top.to_owned(), [0; 2]);
        }
        if let Some([finding, making]) = self.tops.get_mut(top) {
            let count = if parents { &mut *making } else { &mut *finding };
            *count = count.saturating_add_signed(by);
            if *finding + *making == 0 {
                self.tops.remove(top);
            }
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

    fn put(path: &VPath, parents: bool) -> Class<'_> {
        Class::Put { path, parents }
    }

    #[test]
    fn uploads_run_together_unless_their_paths_touch() {
        let mut order = Order::default();
        order.begin(1, put(&path("a/b"), false));
        order.asked(1);
        for (text, may) in [
            ("a/c", true),
            ("a/b", false),
            ("a", false),
            ("a/b/c", false),
            ("a/b-c", true),
            ("b", true),
        ] {
            assert_eq!(order.admits(put(&path(text), false)), may, "{text}");
        }
        assert!(!order.admits(Class::Read));
        order.over(1);
        assert!(!order.admits(Class::Read), "its operation is not done");
        order.done(1);
        assert!(order.admits(Class::Alone));
    }

    #[test]
    fn who_needs_a_folder_waits_for_who_makes_it() {
        let mut order = Order::default();
        order.begin(1, put(&path("d/e/f"), true));
        for (text, parents, may) in [
            ("d/b", false, false),
            ("d/b", true, true),
            ("g/b", false, true),
            ("b", false, true),
        ] {
            assert_eq!(order.admits(put(&path(text), parents)), may, "{text}");
        }
        order.over(1);
        order.begin(2, put(&path("d/b"), false));
        assert!(!order.admits(put(&path("d/c/x"), true)), "it must not help");
        assert!(order.admits(put(&path("d/c/x"), false)));
        order.over(2);
        assert!(order.admits(put(&path("d/c/x"), true)));
    }

    #[test]
    fn readers_run_together_and_changes_run_alone() {
        let mut order = Order::default();
        order.begin(1, Class::Read);
        assert!(order.admits(Class::Read));
        assert!(!order.admits(put(&path("x"), false)));
        assert!(!order.admits(Class::Alone));
        order.over(1);
        order.begin(2, Class::Alone);
        assert!(!order.admits(Class::Read));
        assert!(!order.admits(put(&path("x"), false)));
        assert!(!order.admits(Class::Alone));
    }
}
