//! Sockets beside the one that a session is made of: a port that takes one connection, and a connection outwards.
//!
//! Never blocks: no name is looked up here.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::tune;

/// Ports of the range that are tried before it counts as full.
const TRIES: u16 = 64;
/// Connections that the kernel keeps until they are accepted: strangers are among them.
const BACKLOG: i32 = 8;

/// Ports that may be opened, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) low: u16,
    pub(crate) high: u16,
}

/// An open port.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) socket: TcpListener,
    /// Somebody may have come; cleared when nobody has.
    pub(crate) ready: bool,
}

impl Port {
    /// Opens one on `ip`, somewhere in `ports`; of all there are, if that is `None`.
    ///
    /// # Errors
    /// `AddrInUse` if none of those that were tried is free; what the system says otherwise.
    pub(crate) fn open(ip: IpAddr, ports: Option<Ports>) -> io::Result<Self> {
        let Some(Ports { low, high }) = ports else {
            return listen(SocketAddr::new(ip, 0));
        };
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        // From anywhere on, so that nobody can tell which comes next.
        let count = u32::from(high.saturating_sub(low)) + 1;
        let start = fastrand::u32(..count);
        for step in 0..count.min(u32::from(TRIES)) {
            let offset = u16::try_from((start + step) % count).unwrap_or(0);
            match listen(SocketAddr::new(ip, low.saturating_add(offset))) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
                other => return other,
            }
        }
        Err(last)
    }

    /// Where it is.
    ///
    /// # Errors
    /// What the system says of `getsockname(2)`.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next who has come.
    ///
    /// # Errors
    /// `WouldBlock` if nobody has; what the system says of `accept(2)`.
    pub(crate) fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let accepted = self.socket.accept();
        if let Err(error) = &accepted
            && error.kind() == io::ErrorKind::WouldBlock
        {
            self.ready = false;
        }
        accepted
    }
}

fn listen(address: SocketAddr) -> io::Result<Port> {
    let socket = socket(address)?;
    // Else a port would rest for a minute after each connection.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(Port {
        socket: TcpListener::from_std(socket.into()),
        ready: true,
    })
}

/// Begins to connect.
pub(super) fn connect(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket(to)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    match socket.connect(&to.into()) {
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
        Ok(()) | Err(_) => Ok(TcpStream::from_std(socket.into())),
    }
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    tune(&socket)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_range_is_used_up_and_then_refused() {
        // Three neighbours that are free now: found by asking the system for one and looking beside it.
        let free = |low: u16| (low..low + 3).all(|port| listen((LOOPBACK, port).into()).is_ok());
        let low = loop {
            let opened = listen((LOOPBACK, 0).into()).unwrap();
            let port = opened.local_addr().unwrap().port();
            drop(opened);
            if port < u16::MAX - 3 && free(port) {
                break port;
            }
        };
        let range = Some(Ports { low, high: low + 2 });
        let open: Vec<_> = (0..3)
            .map(|_| Port::open(LOOPBACK, range).unwrap())
            .collect();
        let mut ports: Vec<_> = open
            .iter()
            .map(|port| port.local_addr().unwrap().port())
            .collect();
        ports.sort_unstable();
        assert_eq!(ports, [low, low + 1, low + 2]);
        let full = Port::open(LOOPBACK, range).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::AddrInUse);
        drop(open);
        assert!(Port::open(LOOPBACK, range).is_ok());
    }
}
