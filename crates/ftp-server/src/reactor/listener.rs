//! A listening socket, and the dialect that is spoken behind it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use ftp_proto::session::Dialect;
use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

use crate::conn::{self, Security};
use crate::session::SecondRules;

/// Connections that the kernel keeps for us until we accept them.
const BACKLOG: i32 = 4096;

/// Where sessions come from: names the dialect, so that the reactor need not.
pub(crate) trait Front: Send {
    /// The machine of a new session.
    fn dialect(&self, now: Instant) -> Box<dyn Dialect>;
    /// What a connection is told that is turned away.
    fn refusal(&self) -> &[u8];
    /// What a connection is told that comes from a banned address.
    fn banned(&self) -> &[u8];
    /// Whether, and when, a connection is wrapped in TLS.
    fn cover(&self) -> Cover;
    /// How its sessions come to data connections, if they do.
    fn second(&self) -> Option<Arc<SecondRules>>;
}

/// Whether, and when, a connection is wrapped in TLS.
#[derive(Clone, Debug)]
pub(crate) enum Cover {
    /// Never.
    Plain,
    /// Before the first byte of the dialect.
    First(Arc<Security>),
    /// When the machine asks for it.
    Asked(Arc<Security>),
}

/// A listening socket and what it serves.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) front: Box<dyn Front>,
    /// There may be connections to accept; cleared on `WouldBlock`.
    pub(crate) ready: bool,
}

/// Listens on `address`; port 0 takes a free one.
///
/// # Errors
/// What the system says of `socket(2)`, `bind(2)` or `listen(2)`.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    conn::tune(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

impl Listener {
    /// Serves what comes to `socket`.
    pub(crate) fn new(socket: TcpListener, front: Box<dyn Front>) -> Self {
        Self {
            socket,
            front,
            ready: true,
        }
    }
}
