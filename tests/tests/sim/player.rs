//! The two ends of a session, whichever dialect it speaks: the machine, and the client that plays against it.

use std::collections::VecDeque;

use fastrand::Rng;
use ftp_proto::native::Native;
use ftp_proto::rfc959::{Rfc959, State};
use ftp_proto::session::{Channel, Dialect};

use super::{ftp, native};

/// A machine.
#[derive(Debug)]
pub(crate) enum Machine {
    Native(Box<Native>),
    Ftp(Box<Rfc959>),
}

impl Machine {
    pub(crate) fn dialect(&mut self) -> &mut dyn Dialect {
        match self {
            Self::Native(machine) => machine.as_mut(),
            Self::Ftp(machine) => machine.as_mut(),
        }
    }

    pub(crate) fn look(&self) -> &dyn Dialect {
        match self {
            Self::Native(machine) => machine.as_ref(),
            Self::Ftp(machine) => machine.as_ref(),
        }
    }

    /// What a session of standard FTP is at.
    pub(crate) fn state(&self) -> Option<State> {
        match self {
            Self::Native(_) => None,
            Self::Ftp(machine) => Some(machine.state()),
        }
    }
}

/// A client.
#[derive(Debug)]
pub(crate) enum Player {
    Native(Box<native::client::Client>),
    Ftp(Box<ftp::client::Client>),
}

/// What an unfinished plan leaves for the next connection.
#[derive(Debug)]
pub(crate) enum Leftover {
    Native(VecDeque<native::plan::Req>),
    Ftp(VecDeque<ftp::plan::Op>),
}

impl Player {
    /// Bytes on their way to the server.
    pub(crate) fn wire(&mut self, channel: Channel) -> Option<&mut Vec<u8>> {
        match self {
            Self::Native(client) => (channel == Channel::CONTROL).then_some(&mut client.wire),
            Self::Ftp(client) => {
                if channel == Channel::CONTROL {
                    Some(&mut client.wire)
                } else {
                    client.data.wire()
                }
            }
        }
    }

    /// Whether bytes are on their way.
    pub(crate) fn has_sent(&self, channel: Channel) -> bool {
        match self {
            Self::Native(client) => channel == Channel::CONTROL && !client.wire.is_empty(),
            Self::Ftp(client) if channel == Channel::CONTROL => !client.wire.is_empty(),
            Self::Ftp(client) => client.data.has_sent(),
        }
    }

    /// Whether it takes what is sent.
    pub(crate) fn reads(&self, channel: Channel) -> bool {
        match self {
            Self::Native(client) => client.reads,
            Self::Ftp(client) if channel == Channel::CONTROL => client.reads,
            Self::Ftp(client) => client.data.reads(),
        }
    }

    pub(crate) fn read(&mut self, channel: Channel, bytes: &[u8]) {
        match self {
            Self::Native(client) => client.read(bytes),
            Self::Ftp(client) if channel == Channel::CONTROL => client.read(bytes),
            Self::Ftp(client) => client.data.read(bytes),
        }
    }

    /// Everything was asked and answered.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Native(client) => client.is_done(),
            Self::Ftp(client) => client.is_done(),
        }
    }

    pub(crate) fn may_write(&self) -> bool {
        match self {
            Self::Native(client) => client.may_write(),
            Self::Ftp(client) => client.may_write(),
        }
    }

    pub(crate) fn write(&mut self, rng: &mut Rng) {
        match self {
            Self::Native(client) => client.write(rng),
            Self::Ftp(client) => client.write(rng),
        }
    }

    /// Noise instead of sense; nothing follows.
    pub(crate) fn babble(&mut self, rng: &mut Rng) {
        let noise = (0..rng.usize(1..300)).map(|_| rng.u8(..));
        match self {
            Self::Native(client) => {
                client.wire.extend(noise);
                client.sends = false;
            }
            Self::Ftp(client) => {
                client.wire.extend(noise);
                client.sends = false;
                client.babbles = true;
            }
        }
    }

    /// It takes nothing any more.
    pub(crate) fn deafen(&mut self) {
        match self {
            Self::Native(client) => client.reads = false,
            Self::Ftp(client) => client.reads = false,
        }
    }

    /// It says nothing any more.
    pub(crate) fn mute(&mut self) {
        match self {
            Self::Native(client) => client.sends = false,
            Self::Ftp(client) => client.sends = false,
        }
    }

    /// What the client does about its data connections, if its dialect has any.
    pub(crate) fn data(&mut self) -> Option<&mut ftp::data::Ends> {
        match self {
            Self::Native(_) => None,
            Self::Ftp(client) => Some(&mut client.data),
        }
    }

    /// As [`Player::data`], to be looked at.
    pub(crate) fn look_at_data(&self) -> Option<&ftp::data::Ends> {
        match self {
            Self::Native(_) => None,
            Self::Ftp(client) => Some(&client.data),
        }
    }

    /// It may leave the server waiting for a data connection, or for somebody to take its bytes.
    pub(crate) fn dallies(&self) -> bool {
        match self {
            Self::Native(_) => false,
            Self::Ftp(client) => client.dallies(),
        }
    }

    pub(crate) fn leftover(self) -> Leftover {
        match self {
            Self::Native(client) => Leftover::Native(client.leftover()),
            Self::Ftp(client) => Leftover::Ftp(client.leftover()),
        }
    }
}
