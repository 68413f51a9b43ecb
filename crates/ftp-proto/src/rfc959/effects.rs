//! What the machine wants done, and the account of it: actions, jobs, bytes not yet taken.
//!
//! The only place that makes an [`Action`].

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Config;
use super::reply::Reply;
use crate::session::{Action, Channel, DiskOp, FileId, JobId, Secret, TransferReport};

/// Actions not yet polled, and what is known of those that were.
#[derive(Debug)]
pub(super) struct Effects {
    pub(super) config: Arc<Config>,
    actions: VecDeque<Action>,
    last_job: u64,
    last_file: u64,
    control: Account,
    data: Account,
    /// The control connection is closed or about to be: nothing more is said.
    muted: bool,
}

/// Bytes of one channel.
#[derive(Debug, Default)]
struct Account {
    queued: u64,
    sent: u64,
}

impl Account {
    fn took(&mut self, len: u64) {
        self.sent = self.sent.saturating_add(len).min(self.queued);
    }

    fn unsent(&self) -> u64 {
        self.queued - self.sent
    }
}

impl Effects {
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            actions: VecDeque::new(),
            last_job: 0,
            last_file: 0,
            control: Account::default(),
            data: Account::default(),
            muted: false,
        }
    }

    pub(super) fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Sends a reply on the control connection.
    pub(super) fn reply(&mut self, reply: &Reply) {
        self.say(reply.encode());
    }

    /// Sends text on the control connection.
    pub(super) fn say(&mut self, bytes: Vec<u8>) {
        if self.muted {
            return;
        }
        self.control.queued += bytes.len() as u64;
        let channel = Channel::CONTROL;
        self.actions.push_back(Action::Send { channel, bytes });
    }

    /// Sends bytes on the data connection.
    pub(super) fn send(&mut self, bytes: Vec<u8>) {
        self.data.queued += bytes.len() as u64;
        let channel = Channel::DATA;
        self.actions.push_back(Action::Send { channel, bytes });
    }

    /// Sends a range of an open file on the data connection.
    pub(super) fn send_file(&mut self, file: FileId, offset: u64, len: u64) {
        self.data.queued += len;
        self.actions.push_back(Action::SendFile {
            channel: Channel::DATA,
            file,
            offset,
            len,
        });
    }

    /// A lane of its own.
    pub(super) fn next_file(&mut self) -> FileId {
        self.last_file += 1;
        FileId(self.last_file)
    }

    /// Asks for an operation on a lane.
    pub(super) fn disk(&mut self, file: FileId, op: DiskOp) -> JobId {
        self.last_job += 1;
        let job = JobId(self.last_job);
        self.actions.push_back(Action::Disk { job, file, op });
        job
    }

    /// Asks for an operation that leaves nothing open.
    pub(super) fn disk_once(&mut self, op: DiskOp) -> JobId {
        let file = self.next_file();
        self.disk(file, op)
    }

    pub(super) fn listen(&mut self) {
        self.data = Account::default();
        let channel = Channel::DATA;
        self.actions.push_back(Action::Listen { channel });
    }

    pub(super) fn stop_listening(&mut self) {
        let channel = Channel::DATA;
        self.actions.push_back(Action::StopListening { channel });
    }

    pub(super) fn connect(&mut self, address: SocketAddr) {
        self.data = Account::default();
        let channel = Channel::DATA;
        self.actions.push_back(Action::Connect { channel, address });
    }

    pub(super) fn start_tls(&mut self, channel: Channel, one_way: bool) {
        self.actions
            .push_back(Action::StartTls { channel, one_way });
    }

    pub(super) fn login(&mut self, user: String, password: Secret) {
        self.actions.push_back(Action::Login { user, password });
    }

    pub(super) fn report(&mut self, report: TransferReport) {
        self.actions.push_back(Action::Report(report));
    }

    /// Closes the data connection: after its last byte, or by a reset.
    pub(super) fn close_data(&mut self, flush: bool, why: &str) {
        self.actions.push_back(Action::Close {
            channel: Channel::DATA,
            flush,
            why: why.to_owned(),
        });
    }

    /// Nobody listens: nothing more is said.
    pub(super) fn mute(&mut self) {
        self.muted = true;
    }

    /// Ends the session; `why` is for the log.
    pub(super) fn close(&mut self, flush: bool, why: &str) {
        self.muted = true;
        self.actions.push_back(Action::Close {
            channel: Channel::CONTROL,
            flush,
            why: why.to_owned(),
        });
    }

    /// The peer's side took bytes.
    pub(super) fn took(&mut self, channel: Channel, len: u64) {
        if channel == Channel::CONTROL {
            self.control.took(len);
        } else if channel == Channel::DATA {
            self.data.took(len);
        }
    }

    /// Bytes of the data connection that are queued and not yet taken.
    pub(super) fn unsent_data(&self) -> u64 {
        self.data.unsent()
    }

    /// Bytes of replies that are queued and not yet taken.
    pub(super) fn unsent_replies(&self) -> u64 {
        self.control.unsent()
    }

    /// Whether the peer takes its replies.
    pub(super) fn may_reply(&self) -> bool {
        self.control.unsent() < self.config.limits.replies_bytes
    }

    /// Gives memory back after a burst.
    pub(super) fn shrink(&mut self) {
        self.actions.shrink_to(4);
    }
}
