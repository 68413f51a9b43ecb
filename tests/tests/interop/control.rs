//! A client by hand: lines and data connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ftp_tests::{SOON, Server, eventually};

use super::place::{Cover, port};

/// A control connection.
pub(crate) struct Control {
    stream: BufReader<TcpStream>,
}

impl Control {
    /// Connects, and takes the greeting.
    pub(crate) fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port(server, Cover::Plain))).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut control = Self {
            stream: BufReader::new(stream),
        };
        assert!(control.reply().starts_with("220"));
        control
    }

    /// The same, logged in.
    pub(crate) fn enter(server: &Server) -> Self {
        let mut control = Self::open(server);
        control.expect("USER u", "331");
        control.expect("PASS p", "230");
        control.expect("TYPE I", "200");
        control
    }

    /// Sends a line.
    pub(crate) fn say(&mut self, line: &str) {
        let line = format!("{line}\r\n");
        self.stream.get_mut().write_all(line.as_bytes()).unwrap();
    }

    /// Sends what the socket takes now; whether that was all.
    pub(crate) fn try_say(&mut self, text: &str) -> bool {
        let stream = self.stream.get_mut();
        stream
            .set_write_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        stream.write_all(text.as_bytes()).is_ok()
    }

    /// The next reply's last line; empty at the end of the stream.
    pub(crate) fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line);
            if !matches!(read, Ok(len) if len > 0) || line.as_bytes().get(3) == Some(&b' ') {
                return line;
            }
        }
    }

    /// Sends a line whose reply begins so.
    pub(crate) fn expect(&mut self, line: &str, code: &str) -> String {
        self.say(line);
        let reply = self.reply();
        assert!(reply.starts_with(code), "{line}: {reply:?}");
        reply
    }

    /// Asks for a port.
    pub(crate) fn passive(&mut self) -> SocketAddr {
        let reply = self.expect("PASV", "227");
        let numbers = reply.split(['(', ')']).nth(1).unwrap();
        let numbers: Vec<u8> = numbers.split(',').map(|it| it.parse().unwrap()).collect();
        let [a, b, c, d, high, low] = numbers[..] else {
            panic!("{reply}");
        };
        SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low])))
    }

    /// Stores a whole file.
    pub(crate) fn put(&mut self, name: &str, bytes: &[u8]) {
        let address = self.passive();
        self.say(&format!("STOR {name}"));
        let mut data = TcpStream::connect(address).unwrap();
        assert!(self.reply().starts_with("150"));
        data.write_all(bytes).unwrap();
        drop(data);
        let reply = self.reply();
        assert!(reply.starts_with("226"), "{reply:?}");
    }

    /// Begins to store a file and breaks off once all these bytes have come; they are kept.
    pub(crate) fn break_off(&mut self, name: &str, bytes: &[u8]) {
        let address = self.passive();
        self.say(&format!("STOR {name}"));
        let mut data = TcpStream::connect(address).unwrap();
        assert!(self.reply().starts_with("150"));
        data.write_all(bytes).unwrap();
        let all = format!("{} bytes so far", bytes.len());
        eventually("all bytes have come", SOON, || {
            self.say("STAT");
            self.lines().contains(&all)
        });
        self.expect("ABOR", "426");
        assert!(self.reply().starts_with("226"));
    }

    /// The next reply, all of it.
    pub(crate) fn lines(&mut self) -> String {
        let mut lines = String::new();
        loop {
            let from = lines.len();
            let read = self.stream.read_line(&mut lines);
            let last =
                lines.as_bytes().get(from + 3) == Some(&b' ') && !lines[from..].starts_with(' ');
            if last || !matches!(read, Ok(len) if len > 0) {
                return lines;
            }
        }
    }

    /// Gets a whole file.
    pub(crate) fn get(&mut self, name: &str) -> Vec<u8> {
        let (bytes, reply) = self.try_get(name);
        bytes.unwrap_or_else(|| panic!("{reply:?}"))
    }

    /// Gets a whole file, or the reply that says why not; closes its end of the data connection only after that.
    pub(crate) fn try_get(&mut self, name: &str) -> (Option<Vec<u8>>, String) {
        let address = self.passive();
        self.say(&format!("RETR {name}"));
        let mut data = TcpStream::connect(address).unwrap();
        data.set_read_timeout(Some(SOON)).unwrap();
        assert!(self.reply().starts_with("150"));
        let mut bytes = Vec::new();
        let read = data.read_to_end(&mut bytes);
        let reply = self.reply();
        let whole = reply.starts_with("226");
        assert_eq!(
            read.is_ok(),
            whole,
            "{reply:?} {read:?}: what is not whole ends by a reset"
        );
        (whole.then_some(bytes), reply)
    }
}
