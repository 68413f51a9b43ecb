//! Sockets beside the one that a session is made of: a port that takes one connection, and a connection outwards.
//!
//! Never blocks: no name is looked up here.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::ephemeral::Ephemeral;
use super::tune;

/// Ports of the range that are tried before it counts as full.
const TRIES: u16 = 64;
/// Connections that the kernel keeps until they are accepted: strangers are among them.
const BACKLOG: i32 = 8;

/// Ports of the system's own that are tried, each by chance, before the system is asked for one.
const TRIES_OF_ANY: u8 = 4;

/// Ports that may be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ports {
    /// These and no others, both ends included.
    Range { low: u16, high: u16 },
    /// Whichever is free.
    Any(Ephemeral),
}

/// An open port.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) socket: TcpListener,
    /// Somebody may have come; cleared when nobody has.
    pub(crate) ready: bool,
}

impl Port {
    /// Opens one on `ip`, chosen by chance.
    ///
    /// # Errors
    /// `AddrInUse` if none of those that were tried is free; what the system says otherwise.
    pub(crate) fn open(ip: IpAddr, ports: &Ports) -> io::Result<Self> {
        match ports {
            Ports::Range { low, high } => open_of(ip, *low, *high),
            Ports::Any(ephemeral) => open_any(ip, ephemeral),
        }
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

fn open_of(ip: IpAddr, low: u16, high: u16) -> io::Result<Port> {
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

/// The system looks for a port without a single connection, of those that rest (`TIME_WAIT`) too, which takes milliseconds
/// once there are ten thousand; to be given one of its own choice by name takes microseconds.
fn open_any(ip: IpAddr, ephemeral: &Ephemeral) -> io::Result<Port> {
    for _ in 0..TRIES_OF_ANY {
        if let Some(port) = ephemeral.choose()
            && let Ok(port) = listen(SocketAddr::new(ip, port))
        {
            return Ok(port);
        }
    }
    listen(SocketAddr::new(ip, 0))
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
    use std::collections::BTreeSet;
    use std::io::Read as _;
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
        let range = Ports::Range { low, high: low + 2 };
        let open: Vec<_> = (0..3)
            .map(|_| Port::open(LOOPBACK, &range).unwrap())
            .collect();
        let mut ports: Vec<_> = open
            .iter()
            .map(|port| port.local_addr().unwrap().port())
            .collect();
        ports.sort_unstable();
        assert_eq!(ports, [low, low + 1, low + 2]);
        let full = Port::open(LOOPBACK, &range).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::AddrInUse);
        drop(open);
        assert!(Port::open(LOOPBACK, &range).is_ok());
    }

    fn number(port: &Port) -> u16 {
        port.local_addr().unwrap().port()
    }

    /// An address where nobody else opens ports, for each test its own.
    fn quiet(last: u8) -> IpAddr {
        Ipv4Addr::new(127, 83, 6, last).into()
    }

    /// Two ports that the system gives to nobody who asks for any.
    fn beside() -> (u16, u16) {
        let (low, _) = Ephemeral::of_system().unwrap().ends();
        (low - 2, low - 1)
    }

    #[test]
    fn nobody_can_tell_which_port_comes_next() {
        let own = Ephemeral::of_system().unwrap();
        let (low, high) = own.ends();
        for ports in [Ports::Range { low, high }, Ports::Any(own)] {
            let opened: Vec<_> = (0..64)
                .map(|_| i32::from(number(&Port::open(quiet(1), &ports).unwrap())))
                .collect();
            let all: BTreeSet<_> = opened.iter().collect();
            assert!(all.len() > 32, "{opened:?}");
            let steps: BTreeSet<_> = opened.windows(2).map(|two| two[1] - two[0]).collect();
            assert!(steps.len() > 32, "{opened:?}");
            assert!(steps.iter().any(|step| *step < 0), "{opened:?}");
            // From all over the range.
            let middle = i32::from(low.midpoint(high));
            assert!(opened.iter().any(|port| *port < middle), "{opened:?}");
            assert!(opened.iter().any(|port| *port > middle), "{opened:?}");
        }
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let (low, high) = beside();
        let range = Ports::Range { low, high };
        let any = Ports::Any(Ephemeral::of(low, low, ""));
        let taken = listen((quiet(2), low).into()).unwrap();
        for _ in 0..32 {
            assert_eq!(number(&Port::open(quiet(2), &range).unwrap()), high);
            // The system's choice.
            assert!(number(&Port::open(quiet(2), &any).unwrap()) > high);
        }
        drop(taken);
        assert_eq!(number(&Port::open(quiet(2), &any).unwrap()), low);
    }

    #[test]
    #[allow(
        clippy::disallowed_types,
        clippy::disallowed_methods,
        reason = "both sides may block here"
    )]
    fn a_port_that_rests_is_opened_again() {
        let (low, _) = beside();
        let any = Ports::Any(Ephemeral::of(low, low, ""));
        for _ in 0..3 {
            let port = Port::open(quiet(3), &any).unwrap();
            let address = port.local_addr().unwrap();
            assert_eq!(address.port(), low);
            let mut client = std::net::TcpStream::connect(address).unwrap();
            // Who closes first is who rests.
            let std = std::net::TcpListener::from(port.socket);
            std.set_nonblocking(false).unwrap();
            drop(std.accept().unwrap());
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
        }
    }

    #[test]
    fn reserved_ports_are_left_alone() {
        let (low, high) = beside();
        let any = Ports::Any(Ephemeral::of(low, high, &format!("80,{low}")));
        let opened: BTreeSet<_> = (0..64)
            .map(|_| number(&Port::open(quiet(4), &any).unwrap()))
            .collect();
        assert!(!opened.contains(&low), "{opened:?}");
        assert!(opened.contains(&high), "{opened:?}");
    }
}
