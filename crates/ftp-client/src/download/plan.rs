//! `Plan`: which parts of one large file are still to come, shared by the streams that fetch them.
//!
//! A part counts only when its own digest was right. Parts are handed out in order, so that what is verified
//! is one piece from the file's start on, but for the few parts under way.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::hash::Hasher;
use crate::transfer::{Context, Event, Item, Take};

/// Bytes of a part: least, and most.
const PART_BYTES: (u64, u64) = (512 * 1024, 8 * 1024 * 1024);
/// Parts that a stream fetches of a file: so many that no stream is left with much when others have ended.
const PARTS_EACH: u64 = 16;
/// Parts that a stream asks for at once while there are many: no round trip is waited for between them.
const AHEAD_MOST: u64 = 4;
/// How often a waiter looks at the cancel switch.
const TICK: Duration = Duration::from_millis(100);

/// One part, and how far it has come: a broken connection loses nothing of it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where the next byte goes.
    pub(super) at: u64,
    /// Of the bytes from `start` to `at`.
    pub(super) hasher: Hasher,
}

/// What is known of one file's parts.
pub(super) struct Plan<'a> {
    context: &'a Context<'a>,
    item: &'a Item,
    size: u64,
    /// Bytes of a part.
    part: u64,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Behind this nothing was handed out.
    next: u64,
    /// Handed out and come back unfinished.
    returned: Vec<Part>,
    /// All before this is verified.
    prefix: u64,
    /// Verified parts behind it: from their start to their end.
    islands: BTreeMap<u64, u64>,
    /// Bytes that are here, verified or not.
    moved: u64,
    /// Parts that were wrong.
    wrong: u32,
    /// Streams that work.
    streams: usize,
    failure: Option<Error>,
}

impl<'a> Plan<'a> {
    /// A plan for the bytes from `from` on, which so many streams fetch.
    pub(super) fn new(
        context: &'a Context<'a>,
        item: &'a Item,
        size: u64,
        from: u64,
        streams: usize,
    ) -> Self {
        Self {
            context,
            item,
            size,
            part: part_bytes(size.saturating_sub(from), streams),
            state: Mutex::new(State {
                next: from,
                returned: Vec::new(),
                prefix: from,
                islands: BTreeMap::new(),
                moved: from,
                wrong: 0,
                streams,
                failure: None,
            }),
            changed: Condvar::new(),
        }
    }

    /// The next part to fetch; with `wait` it waits until there is one or the end.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub(super) fn take(&self, wait: bool) -> Result<Take<Part>> {
        let mut state = self.lock();
        loop {
            self.cancel().check()?;
            if state.failure.is_some() || state.prefix >= self.size {
                return Ok(Take::Done);
            }
            if let Some(part) = state.returned.pop() {
                return Ok(Take::Item(part));
            }
            if state.next < self.size {
                let start = state.next;
                state.next = start.saturating_add(self.part).min(self.size);
                return Ok(Take::Item(Part {
                    start,
                    end: state.next,
                    at: start,
                    hasher: Hasher::default(),
                }));
            }
            if !wait {
                return Ok(Take::Later);
            }
            state = self.wait(state);
        }
    }

    /// Parts that a stream may have asked for at once: fewer towards the end, so that all end together.
    pub(super) fn ahead(&self) -> usize {
        let state = self.lock();
        let left = self.size.saturating_sub(state.next) / self.part;
        let each = left / (state.streams as u64).max(1);
        usize::try_from(each.clamp(1, AHEAD_MOST)).unwrap_or(1)
    }

    /// A stream could not finish this part: whoever comes first goes on with it.
    pub(super) fn give_back(&self, mut part: Part) {
        let mut state = self.lock();
        if part.at >= part.end {
            // Its digest did not come, and nothing can be asked behind its end.
            self.forget(&mut state, &mut part);
        }
        state.returned.push(part);
        self.changed.notify_all();
    }

    /// A part is not what the server says it is: once more, if that is forgiven.
    pub(super) fn wrong(&self, mut part: Part, error: Error) {
        let mut state = self.lock();
        state.wrong += 1;
        self.forget(&mut state, &mut part);
        if state.wrong > self.context.options.retries.min(1) {
            state.failure.get_or_insert(error);
        }
        state.returned.push(part);
        self.changed.notify_all();
    }

    fn forget(&self, state: &mut State, part: &mut Part) {
        state.moved = state.moved.saturating_sub(part.at - part.start);
        part.at = part.start;
        part.hasher = Hasher::default();
    }

    /// So many more bytes are here.
    pub(super) fn moved(&self, bytes: u64) {
        let mut state = self.lock();
        state.moved += bytes;
        // Told under the lock: positions of several streams come in order.
        self.context.tell(&Event::Position(self.item, state.moved));
    }

    /// A part is here and right.
    pub(super) fn verified(&self, part: &Part) {
        let mut state = self.lock();
        state.islands.insert(part.start, part.end);
        loop {
            let from = state.prefix;
            match state.islands.remove(&from) {
                Some(end) => state.prefix = end,
                None => break,
            }
        }
        self.changed.notify_all();
    }

    /// Nothing can go on.
    pub(super) fn fail(&self, error: Error) {
        self.lock().failure.get_or_insert(error);
        self.changed.notify_all();
    }

    /// A stream gives up; the others go on with its parts. The last one ends the whole.
    pub(super) fn leave(&self, error: Error) {
        let mut state = self.lock();
        state.streams = state.streams.saturating_sub(1);
        if state.streams == 0 {
            state.failure.get_or_insert(error);
        }
        self.changed.notify_all();
    }

    /// Waits until more than `seen` bytes from the start on are verified (how many), or none will be (`None`).
    pub(super) fn wait_prefix(&self, seen: u64) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if state.prefix > seen {
                return Some(state.prefix);
            }
            let over = state.failure.is_some() || state.prefix >= self.size;
            if over || self.cancel().signal().is_some() {
                return None;
            }
            state = self.wait(state);
        }
    }

    /// What came of it: bytes verified from the start on, and why there will be no more.
    pub(super) fn finish(self) -> (u64, Option<Error>) {
        let cut = self.cancel().check().err();
        let state = self
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if state.prefix >= self.size {
            return (state.prefix, None);
        }
        let died = || Error::Lost("the streams ended before the file did".into());
        (
            state.prefix,
            Some(cut.or(state.failure).unwrap_or_else(died)),
        )
    }

    fn cancel(&self) -> &Cancel {
        self.context.cancel
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed
            .wait_timeout(state, TICK)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of a part where so many streams share so many bytes.
fn part_bytes(bytes: u64, streams: usize) -> u64 {
    let (least, most) = PART_BYTES;
    let each = bytes / (streams as u64).max(1) / PARTS_EACH;
    each.next_multiple_of(least).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of small files.
    const PART: u64 = PART_BYTES.0;
    use crate::options::Options;
    use crate::transfer::{Silent, Way};

    fn check(size: u64, from: u64, work: impl FnOnce(&Plan<'_>)) -> (u64, Option<Error>) {
        let (options, cancel) = (Options::default(), Cancel::new().unwrap());
        let context = Context::new(&options, &cancel, &Silent);
        let item = Item {
            number: 1,
            way: Way::Get,
            local: String::new(),
            remote: String::new(),
            size: Some(size),
        };
        let plan = Plan::new(&context, &item, size, from, 2);
        work(&plan);
        plan.finish()
    }

    fn part(plan: &Plan<'_>) -> Part {
        match plan.take(false).unwrap() {
            Take::Item(part) => part,
            none @ (Take::Later | Take::Done) => panic!("{none:?}"),
        }
    }

    #[test]
    fn parts_cover_all_and_count_in_any_order() {
        let size = 2 * PART + 6;
        let (prefix, failure) = check(size, 5, |plan| {
            let parts: Vec<_> = (0..3).map(|_| part(plan)).collect();
            let ends: Vec<_> = parts.iter().map(|part| (part.start, part.end)).collect();
            let (one, two) = (5 + PART, 5 + 2 * PART);
            assert_eq!(ends, [(5, one), (one, two), (two, size)]);
            assert!(matches!(plan.take(false).unwrap(), Take::Later));
            plan.verified(&parts[2]);
            plan.verified(&parts[0]);
            assert_eq!(plan.wait_prefix(5), Some(one));
            plan.verified(&parts[1]);
            assert_eq!(plan.wait_prefix(one), Some(size));
            assert_eq!(plan.wait_prefix(size), None);
            assert!(matches!(plan.take(true).unwrap(), Take::Done));
        });
        assert_eq!((prefix, failure.is_none()), (size, true));
    }

    #[test]
    fn parts_are_many_and_nobody_hoards_the_last() {
        let mib = 1 << 20;
        for (bytes, streams, part) in [
            (0, 1, mib / 2),
            (64 * mib, 8, mib / 2),
            (64 * mib, 4, mib),
            (1 << 40, 16, 8 * mib),
        ] {
            assert_eq!(part_bytes(bytes, streams), part, "{bytes} {streams}");
        }
        let _ = check(20 * PART, 0, |plan| {
            let mut ahead = Vec::new();
            while let Take::Item(part) = plan.take(false).unwrap() {
                assert_eq!(part.end - part.start, PART);
                ahead.push(plan.ahead());
            }
            assert_eq!((ahead.len(), ahead[0]), (20, 4));
            assert!(ahead.is_sorted_by(|one, next| one >= next), "{ahead:?}");
            assert_eq!(ahead[16..], [1; 4]);
        });
    }

    #[test]
    fn what_comes_back_is_taken_again_and_wrong_ones_begin_anew() {
        let (prefix, failure) = check(PART, 0, |plan| {
            let mut one = part(plan);
            one.at = 7;
            plan.give_back(one);
            let mut one = part(plan);
            assert_eq!(one.at, 7);
            one.at = one.end;
            plan.give_back(one);
            let one = part(plan);
            assert_eq!(one.at, 0);
            plan.wrong(one, Error::Integrity("once".into()));
            plan.wrong(part(plan), Error::Integrity("twice".into()));
            assert!(matches!(plan.take(true).unwrap(), Take::Done));
        });
        assert_eq!(prefix, 0);
        assert!(matches!(failure, Some(Error::Integrity(_))));
    }

    #[test]
    fn the_last_stream_that_leaves_ends_it() {
        let (_, failure) = check(PART, 0, |plan| {
            plan.leave(Error::Lost("one".into()));
            plan.give_back(part(plan));
            plan.leave(Error::Lost("two".into()));
            assert_eq!(plan.wait_prefix(0), None);
        });
        assert!(matches!(failure, Some(Error::Lost(why)) if why == "two"));
    }
}
