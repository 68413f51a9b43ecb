//! Decisions of a fuzzer.

/// The bytes of the fuzzer, one decision at a time; zeros when they are used up.
pub(crate) struct Source<'a>(pub(crate) &'a [u8]);

impl Source<'_> {
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let (now, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        now.to_vec()
    }

    /// Small mostly, huge sometimes.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            byte @ 200.. => u64::from(byte) << 8,
            byte => u64::from(byte),
        }
    }
}
