//! `Outbox`: what is to be sent, heads and small payloads joined, large ones as the blocks they came in.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};

use super::block::Block;
use super::transport::Transport;

/// Up to so many bytes are joined into one segment.
const JOIN_BYTES: usize = 128 * 1024;
/// Segments given to one writev(2).
const PARTS: usize = 32;

/// A queue of segments; the front one may be partly sent.
#[derive(Default)]
pub(super) struct Outbox {
    segments: VecDeque<Segment>,
    /// Bytes of the front segment that are sent.
    sent: usize,
    /// Bytes not sent.
    queued: usize,
    /// A spent text buffer, kept for the next one.
    spare: Vec<u8>,
}

enum Segment {
    Text(Vec<u8>),
    Block(Block),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Block(block) => block.filled(),
        }
    }
}

/// Without the bytes: there may be a password among them.
impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("queued", &self.queued)
            .finish_non_exhaustive()
    }
}

impl Outbox {
    /// Bytes not sent.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Lets `write` append text; whatever it appended is queued.
    pub(super) fn append<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let joins =
            matches!(self.segments.back(), Some(Segment::Text(text)) if text.len() < JOIN_BYTES);
        if !joins {
            let mut text = std::mem::take(&mut self.spare);
            text.clear();
            self.segments.push_back(Segment::Text(text));
        }
        if let Some(Segment::Text(text)) = self.segments.back_mut() {
            let before = text.len();
            write(text)?;
            self.queued += text.len() - before;
        }
        Ok(())
    }

    /// Queues a block.
    pub(super) fn push(&mut self, block: Block) {
        self.queued += block.len();
        self.segments.push_back(Segment::Block(block));
    }

    /// Throws away what is not sent.
    pub(super) fn clear(&mut self) {
        self.segments.clear();
        self.sent = 0;
        self.queued = 0;
    }

    /// One write of as much as the socket takes.
    ///
    /// # Errors
    /// What the socket says; `WouldBlock` if it takes nothing.
    pub(super) fn flush(&mut self, transport: &mut Transport) -> io::Result<usize> {
        let mut parts = Vec::with_capacity(PARTS.min(self.segments.len()));
        let mut skip = self.sent;
        for segment in self.segments.iter().take(PARTS) {
            parts.push(IoSlice::new(
                segment.bytes().get(skip..).unwrap_or_default(),
            ));
            skip = 0;
        }
        let count = transport.write(&parts)?;
        self.advance(count);
        Ok(count)
    }

    fn advance(&mut self, count: usize) {
        self.queued = self.queued.saturating_sub(count);
        self.sent = self.sent.saturating_add(count);
        while let Some(front) = self.segments.front() {
            let len = front.bytes().len();
            if self.sent < len {
                break;
            }
            self.sent -= len;
            if let Some(Segment::Text(text)) = self.segments.pop_front()
                && text.capacity() > self.spare.capacity()
                && text.capacity() <= 4 * JOIN_BYTES
            {
                self.spare = text;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;
    use crate::net::block::Pool;

    #[test]
    fn segments_leave_in_order_whatever_the_socket_takes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near =
            TcpStream::connect_timeout(&listener.local_addr().unwrap(), Duration::from_secs(10))
                .unwrap();
        let (mut far, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut transport = Transport::Plain(near);
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        let pool = Pool::new(100_000, 64);
        for round in 0..60_u8 {
            let text = [round; 777];
            expected.extend_from_slice(&text);
            outbox
                .append(|out| -> Result<(), ()> {
                    out.extend_from_slice(&text);
                    Ok(())
                })
                .unwrap();
            let mut block = pool.take(Duration::ZERO).unwrap();
            block.spare(99_999).fill(!round);
            block.grow(99_999);
            expected.extend_from_slice(block.filled());
            outbox.push(block);
        }
        assert_eq!(outbox.queued(), expected.len());
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all
        });
        while outbox.queued() > 0 {
            match outbox.flush(&mut transport) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        transport.finish();
        assert!(reader.join().unwrap() == expected);
    }
}
