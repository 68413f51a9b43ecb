//! From a server's name to a connected, nonblocking socket, within a deadline and breakable.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::tls::{Raw, Tls};
use super::transport::Transport;
use crate::cancel::{Cancel, timespec};
use crate::error::{Error, Result};
use crate::options::Options;

/// The port of a server that names none.
const PORT: u16 = 2121;

/// In front of a server to which TLS is spoken.
pub(super) const SECURE: &str = "muxftps://";
/// In front of one to which it is not, or not necessarily.
const PLAIN: &str = "muxftp://";

/// Splits `HOST`, `HOST:PORT`, `[V6]:PORT` or a bare IPv6 address, whatever scheme is in front.
///
/// # Errors
/// [`Error::Usage`] for an empty host or a port that is no number.
pub(crate) fn address(server: &str) -> Result<(String, u16)> {
    let wrong = |why: &str| Error::Usage(format!("server {server:?}: {why}"));
    let server = [SECURE, PLAIN]
        .iter()
        .find_map(|scheme| server.strip_prefix(scheme))
        .map_or(server, |rest| rest.trim_end_matches('/'));
    if let Some((scheme, _)) = server.split_once("://") {
        return Err(wrong(&format!(
            "there is no scheme {scheme:?} here: write {SECURE}HOST:PORT (TLS), {PLAIN}HOST:PORT, or HOST:PORT alone"
        )));
    }
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

/// Connects to the first of the server's addresses that answers, and shakes hands where TLS is asked for.
///
/// # Errors
/// [`Error::Unreachable`] with the last address's reason, [`Error::Untrusted`], [`Error::Interrupted`], [`Error::Usage`].
pub(crate) fn connect(options: &Options, cancel: &Cancel) -> Result<Transport> {
    let server = options.server.as_str();
    let (host, port) = address(server)?;
    let Some(tls) = &options.tls else {
        if server.starts_with(SECURE) {
            return Err(Error::Usage(format!(
                "{server} asks for TLS, which was not set up"
            )));
        }
        let stream = open(server, &host, port, options.connect_timeout, cancel)?;
        return Ok(Transport::Plain(stream));
    };
    let mut asked = false;
    loop {
        let deadline = Instant::now() + options.connect_timeout;
        let stream = open(server, &host, port, options.connect_timeout, cancel)?;
        match secure(stream, tls, &host, port, deadline, cancel) {
            Ok(Some(transport)) => return Ok(transport),
            // A person decided to trust; the server did not wait for that.
            Ok(None) if !asked => asked = true,
            Ok(None) => {
                return Err(Error::Lost(format!(
                    "{server} shows one key after the other"
                )));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Shakes hands; `None` if it failed for want of trust that a person then gave.
fn secure(
    stream: TcpStream,
    tls: &Tls,
    host: &str,
    port: u16,
    deadline: Instant,
    cancel: &Cancel,
) -> Result<Option<Transport>> {
    let mut pending = tls.begin(host, port)?;
    loop {
        match pending.engine.handshake(&mut Raw(&stream)) {
            Ok(_) => return Ok(Some(Transport::Tls(stream, pending.engine))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                drop(stream);
                let judged = tls.judge(&pending, &error);
                // A person who was asked may have gone instead.
                cancel.check()?;
                return judged.map(|_| None);
            }
        }
        let mut events = PollFlags::IN;
        if pending.engine.unsent() > 0 {
            events |= PollFlags::OUT;
        }
        wait(&stream, events, deadline, cancel).map_err(|failure| match failure {
            Failure::Cancelled(error) => error,
            Failure::Refused(error) => Error::TimedOut(format!("TLS handshake: {error}")),
        })?;
    }
}

fn open(
    server: &str,
    host: &str,
    port: u16,
    limit: Duration,
    cancel: &Cancel,
) -> Result<TcpStream> {
    let unreachable = |source| Error::Unreachable {
        server: server.to_owned(),
        source,
    };
    let deadline = Instant::now() + limit;
    let addresses = (host, port).to_socket_addrs().map_err(unreachable)?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        cancel.check()?;
        match attempt(address, deadline, cancel) {
            Ok(stream) => return Ok(stream),
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
) -> std::result::Result<TcpStream, Failure> {
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
    Ok(socket.into())
}

fn wait_connected(
    socket: &Socket,
    deadline: Instant,
    cancel: &Cancel,
) -> std::result::Result<(), Failure> {
    wait(socket, PollFlags::OUT, deadline, cancel)?;
    match socket.take_error()? {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// Waits until the socket can do one of `events`.
fn wait(
    socket: &impl AsFd,
    events: PollFlags,
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
            PollFd::new(socket, events),
            PollFd::new(&waker, PollFlags::IN),
        ];
        match poll(&mut fds, Some(&timespec(left))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
        if fds.first().is_some_and(|fd| !fd.revents().is_empty()) {
            return Ok(());
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
            ("muxftps://a.example:9/", "a.example", 9),
            ("muxftp://[::1]", "::1", 2121),
        ] {
            assert_eq!(address(text).unwrap(), (host.to_owned(), port), "{text}");
        }
        for text in ["", ":1", "a:", "a:b", "a:65536", "[::1", "[::1]x", "[]:1"] {
            assert!(matches!(address(text), Err(Error::Usage(_))), "{text}");
        }
        for text in ["http://a.example", "ftp://a:21/", "muxftp://http://a"] {
            let error = address(text).unwrap_err().to_string();
            assert!(error.contains("muxftps://HOST:PORT"), "{text}: {error}");
        }
    }

    #[test]
    fn a_closed_port_is_unreachable_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap().to_string();
        drop(listener);
        let options = Options {
            server,
            ..Options::default()
        };
        let error = connect(&options, &Cancel::new().unwrap()).unwrap_err();
        let Error::Unreachable { source, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
    }
}
