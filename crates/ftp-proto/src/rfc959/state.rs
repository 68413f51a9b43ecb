//! [`State`]: what a session is at, as one word. The machine itself never asks for it; whoever looks on does, and the
//! simulator, which has to know that every state was interrupted in every way.

use super::Rfc959;
use super::data::Data;
use super::task::Task;
use super::transfer::{Stage, What};

/// What a session is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The greeting is still to come.
    Silent,
    /// Nobody is logged in.
    Outside,
    /// The log-in is being looked at.
    LoggingIn,
    /// Control goes into TLS.
    Securing,
    /// Somebody is logged in, and nothing is under way.
    Idle,
    /// As [`State::Idle`], and a data connection is agreed on, or there.
    Agreed,
    /// A port is being opened.
    Listening,
    /// The disk is asked, by a command of which that is all.
    Asking,
    /// A listing goes out over control.
    Showing,
    /// A transfer: the disk is asked, and nothing was said.
    Preparing(Way),
    /// 150 was said, and the data connection is to come.
    Connecting(Way),
    /// The data connection goes into TLS.
    Handshaking(Way),
    /// Bytes flow.
    Moving(Way),
    /// All bytes are queued, or have come; the connection is to close, and the disk to be done.
    Finishing(Way),
    /// An upload stands under its name; its connection is to close.
    Stored,
    /// The session is over, but for what is still sent.
    Ended,
}

/// Which way a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// `RETR`.
    Download,
    /// `STOR`, `APPE`, `STOU`.
    Upload,
    /// `LIST`, `NLST`, `MLSD`.
    Listing,
}

impl State {
    /// Every one.
    pub const ALL: [Self; 26] = [
        Self::Silent,
        Self::Outside,
        Self::LoggingIn,
        Self::Securing,
        Self::Idle,
        Self::Agreed,
        Self::Listening,
        Self::Asking,
        Self::Showing,
        Self::Preparing(Way::Download),
        Self::Preparing(Way::Upload),
        Self::Preparing(Way::Listing),
        Self::Connecting(Way::Download),
        Self::Connecting(Way::Upload),
        Self::Connecting(Way::Listing),
        Self::Handshaking(Way::Download),
        Self::Handshaking(Way::Upload),
        Self::Handshaking(Way::Listing),
        Self::Moving(Way::Download),
        Self::Moving(Way::Upload),
        Self::Moving(Way::Listing),
        Self::Finishing(Way::Download),
        Self::Finishing(Way::Upload),
        Self::Finishing(Way::Listing),
        Self::Stored,
        Self::Ended,
    ];
}

impl Rfc959 {
    /// What the session is at.
    #[must_use]
    pub fn state(&self) -> State {
        if self.phase.closed {
            return State::Ended;
        }
        match &self.task {
            Task::None if !self.phase.greeted => State::Silent,
            Task::None if !self.access.is_admitted() => State::Outside,
            Task::None if self.data.is_agreed() => State::Agreed,
            Task::None => State::Idle,
            Task::Login => State::LoggingIn,
            Task::Tls => State::Securing,
            Task::Listen => State::Listening,
            Task::Disk(..) => State::Asking,
            Task::Show(_) => State::Showing,
            Task::Transfer(transfer) => {
                let way = match &transfer.what {
                    What::Download(_) => Way::Download,
                    What::Upload(upload) if upload.is_committed() => return State::Stored,
                    What::Upload(_) => Way::Upload,
                    What::Listing(_) => Way::Listing,
                };
                match transfer.stage {
                    Stage::Preparing => State::Preparing(way),
                    Stage::Connecting if matches!(self.data, Data::Securing) => {
                        State::Handshaking(way)
                    }
                    Stage::Connecting => State::Connecting(way),
                    Stage::Moving => State::Moving(way),
                    Stage::Finishing => State::Finishing(way),
                }
            }
        }
    }
}
