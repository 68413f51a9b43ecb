//! Commands that wait for the one under way, in the order they came.

use std::collections::VecDeque;

use super::line::Line;
use crate::Limits;

/// What one line costs beyond its text.
const LINE_COST: usize = 64;

/// Lines that were read and not begun. The last one may go over [`Limits::held_bytes`], no more.
#[derive(Debug, Default)]
pub(super) struct Held {
    lines: VecDeque<Line>,
    bytes: usize,
    /// The front of an overlong line was dropped, its end has not come.
    pub(super) skipping: bool,
    /// `QUIT` is among them: nothing behind it is read.
    quits: bool,
    /// How many there are up to the last `ABOR` among them, it included.
    aborted: usize,
}

impl Held {
    pub(super) fn push(&mut self, line: Line) {
        self.bytes += line.0.len() + LINE_COST;
        self.lines.push_back(line);
    }

    /// As [`Held::push`], and the last one.
    pub(super) fn push_last(&mut self, line: Line) {
        self.push(line);
        self.quits = true;
    }

    /// As [`Held::push`], and what is before it is to be aborted.
    pub(super) fn push_abort(&mut self, line: Line) {
        self.push(line);
        self.aborted = self.lines.len();
    }

    pub(super) fn pop(&mut self) -> Option<Line> {
        let line = self.lines.pop_front()?;
        self.bytes -= line.0.len() + LINE_COST;
        self.aborted = self.aborted.saturating_sub(1);
        if self.lines.is_empty() {
            self.lines.shrink_to(0);
        }
        Some(line)
    }

    /// Drops all of them, and what had come of one that is not whole.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether an `ABOR` waits among them.
    pub(super) fn aborts(&self) -> bool {
        self.aborted > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether nothing more is to be read.
    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        self.quits || self.bytes >= limits.held_bytes
    }
}
