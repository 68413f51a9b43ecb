//! What is under way: one thing at a time. Commands behind it wait.

use super::effects::Effects;
use super::pages::Show;
use super::step::Step;
use super::transfer::Transfer;
use crate::session::{Appetite, JobId};

/// The command under way.
#[derive(Debug)]
pub(super) enum Task {
    /// None.
    None,
    /// Whether it is the user is being found out.
    Login,
    /// The control connection goes into TLS; what is at hand of the peer's text is dropped by the shell.
    Tls,
    /// A port is being opened.
    Listen,
    /// The disk is asked.
    Disk(JobId, Step),
    /// A listing over the control connection.
    Show(Box<Show>),
    /// Something goes over the data connection.
    Transfer(Box<Transfer>),
}

impl Task {
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// What the peer sent before this is over is not to be believed.
    pub(super) fn drops_input(&self) -> bool {
        matches!(self, Self::Tls)
    }

    /// What is to be done with bytes of the data connection.
    pub(super) fn appetite(&self) -> Appetite {
        match self {
            Self::Transfer(transfer) => transfer.appetite(),
            Self::None
            | Self::Login
            | Self::Tls
            | Self::Listen
            | Self::Disk(..)
            | Self::Show(_) => Appetite::Nothing,
        }
    }

    /// A data connection is to come.
    pub(super) fn waits_for_data(&self) -> bool {
        match self {
            Self::Transfer(transfer) => transfer.waits_for_data(),
            Self::None
            | Self::Login
            | Self::Tls
            | Self::Listen
            | Self::Disk(..)
            | Self::Show(_) => false,
        }
    }

    /// The peer is to send or take bytes of the data connection.
    pub(super) fn waits_for_peer(&self, fx: &Effects) -> bool {
        match self {
            Self::Transfer(transfer) => transfer.waits_for_peer(fx),
            Self::None
            | Self::Login
            | Self::Tls
            | Self::Listen
            | Self::Disk(..)
            | Self::Show(_) => false,
        }
    }

    /// The peer is to take replies.
    pub(super) fn waits_for_replies(&self) -> bool {
        match self {
            Self::Show(show) => !show.waits_for_disk(),
            // An admitted user may begin TLS and let it lie.
            Self::Tls => true,
            Self::None | Self::Login | Self::Listen | Self::Disk(..) | Self::Transfer(_) => false,
        }
    }
}
