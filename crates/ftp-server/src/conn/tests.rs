//! Real loopback sockets: the connection under test on one side, a blocking peer on the other.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the peer may block, the connection under test may not"
)]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use ftp_proto::VPath;
use ftp_proto::session::{DiskOp, JobId};
use ftp_store::{Job, Options, Run, Slot, Step, Store};
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

/// A connection, its poll, and the peer's end of it.
struct Rig {
    conn: Conn,
    poll: Poll,
    events: Events,
    peer: Option<std::net::TcpStream>,
}

impl Rig {
    fn new() -> Self {
        Self::tuned(|_| {})
    }

    fn with_small_buffers() -> Self {
        Self::tuned(|socket| {
            socket.set_send_buffer_size(32 * 1024).unwrap();
            socket.set_recv_buffer_size(128 * 1024).unwrap();
        })
    }

    fn tuned(tune: impl Fn(&SockRef<'_>)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        super::tune(&SockRef::from(&listener)).unwrap();
        tune(&SockRef::from(&listener));
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        tune(&SockRef::from(&peer));
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        peer.set_write_timeout(Some(DEADLINE)).unwrap();
        let (stream, _) = listener.accept().unwrap();
        tune(&SockRef::from(&stream));
        stream.set_nonblocking(true).unwrap();
        let mut conn = Conn::new(TcpStream::from_std(stream));
        let poll = Poll::new().unwrap();
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(conn.source(), Token(0), both)
            .unwrap();
        Self {
            conn,
            poll,
            events: Events::with_capacity(8),
            peer: Some(peer),
        }
    }

    /// Waits for an event and marks it.
    fn turn(&mut self) {
        self.poll.poll(&mut self.events, Some(DEADLINE)).unwrap();
        assert!(!self.events.is_empty(), "no event within {DEADLINE:?}");
        for event in &self.events {
            self.conn.mark(event);
        }
    }

    /// Turns until `condition` holds.
    fn turn_until(&mut self, condition: impl Fn(&Conn) -> bool) {
        while !condition(&self.conn) {
            self.turn();
        }
    }

    /// Flushes until nothing is left; returns the bytes sent and the short tags.
    fn flush_all(&mut self, mut budget: impl FnMut() -> u64) -> (u64, Vec<u64>) {
        let (mut bytes, mut short) = (0, Vec::new());
        loop {
            self.turn_until(Conn::writable);
            let (ask, queued) = (budget(), self.conn.queued());
            let flush = self.conn.flush(ask);
            assert!(flush.lost.is_none(), "{:?}", flush.lost);
            assert!(flush.bytes <= ask, "{} of a budget of {ask}", flush.bytes);
            assert_eq!(self.conn.queued(), queued - flush.bytes);
            assert_eq!(flush.state == FlushState::Empty, self.conn.queued() == 0);
            assert_eq!(flush.state == FlushState::Blocked, !self.conn.writable());
            bytes += flush.bytes;
            short.extend(flush.short);
            if flush.state == FlushState::Empty {
                return (bytes, short);
            }
        }
    }

    /// Reads the peer's end to its end on a thread.
    fn peer_reads_all(&mut self) -> JoinHandle<Vec<u8>> {
        let mut peer = self.peer.take().unwrap();
        std::thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all
        })
    }

    /// Lingers until it is done.
    fn linger(&mut self) {
        let mut scratch = [0; 64 * 1024];
        loop {
            match self.conn.linger(&mut scratch) {
                Linger::Flushing => panic!("everything was flushed"),
                Linger::Waiting => self.turn_until(Conn::readable),
                Linger::Done => return,
            }
        }
    }

    fn peer_reset(&mut self) {
        let peer = self.peer.take().unwrap();
        SockRef::from(&peer)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
}

/// A folder with one file of known bytes, opened as the store does.
struct Sample {
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
    file: Arc<ReadFile>,
}

impl Sample {
    fn new(len: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bytes = pattern(len);
        std::fs::write(folder.path().join("sample"), &bytes).unwrap();
        let store = Store::open(folder.path(), Options::default()).unwrap();
        let op = DiskOp::Open {
            path: VPath::parse("sample").unwrap(),
            inline: 0,
        };
        let job = JobId(1);
        let run = store.run(Job::new(Slot::default(), vec![Step::Op { job, op }]));
        let Run::Home(done) = run else {
            panic!("an open does not park");
        };
        let file = done.slot.reader().expect("the file is open");
        Self {
            folder,
            bytes,
            file,
        }
    }

    fn truncate(&self, len: u64) {
        let file = std::fs::File::options()
            .write(true)
            .open(self.folder.path().join("sample"))
            .unwrap();
        file.set_len(len).unwrap();
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8 | 1).collect()
}

#[test]
fn segments_arrive_whole_and_in_order_through_small_buffers() {
    let sample = Sample::new(300_000);
    for seed in 0..5 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut rig = Rig::with_small_buffers();
        let reader = rig.peer_reads_all();
        let (mut expected, mut memory) = (Vec::new(), 0);
        for _ in 0..rng.usize(1..80) {
            if rng.u8(..4) == 0 {
                let offset = rng.usize(..sample.bytes.len());
                let len = rng.usize(..sample.bytes.len() - offset);
                expected.extend_from_slice(&sample.bytes[offset..offset + len]);
                let file = Arc::clone(&sample.file);
                rig.conn.send_file(file, 1, offset as u64, len as u64);
            } else {
                let len = *rng.choice(&[0, 1, 40, 5000, 16_383, 70_000]).unwrap();
                let bytes: Vec<u8> = (0..len).map(|_| rng.u8(..)).collect();
                expected.extend_from_slice(&bytes);
                memory += bytes.len();
                rig.conn.send(bytes);
            }
        }
        assert_eq!(rig.conn.queued(), expected.len() as u64);
        assert_eq!(rig.conn.queued_memory(), memory);
        let (sent, short) = rig.flush_all(|| rng.u64(1..400_000));
        assert_eq!(sent, expected.len() as u64);
        assert!(short.is_empty());
        assert_eq!(rig.conn.queued_memory(), 0);
        rig.conn.close_after_flush();
        rig.linger();
        assert!(reader.join().unwrap() == expected, "seed {seed}");
    }
}

#[test]
fn a_peer_that_does_not_read_blocks_us_and_nothing_else() {
    let mut rig = Rig::with_small_buffers();
    rig.conn.send(vec![1; 8 << 20]);
    let flush = rig.conn.flush(u64::MAX);
    assert_eq!(flush.state, FlushState::Blocked);
    assert!(!rig.conn.writable());
    assert!(flush.bytes > 0 && rig.conn.queued() == (8 << 20) - flush.bytes);
    let reader = rig.peer_reads_all();
    rig.turn_until(Conn::writable);
    rig.flush_all(|| u64::MAX);
    drop(rig);
    assert_eq!(reader.join().unwrap().len(), 8 << 20);
}

#[test]
fn an_empty_flush_is_no_work() {
    let mut rig = Rig::new();
    rig.conn.send(Vec::new());
    let flush = rig.conn.flush(0);
    assert_eq!((flush.bytes, flush.state), (0, FlushState::Empty));
    rig.conn.send(vec![1]);
    let flush = rig.conn.flush(0);
    assert_eq!((flush.bytes, flush.state), (0, FlushState::Spent));
}

#[test]
fn a_file_that_is_shorter_is_padded_and_told_once() {
    let sample = Sample::new(10_000);
    let mut rig = Rig::new();
    let reader = rig.peer_reads_all();
    rig.conn.send(b"head".to_vec());
    rig.conn.send_file(Arc::clone(&sample.file), 7, 0, 100_000);
    rig.conn.send(b"middle".to_vec());
    rig.conn
        .send_file(Arc::clone(&sample.file), 8, 50_000, 3000);
    rig.conn.send(b"tail".to_vec());
    let (sent, short) = rig.flush_all(|| 1000);
    assert_eq!(short, [7, 8]);
    assert_eq!(sent, 4 + 100_000 + 6 + 3000 + 4);
    drop(rig);
    let mut expected = b"head".to_vec();
    expected.extend_from_slice(&sample.bytes);
    expected.resize(4 + 100_000, 0);
    expected.extend_from_slice(b"middle");
    expected.resize(expected.len() + 3000, 0);
    expected.extend_from_slice(b"tail");
    assert!(reader.join().unwrap() == expected);
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_keeps_the_count() {
    let sample = Sample::new(4 << 20);
    let mut rig = Rig::with_small_buffers();
    let reader_starts_later = rig.peer.take().unwrap();
    rig.conn.send_file(Arc::clone(&sample.file), 3, 0, 4 << 20);
    let first = rig.conn.flush(u64::MAX);
    assert_eq!(first.state, FlushState::Blocked);
    sample.truncate(first.bytes + 10);
    rig.peer = Some(reader_starts_later);
    let reader = rig.peer_reads_all();
    let (rest, short) = rig.flush_all(|| u64::MAX);
    assert_eq!(short, [3]);
    assert_eq!(first.bytes + rest, 4 << 20);
    drop(rig);
    let got = reader.join().unwrap();
    let kept = first.bytes as usize + 10;
    assert!(got[..kept] == sample.bytes[..kept]);
    assert!(got.len() == 4 << 20 && got[kept..].iter().all(|b| *b == 0));
}

#[test]
fn a_close_lets_the_last_answer_through_to_a_peer_that_still_talks() {
    let mut rig = Rig::new();
    let mut peer = rig.peer.take().unwrap();
    let talker = std::thread::spawn(move || {
        peer.write_all(&[9; 3 << 20]).unwrap();
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).unwrap();
        answer
    });
    rig.turn_until(Conn::readable);
    rig.conn.send(b"refused".to_vec());
    rig.conn.close_after_flush();
    assert!(rig.conn.is_closing());
    assert_eq!(rig.conn.linger(&mut [0; 16]), Linger::Flushing);
    assert_eq!(rig.conn.flush(100).state, FlushState::Empty);
    rig.linger();
    drop(rig);
    assert_eq!(talker.join().unwrap(), b"refused");
}

#[test]
fn lingering_is_bounded_in_one_call_and_in_all() {
    let mut rig = Rig::new();
    let mut peer = rig.peer.take().unwrap();
    let talker = std::thread::spawn(move || while peer.write_all(&[0; 1 << 20]).is_ok() {});
    rig.conn.close_after_flush();
    let mut scratch = vec![0; 64 * 1024];
    loop {
        let before = rig.conn.lingered;
        let state = rig.conn.linger(&mut scratch);
        assert!(rig.conn.lingered - before <= LINGER_BYTES_A_CALL + 64 * 1024);
        match state {
            Linger::Flushing => panic!("there is nothing to flush"),
            Linger::Waiting => rig.turn_until(Conn::readable),
            Linger::Done => break,
        }
    }
    assert!(rig.conn.lingered >= LINGER_BYTES_IN_ALL);
    drop(rig);
    talker.join().unwrap();
}

#[test]
fn after_a_half_close_we_can_still_answer() {
    let mut rig = Rig::new();
    let mut peer = rig.peer.as_ref().unwrap();
    peer.write_all(b"bye").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let (mut buf, mut got) = ([0; 64], Vec::new());
    loop {
        rig.turn_until(Conn::readable);
        match rig.conn.read(&mut buf) {
            Read::Bytes(len) => got.extend_from_slice(&buf[..len]),
            Read::Blocked => {}
            Read::Eof => break,
            Read::Lost(error) => panic!("{error}"),
        }
    }
    assert_eq!(got, b"bye");
    assert!(!rig.conn.readable(), "the end is told once");
    assert!(matches!(rig.conn.read(&mut buf), Read::Eof));
    let reader = rig.peer_reads_all();
    rig.conn.send(b"answer".to_vec());
    rig.flush_all(|| 100);
    rig.conn.close_after_flush();
    assert_eq!(rig.conn.linger(&mut buf), Linger::Done);
    drop(rig);
    assert_eq!(reader.join().unwrap(), b"answer");
}

#[test]
fn a_reset_is_lost_at_the_next_read() {
    let mut rig = Rig::new();
    let mut buf = [0; 64];
    assert!(matches!(rig.conn.read(&mut buf), Read::Blocked));
    assert!(!rig.conn.readable());
    rig.conn.send(vec![1; 10]);
    rig.peer_reset();
    rig.turn_until(Conn::readable);
    assert!(matches!(rig.conn.read(&mut buf), Read::Lost(_)));
    assert!(!rig.conn.readable() && !rig.conn.writable());
    assert_eq!((rig.conn.queued(), rig.conn.queued_memory()), (0, 0));
    rig.conn.send(vec![1; 10]);
    assert_eq!(rig.conn.queued(), 0, "nothing is queued for nobody");
    rig.conn.close_after_flush();
    assert_eq!(rig.conn.linger(&mut buf), Linger::Done);
}

#[test]
fn a_reset_is_lost_at_the_next_flush() {
    for file in [false, true] {
        let sample = Sample::new(4 << 20);
        let mut rig = Rig::with_small_buffers();
        if file {
            rig.conn.send_file(Arc::clone(&sample.file), 1, 0, 4 << 20);
        } else {
            rig.conn.send(vec![1; 4 << 20]);
        }
        assert_eq!(rig.conn.flush(u64::MAX).state, FlushState::Blocked);
        rig.peer_reset();
        rig.turn_until(Conn::writable);
        let flush = rig.conn.flush(u64::MAX);
        assert!(flush.lost.is_some());
        assert!(flush.short.is_empty(), "the file is not to blame");
        assert_eq!(rig.conn.queued(), 0);
    }
}

#[test]
fn the_socket_is_tuned() {
    let mut rig = Rig::new();
    assert!(rig.conn.source().nodelay().unwrap());
    let socket = SockRef::from(&*rig.conn.source());
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap().as_secs(), 60);
    assert_eq!(socket.tcp_keepalive_interval().unwrap().as_secs(), 15);
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
}

#[test]
fn an_idle_connection_is_small_and_owns_no_heap() {
    assert!(size_of::<Conn>() <= 128, "{} bytes", size_of::<Conn>());
    let mut rig = Rig::new();
    rig.conn.send(vec![1; 100]);
    rig.conn.send(vec![1; 100_000]);
    assert!(rig.conn.outbox.owns_memory());
    let reader = rig.peer_reads_all();
    rig.flush_all(|| u64::MAX);
    assert!(!rig.conn.outbox.owns_memory());
    drop(rig);
    assert_eq!(reader.join().unwrap().len(), 100_100);
}
