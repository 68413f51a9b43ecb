//! One connection: blocks, sockets, and full-duplex waiting with deadlines. Knows frames, no verbs.

mod block;
mod connect;
mod inbox;
mod outbox;
mod transport;
mod wire_io;

pub(crate) use block::{Block, Pool};
pub(crate) use connect::connect;
pub(crate) use transport::Transport;
pub(crate) use wire_io::{Wait, Wire};
