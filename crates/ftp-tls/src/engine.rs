//! `Engine`: one TLS connection over a nonblocking socket that it is lent for each call.
//!
//! Bounded: what was received and not decrypted, what was decrypted and not taken, what was encrypted and not
//! sent each have a bound, and an idle connection holds none of them. An end of the stream that the
//! peer did not announce (`close_notify`) is an error, never an end. Never blocks.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::{fmt, mem};

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use rustls::{ClientConfig, CommonState, ServerConfig};

/// Most bytes of one read from the socket.
const RECEIVE_BYTES: usize = 64 * 1024;
/// The same while the handshake lasts: nobody has proved anything yet.
const HANDSHAKE_RECEIVE_BYTES: usize = 4 * 1024;
/// Most bytes that wait to be decrypted: a handshake message that is longer is refused.
const INCOMING_MAX: usize = 128 * 1024;
/// Most bytes that one write encrypts: four full records (RFC 8446 section 5.1).
const WRITE_BYTES: usize = 64 * 1024;
/// Pieces shorter than this are joined, so that each is not a record of its own.
const JOIN_BELOW: usize = 16 * 1024;
/// What records add to so many bytes, with room to spare.
const OVERHEAD: usize = 1024;
/// Most messages that are sent after an error: what was on its way, and the alert.
const ALERT_STEPS: usize = 8;
/// The first byte of every handshake: the content type (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

/// The bytes beneath: a nonblocking socket.
pub trait Socket {
    /// Appends what is there, at most the spare capacity of `into`; 0 is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; whatever broke.
    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<usize>;
    /// Sends what fits.
    ///
    /// # Errors
    /// `WouldBlock` if nothing fits; whatever broke.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// The peer's first bytes are no TLS. Found as the inner error of an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTls;

impl fmt::Display for NotTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer does not speak TLS")
    }
}

impl std::error::Error for NotTls {}

/// One connection.
pub struct Engine {
    side: Side,
    /// Received and not decrypted; what lies before `start` is done with.
    incoming: Vec<u8>,
    start: usize,
    /// Decrypted and not taken; what lies before `taken` is.
    plain: Vec<u8>,
    taken: usize,
    /// Encrypted and not sent; what lies before `sent` is.
    outgoing: Vec<u8>,
    sent: usize,
    phase: Phase,
    /// The peer said that it sends no more.
    peer_closed: bool,
    /// We said that we send no more.
    closed: bool,
    /// It broke: nothing more is encrypted or decrypted.
    failed: bool,
}

enum Side {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has come from the peer.
    Fresh,
    Handshake,
    Up,
}

/// How far one step came.
enum Step {
    /// Something was done; there may be more.
    Moved,
    /// More bytes of the peer are needed.
    Blocked,
    /// Nothing is left to decrypt, and we may send.
    Idle,
    /// The peer sends no more.
    PeerClosed,
}

/// What a step is to do beyond decrypting.
enum Wish<'a> {
    Nothing,
    Encrypt(&'a [u8]),
    Close,
}

impl Engine {
    /// The end that was connected to.
    ///
    /// # Errors
    /// If the configuration cannot be used.
    pub fn server(config: Arc<ServerConfig>) -> io::Result<Self> {
        let connection = UnbufferedServerConnection::new(config).map_err(invalid)?;
        Ok(Self::new(Side::Server(connection)))
    }

    /// The end that connected, to a server of this name.
    ///
    /// # Errors
    /// If the configuration cannot be used.
    pub fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<Self> {
        let connection = UnbufferedClientConnection::new(config, name).map_err(invalid)?;
        Ok(Self::new(Side::Client(connection)))
    }

    fn new(side: Side) -> Self {
        Self {
            side,
            incoming: Vec::new(),
            start: 0,
            plain: Vec::new(),
            taken: 0,
            outgoing: Vec::new(),
            sent: 0,
            phase: Phase::Fresh,
            peer_closed: false,
            closed: false,
            failed: false,
        }
    }

    /// Whether payload may come and go.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// The certificate that the peer showed and that was believed.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.state().peer_certificates()?.first()
    }

    /// The version and the cipher suite, for the log.
    #[must_use]
    pub fn description(&self) -> String {
        let state = self.state();
        let version = state.protocol_version().and_then(|it| it.as_str());
        let suite = state.negotiated_cipher_suite().map(|it| it.suite());
        let suite = suite.and_then(|it| it.as_str()).unwrap_or_default();
        format!("{} {suite}", version.unwrap_or_default())
    }

    /// Whether the handshake went on from an earlier session.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.state().handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// Bytes that are encrypted and not sent.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.outgoing.len() - self.sent
    }

    /// Bytes of heap that are held for payload on its way.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.incoming.capacity() + self.plain.capacity() + self.outgoing.capacity()
    }

    /// Goes on with the handshake; `true` once it is done.
    ///
    /// # Errors
    /// `WouldBlock` while the peer is awaited; why it failed otherwise, [`NotTls`] and [`rustls::Error`]
    /// among the inner errors. The peer is told, as far as its socket takes it.
    pub fn handshake(&mut self, socket: &mut impl Socket) -> io::Result<bool> {
        while self.phase != Phase::Up {
            if self.advance(&mut [], socket)?.0 {
                continue;
            }
            match self.push(socket) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Ok(()) | Err(_) => {}
            }
            self.pull(HANDSHAKE_RECEIVE_BYTES, socket)?;
            if mem::replace(&mut self.phase, Phase::Handshake) == Phase::Fresh
                && matches!(self.side, Side::Server(_))
                && self
                    .incoming
                    .first()
                    .is_some_and(|first| *first != HANDSHAKE)
            {
                return Err(io::Error::new(io::ErrorKind::InvalidData, NotTls));
            }
        }
        match self.push(socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(()) | Err(_) => Ok(true),
        }
    }

    /// Decrypts into `out` what is there; 0 is the announced end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; `UnexpectedEof` for an end that was not announced; whatever broke.
    pub fn read(&mut self, out: &mut [u8], socket: &mut impl Socket) -> io::Result<usize> {
        if self.phase != Phase::Up {
            self.handshake(socket)?;
        }
        let mut filled = self.take(out);
        loop {
            if let Some(rest) = out.get_mut(filled..)
                && !rest.is_empty()
                && self.plain.is_empty()
            {
                filled += self.advance(rest, socket)?.1;
            }
            if filled > 0 || self.peer_closed || out.is_empty() {
                return Ok(filled);
            }
            match self.push(socket) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Ok(()) | Err(_) => {}
            }
            self.pull(RECEIVE_BYTES, socket)?;
        }
    }

    /// Encrypts the front of `slices` and sends what the socket takes. Returns how many bytes were encrypted: they count as
    /// sent, although some may wait in here (see [`Engine::unsent`]) for the next call.
    ///
    /// # Errors
    /// `WouldBlock` if earlier bytes still wait; whatever broke.
    pub fn write(&mut self, slices: &[IoSlice<'_>], socket: &mut impl Socket) -> io::Result<usize> {
        self.push(socket)?;
        let joined;
        let text: &[u8] = match slices {
            [] => return Ok(0),
            [first, ..] if first.len() >= JOIN_BELOW || slices.len() == 1 => first,
            _ => {
                joined = join(slices);
                &joined
            }
        };
        let text = text.get(..WRITE_BYTES).unwrap_or(text);
        if text.is_empty() {
            return Ok(0);
        }
        self.wish(Wish::Encrypt(text))?;
        match self.push(socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(()) | Err(_) => Ok(text.len()),
        }
    }

    /// Sends what was encrypted before.
    ///
    /// # Errors
    /// `WouldBlock` if not all of it fits; whatever broke.
    pub fn push(&mut self, socket: &mut impl Socket) -> io::Result<()> {
        while let Some(rest) = self.outgoing.get(self.sent..)
            && !rest.is_empty()
        {
            self.sent += socket.send(rest)?;
        }
        self.outgoing = Vec::new();
        self.sent = 0;
        Ok(())
    }

    /// Announces the end of our stream, once; [`Engine::push`] sends it.
    ///
    /// # Errors
    /// If the connection broke before.
    pub fn close(&mut self) -> io::Result<()> {
        if mem::replace(&mut self.closed, true) || self.phase != Phase::Up || self.failed {
            return Ok(());
        }
        self.wish(Wish::Close)
    }

    fn state(&self) -> &CommonState {
        match &self.side {
            Side::Server(side) => side,
            Side::Client(side) => side,
        }
    }

    /// Decrypts into `out` until it is full or nothing is left. Says whether anything moved, and how many bytes there are.
    fn advance(&mut self, out: &mut [u8], socket: &mut impl Socket) -> io::Result<(bool, usize)> {
        let mut filled = 0;
        let mut moved = false;
        loop {
            let rest = out.get_mut(filled..).unwrap_or_default();
            let step = self.step(rest, &Wish::Nothing);
            match step {
                Ok((step, count)) => {
                    filled += count;
                    match step {
                        Step::Moved => moved = true,
                        Step::Blocked => break,
                        Step::Idle => {
                            moved |= mem::replace(&mut self.phase, Phase::Up) != Phase::Up;
                            break;
                        }
                        Step::PeerClosed => {
                            self.peer_closed = true;
                            // It may have said so in one breath with the end of the handshake.
                            if !self.state().is_handshaking() {
                                moved |= mem::replace(&mut self.phase, Phase::Up) != Phase::Up;
                            }
                            break;
                        }
                    }
                    if self.phase == Phase::Up && filled == out.len() {
                        break;
                    }
                }
                Err(error) => {
                    self.alert(socket);
                    return Err(error);
                }
            }
        }
        Ok((moved, filled))
    }

    /// Tells the peer why we give up, as far as its socket takes it.
    fn alert(&mut self, socket: &mut impl Socket) {
        // The alert may stand behind a flight. What was received is not looked at again.
        for _ in 0..ALERT_STEPS {
            if !self.state().wants_write()
                || !matches!(self.step(&mut [], &Wish::Nothing), Ok((Step::Moved, _)))
            {
                break;
            }
        }
        self.failed = true;
        let _ = self.push(socket);
    }

    /// Does something that needs the connection to be idle: what comes first is decrypted first.
    fn wish(&mut self, wish: Wish<'_>) -> io::Result<()> {
        loop {
            match self.step(&mut [], &wish)?.0 {
                Step::Moved => {}
                Step::Idle => return Ok(()),
                Step::PeerClosed => self.peer_closed = true,
                Step::Blocked => {
                    return Err(io::Error::new(
                        io::ErrorKind::NotConnected,
                        "the TLS handshake is not done",
                    ));
                }
            }
        }
    }

    /// One state of the connection. Plaintext goes to `out`, and what does not fit there to `plain`.
    fn step(&mut self, out: &mut [u8], wish: &Wish<'_>) -> io::Result<(Step, usize)> {
        if self.failed {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the TLS connection broke before",
            ));
        }
        let incoming = self.incoming.get_mut(self.start..).unwrap_or_default();
        let (outgoing, plain) = (&mut self.outgoing, &mut self.plain);
        let (discard, result) = match &mut self.side {
            Side::Server(side) => settle(
                side.process_tls_records(incoming),
                outgoing,
                plain,
                out,
                wish,
            ),
            Side::Client(side) => settle(
                side.process_tls_records(incoming),
                outgoing,
                plain,
                out,
                wish,
            ),
        };
        self.start = self.start.saturating_add(discard).min(self.incoming.len());
        if self.start == self.incoming.len() {
            self.incoming = Vec::new();
            self.start = 0;
        }
        result
    }

    /// Bytes that were decrypted before.
    fn take(&mut self, out: &mut [u8]) -> usize {
        let rest = self.plain.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.taken += count;
        if self.taken >= self.plain.len() {
            self.plain = Vec::new();
            self.taken = 0;
        }
        count
    }

    /// Reads once from the socket.
    fn pull(&mut self, most: usize, socket: &mut impl Socket) -> io::Result<()> {
        if self.start > 0 {
            self.incoming.drain(..self.start);
            self.start = 0;
        }
        if self.incoming.len() >= INCOMING_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a TLS message is too long",
            ));
        }
        self.incoming.reserve_exact(most);
        match socket.receive(&mut self.incoming) {
            Ok(0) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection was cut: it ended without TLS's close_notify",
            )),
            Ok(_) => Ok(()),
            Err(error) => {
                self.incoming.shrink_to_fit();
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({})", self.description())
    }
}

/// The front of several pieces, as one.
fn join(slices: &[IoSlice<'_>]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(WRITE_BYTES.min(slices.iter().map(|it| it.len()).sum()));
    for slice in slices {
        let room = WRITE_BYTES - joined.len();
        joined.extend_from_slice(slice.get(..room).unwrap_or(slice));
        if joined.len() == WRITE_BYTES {
            break;
        }
    }
    joined
}

/// Does what a state of the connection asks for. Returns how many bytes of the input are done with.
fn settle<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    outgoing: &mut Vec<u8>,
    plain: &mut Vec<u8>,
    out: &mut [u8],
    wish: &Wish<'_>,
) -> (usize, io::Result<(Step, usize)>) {
    let mut discard = status.discard;
    let result = match status.state {
        Err(error) => Err(invalid(error)),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut filled = 0;
            loop {
                match traffic.next_record() {
                    None => break Ok((Step::Moved, filled)),
                    Some(Err(error)) => break Err(invalid(error)),
                    Some(Ok(record)) => {
                        discard += record.discard;
                        let room = out.get_mut(filled..).unwrap_or_default();
                        let (now, later) = record
                            .payload
                            .split_at(record.payload.len().min(room.len()));
                        if let Some(room) = room.get_mut(..now.len()) {
                            room.copy_from_slice(now);
                        }
                        filled += now.len();
                        plain.extend_from_slice(later);
                    }
                }
            }
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            let encoded = append(outgoing, 512, |room| match data.encode(room) {
                Ok(count) => Ok(count),
                Err(EncodeError::InsufficientSize(size)) => Err(Some(size)),
                Err(EncodeError::AlreadyEncoded) => Err(None),
            });
            encoded.map(|()| (Step::Moved, 0))
        }
        Ok(ConnectionState::TransmitTlsData(transmit)) => {
            transmit.done();
            Ok((Step::Moved, 0))
        }
        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
            let mut told =
                |more, with: &mut dyn FnMut(&mut [u8]) -> Result<usize, EncryptError>| {
                    append(outgoing, more, |room| match with(room) {
                        Ok(count) => Ok(count),
                        Err(EncryptError::InsufficientSize(size)) => Err(Some(size)),
                        Err(EncryptError::EncryptExhausted) => Err(None),
                    })
                };
            match wish {
                Wish::Nothing => Ok(()),
                Wish::Encrypt(text) => told(text.len() + OVERHEAD, &mut |room| {
                    traffic.encrypt(text, room)
                }),
                Wish::Close => told(OVERHEAD, &mut |room| traffic.queue_close_notify(room)),
            }
            .map(|()| (Step::Idle, 0))
        }
        Ok(ConnectionState::BlockedHandshake) => Ok((Step::Blocked, 0)),
        Ok(ConnectionState::PeerClosed) => Ok((Step::PeerClosed, 0)),
        // Both ends are closed: nothing is left to say or hear.
        Ok(ConnectionState::Closed) => Ok((Step::Idle, 0)),
        // Early data is not offered; whatever else a later version may bring, we did not ask for.
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "an unexpected state of TLS",
        )),
    };
    (discard, result)
}

/// Lets `write` append to `outgoing`, with `guess` bytes of room or as many as it then asks for.
fn append(
    outgoing: &mut Vec<u8>,
    guess: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<InsufficientSizeError>>,
) -> io::Result<()> {
    let before = outgoing.len();
    let mut room = guess;
    for _ in 0..2 {
        outgoing.resize(before + room, 0);
        match write(outgoing.get_mut(before..).unwrap_or_default()) {
            Ok(count) => {
                outgoing.truncate(before + count);
                return Ok(());
            }
            Err(Some(size)) => room = size.required_size,
            Err(None) => break,
        }
    }
    outgoing.truncate(before);
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "TLS cannot encrypt any more on this connection",
    ))
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
