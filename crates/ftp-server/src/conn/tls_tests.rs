//! A wrapped connection on one side, a blocking peer that speaks TLS on the other.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the peer may block, the connection under test may not"
)]

use std::io::{Read as _, Write as _};
use std::thread;
use std::time::Instant;

use ftp_tls::rustls::crypto::ring;
use ftp_tls::rustls::pki_types::ServerName;
use ftp_tls::rustls::{ClientConfig, RootCertStore};
use ftp_tls::{ALPN_NATIVE, Identity, Oldest, ServerOptions};

use super::*;
use crate::conn::{Conn, FlushState, Linger, Place, Read, Secure};

const NAME: &str = "server.example";

/// The peer's socket: blocks, with a deadline.
struct Blocking(std::net::TcpStream);

impl Socket for Blocking {
    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let mut bytes = vec![0; into.capacity() - into.len()];
        let len = self.0.read(&mut bytes)?;
        into.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
}

struct Rig {
    conn: Conn,
    peer: Blocking,
    config: Arc<ClientConfig>,
    _state: tempfile::TempDir,
}

fn rig() -> Rig {
    let state = tempfile::tempdir().unwrap();
    let options = ServerOptions {
        files: None,
        state: state.path().to_owned(),
        names: vec![NAME.into()],
        client_ca: None,
        oldest: Oldest::Tls13,
        alpn: vec![ALPN_NATIVE.to_vec()],
    };
    let acceptor = Acceptor::new(&options, Box::new(|_| None)).unwrap();
    let (identity, _) = Identity::kept_in(state.path(), &[]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(identity.leaf().unwrap().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(std::time::Duration::from_secs(20)))
        .unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let conn = Conn::new(TcpStream::from_std(stream));
    let security = Security::new(Arc::new(acceptor), b"speak TLS".to_vec());
    let mut rig = Rig {
        conn,
        peer: Blocking(peer),
        config: Arc::new(config),
        _state: state,
    };
    rig.conn.start_tls(Arc::new(security), Place::First);
    rig
}

impl Rig {
    /// What an event would say: try again.
    fn wake(&mut self) {
        self.conn.ready.readable = true;
        self.conn.ready.writable = true;
        thread::yield_now();
    }

    fn secure(&mut self) -> Secure {
        let end = Instant::now() + std::time::Duration::from_secs(20);
        loop {
            match self.conn.secure() {
                Secure::Waiting => self.wake(),
                other @ (Secure::Done(_) | Secure::Lost(_)) => return other,
            }
            assert!(Instant::now() < end, "the handshake does not end");
        }
    }
}

fn engine(config: &Arc<ClientConfig>) -> Engine {
    Engine::client(Arc::clone(config), ServerName::try_from(NAME).unwrap()).unwrap()
}

#[test]
fn what_was_queued_before_goes_plain_and_the_rest_within() {
    let mut rig = rig();
    // Queued before the wrapping was asked for, and behind it.
    let security = match &rig.conn.securing {
        crate::conn::Securing::After(waits) => Arc::clone(&waits.1),
        other @ (crate::conn::Securing::No | crate::conn::Securing::Shaking) => {
            panic!("{other:?}")
        }
    };
    rig.conn.securing = crate::conn::Securing::No;
    rig.conn.send(b"go ahead\n".to_vec());
    rig.conn.inbox.append(b"injected");
    rig.conn.start_tls(security, Place::First);
    rig.conn.send(b"within".to_vec());
    let mut peer = rig.peer.0.try_clone().unwrap();
    let config = Arc::clone(&rig.config);
    let far = thread::spawn(move || {
        let mut plain = [0; 9];
        peer.read_exact(&mut plain).unwrap();
        assert_eq!(&plain, b"go ahead\n");
        let (mut engine, mut socket) = (engine(&config), Blocking(peer));
        engine.handshake(&mut socket).unwrap();
        let text = vec![7; 300_000];
        let mut sent = 0;
        while sent < text.len() {
            let part = [IoSlice::new(&text[sent..])];
            sent += engine.write(&part, &mut socket).unwrap();
        }
        let mut all = Vec::new();
        let mut buf = [0; 10_000];
        loop {
            match engine.read(&mut buf, &mut socket).unwrap() {
                0 => break,
                len => all.extend_from_slice(&buf[..len]),
            }
        }
        engine.close().unwrap();
        engine.push(&mut socket).unwrap();
        all
    });
    let flush = rig.conn.flush(1 << 20);
    assert_eq!((flush.bytes, flush.state), (9, FlushState::Spent));
    assert!(rig.conn.is_securing());
    assert!(matches!(rig.secure(), Secure::Done(None)));
    assert!(rig.conn.inbox.is_empty(), "what came before is dropped");
    let mut got = 0;
    let mut buf = vec![0; 100_000];
    while got < 300_000 {
        match rig.conn.read(&mut buf) {
            Read::Bytes(len) => got += len,
            Read::Blocked => rig.wake(),
            other @ (Read::Eof | Read::Lost(_)) => panic!("{other:?}"),
        }
    }
    while rig.conn.flush(1 << 20).state != FlushState::Empty {
        rig.wake();
    }
    assert_eq!(rig.conn.queued_memory(), 0, "idle, it holds nothing");
    rig.conn.close_after_flush();
    while rig.conn.linger(&mut buf) != Linger::Done {
        rig.wake();
    }
    assert_eq!(far.join().unwrap(), b"within");
}

#[test]
fn an_end_without_notice_is_a_loss() {
    let mut rig = rig();
    let config = Arc::clone(&rig.config);
    let peer = rig.peer.0.try_clone().unwrap();
    rig.peer.0 = peer.try_clone().unwrap();
    let far = thread::spawn(move || {
        let (mut engine, mut socket) = (engine(&config), Blocking(peer));
        engine.handshake(&mut socket).unwrap();
        engine.write(&[IoSlice::new(b"half")], &mut socket).unwrap();
        socket.0.shutdown(Shutdown::Write).unwrap();
    });
    assert!(matches!(rig.secure(), Secure::Done(None)));
    let mut buf = [0; 100];
    let mut got = 0;
    let why = loop {
        match rig.conn.read(&mut buf) {
            Read::Bytes(len) => got += len,
            Read::Blocked => rig.wake(),
            Read::Eof => panic!("taken for an end"),
            Read::Lost(error) => break error,
        }
    };
    assert_eq!(got, 4);
    assert!(why.to_string().contains("close_notify"), "{why}");
    far.join().unwrap();
}

#[test]
fn plain_text_hears_why_and_a_close_does_not_wait_for_the_handshake() {
    let mut it = rig();
    it.peer.0.write_all(b"\0\0\0\x10{plain}").unwrap();
    assert!(matches!(it.secure(), Secure::Lost(_)));
    let mut words = Vec::new();
    drop(it.conn);
    it.peer.0.read_to_end(&mut words).unwrap();
    assert_eq!(words, b"speak TLS");

    let mut it = rig();
    assert!(matches!(it.conn.secure(), Secure::Waiting));
    it.conn.send(b"too late".to_vec());
    assert_eq!(it.conn.flush(100).state, FlushState::Blocked);
    it.conn.close_after_flush();
    let flush = it.conn.flush(100);
    assert!(flush.lost.is_some() && flush.bytes == 0);
}
