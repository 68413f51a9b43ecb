//! A peer that speaks frames by hand, well or badly, written from `PROTOCOL.md`; it shares no code with the client.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::deadline::SOON;
use crate::files::sha256;

/// Payload bytes of one frame of ours.
pub const CHUNK: usize = 1 << 20;

/// A frame as it came: header and payload.
pub type Frame = (Value, Vec<u8>);

/// One connection.
pub struct Peer {
    stream: TcpStream,
    next: u64,
}

impl Peer {
    /// Connects and says nothing.
    #[must_use]
    pub fn connect(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&addr, SOON).unwrap())
    }

    /// Connects from an address of choice and says nothing.
    #[must_use]
    pub fn connect_from(from: IpAddr, addr: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
        socket.connect(&addr.into()).unwrap();
        Self::over(socket.into())
    }

    /// Connects from an address of choice and says `hello`.
    #[must_use]
    pub fn hello_from(from: IpAddr, addr: SocketAddr) -> Self {
        Self::connect_from(from, addr).greet()
    }

    /// Connects, sends a proxy's header and `hello` in one piece, and takes the answer.
    #[must_use]
    pub fn behind_proxy(addr: SocketAddr, header: &[u8]) -> (Self, Frame) {
        let mut peer = Self::connect(addr);
        let hello = json!({"id": peer.fresh(), "verb": "hello", "version": 1, "fin": true});
        peer.raw(&[header, &frame(&hello, b"")].concat());
        let answer = peer.answer();
        (peer, answer)
    }

    /// Speaks over a connection that is there.
    #[must_use]
    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_write_timeout(Some(SOON)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, next: 1 }
    }

    /// Connects and says `hello`.
    #[must_use]
    pub fn hello(addr: SocketAddr) -> Self {
        Self::connect(addr).greet()
    }

    /// Connects, says `hello`, and logs in.
    #[must_use]
    pub fn login(addr: SocketAddr, user: &str, password: &str) -> Self {
        let mut peer = Self::hello(addr);
        let answer = peer.try_login(user, password);
        assert_eq!(answer["user"], user, "{answer}");
        peer
    }

    /// Tries to log in.
    #[track_caller]
    pub fn try_login(&mut self, user: &str, password: &str) -> Value {
        let login = json!({"verb": "login", "user": user, "password": password});
        self.ask(login, b"").0
    }

    fn greet(mut self) -> Self {
        let hello = json!({"verb": "hello", "version": 1, "client": "peer"});
        let (answer, _) = self.ask(hello, b"");
        assert_eq!(answer["version"], 1, "{answer}");
        self
    }

    /// The socket, for options and odd ends.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Lets every wait take at most this long.
    #[must_use]
    pub fn patience(self, time: Duration) -> Self {
        self.stream.set_read_timeout(Some(time)).unwrap();
        self.stream.set_write_timeout(Some(time)).unwrap();
        self
    }

    /// Sends bytes as they are; an error is the server's good right.
    ///
    /// # Errors
    /// As the socket says.
    pub fn try_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.try_raw(bytes).unwrap();
    }

    /// Sends one frame; `len` is added where there is a payload.
    pub fn send(&mut self, head: &Value, payload: &[u8]) {
        self.raw(&frame(head, payload));
    }

    /// An id that was not used before.
    pub fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// The next frame; `None` when the server has closed.
    ///
    /// # Panics
    /// If nothing comes in time.
    #[must_use]
    pub fn frame(&mut self) -> Option<Frame> {
        let mut prelude = [0; 4];
        let mut got = 0;
        while got < prelude.len() {
            match self.stream.read(&mut prelude[got..]) {
                Ok(0) if got == 0 => return None,
                Ok(0) => panic!("the server closed within a frame"),
                Ok(len) => got += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no frame from the server: {error}"),
            }
        }
        let mut head = vec![0; u32::from_be_bytes(prelude) as usize];
        assert!(
            (1..=65_536).contains(&head.len()),
            "header of {}",
            head.len()
        );
        self.stream.read_exact(&mut head).unwrap();
        let head: Value = serde_json::from_slice(&head).unwrap();
        let mut payload = vec![0; usize::try_from(head["len"].as_u64().unwrap_or(0)).unwrap()];
        assert!(payload.len() <= CHUNK, "{head}");
        self.stream.read_exact(&mut payload).unwrap();
        Some((head, payload))
    }

    /// The next frame, which must come.
    #[must_use]
    #[track_caller]
    pub fn answer(&mut self) -> Frame {
        self.frame().expect("an answer, not the end")
    }

    /// Sends one request of one frame, and gives the (last) frame of its answer with all its payload.
    #[track_caller]
    pub fn ask(&mut self, mut head: Value, payload: &[u8]) -> Frame {
        let id = self.fresh();
        head["id"] = id.into();
        head["fin"] = true.into();
        self.send(&head, payload);
        self.rest(id)
    }

    /// Gathers the frames of an answer; the last header, and all of the payload.
    #[track_caller]
    pub fn rest(&mut self, id: u64) -> Frame {
        let mut all = Vec::new();
        loop {
            let (head, payload) = self.answer();
            assert_eq!(head["id"], id, "{head}");
            all.extend(payload);
            if head["fin"] == true {
                return (head, all);
            }
        }
    }

    /// Uploads, in chunks, with the digest at the end.
    #[track_caller]
    pub fn put(&mut self, path: &str, bytes: &[u8]) -> Value {
        let id = self.fresh();
        self.send(
            &json!({"id": id, "verb": "put", "path": path, "parents": true}),
            b"",
        );
        for chunk in bytes.chunks(CHUNK) {
            self.send(&json!({"id": id}), chunk);
        }
        self.send(
            &json!({"id": id, "fin": true, "sha256": sha256(bytes)}),
            b"",
        );
        self.rest(id).0
    }

    /// Downloads and verifies the digest.
    ///
    /// # Errors
    /// The server's code.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>, String> {
        let (head, bytes) = self.ask(json!({"verb": "get", "path": path}), b"");
        match head["error"]["code"].as_str() {
            Some(code) => Err(code.to_owned()),
            None => {
                assert_eq!(head["sha256"], sha256(&bytes), "{path}");
                Ok(bytes)
            }
        }
    }

    /// Asserts that the connection still works.
    #[track_caller]
    pub fn still_works(&mut self) {
        let (head, payload) = self.ask(json!({"verb": "ping"}), b"still there");
        assert_eq!(payload, b"still there", "{head}");
    }

    /// Asserts that the server closes, whatever it says before.
    #[track_caller]
    pub fn is_closed(&mut self) {
        while self.frame().is_some() {}
    }

    /// Says that no more will be sent, unless the server has gone already.
    pub fn half_close(&self) {
        drop(self.stream.shutdown(Shutdown::Write));
    }

    /// Breaks the connection with a reset.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A frame as bytes; `len` is added where there is a payload.
#[must_use]
pub fn frame(head: &Value, payload: &[u8]) -> Vec<u8> {
    let mut head = head.clone();
    if !payload.is_empty() {
        head["len"] = payload.len().into();
    }
    let mut bytes = header(head.to_string().as_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Any text as a header, with its length before it.
#[must_use]
pub fn header(text: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(text);
    bytes
}

/// The code of an answer that failed.
#[must_use]
#[track_caller]
pub fn code(head: &Value) -> &str {
    head["error"]["code"]
        .as_str()
        .unwrap_or_else(|| panic!("no error: {head}"))
}
