//! A channel's socket with what the session remembers of it.

use std::time::Instant;

use super::EndTimes;
use super::memory::TEXT_FREE;
use crate::conn::Conn;

/// Most bytes of one read of protocol text.
pub(super) const TEXT_READ_MAX: usize = 256 * 1024;
/// The first read of protocol text: many small requests fit, and little is copied if a payload begins.
pub(super) const TEXT_READ_FIRST: usize = 16 * 1024;
/// A read of protocol text between two large payloads: enough for a frame head, and little to copy.
pub(super) const TEXT_READ_MIN: usize = 1024;

/// One channel.
pub(super) struct Link {
    pub(super) conn: Conn,
    /// The peer sends no more.
    pub(super) eof: bool,
    /// The machine knows.
    pub(super) told_eof: bool,
    /// Size of the next read of protocol text: small after a large payload, growing while text follows text.
    pub(super) text_read: usize,
    /// When bytes were last taken by the peer, or closing began.
    pub(super) progress: Instant,
    /// It was decided how much the kernel may hold for us.
    pub(super) bounded: bool,
    /// It is being connected: nothing comes or goes.
    pub(super) opening: bool,
    /// The outbox is flushed and the end was sent: we wait for the peer's.
    pub(super) lingering: bool,
    /// Its end may not take longer than this, whatever the peer does.
    pub(super) until: Option<Instant>,
}

impl Link {
    pub(super) fn new(conn: Conn, now: Instant) -> Self {
        Self {
            conn,
            eof: false,
            told_eof: false,
            text_read: TEXT_READ_FIRST,
            progress: now,
            bounded: false,
            opening: false,
            lingering: false,
            until: None,
        }
    }

    /// Memory of text beyond what is free, once `more` bytes have joined it.
    pub(super) fn text_excess(&self, more: usize) -> usize {
        self.conn.inbox.memory_with(more).saturating_sub(TEXT_FREE)
    }

    /// When the end of this channel has taken too long.
    pub(super) fn deadline(&self, times: EndTimes) -> Option<Instant> {
        if !self.conn.is_closing() {
            return None;
        }
        let time = if self.lingering {
            times.linger
        } else {
            times.stall
        };
        let at = self.progress + time;
        Some(self.until.map_or(at, |until| until.min(at)))
    }
}
