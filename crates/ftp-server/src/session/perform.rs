//! What goes out: the machine's actions, jobs to the pool, bytes to the sockets.

use ftp_proto::session::{
    Action, Channel, DiskOp, Fault, FaultKind, FileId, Input, TransferReport,
};

use super::memory::SESSION_ANSWERS;
use super::{Context, Session, Share, transfers};
use crate::conn::{FlushState, Linger, Place};
use crate::pool::Order;

impl Session {
    /// Does everything the machine asks for. Says whether there was anything.
    pub(super) fn perform(&mut self, ctx: &Context<'_>) -> bool {
        let mut moved = false;
        while let Some(action) = self.dialect.poll_action() {
            moved = true;
            match action {
                Action::Send { channel, bytes } => {
                    if let Some(conn) = self.conn(channel) {
                        conn.send(bytes);
                    }
                }
                Action::SendFile {
                    channel,
                    file,
                    offset,
                    len,
                } => {
                    self.send_file(channel, file, offset, len, ctx);
                }
                Action::Disk { job, file, op } => self.ask_disk(job, file, op, ctx),
                Action::Close {
                    channel,
                    flush,
                    why,
                } => self.close(channel, flush, why, ctx),
                Action::Report(report) => self.report(&report, ctx),
                Action::StopListening { .. } => self.stop_listening(),
                Action::StartTls { channel, one_way } => self.start_tls(channel, one_way, ctx),
                Action::Listen { channel } => {
                    let input = self.listen(channel, ctx);
                    self.dialect.handle(input, ctx.now);
                }
                Action::Connect { channel, address } => {
                    if let Some(failed) = self.connect(channel, address, ctx) {
                        self.dialect.handle(failed, ctx.now);
                    }
                }
                Action::Login { user, password } => self.ask_login(user, password, ctx),
            }
        }
        moved
    }

    fn close(&mut self, channel: Channel, flush: bool, why: String, ctx: &Context<'_>) {
        if channel == Channel::CONTROL {
            self.ending.get_or_insert(why);
        }
        if flush {
            if let Some(link) = self.link(channel) {
                link.progress = ctx.now;
                link.conn.close_after_flush();
            }
            return;
        }
        if channel == Channel::DATA
            && let Some(conn) = self.conn(channel)
        {
            conn.reset_at_close();
        }
        self.drop_link(channel);
    }

    /// Wraps a channel; the handshake goes on whenever the channel is fed.
    fn start_tls(&mut self, channel: Channel, one_way: bool, ctx: &Context<'_>) {
        match (self.security.clone(), self.link(channel)) {
            (Some(security), Some(link)) => {
                let place = if channel == Channel::CONTROL {
                    Place::First
                } else {
                    Place::Further { one_way }
                };
                link.conn.start_tls(security, place);
            }
            (None, Some(_)) => {
                self.drop_link(channel);
                let why = "this server has no certificate".to_owned();
                self.dialect.handle(Input::Lost { channel, why }, ctx.now);
            }
            (_, None) => {}
        }
    }

    /// Counts the transfer that begins with `op`, where they are counted and none is under way.
    pub(super) fn begin_transfer(&mut self, op: &DiskOp, ctx: &Context<'_>) -> Result<(), Fault> {
        if self.transfer.is_none() && transfers::begins(op) {
            let address = (self.peer.ip(), ctx.transfers_per_address);
            self.transfer = ctx.transfers.begin(address, self.gate.seated())?;
        }
        Ok(())
    }

    fn send_file(
        &mut self,
        channel: Channel,
        file: FileId,
        offset: u64,
        len: u64,
        ctx: &Context<'_>,
    ) {
        let reader = self
            .lanes
            .get(&file)
            .and_then(|lane| lane.reader().cloned());
        let Some(conn) = self.conn(channel) else {
            return;
        };
        if let Some(reader) = reader {
            conn.send_file(reader, file.0, offset, len);
        } else {
            let fault = Fault::new(FaultKind::Internal, "a file was sent that is not open");
            self.dialect.handle(Input::Fault { file, fault }, ctx.now);
        }
    }

    fn report(&self, report: &TransferReport, ctx: &Context<'_>) {
        let seconds = report.elapsed.as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = report.bytes as f64 / 1e6 / seconds.max(1e-6);
        ctx.metrics.count_transfer(report.verb, report.outcome);
        tracing::info!(
            session = self.id,
            user = self.gate.user(),
            verb = report.verb.as_str(),
            path = report.path,
            bytes = report.bytes,
            seconds,
            mb_per_s = (rate * 10.0).round() / 10.0,
            outcome = report.outcome,
            "transfer"
        );
    }

    /// Sends what the lanes have ready to the pool. Says whether anything went.
    pub(super) fn dispatch(&mut self, ctx: &mut Context<'_>) -> bool {
        let mut moved = false;
        self.settle_reserve(ctx);
        for _ in 0..self.pending.len() {
            let Some(file) = self.pending.pop_front() else {
                break;
            };
            let Some(lane) = self.lanes.get_mut(&file) else {
                continue;
            };
            let answer = lane.answer_bytes();
            if answer > 0 && !self.reserve(answer, ctx) {
                self.pending.push_front(file);
                break;
            }
            let Some(lane) = self.lanes.get_mut(&file) else {
                continue;
            };
            let Some(job) = lane.dispatch() else {
                self.reserved -= answer;
                ctx.memory.unreserve(answer);
                // Away: it comes back to the queue when it is home. Still being sent: after a flush.
                if lane.is_closing() {
                    self.pending.push_back(file);
                }
                continue;
            };
            self.reserved_away += answer;
            let Some(store) = lane.store().or_else(|| self.gate.store()).cloned() else {
                // Only a file of somebody's has anything to do.
                continue;
            };
            ctx.orders.push_back(Order {
                key: ctx.key,
                lane: file.0,
                store,
                job,
            });
            moved = true;
        }
        moved
    }

    /// Gives a channel's queued bytes to its socket. Says whether any went.
    pub(super) fn flush(
        &mut self,
        channel: Channel,
        share: &mut Share,
        ctx: &mut Context<'_>,
    ) -> bool {
        let budget = self.may_write(channel, share.write, ctx);
        let Some(link) = self.link(channel) else {
            return false;
        };
        let flushed = link.conn.flush(budget);
        let empty = flushed.state == FlushState::Empty;
        // The fault first: it is about bytes that count as sent.
        for tag in flushed.short {
            let fault = Fault::new(
                FaultKind::Changed,
                "the file became shorter while it was sent",
            );
            self.dialect.handle(
                Input::Fault {
                    file: FileId(tag),
                    fault,
                },
                ctx.now,
            );
        }
        if flushed.bytes > 0 {
            if let Some(link) = self.link(channel) {
                link.progress = ctx.now;
            }
            share.write = share.write.saturating_sub(flushed.bytes);
            self.sent += flushed.bytes;
            if let Some(meter) = self.meters.as_mut().and_then(|it| it.download.as_mut()) {
                meter.moved(flushed.bytes);
            }
            ctx.metrics.add_sent(flushed.bytes);
            self.dialect.handle(
                Input::Sent {
                    channel,
                    len: flushed.bytes,
                },
                ctx.now,
            );
        }
        if let Some(error) = flushed.lost {
            self.lose(channel, error.to_string(), ctx);
            return true;
        }
        if empty && self.linger(channel, ctx) {
            return true;
        }
        flushed.bytes > 0
    }

    /// How many of `most` bytes may be written now. What the kernel does not take is not asked for.
    fn may_write(&mut self, channel: Channel, most: u64, ctx: &Context<'_>) -> u64 {
        let Some(meters) = self.meters.as_deref_mut() else {
            return most;
        };
        let link = self.links.get_mut(usize::from(channel.0));
        match (&mut meters.download, link.and_then(Option::as_deref_mut)) {
            (Some(meter), Some(link)) if link.conn.writable() && link.conn.has_queued() => {
                let granted = meter.grant(most.min(link.conn.queued()), ctx.now);
                if granted == 0 {
                    // It is not the peer who is slow.
                    link.progress = ctx.now;
                }
                granted
            }
            _ => most,
        }
    }

    /// Reserves memory for an answer. What the session's own outbox holds up, its own flush will free;
    /// what others hold, it stands in line for.
    fn reserve(&mut self, bytes: usize, ctx: &mut Context<'_>) -> bool {
        let alone = self.reserved == 0;
        if !alone && self.reserved + bytes > SESSION_ANSWERS {
            return false;
        }
        let may = ctx.memory.reserve(bytes, ctx.key);
        self.reserved += if may { bytes } else { 0 };
        may
    }

    /// Frees what was reserved for answers that are on their way out.
    fn settle_reserve(&mut self, ctx: &mut Context<'_>) {
        if self.reserved == 0 {
            return;
        }
        let queued = self
            .links
            .iter()
            .flatten()
            .map(|link| link.conn.queued_memory());
        let needed = self.reserved_away + queued.sum::<usize>();
        if let Some(over) = self.reserved.checked_sub(needed) {
            ctx.memory.unreserve(over);
            self.reserved = needed;
        }
    }

    /// After the last byte: say so to the peer, and wait for its end, so that no reset eats the answer.
    fn linger(&mut self, channel: Channel, ctx: &mut Context<'_>) -> bool {
        let Some(link) = self.link(channel) else {
            return false;
        };
        if !link.conn.is_closing() {
            return false;
        }
        if !std::mem::replace(&mut link.lingering, true) {
            link.progress = ctx.now;
        }
        let lingers = link.conn.linger(ctx.scratch);
        if channel == Channel::DATA && lingers != Linger::Flushing {
            // All is sent. A client that knows the length may have hung up before it heard that this was the end.
            self.leave_second(ctx);
            return true;
        }
        match lingers {
            // It reads a bounded portion: while there is more, it is asked again.
            Linger::Flushing | Linger::Waiting => link.conn.readable(),
            Linger::Done => {
                self.drop_link(channel);
                true
            }
        }
    }

    /// The connection broke, or is to be broken.
    pub(super) fn lose(&mut self, channel: Channel, why: String, ctx: &Context<'_>) {
        if self.link(channel).is_none() {
            return;
        }
        self.drop_link(channel);
        if channel == Channel::CONTROL {
            self.ending.get_or_insert_with(|| why.clone());
        }
        self.tell(Input::Lost { channel, why }, ctx);
    }

    pub(super) fn drop_link(&mut self, channel: Channel) {
        if let Some(link) = self.links.get_mut(usize::from(channel.0)) {
            *link = None;
        }
    }
}
