//! One connection: what is left to send, what is heard, when it is done.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use crate::language::Reader;

/// A piece of what is sent.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// Bytes of its own.
    Own(Vec<u8>),
    /// Bytes that many connections send.
    Shared(Arc<[u8]>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// What is to be said after the greeting, `times` times, each after the answer to the one before.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// What is said at once.
    pub(crate) greeting: Vec<u8>,
    /// What is said then.
    pub(crate) request: Vec<Piece>,
    /// How often.
    pub(crate) times: u32,
}

/// A connection at work or at rest.
#[derive(Debug)]
pub(crate) struct Conn {
    stream: TcpStream,
    reader: Reader,
    outgoing: VecDeque<Piece>,
    /// Bytes of the first piece that have been sent.
    sent: usize,
    greeted: bool,
    /// Requests that are still to be answered, the current one among them.
    left: u32,
    /// When it was begun.
    pub(crate) began: Instant,
}

/// What one wake-up brought.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Bytes of files that came.
    pub(crate) payload: u64,
    /// Whether all answers are here.
    pub(crate) done: bool,
}

impl Conn {
    /// Begins to connect, from `source`.
    ///
    /// # Errors
    /// As `socket`, `bind` or `connect` say.
    pub(crate) fn open(
        addr: SocketAddr,
        source: Ipv4Addr,
        reader: Reader,
        script: &Script,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if addr.is_ipv4() && !source.is_unspecified() {
            socket.bind(&SocketAddr::from((source, 0)).into())?;
        }
        match socket.connect(&addr.into()) {
            Ok(()) => {}
            Err(error)
                if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        let mut outgoing = VecDeque::new();
        if !script.greeting.is_empty() {
            outgoing.push_back(Piece::Own(script.greeting.clone()));
        }
        Ok(Self {
            stream: TcpStream::from_std(socket.into()),
            reader,
            outgoing,
            sent: 0,
            greeted: false,
            left: script.times,
            began: Instant::now(),
        })
    }

    /// The socket, to register.
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Gives an idle connection work.
    pub(crate) fn ask(&mut self, request: &[Piece]) {
        self.began = Instant::now();
        self.left = 1;
        self.outgoing.extend(request.iter().cloned());
    }

    /// Sends and hears all that can be now.
    ///
    /// # Errors
    /// What ended the connection before its work was done.
    pub(crate) fn drive(
        &mut self,
        script: &Script,
        user: &str,
        buffer: &mut [u8],
    ) -> Result<Progress, String> {
        let mut progress = Progress::default();
        loop {
            self.flush()?;
            let len = match self.stream.read(buffer) {
                Ok(0) => return Err("the server closed".into()),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(progress),
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(progress),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.to_string()),
            };
            let heard = self
                .reader
                .hear(buffer.get(..len).unwrap_or_default(), user)?;
            progress.payload += heard.payload;
            if !heard.reply.is_empty() {
                self.outgoing.push_back(Piece::Own(heard.reply));
            }
            for _ in 0..heard.answers {
                progress.done |= self.answered(script)?;
            }
            if progress.done {
                return Ok(progress);
            }
        }
    }

    /// Counts an answer and says the next thing; `true` if there is none.
    fn answered(&mut self, script: &Script) -> Result<bool, String> {
        if self.greeted {
            self.left = self
                .left
                .checked_sub(1)
                .ok_or("an answer nobody asked for")?;
        }
        self.greeted = true;
        if self.left > 0 {
            self.outgoing.extend(script.request.iter().cloned());
        }
        Ok(self.left == 0)
    }

    fn flush(&mut self) -> Result<(), String> {
        while let Some(piece) = self.outgoing.front() {
            let rest = piece.bytes().get(self.sent..).unwrap_or_default();
            if rest.is_empty() {
                self.outgoing.pop_front();
                self.sent = 0;
                continue;
            }
            match self.stream.write(rest) {
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        if self.outgoing.capacity() > 4 {
            self.outgoing = VecDeque::new();
        }
        Ok(())
    }
}
