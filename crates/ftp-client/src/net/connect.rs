//! From a server's name to a connected, nonblocking socket, within a deadline and breakable.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::transport::Transport;
use crate::cancel::{Cancel, timespec};
use crate::error::{Error, Result};

/// The port of a server that names none.
const PORT: u16 = 2121;

/// Splits `HOST`, `HOST:PORT`, `[V6]:PORT` or a bare IPv6 address.
///
/// # Errors
/// [`Error::Usage`] for an empty host or a port that is no number.
pub(crate) fn address(server: &str) -> Result<(String, u16)> {
    let wrong = |why: &str| Error::Usage(format!("server {server:?}: {why}"));
    let (host, port) = if let Some(rest) = server.strip_prefix('[') {
        let (host, rest) = rest
            .split_once(']')
            .ok_or_else(|| wrong("`]` is missing"))?;
        let port = match rest {
            "" => None,
            rest => Some(
                rest.strip_prefix(':')
                    .ok_or_else(|| wrong("`:PORT` expected after `]`"))?,
            ),
        };
        (host, port)
    } else if server.matches(':').count() > 1 {
        (server, None)
    } else {
        server
            .split_once(':')
            .map_or((server, None), |(host, port)| (host, Some(port)))
    };
    if host.is_empty() {
        return Err(wrong("the host is missing"));
    }
    let port = match port {
        Some(text) => text
            .parse()
            .map_err(|_| wrong("the port is not a number from 0 to 65535"))?,
        None => PORT,
    };
    Ok((host.to_owned(), port))
}

/// Connects to the first of the server's addresses that answers.
///
/// # Errors
/// [`Error::Unreachable`] with the last address's reason, [`Error::Interrupted`], [`Error::Usage`].
pub(crate) fn connect(server: &str, limit: Duration, cancel: &Cancel) -> Result<Transport> {
    let (host, port) = address(server)?;
    let unreachable = |source| Error::Unreachable {
        server: server.to_owned(),
        source,
    };
    let deadline = Instant::now() + limit;
    let addresses = (host.as_str(), port)
        .to_socket_addrs()
        .map_err(unreachable)?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        cancel.check()?;
        match attempt(address, deadline, cancel) {
            Ok(transport) => return Ok(transport),
            Err(Failure::Cancelled(error)) => return Err(error),
            Err(Failure::Refused(error)) => last = error,
        }
    }
    Err(unreachable(last))
}

enum Failure {
    Refused(io::Error),
    Cancelled(Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Refused(error)
    }
}

fn attempt(
    address: SocketAddr,
    deadline: Instant,
    cancel: &Cancel,
) -> std::result::Result<Transport, Failure> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
        {
            wait_connected(&socket, deadline, cancel)?;
        }
        Err(error) => return Err(error.into()),
    }
    tune(&socket);
    Ok(Transport::Plain(socket.into()))
}

fn wait_connected(
    socket: &Socket,
    deadline: Instant,
    cancel: &Cancel,
) -> std::result::Result<(), Failure> {
    loop {
        cancel.check().map_err(Failure::Cancelled)?;
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "no answer within the time for connecting (--connect-timeout)",
            )
            .into());
        }
        let waker = cancel.fd();
        let mut fds = [
            PollFd::new(socket, PollFlags::OUT),
            PollFd::new(&waker, PollFlags::IN),
        ];
        match poll(&mut fds, Some(&timespec(left))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
        if fds.first().is_some_and(|fd| !fd.revents().is_empty()) {
            return match socket.take_error()? {
                Some(error) => Err(error.into()),
                None => Ok(()),
            };
        }
    }
}

/// Requests leave at once; a peer that vanished is noticed. Neither is worth failing for.
fn tune(socket: &Socket) {
    let socket = SockRef::from(socket);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(Duration::from_secs(30))
            .with_interval(Duration::from_secs(10))
            .with_retries(4),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_as_people_write_them() {
        for (text, host, port) in [
            ("localhost", "localhost", 2121),
            ("a.example:99", "a.example", 99),
            ("[::1]:5", "::1", 5),
            ("[::1]", "::1", 2121),
            ("::1", "::1", 2121),
            ("127.0.0.1:0", "127.0.0.1", 0),
        ] {
            assert_eq!(address(text).unwrap(), (host.to_owned(), port), "{text}");
        }
        for text in ["", ":1", "a:", "a:b", "a:65536", "[::1", "[::1]x", "[]:1"] {
            assert!(matches!(address(text), Err(Error::Usage(_))), "{text}");
        }
    }

    #[test]
    fn a_closed_port_is_unreachable_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap().to_string();
        drop(listener);
        let error = connect(&server, Duration::from_secs(30), &Cancel::new().unwrap()).unwrap_err();
        let Error::Unreachable { source, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
    }
}
