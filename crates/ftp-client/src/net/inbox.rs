//! `Inbox`: a bounded buffer of what came and is not yet understood.
//!
//! Its size never grows: a peer cannot make us hold more than one buffer of its text.

/// Bytes held at most; room for a longest header and for many short answers.
pub(super) const INBOX_BYTES: usize = 256 * 1024;

/// A buffer with a consumed front.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; INBOX_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    /// What is there.
    pub(super) fn pending(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn is_full(&self) -> bool {
        self.end - self.start == self.bytes.len()
    }

    /// The front `count` bytes are done with.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Moves as much as there is into `out`; returns how much.
    pub(super) fn take(&mut self, out: &mut [u8]) -> usize {
        let pending = self.pending();
        let count = pending.len().min(out.len());
        if let (Some(from), Some(to)) = (pending.get(..count), out.get_mut(..count)) {
            to.copy_from_slice(from);
        }
        self.consume(count);
        count
    }

    /// Drops as much as there is, `most` bytes of it at most; returns how much.
    pub(super) fn skip(&mut self, most: u64) -> u64 {
        let there = self.end - self.start;
        let count = usize::try_from(most).map_or(there, |most| most.min(there));
        self.consume(count);
        count as u64
    }

    /// Where the next bytes go, `most` of them; [`Inbox::grow`] says how many came.
    pub(super) fn spare(&mut self, most: usize) -> &mut [u8] {
        if self.bytes.len() - self.end < most && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let end = self.end.saturating_add(most).min(self.bytes.len());
        self.bytes.get_mut(self.end..end).unwrap_or_default()
    }

    pub(super) fn grow(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_up_when_the_end_is_near_and_never_grows() {
        let mut inbox = Inbox::new();
        let room = inbox.spare(usize::MAX).len();
        assert_eq!(room, INBOX_BYTES);
        inbox.spare(usize::MAX).fill(7);
        inbox.grow(room);
        assert!(inbox.is_full() && inbox.spare(1).is_empty());
        inbox.consume(room - 3);
        assert_eq!(inbox.pending(), [7; 3]);
        assert_eq!(inbox.spare(usize::MAX).len(), INBOX_BYTES - 3);
        let mut out = [0; 8];
        assert_eq!(inbox.skip(1), 1);
        assert_eq!(inbox.take(&mut out), 2);
        assert_eq!(inbox.skip(1), 0);
        assert!(inbox.pending().is_empty());
    }
}
