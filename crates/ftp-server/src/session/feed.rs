//! What comes in: from the socket to the machine or to a lane, by the machine's appetite.

use ftp_proto::session::{Appetite, Channel, FileId, Input};

use super::link::{TEXT_READ_MAX, TEXT_READ_MIN};
use super::memory::{BLOCK_BYTES, TEXT_FREE};
use super::{Context, Session, Share};
use crate::conn::{Read, Secure};

/// A payload at least this long is a stream: what follows it is read in small bites.
const STREAM_BYTES: u64 = 64 * 1024;

/// What the kernel may hold of a stream from this machine; it doubles it, for its own needs.
const NEAR_UNREAD: usize = 1024 * 1024;

/// How one step of feeding went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Something was taken; there may be more.
    Moved,
    /// Nothing to take, no room, or no appetite.
    Stuck,
}

impl Session {
    /// Feeds one channel until it is stuck or its share is spent. Says whether anything moved.
    pub(super) fn feed(
        &mut self,
        channel: Channel,
        share: &mut Share,
        ctx: &mut Context<'_>,
    ) -> bool {
        let mut moved = false;
        while share.read > 0 && !self.gate.is_certifying() {
            let Some(link) = self.link(channel) else {
                break;
            };
            if link.conn.is_closing() {
                break;
            }
            if link.opening {
                return self.open(channel, ctx) || moved;
            }
            if link.conn.is_securing() {
                return self.secure(channel, ctx) || moved;
            }
            let has_text = !link.conn.inbox.is_empty();
            let step = match self.dialect.appetite(channel) {
                Appetite::Nothing => Step::Stuck,
                Appetite::Message => self.feed_text(channel, share, ctx),
                Appetite::Payload { file, remaining } if has_text => {
                    self.payload_from_inbox(channel, file, remaining, ctx)
                }
                Appetite::Payload { file, remaining } => {
                    self.payload_from_socket(channel, file, remaining, share, ctx)
                }
                Appetite::Discard { remaining } => self.discard(channel, remaining, share, ctx),
            };
            if step == Step::Stuck {
                break;
            }
            moved = true;
        }
        moved
    }

    /// Goes on with a handshake. Says whether it ended.
    fn secure(&mut self, channel: Channel, ctx: &Context<'_>) -> bool {
        let Some(link) = self.link(channel) else {
            return false;
        };
        match link.conn.secure() {
            Secure::Waiting => false,
            Secure::Done(user) => {
                self.secured(channel, user, ctx);
                true
            }
            Secure::Lost(error) => {
                self.lose(channel, error.to_string(), ctx);
                true
            }
        }
    }

    /// Protocol text: what is at hand first, then the socket.
    fn feed_text(&mut self, channel: Channel, share: &mut Share, ctx: &mut Context<'_>) -> Step {
        if self.receive(channel, ctx) {
            return Step::Moved;
        }
        let room = self.room_for_text(channel, ctx);
        let room = self.may_read(channel, room, ctx);
        let secretive = self.gate.is_secretive();
        let Some(link) = self.link(channel) else {
            return Step::Stuck;
        };
        let Some(buffer) = ctx.scratch.get_mut(..room).filter(|room| !room.is_empty()) else {
            return Step::Stuck;
        };
        match link.conn.read(buffer) {
            Read::Bytes(len) => {
                let bytes = buffer.get_mut(..len).unwrap_or_default();
                link.conn.inbox.append(bytes);
                if secretive {
                    bytes.fill(0);
                }
                if len == room {
                    link.text_read = (link.text_read * 8).min(TEXT_READ_MAX);
                }
                self.count_read(len as u64, share, ctx);
                // The text is consumed by the next step, which asks for the appetite first.
                Step::Moved
            }
            none @ (Read::Blocked | Read::Eof | Read::Lost(_)) => {
                self.read_ended(channel, none, ctx)
            }
        }
    }

    /// How many bytes of text may be read now: counted beforehand, or few.
    fn room_for_text(&mut self, channel: Channel, ctx: &mut Context<'_>) -> usize {
        let Some(link) = self.link(channel).filter(|link| link.conn.readable()) else {
            return 0;
        };
        let room = link.text_read.min(ctx.scratch.len());
        let needed = link.text_excess(room);
        let free = TEXT_FREE.saturating_sub(link.conn.inbox.memory_with(0));
        let others = self.text_excess() - self.link_excess(channel);
        let more = (others + needed).saturating_sub(self.text_held);
        if more == 0 || ctx.memory.hold_text(more, ctx.key) {
            self.text_held += more;
            return room;
        }
        room.min(free)
    }

    /// Gives back what was counted for text that was consumed.
    pub(super) fn settle_text(&mut self, ctx: &mut Context<'_>) {
        if self.text_held == 0 {
            return;
        }
        let excess = self.text_excess();
        if let Some(over) = self.text_held.checked_sub(excess) {
            ctx.memory.drop_text(over);
            self.text_held = excess;
        }
    }

    fn text_excess(&self) -> usize {
        let links = self.links.iter().flatten();
        links.map(|link| link.text_excess(0)).sum()
    }

    fn link_excess(&self, channel: Channel) -> usize {
        let link = self.links.get(usize::from(channel.0));
        link.and_then(Option::as_deref)
            .map_or(0, |link| link.text_excess(0))
    }

    /// Gives the machine the text at hand. Says whether it took any.
    fn receive(&mut self, channel: Channel, ctx: &Context<'_>) -> bool {
        let Some(link) = self
            .links
            .get_mut(usize::from(channel.0))
            .and_then(Option::as_deref_mut)
        else {
            return false;
        };
        if link.conn.inbox.is_empty() {
            return false;
        }
        let consumed = self
            .dialect
            .receive(channel, link.conn.inbox.as_slice(), ctx.now);
        if self.gate.is_secretive() {
            link.conn.inbox.wipe(consumed);
        }
        link.conn.inbox.consume(consumed);
        let acted = self.perform(ctx);
        consumed > 0 || acted
    }

    /// Payload that came glued to protocol text: copied into the lane's block.
    fn payload_from_inbox(
        &mut self,
        channel: Channel,
        file: FileId,
        remaining: u64,
        ctx: &mut Context<'_>,
    ) -> Step {
        if !self.begin_block(file, remaining, ctx) {
            return Step::Stuck;
        }
        let Some(link) = self
            .links
            .get_mut(usize::from(channel.0))
            .and_then(Option::as_deref_mut)
        else {
            return Step::Stuck;
        };
        let Some(block) = self.lanes.get_mut(&file).and_then(|lane| lane.filling()) else {
            return Step::Stuck;
        };
        let text = link.conn.inbox.as_slice();
        let len = text.len().min(block.capacity() - block.len());
        let len = len.min(usize::try_from(remaining).unwrap_or(usize::MAX));
        block.extend_from_slice(text.get(..len).unwrap_or_default());
        link.conn.inbox.consume(len);
        self.took_payload(channel, file, len as u64, remaining, ctx)
    }

    /// Payload straight from the socket into the lane's block.
    fn payload_from_socket(
        &mut self,
        channel: Channel,
        file: FileId,
        remaining: u64,
        share: &mut Share,
        ctx: &mut Context<'_>,
    ) -> Step {
        let Some(link) = self.link(channel) else {
            return Step::Stuck;
        };
        if !link.conn.readable() {
            return Step::Stuck;
        }
        if link.eof {
            return self.read_ended(channel, Read::Eof, ctx);
        }
        let most = usize::try_from(remaining).unwrap_or(usize::MAX);
        let most = self.may_read(channel, most.min(BLOCK_BYTES), ctx);
        if most == 0 || !self.begin_block(file, remaining, ctx) {
            return Step::Stuck;
        }
        let peer = self.peer.ip();
        let Some(link) = self
            .links
            .get_mut(usize::from(channel.0))
            .and_then(Option::as_deref_mut)
        else {
            return Step::Stuck;
        };
        let first = remaining >= STREAM_BYTES && !std::mem::replace(&mut link.bounded, true);
        if first && peer.to_canonical().is_loopback() {
            link.conn.bound_unread(NEAR_UNREAD);
        }
        let Some(block) = self.lanes.get_mut(&file).and_then(|lane| lane.filling()) else {
            return Step::Stuck;
        };
        let spare = block.spare_mut();
        let want = spare.len().min(most);
        let Some(spare) = spare.get_mut(..want) else {
            return Step::Stuck;
        };
        match link.conn.read(spare) {
            Read::Bytes(len) => {
                block.advance(len);
                self.count_read(len as u64, share, ctx);
                self.took_payload(channel, file, len as u64, remaining, ctx)
            }
            none @ (Read::Blocked | Read::Eof | Read::Lost(_)) => {
                self.drop_empty_block(file, ctx);
                self.read_ended(channel, none, ctx)
            }
        }
    }

    /// Sees to a block with room in the file's lane; `false` if the lane or the memory is full.
    fn begin_block(&mut self, file: FileId, remaining: u64, ctx: &mut Context<'_>) -> bool {
        let lane = self.lanes.entry(file).or_default();
        if lane.filling().is_some() {
            return true;
        }
        let block = lane.has_room().then(|| ctx.memory.take(remaining, ctx.key));
        let Some(block) = block.flatten() else {
            lane.press();
            return false;
        };
        lane.begin(block);
        true
    }

    /// A block that got nothing goes back, so that a silent peer holds no memory.
    fn drop_empty_block(&mut self, file: FileId, ctx: &mut Context<'_>) {
        if let Some(block) = self.lanes.get_mut(&file).and_then(|lane| lane.take_empty()) {
            ctx.memory.release(block.capacity());
            ctx.memory.recycle(block);
        }
    }

    fn took_payload(
        &mut self,
        channel: Channel,
        file: FileId,
        len: u64,
        remaining: u64,
        ctx: &Context<'_>,
    ) -> Step {
        if len == 0 {
            return Step::Stuck;
        }
        if remaining >= STREAM_BYTES
            && let Some(link) = self.link(channel)
        {
            link.text_read = TEXT_READ_MIN;
        }
        if self.pending.back() != Some(&file) {
            self.pending.push_back(file);
        }
        self.tell(Input::Payload { channel, len }, ctx);
        Step::Moved
    }

    /// Swallows bytes that nobody wants.
    fn discard(
        &mut self,
        channel: Channel,
        remaining: u64,
        share: &mut Share,
        ctx: &mut Context<'_>,
    ) -> Step {
        let Some(link) = self.link(channel) else {
            return Step::Stuck;
        };
        let most = usize::try_from(remaining).unwrap_or(usize::MAX);
        let at_hand = link.conn.inbox.len().min(most);
        if at_hand > 0 {
            link.conn.inbox.consume(at_hand);
            self.tell(
                Input::Payload {
                    channel,
                    len: at_hand as u64,
                },
                ctx,
            );
            return Step::Moved;
        }
        let room = self.may_read(channel, ctx.scratch.len().min(most), ctx);
        let Some(buffer) = ctx.scratch.get_mut(..room).filter(|room| !room.is_empty()) else {
            return Step::Stuck;
        };
        let Some(link) = self.link(channel) else {
            return Step::Stuck;
        };
        match link.conn.read(buffer) {
            Read::Bytes(len) => {
                self.count_read(len as u64, share, ctx);
                self.tell(
                    Input::Payload {
                        channel,
                        len: len as u64,
                    },
                    ctx,
                );
                Step::Moved
            }
            none @ (Read::Blocked | Read::Eof | Read::Lost(_)) => {
                self.read_ended(channel, none, ctx)
            }
        }
    }

    /// How many of `want` bytes may be read now. Whatever is not there to be read is not asked for.
    fn may_read(&mut self, channel: Channel, want: usize, ctx: &Context<'_>) -> usize {
        let Some(meters) = self.meters.as_deref_mut() else {
            return want;
        };
        let link = self.links.get(usize::from(channel.0));
        let readable = link
            .and_then(Option::as_deref)
            .is_some_and(|link| link.conn.readable());
        match &mut meters.upload {
            Some(meter) if readable => {
                let granted = meter.grant(want as u64, ctx.now);
                usize::try_from(granted).unwrap_or(want)
            }
            Some(_) | None => want,
        }
    }

    fn count_read(&mut self, len: u64, share: &mut Share, ctx: &Context<'_>) {
        share.read = share.read.saturating_sub(len);
        self.received += len;
        if let Some(meter) = self.meters.as_mut().and_then(|it| it.upload.as_mut()) {
            meter.moved(len);
        }
        ctx.metrics.add_received(len);
    }

    /// The socket gave no bytes.
    fn read_ended(&mut self, channel: Channel, read: Read, ctx: &Context<'_>) -> Step {
        match read {
            Read::Bytes(_) | Read::Blocked => Step::Stuck,
            Read::Eof => {
                let Some(link) = self.link(channel) else {
                    return Step::Stuck;
                };
                link.eof = true;
                if std::mem::replace(&mut link.told_eof, true) {
                    return Step::Stuck;
                }
                self.tell(Input::Eof { channel }, ctx);
                Step::Moved
            }
            Read::Lost(error) => {
                self.lose(channel, error.to_string(), ctx);
                Step::Moved
            }
        }
    }
}
