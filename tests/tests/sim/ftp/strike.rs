//! What interrupts a session of standard FTP, and in which state it does.

use ftp_proto::rfc959::State;

/// An interruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strike {
    Abor,
    Quit,
    Stat,
    /// The data connection breaks, or does not come about.
    DataLost,
    ControlLost,
    /// The client sends no more.
    ControlEnds,
    /// The server is to stop.
    Drain,
}

impl Strike {
    pub(crate) const ALL: [Self; 7] = [
        Self::Abor,
        Self::Quit,
        Self::Stat,
        Self::DataLost,
        Self::ControlLost,
        Self::ControlEnds,
        Self::Drain,
    ];

    /// The command line, if it is one.
    pub(crate) fn line(self) -> Option<&'static str> {
        match self {
            Self::Abor => Some("ABOR"),
            Self::Quit => Some("QUIT"),
            Self::Stat => Some("STAT"),
            Self::DataLost | Self::ControlLost | Self::ControlEnds | Self::Drain => None,
        }
    }

    /// Why it cannot happen in this state, if it cannot. The shell's model holds each reason too.
    pub(crate) fn why_never(self, state: State) -> Option<&'static str> {
        let says = matches!(
            self,
            Self::Abor | Self::Quit | Self::Stat | Self::ControlEnds
        );
        match state {
            State::Silent if says => Some("nothing is read before the greeting"),
            State::Securing if says => Some("what comes belongs to the handshake"),
            State::Ended if says => Some("nothing is read behind the end"),
            State::Silent
            | State::Outside
            | State::LoggingIn
            | State::Securing
            | State::Idle
            | State::Ended
                if self == Self::DataLost =>
            {
                Some("there is no data connection, and none to come")
            }
            State::Silent
            | State::Outside
            | State::LoggingIn
            | State::Securing
            | State::Idle
            | State::Agreed
            | State::Listening
            | State::Asking
            | State::Showing
            | State::Preparing(_)
            | State::Connecting(_)
            | State::Handshaking(_)
            | State::Moving(_)
            | State::Finishing(_)
            | State::Stored
            | State::Ended => None,
        }
    }

    /// All that there is to be hit.
    pub(crate) fn targets() -> Vec<(State, Self)> {
        let pairs = State::ALL
            .iter()
            .flat_map(|state| Self::ALL.map(|strike| (*state, strike)));
        pairs
            .filter(|(state, strike)| strike.why_never(*state).is_none())
            .collect()
    }
}
