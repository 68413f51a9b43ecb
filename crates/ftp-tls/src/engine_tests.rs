//! Two engines joined in memory, whatever the socket between them takes, and bytes that nobody should believe.

use std::collections::VecDeque;
use std::path::PathBuf;

use rustls::RootCertStore;
use rustls::crypto::ring;

use super::*;
use crate::{Acceptor, Identity, Oldest, ServerOptions};

/// One direction of a connection in memory.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    ended: bool,
    /// Most bytes that wait.
    room: usize,
}

struct End<'a> {
    from: &'a mut Pipe,
    to: &'a mut Pipe,
    /// Most bytes of one call.
    bite: usize,
}

impl Socket for End<'_> {
    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let spare = into.capacity() - into.len();
        let count = spare.min(self.bite).min(self.from.bytes.len());
        if count == 0 && !self.from.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        into.extend(self.from.bytes.drain(..count));
        Ok(count)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.to.room - self.to.bytes.len();
        let count = bytes.len().min(self.bite).min(room);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.to.bytes.extend(&bytes[..count]);
        Ok(count)
    }
}

struct Pair {
    server: Engine,
    client: Engine,
    up: Pipe,
    down: Pipe,
    bite: usize,
    acceptor: Acceptor,
    _dir: tempfile::TempDir,
}

fn pair(bite: usize, room: usize, alpn: &[&[u8]]) -> Pair {
    pair_with_tickets(bite, room, alpn, 2)
}

fn pair_with_tickets(bite: usize, room: usize, alpn: &[&[u8]], tickets: usize) -> Pair {
    let dir = tempfile::tempdir().unwrap();
    let options = ServerOptions {
        files: None,
        state: PathBuf::from(dir.path()),
        names: vec!["server.example".into()],
        client_ca: None,
        oldest: Oldest::Tls13,
        alpn: vec![crate::ALPN_NATIVE.to_vec()],
    };
    let acceptor = Acceptor::new(&options, Box::new(|_| None)).unwrap();
    let (identity, _) = Identity::kept_in(dir.path(), &[]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(identity.leaf().unwrap().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|it| it.to_vec()).collect();
    let mut shown = ServerConfig::clone(&acceptor.current());
    shown.send_tls13_tickets = tickets;
    let pipe = || Pipe {
        room,
        ..Pipe::default()
    };
    Pair {
        server: Engine::server(Arc::new(shown)).unwrap(),
        client: Engine::client(
            Arc::new(config),
            ServerName::try_from("server.example").unwrap(),
        )
        .unwrap(),
        up: pipe(),
        down: pipe(),
        bite,
        acceptor,
        _dir: dir,
    }
}

impl Pair {
    fn client(&mut self) -> (&mut Engine, End<'_>) {
        let end = End {
            from: &mut self.down,
            to: &mut self.up,
            bite: self.bite,
        };
        (&mut self.client, end)
    }

    fn server(&mut self) -> (&mut Engine, End<'_>) {
        let end = End {
            from: &mut self.up,
            to: &mut self.down,
            bite: self.bite,
        };
        (&mut self.server, end)
    }

    fn shake(&mut self) -> io::Result<()> {
        for _ in 0..100_000 {
            let (client, mut end) = self.client();
            wait(client.handshake(&mut end))?;
            let (server, mut end) = self.server();
            wait(server.handshake(&mut end))?;
            if self.client.is_up() && self.server.is_up() {
                return Ok(());
            }
        }
        panic!("the handshake does not end");
    }
}

/// What is not there yet is no error.
fn wait<T: Default>(result: io::Result<T>) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(T::default()),
        other => other,
    }
}

#[test]
fn bytes_arrive_whatever_the_socket_takes() {
    for (bite, room) in [(1, 100), (7, 1000), (5000, 20_000), (1 << 20, 1 << 20)] {
        let mut pair = pair(bite, room, &[]);
        pair.shake().unwrap();
        let total = if bite < 100 { 40_000 } else { 700_000 };
        let text: Vec<u8> = (0..total).map(|n| (n * 31 % 251) as u8).collect();
        let (mut sent, mut got) = (0, Vec::new());
        while got.len() < text.len() {
            let (client, mut end) = pair.client();
            let parts = [
                IoSlice::new(&text[sent..(sent + 100).min(total)]),
                IoSlice::new(&text[(sent + 100).min(total)..]),
            ];
            sent += wait(client.write(&parts, &mut end)).unwrap();
            wait(client.push(&mut end)).unwrap();
            let (server, mut end) = pair.server();
            let mut out = [0; 30_000];
            let count = wait(server.read(&mut out, &mut end)).unwrap();
            got.extend_from_slice(&out[..count]);
        }
        assert!(got == text, "bite {bite}");
        // The same conversation goes on in the other direction, and ends in order.
        loop {
            let (client, mut end) = pair.client();
            wait(client.read(&mut [0; 10], &mut end)).unwrap();
            let (server, mut end) = pair.server();
            if wait(server.write(&[IoSlice::new(b"bye")], &mut end)).unwrap() == 3 {
                break;
            }
        }
        pair.server.close().unwrap();
        let mut out = [0; 10];
        let mut got = Vec::new();
        loop {
            let (server, mut end) = pair.server();
            wait(server.push(&mut end)).unwrap();
            let (client, mut end) = pair.client();
            match client.read(&mut out, &mut end) {
                Ok(0) => break,
                Ok(count) => got.extend_from_slice(&out[..count]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert_eq!(got, b"bye");
    }
}

#[test]
fn an_idle_connection_holds_no_buffers() {
    let mut pair = pair(1 << 20, 1 << 20, &[]);
    pair.shake().unwrap();
    let text = [7; 200_000];
    for _ in 0..10 {
        let (client, mut end) = pair.client();
        client.write(&[IoSlice::new(&text)], &mut end).unwrap();
        let (server, mut end) = pair.server();
        let mut out = vec![0; 300_000];
        while wait(server.read(&mut out, &mut end)).unwrap() > 0 {}
    }
    let (client, mut end) = pair.client();
    wait(client.read(&mut [0; 10], &mut end)).unwrap();
    assert_eq!(pair.server.buffered(), 0);
    assert_eq!(pair.client.buffered(), 0);
}

#[test]
fn an_end_that_was_not_announced_is_an_error() {
    let mut pair = pair(1 << 20, 1 << 20, &[]);
    pair.shake().unwrap();
    let (client, mut end) = pair.client();
    client.write(&[IoSlice::new(b"half")], &mut end).unwrap();
    pair.up.ended = true;
    let (server, mut end) = pair.server();
    let mut out = [0; 100];
    assert_eq!(server.read(&mut out, &mut end).unwrap(), 4);
    let error = server.read(&mut out, &mut end).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(error.to_string().contains("close_notify"));
}

#[test]
fn an_end_may_come_in_one_breath_with_the_end_of_the_handshake() {
    for (tickets, text) in [
        (0, &b""[..]),
        (2, b""),
        (0, b"all there is"),
        (2, b"all there is"),
    ] {
        let mut pair = pair_with_tickets(1 << 20, 1 << 20, &[], tickets);
        while !pair.client.is_up() {
            let (client, mut end) = pair.client();
            if wait(client.handshake(&mut end)).unwrap() {
                break;
            }
            let (server, mut end) = pair.server();
            assert!(!wait(server.handshake(&mut end)).unwrap());
        }
        let (client, mut end) = pair.client();
        if !text.is_empty() {
            client.write(&[IoSlice::new(text)], &mut end).unwrap();
        }
        client.close().unwrap();
        client.push(&mut end).unwrap();
        pair.up.ended = true;
        let (server, mut end) = pair.server();
        assert!(server.handshake(&mut end).unwrap(), "{tickets} tickets");
        let mut got = [0; 100];
        let len = server.read(&mut got, &mut end).unwrap();
        assert_eq!(&got[..len], text);
        assert_eq!(server.read(&mut got, &mut end).unwrap(), 0);
        // And it can still be said that nothing is sent.
        server.close().unwrap();
        server.push(&mut end).unwrap();
    }
}

#[test]
fn plain_text_and_nonsense_are_refused() {
    let mut it = pair(1 << 20, 1 << 20, &[]);
    it.up.bytes.extend(b"GET / HTTP/1.1\r\n\r\n");
    let (server, mut end) = it.server();
    let error = server.handshake(&mut end).unwrap_err();
    assert!(error.get_ref().unwrap().is::<NotTls>(), "{error}");

    let mut it = pair(1 << 20, 1 << 20, &[]);
    it.up.bytes.extend([22, 3, 1, 0, 4, 99, 0, 0, 0]);
    let (server, mut end) = it.server();
    let error = server.handshake(&mut end).unwrap_err();
    assert!(error.get_ref().unwrap().is::<rustls::Error>(), "{error}");
    assert_eq!(it.down.bytes.front(), Some(&21), "an alert was sent");
}

#[test]
fn other_protocols_are_refused_and_ours_is_chosen() {
    let mut ours = pair(1 << 20, 1 << 20, &[b"x", crate::ALPN_NATIVE]);
    ours.shake().unwrap();
    assert_eq!(
        ours.client.state().alpn_protocol(),
        Some(crate::ALPN_NATIVE)
    );
    let mut others = pair(1 << 20, 1 << 20, &[b"http/1.1", b"h2"]);
    assert!(others.shake().is_err());
    pair(1 << 20, 1 << 20, &[]).shake().unwrap();
}

/// Behind another port is another protocol, with the same certificate.
#[test]
fn a_port_is_told_by_its_own_protocol_alone() {
    for (alpn, fits) in [(&b"ftp"[..], true), (crate::ALPN_NATIVE, false)] {
        let mut it = pair(1 << 20, 1 << 20, &[alpn]);
        let derived = it.acceptor.derived(&[b"ftp"], true).unwrap();
        it.server = Engine::server(derived).unwrap();
        assert_eq!(it.shake().is_ok(), fits, "{alpn:?}");
    }
}

#[test]
fn a_handshake_that_never_ends_is_bounded() {
    let mut pair = pair(1 << 20, 1 << 20, &[]);
    // A hello of 60 KiB that comes by drops, record by record, holds what came and no more.
    for round in 0..100 {
        pair.up
            .bytes
            .extend([22, 3, 1, 0, 1, if round == 0 { 1 } else { 0 }]);
        let (server, mut end) = pair.server();
        match server.handshake(&mut end) {
            Ok(_) => panic!("done with what?"),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
        assert!(
            pair.server.buffered() <= 8 * 1024,
            "{}",
            pair.server.buffered()
        );
    }
}

/// A hello of 60 KiB, each byte of it in a record of its own: six times as much to hold, and too much.
#[test]
fn a_handshake_in_crumbs_is_bounded() {
    let mut pair = pair(1 << 20, 1 << 20, &[]);
    let mut bytes = vec![22, 3, 1, 0, 4, 1, 0, 0xf0, 0];
    bytes.extend([22, 3, 1, 0, 1, 0].repeat(60_000));
    // One byte short of the bound by large reads: the next one may go no further beyond it than a small one does.
    let rest = bytes.split_off(INCOMING_MAX - RECEIVE_BYTES - 1);
    pair.up.bytes.extend(bytes);
    let (server, mut end) = pair.server();
    wait(server.handshake(&mut end)).unwrap();
    pair.up.bytes.extend(rest);
    let error = loop {
        let (server, mut end) = pair.server();
        match server.handshake(&mut end) {
            Ok(_) => panic!("done with what?"),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => break error,
        }
        assert!(!pair.up.bytes.is_empty(), "all of it was held");
    };
    assert!(error.to_string().contains("too long"), "{error}");
    assert!(pair.server.buffered() <= INCOMING_MAX + HANDSHAKE_RECEIVE_BYTES);
}

#[test]
fn a_server_that_is_not_trusted_hears_so_and_nothing_breaks() {
    for bite in [1, 50, 1000, 1 << 20] {
        let mut it = pair(bite, 1 << 20, &[]);
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.enable_sni = false;
        let name = ServerName::try_from("server.example").unwrap();
        it.client = Engine::client(Arc::new(config), name).unwrap();
        assert!(it.shake().is_err());
        let (client, mut end) = it.client();
        assert!(client.handshake(&mut end).is_err(), "it stays broken");
        assert!(client.write(&[IoSlice::new(b"x")], &mut end).is_err());
        client.close().unwrap();
        let told = loop {
            let (client, mut end) = it.client();
            wait(client.push(&mut end)).unwrap();
            let (server, mut end) = it.server();
            match server.handshake(&mut end) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => break error,
                Ok(_) => panic!("secured with whom?"),
            }
        };
        assert!(told.to_string().contains("alert"), "{told}");
    }
}

#[test]
fn nonsense_at_any_place_of_the_handshake_is_an_error_and_no_more() {
    let mut rng = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |most: usize| {
        rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
        usize::try_from(rng >> 33).unwrap() % most
    };
    for round in 0..150 {
        let mut it = pair(1 << 20, 1 << 20, &[]);
        let (client, mut end) = it.client();
        wait(client.handshake(&mut end)).unwrap();
        let to_server = round % 2 == 0;
        if !to_server {
            let (server, mut end) = it.server();
            wait(server.handshake(&mut end)).unwrap();
        }
        let pipe = if to_server { &mut it.up } else { &mut it.down };
        for _ in 0..=next(3) {
            let at = next(pipe.bytes.len());
            pipe.bytes[at] ^= 1 << next(8);
        }
        pipe.bytes.truncate(next(pipe.bytes.len()) + 200);
        // Whatever comes of it, it comes to an end, and the server outlives it.
        for _ in 0..4 {
            let (server, mut end) = it.server();
            let _ = server.handshake(&mut end);
            let (client, mut end) = it.client();
            let _ = client.handshake(&mut end);
        }
    }
}

#[test]
fn a_reload_reaches_the_next_handshake_and_a_bad_one_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = ServerOptions {
        files: None,
        state: dir.path().join("one"),
        names: vec!["a".into()],
        client_ca: None,
        oldest: Oldest::Tls13,
        alpn: Vec::new(),
    };
    let acceptor = Acceptor::new(&options, Box::new(|_| None)).unwrap();
    let (first, old) = (acceptor.fingerprint(), acceptor.current());
    options.state = dir.path().join("two");
    let second = acceptor.reload(&options).unwrap();
    assert_ne!(first, second);
    assert_eq!(acceptor.fingerprint(), second);
    assert!(!Arc::ptr_eq(&old, &acceptor.current()));
    options.files = Some(("/none.pem".into(), "/none.pem".into()));
    let kept = acceptor.current();
    assert!(acceptor.reload(&options).is_err());
    assert!(Arc::ptr_eq(&kept, &acceptor.current()));
}
