//! Bytes that were read and not yet understood. Never holds memory while it is empty.

/// A byte queue: appended at the back, consumed at the front, contiguous in between.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// Consumed bytes at the front of `bytes`; less than `bytes.len()` unless both are 0.
    start: usize,
}

impl Inbox {
    /// Puts `bytes` behind what is there.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        // Moving the rest to the front costs no more than what was consumed since the last time.
        if self.start >= self.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        // No more than that, because memory is counted.
        self.bytes.reserve_exact(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes of memory it owns.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Bytes of memory it will own after `more` bytes are appended.
    pub(crate) fn memory_with(&self, more: usize) -> usize {
        let kept = if self.start >= self.len() {
            self.len()
        } else {
            self.bytes.len()
        };
        self.memory().max(kept + more)
    }

    /// All that is there.
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Drops the first `n` bytes, or all if there are fewer. The last one takes the memory along.
    pub(crate) fn consume(&mut self, n: usize) {
        if n >= self.len() {
            self.clear();
        } else {
            self.start += n;
        }
    }

    /// Overwrites the first `n` bytes: what is consumed next was a secret.
    pub(crate) fn wipe(&mut self, n: usize) {
        let end = self.bytes.len().min(self.start.saturating_add(n));
        if let Some(bytes) = self.bytes.get_mut(self.start..end) {
            bytes.fill(0);
            // Whoever looks may not find that nobody reads it again.
            std::hint::black_box(bytes);
        }
    }

    /// How many bytes are there.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether nothing is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops everything, the memory too.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut inbox = Inbox::default();
        let mut model = Vec::new();
        for step in 0..10_000_u32 {
            if rng.bool() {
                let piece: Vec<u8> = (0..rng.usize(..50)).map(|_| rng.u8(..)).collect();
                let memory = inbox.memory_with(piece.len());
                inbox.append(&piece);
                assert!(inbox.memory() <= memory, "{} > {memory}", inbox.memory());
                model.extend_from_slice(&piece);
            } else {
                let n = rng.usize(..60).min(model.len());
                inbox.consume(n);
                model.drain(..n);
            }
            assert_eq!(inbox.as_slice(), model, "step {step}");
            assert_eq!(inbox.len(), model.len());
            assert_eq!(inbox.is_empty(), model.is_empty());
        }
    }

    #[test]
    fn an_empty_inbox_owns_no_memory() {
        let mut inbox = Inbox::default();
        inbox.append(&[1; 5000]);
        inbox.consume(4999);
        inbox.consume(9);
        assert!(inbox.is_empty());
        assert_eq!(inbox.memory(), 0);
    }

    #[test]
    fn a_slow_consumer_does_not_make_it_grow_without_end() {
        let mut inbox = Inbox::default();
        inbox.append(&[0; 100]);
        for _ in 0..100_000 {
            inbox.append(&[1; 10]);
            inbox.consume(10);
        }
        assert_eq!(inbox.len(), 100);
        assert!(inbox.bytes.capacity() < 1000);
    }
}
