//! The contract between a pure protocol machine (a [`Dialect`]) and the shell that owns sockets and files.
//!
//! Bytes, outcomes and deadlines go in; [`Action`]s come out. The contract does not know how any
//! dialect frames its messages, and no dialect knows what a socket, a file or a thread is.
//!
//! What the shell keeps:
//! 1. `receive` is called only while the channel's appetite is [`Appetite::Message`], and again with
//!    the unconsumed rest plus more.
//! 2. After every `receive` or `handle`, `poll_action` is drained to `None`; then appetites are read afresh.
//! 3. Under [`Appetite::Payload`] at most `remaining` bytes are taken. They are queued on the file's
//!    lane before [`Input::Payload`] is given. `remaining == u64::MAX` means "until end of file".
//! 4. Steps of one file happen in the order they were asked, so `Commit` sees every write before it.
//!    A failed write is told once, at once, as [`Input::Fault`]; the file takes no more writes.
//! 5. Every [`Action::Disk`] yields exactly one [`Input::Done`] with its job number.
//! 6. [`Action::Close`] after flush sends what is queued, lingers, then closes. Closing
//!    [`Channel::CONTROL`] ends the session.
//! 7. [`Input::Deadline`] is given once `deadline()` has passed.
//! 8. Under TLS the bytes of a channel are those within it; [`Input::Opened`] comes when the socket is there,
//!    [`Input::Secured`] when the handshake is done, and no byte before that.
//! 9. Every [`Action::Login`] yields exactly one [`Input::Login`].
//!
//! Of the second channel, [`Channel::DATA`], the shell keeps besides:
//!
//! 10. There is one connection or one open port at a time. `Listen` yields `Listening` or `OpenFailed`; the port
//!     takes one connection, of the control peer's address, and closes. `Connect` yields `Opened` or `OpenFailed`.
//!     What the peer sends early stays unread: the appetite is `Nothing`, and no `Eof` is told under it.
//! 11. After `StopListening`, or `Close` at once, nothing more is told of that port or connection, and the machine may
//!     ask for the next one in the same breath. Both are harmless where there is nothing to close.
//! 12. `Close` after flush is answered by one `Closed` or `Lost`, within the stall and linger times of the session; what
//!     the peer still sends is dropped. TLS says close_notify before. `Close` at once resets (`SO_LINGER` 0, no close_notify),
//!     so that no peer takes the part for the whole.
//! 13. `StartTls` makes the shell the TLS server, on a connection it made by `Connect` too. On [`Channel::CONTROL`] the
//!     appetite is `Nothing` from the action to `Secured`. Where TLS comes before any text, the shell begins it unasked:
//!     `Opened`, then `Secured`. A handshake that fails is `Lost`.
//! 14. Under TLS `Eof` means close_notify; an end without it is `Lost`. In plain, `Eof` is all there is.
//! 15. Urgent bytes of control stay in their place among the others (`SO_OOBINLINE`).
//! 16. What [`Input::Cut`] makes the machine say before a `Close` after flush has a moment to get through, never more. A machine
//!     that does not close then hears [`Input::Lost`]; so does, at once, one that has asked for `Close` before.
//!
//! What the machine keeps: bounded (every queue has its bound in [`Limits`](crate::Limits)), total (any input
//! in any state is answered or ignored, never a panic), deterministic (same inputs, same actions).

mod disk;
mod login;
mod report;
mod times;
mod waits;

use std::net::SocketAddr;
use std::time::Instant;

pub use disk::{
    Algorithm, Content, CreateOptions, Digesting, DiskOp, Entry, Fault, FaultKind, Meta, Outcome,
    Partial, Start,
};
pub use login::LoginOutcome;
pub use report::{TransferReport, Verb};
pub use times::Times;
pub(crate) use waits::{Waits, shift};

pub use crate::words::Secret;

/// One byte stream of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel(pub u8);

impl Channel {
    /// The connection that the client opened.
    pub const CONTROL: Self = Self(0);
    /// A second connection for payload, where the dialect has one.
    pub const DATA: Self = Self(1);
}

/// A file the machine works on; chosen by the machine, never used twice in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u64);

/// One disk operation; chosen by the machine, never used twice in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// What the machine wants done with the bytes that arrive on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appetite {
    /// Do not read: this is backpressure.
    Nothing,
    /// Protocol text: give it to `receive`.
    Message,
    /// Payload of a file: to its lane, past the machine.
    Payload {
        /// The file whose lane takes the bytes.
        file: FileId,
        /// How many bytes at most; `u64::MAX` is "until end of file".
        remaining: u64,
    },
    /// Bytes nobody wants: swallow them.
    Discard {
        /// How many bytes at most.
        remaining: u64,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The channel is connected.
    Opened {
        /// Which channel.
        channel: Channel,
        /// The address at the other end.
        peer: Option<SocketAddr>,
    },
    /// TLS is up on the channel: what comes and goes from now on is within it.
    Secured {
        /// Which channel.
        channel: Channel,
        /// The user for whom the peer's certificate stands, if it showed one that was believed.
        user: Option<String>,
    },
    /// A port is open for the channel's connection.
    Listening {
        /// Which channel.
        channel: Channel,
        /// Where the peer may connect.
        address: SocketAddr,
    },
    /// The channel could not be opened: no port, no connection, or no TLS.
    OpenFailed {
        /// Which channel.
        channel: Channel,
        /// Why, for people.
        why: String,
    },
    /// A channel that was to be closed after its last byte is closed: the kernel has every byte, and our end is shut (close_notify
    /// before, under TLS). Whether the peer has read it nobody can say; it need not have closed its end, for it may wait for words first.
    Closed {
        /// Which channel.
        channel: Channel,
    },
    /// An attempt to log in ended.
    Login(LoginOutcome),
    /// Payload or discarded bytes were taken from the channel.
    Payload {
        /// Which channel.
        channel: Channel,
        /// How many bytes.
        len: u64,
    },
    /// Bytes asked for by `Send` or `SendFile` were taken by the kernel.
    Sent {
        /// Which channel.
        channel: Channel,
        /// How many bytes since the last `Sent`.
        len: u64,
    },
    /// The peer sends no more; everything it sent has been given.
    Eof {
        /// Which channel.
        channel: Channel,
    },
    /// The connection broke: nothing more can be sent or received.
    Lost {
        /// Which channel.
        channel: Channel,
        /// Why, for people.
        why: String,
    },
    /// A disk operation ended.
    Done {
        /// The job's number, as given in [`Action::Disk`].
        job: JobId,
        /// How it ended.
        outcome: Outcome,
    },
    /// Something failed that no job answers for: a write of payload, or a file that shrank while it was sent.
    Fault {
        /// Which file.
        file: FileId,
        /// What went wrong.
        fault: Fault,
    },
    /// The time that `deadline()` named has passed.
    Deadline,
    /// The server's times are now these, for what is waited for already too.
    Times(Times),
    /// The server wants to stop: finish what is under way, begin nothing.
    Drain,
    /// The shell breaks the session off: there is time for a last word on control, and for nothing else.
    Cut {
        /// Why, for people.
        why: String,
    },
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Queue bytes for the peer.
    Send {
        /// Which channel.
        channel: Channel,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Queue a range of an open file for the peer. A file that turns out shorter is padded with
    /// zeros, so that framing survives, and told as [`Input::Fault`].
    SendFile {
        /// Which channel.
        channel: Channel,
        /// An open file.
        file: FileId,
        /// First byte.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// Do something on the disk, behind everything asked before for the same file.
    Disk {
        /// The number that comes back in [`Input::Done`].
        job: JobId,
        /// The lane.
        file: FileId,
        /// What to do.
        op: DiskOp,
    },
    /// Close a channel.
    Close {
        /// Which channel.
        channel: Channel,
        /// `true`: flush and linger first; `false`: at once.
        flush: bool,
        /// Why, for the log.
        why: String,
    },
    /// Open a port for one connection of the control peer's address. Answered by [`Input::Listening`]
    /// or [`Input::OpenFailed`], then by [`Input::Opened`] when the peer has come.
    Listen {
        /// Which channel.
        channel: Channel,
    },
    /// Close the port again, if nobody has come.
    StopListening {
        /// Which channel.
        channel: Channel,
    },
    /// Connect to the peer. Answered by [`Input::Opened`] or [`Input::OpenFailed`].
    Connect {
        /// Which channel.
        channel: Channel,
        /// Where to; the machine has seen to it that this is the control peer's address.
        address: SocketAddr,
    },
    /// Wrap the channel in TLS once what was queued before is sent; what the peer sent before is dropped.
    /// Answered by [`Input::Secured`], or [`Input::Lost`].
    StartTls {
        /// Which channel.
        channel: Channel,
        /// Only the peer sends: it gets nothing that it might leave unread, for closing upon that would be a reset that
        /// takes away what is still on its way here.
        one_way: bool,
    },
    /// Find out whether this is the user. Answered by [`Input::Login`].
    Login {
        /// Who it says it is.
        user: String,
        /// Its password.
        password: Secret,
    },
    /// A transfer ended: for the log and the counters.
    Report(TransferReport),
}

/// A protocol, as a pure machine.
pub trait Dialect: Send {
    /// Takes protocol text and returns how many bytes of its front were consumed. Zero means "more, please".
    fn receive(&mut self, channel: Channel, bytes: &[u8], now: Instant) -> usize;
    /// Takes anything else that happened.
    fn handle(&mut self, input: Input, now: Instant);
    /// The next thing to do, if any.
    fn poll_action(&mut self) -> Option<Action>;
    /// What to do with the bytes that arrive on `channel`.
    fn appetite(&self, channel: Channel) -> Appetite;
    /// When the machine wants [`Input::Deadline`].
    fn deadline(&self) -> Option<Instant>;
    /// Whether nothing is under way: a drain may close it without loss.
    fn is_idle(&self) -> bool;
}
