//! The data connection: how it comes to be, and how far it has come. What goes over it is not its business.

use std::net::SocketAddr;

use super::effects::Effects;
use super::ports::Passive;
use crate::session::Channel;

/// How far the data connection is.
#[derive(Debug)]
pub(super) enum Data {
    /// There is none, and none was agreed on.
    None,
    /// A port was asked of the shell.
    Asked(Passive),
    /// A port is open, and nobody has come.
    Passive,
    /// The peer waits at this address.
    Active(SocketAddr),
    /// The shell connects.
    Connecting,
    /// It is connected, in plain.
    Open,
    /// The handshake was begun.
    Securing,
    /// It is connected, within TLS.
    Secured,
    /// Its end was asked: what is queued goes out first.
    Closing,
}

/// What is to be done before bytes can go over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// Nothing.
    Yes,
    /// Wait.
    NotYet,
    /// It cannot come any more.
    Never,
}

impl Data {
    /// Whether a transfer command may count on one.
    pub(super) fn is_agreed(&self) -> bool {
        match self {
            Self::Passive | Self::Active(_) | Self::Open => true,
            Self::None
            | Self::Asked(_)
            | Self::Connecting
            | Self::Securing
            | Self::Secured
            | Self::Closing => false,
        }
    }

    /// Takes the next step towards a connection that is within TLS if it is to `protect`, and on which only the peer
    /// sends if it is `one_way`.
    pub(super) fn advance(&mut self, protect: bool, one_way: bool, fx: &mut Effects) -> Ready {
        match self {
            Self::Active(address) => {
                fx.connect(*address);
                *self = Self::Connecting;
                Ready::NotYet
            }
            Self::Open if protect => {
                fx.start_tls(Channel::DATA, one_way);
                *self = Self::Securing;
                Ready::NotYet
            }
            Self::Open | Self::Secured => Ready::Yes,
            Self::Passive | Self::Connecting | Self::Securing => Ready::NotYet,
            Self::None | Self::Asked(_) | Self::Closing => Ready::Never,
        }
    }

    /// It is connected.
    pub(super) fn opened(&mut self) {
        match self {
            Self::Passive | Self::Connecting => *self = Self::Open,
            // A port that was closed in the same moment, or a tale.
            Self::None
            | Self::Asked(_)
            | Self::Active(_)
            | Self::Open
            | Self::Securing
            | Self::Secured
            | Self::Closing => {}
        }
    }

    /// The handshake is done.
    pub(super) fn secured(&mut self) {
        if matches!(self, Self::Securing) {
            *self = Self::Secured;
        }
    }

    /// Closes it after its last byte. A second call does nothing.
    pub(super) fn finish(&mut self, fx: &mut Effects) {
        if matches!(self, Self::Open | Self::Secured) {
            fx.close_data(true, "the transfer is complete");
            *self = Self::Closing;
        }
    }

    /// Ends it at once, whatever it is: the peer sees a reset, never a clean end.
    pub(super) fn drop(&mut self, fx: &mut Effects) {
        match self {
            Self::None | Self::Active(_) => {}
            Self::Asked(_) | Self::Passive => fx.stop_listening(),
            Self::Connecting | Self::Open | Self::Securing | Self::Secured | Self::Closing => {
                fx.close_data(false, "the transfer was given up");
            }
        }
        *self = Self::None;
    }
}
