//! One connection: blocks, sockets, and full-duplex waiting with deadlines. Knows frames, no verbs.

mod block;
mod connect;
mod inbox;
mod login;
mod outbox;
mod stranger;
mod tls;
mod transport;
mod trust;
mod wire_io;

pub(crate) use block::{Block, Pool};
pub(crate) use connect::{address, connect};
pub use login::Login;
pub(crate) use tls::label;
pub use tls::{Ask, Tls, TlsOptions};
pub(crate) use transport::Transport;
pub use trust::KnownHosts;
pub(crate) use wire_io::{Wait, Wire};
