//! The way of a transfer: from its command, over the data connection, to its reply.
//!
//! It is prepared on the disk before the peer hears 150, so that what cannot be done is said before a
//! connection is used. However it ends, its lane ends, its connection ends, and one reply is said.

use std::mem;
use std::time::Instant;

use super::data::{Data, Ready};
use super::progress::Progress;
use super::reply::{self, Reply};
use super::step::Step;
use super::task::Task;
use super::transfer::{Stage, Transfer, What};
use super::{Rfc959, Security};
use crate::VPath;
use crate::session::{Fault, FileId, JobId, Outcome};

const ABORTED: &str = "The transfer was aborted";

impl Rfc959 {
    /// Begins a transfer: `start` asks for what is to be known before 150.
    ///
    /// # Errors
    /// There is no data connection to be had, or not as it must be.
    pub(super) fn begin_transfer(
        &mut self,
        path: VPath,
        what: What,
        now: Instant,
    ) -> Result<(), Reply> {
        if !self.data.is_agreed() {
            return Err(Reply::new(
                425,
                "No data connection: PASV, EPSV, PORT or EPRT first",
            ));
        }
        if self.held.aborts() {
            // It would have its turn only behind the whole of the transfer.
            return Err(Reply::new(426, ABORTED));
        }
        if !self.settings.protect && self.fx.config.data_tls == Security::Required {
            self.data.drop(&mut self.fx);
            return Err(Reply::new(
                522,
                "Data connections are within TLS here: PROT P first",
            ));
        }
        let mut transfer = Transfer {
            file: self.fx.next_file(),
            path,
            began: now,
            bytes: 0,
            protect: self.settings.protect,
            stage: Stage::Preparing,
            what,
        };
        let file = transfer.file;
        match &mut transfer.what {
            What::Download(download) => download.start(file, &mut self.fx),
            What::Upload(upload) => upload.start(file, &mut self.fx),
            What::Listing(pages) => pages.start(file, &mut self.fx),
        }
        self.task = Task::Transfer(Box::new(transfer));
        Ok(())
    }

    /// Moves the task under way as far as it goes.
    pub(super) fn pump_task(&mut self, now: Instant) {
        match &self.task {
            Task::Transfer(_) => self.pump_transfer(now),
            Task::Show(_) => self.pump_show(),
            Task::None | Task::Login | Task::Tls | Task::Listen | Task::Disk(..) => {}
        }
    }

    fn pump_transfer(&mut self, now: Instant) {
        let Task::Transfer(transfer) = &mut self.task else {
            return;
        };
        if transfer.stage == Stage::Connecting {
            let one_way = matches!(transfer.what, What::Upload(_));
            match self.data.advance(transfer.protect, one_way, &mut self.fx) {
                Ready::Yes => transfer.stage = Stage::Moving,
                Ready::NotYet => {}
                Ready::Never => {
                    let words = "The data connection is gone";
                    return self.fail_transfer(&Reply::new(425, words), "aborted", now);
                }
            }
        }
        if transfer.stage == Stage::Moving
            && let Progress::Complete = transfer.advance(&mut self.fx)
        {
            transfer.stage = Stage::Finishing;
            self.data.finish(&mut self.fx);
        }
    }

    pub(super) fn take_transfer_outcome(&mut self, job: JobId, outcome: Outcome, now: Instant) {
        let Task::Transfer(transfer) = &mut self.task else {
            return;
        };
        let (file, before) = (transfer.file, self.fx.unsent_data());
        let progress = match &mut transfer.what {
            What::Download(download) => download.done(job, outcome, file, &mut self.fx),
            What::Upload(upload) => upload.done(job, outcome, file, &mut self.fx),
            What::Listing(pages) => pages.done(job, outcome, file, &mut self.fx),
        };
        transfer.bytes = transfer
            .bytes
            .saturating_add(self.fx.unsent_data() - before);
        match progress {
            Ok(Progress::Prepared(reply)) => {
                if transfer.stage == Stage::Preparing {
                    transfer.stage = Stage::Connecting;
                    self.fx.reply(&reply);
                }
            }
            Ok(Progress::Going) => {}
            Ok(Progress::Complete) => self.finish_if_done(now),
            Err((reply, outcome)) => self.fail_transfer(&reply, outcome, now),
        }
    }

    /// The peer has sent all there is: under TLS it has said so, in plain nobody can know better.
    pub(super) fn take_data_eof(&mut self) {
        let Task::Transfer(transfer) = &mut self.task else {
            return;
        };
        if let (What::Upload(upload), Stage::Moving) = (&mut transfer.what, transfer.stage) {
            transfer.stage = Stage::Finishing;
            upload.commit(transfer.file, &mut self.fx);
            self.data.finish(&mut self.fx);
        }
    }

    /// The data connection has closed after its last byte.
    pub(super) fn take_data_closed(&mut self, now: Instant) {
        self.finish_if_done(now);
    }

    /// The data connection broke, or did not come about.
    pub(super) fn take_data_lost(&mut self, why: &str, now: Instant) {
        let Task::Transfer(transfer) = &self.task else {
            return;
        };
        match (&transfer.what, transfer.stage) {
            (_, Stage::Preparing) => {}
            // Every byte is here; how the connection ended afterwards is no matter.
            (What::Upload(_), Stage::Finishing) => self.finish_if_done(now),
            (_, Stage::Connecting) => {
                let words = format!("No data connection: {why}");
                self.fail_transfer(&Reply::new(425, words), "aborted", now);
            }
            (_, Stage::Moving | Stage::Finishing) => {
                let words = format!("The data connection broke: {why}");
                self.fail_transfer(&Reply::new(426, words), "aborted", now);
            }
        }
    }

    pub(super) fn take_payload(&mut self, len: u64) {
        if let Task::Transfer(transfer) = &mut self.task {
            transfer.bytes = transfer.bytes.saturating_add(len);
        }
    }

    /// A write failed, or a file shrank while it was sent: what was padded is no success.
    pub(super) fn take_fault(&mut self, file: FileId, fault: &Fault, now: Instant) {
        if let Task::Transfer(transfer) = &self.task
            && transfer.file == file
        {
            self.fail_transfer(&reply::fault(fault), reply::outcome(fault.kind), now);
        }
    }

    /// `ABOR` in mid-transfer. What is being committed cannot be stopped any more.
    pub(super) fn abort_transfer(&mut self, now: Instant) {
        self.fail_transfer(&Reply::new(426, ABORTED), "aborted", now);
    }

    /// The peer moved too few bytes for too long. A file that is stored is not lost for that: its connection is.
    pub(super) fn give_up_waiting(&mut self, now: Instant) {
        if let Task::Transfer(transfer) = &self.task
            && let What::Upload(upload) = &transfer.what
            && upload.is_committed()
        {
            self.data.drop(&mut self.fx);
            return self.finish_if_done(now);
        }
        let words = "Too few bytes moved for too long; the transfer is given up";
        self.fail_transfer(&Reply::new(426, words), "timeout", now);
    }

    /// Ends the transfer without success, unless it is past that.
    pub(super) fn fail_transfer(&mut self, reply: &Reply, outcome: &'static str, now: Instant) {
        let Task::Transfer(transfer) = &self.task else {
            return;
        };
        if let What::Upload(upload) = &transfer.what
            && upload.is_committing()
        {
            return;
        }
        let Task::Transfer(mut transfer) = mem::replace(&mut self.task, Task::None) else {
            return;
        };
        self.data.drop(&mut self.fx);
        let keeping = transfer.end_lane(&mut self.fx);
        match keeping.filter(|_| !self.phase.closed) {
            // Whoever hears it may ask at once how much is kept.
            Some(job) => self.task = Task::Disk(job, Step::Say(reply.clone())),
            None => self.fx.reply(reply),
        }
        transfer.report(outcome, &mut self.fx, now);
    }

    /// The session ends: whatever is under way ends without a word.
    pub(super) fn give_up_task(&mut self, now: Instant) {
        match &self.task {
            Task::Transfer(_) => {
                let reply = Reply::new(426, "The session has ended");
                self.fail_transfer(&reply, "aborted", now);
            }
            Task::None
            | Task::Login
            | Task::Tls
            | Task::Listen
            | Task::Disk(..)
            | Task::Show(_) => {
                self.task = Task::None;
            }
        }
    }

    /// Says 226 once the connection is closed and the disk is done.
    fn finish_if_done(&mut self, now: Instant) {
        let Task::Transfer(transfer) = &self.task else {
            return;
        };
        let closed = matches!(self.data, Data::None) || self.phase.closed;
        let reply = match &transfer.what {
            What::Upload(upload) => upload.result(),
            What::Download(_) | What::Listing(_) => Some(Reply::new(226, "Transfer complete")),
        };
        let (true, Stage::Finishing, Some(reply)) = (closed, transfer.stage, reply) else {
            return;
        };
        let Task::Transfer(mut transfer) = mem::replace(&mut self.task, Task::None) else {
            return;
        };
        transfer.end_lane(&mut self.fx);
        self.fx.reply(&reply);
        transfer.report("ok", &mut self.fx, now);
    }
}
