//! A wire against peers that split, stall, flood, lie about lengths or go away.

use std::io::{Read as _, Write as _};

use super::*;
use crate::net::block::Pool;
use crate::net::connect;
use crate::peer::Peer;

/// Long enough for a machine under load, short enough for a test that waits for it.
const SHORT: Duration = Duration::from_millis(300);

fn wire(peer: &Peer, patience: Duration) -> Wire {
    let transport = connect(&peer.options, &peer.cancel).unwrap();
    Wire::new(transport, patience, peer.cancel.clone())
}

const LONG: Duration = Duration::from_secs(30);

#[test]
fn what_is_thrown_away_is_exactly_so_much() {
    const LEN: usize = 3_000_001;
    let peer = Peer::start(1, |_, line| {
        for id in 1..=3_u64 {
            line.send(&format!(r#"{{"id":{id}}}"#), &vec![b'{'; LEN]);
        }
        line.until_closed();
    });
    let mut wire = wire(&peer, LONG);
    for id in 1..=3 {
        let head = wire.head(Wait::USUAL).unwrap().unwrap();
        assert_eq!((head.id, head.len), (id, LEN as u64));
        let mut some = [0; 5];
        wire.payload(&mut some).unwrap();
        assert_eq!(&some, b"{{{{{");
        wire.discard(7).unwrap();
        wire.discard(head.len - 12).unwrap();
    }
    drop(wire);
    peer.join();
}

#[test]
fn any_split_gives_the_same_frames() {
    let peer = Peer::start(1, |_, line| {
        let mut bytes = Vec::new();
        for id in 1..=3_u64 {
            let head = format!(r#"{{"id":{id},"len":5}}"#);
            bytes.extend_from_slice(&u32::try_from(head.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(b"hello");
        }
        for byte in bytes {
            line.stream.write_all(&[byte]).unwrap();
        }
        line.until_closed();
    });
    let mut wire = wire(&peer, LONG);
    for id in 1..=3 {
        let head = wire.head(Wait::USUAL).unwrap().unwrap();
        assert_eq!((head.id, head.len), (id, 5));
        let mut payload = [0; 5];
        wire.payload(&mut payload).unwrap();
        assert_eq!(&payload, b"hello");
    }
    assert!(wire.head(Wait::No).unwrap().is_none());
    drop(wire);
    peer.join();
}

#[test]
fn bad_lengths_and_bad_json_end_it() {
    for bytes in [
        &[0, 0, 0, 0][..],
        &[0, 1, 0, 1, b'{'],
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\0\0\0\x02[]",
        b"\0\0\0\x0a{\"id\":\"x\"}",
    ] {
        let peer = Peer::start(1, move |_, line| {
            line.stream.write_all(bytes).unwrap();
            line.until_closed();
        });
        let mut wire = wire(&peer, LONG);
        let error = wire.head(Wait::USUAL).unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{bytes:?}: {error}");
        drop(wire);
        peer.join();
    }
}

#[test]
fn silence_and_headers_by_drops_time_out() {
    for drops in [false, true] {
        let peer = Peer::start(1, move |_, line| {
            line.stream
                .set_read_timeout(Some(Duration::from_millis(20)))
                .unwrap();
            let mut sink = [0; 1];
            line.stream.write_all(&[0, 0, 0xff, 0xff]).unwrap();
            // One byte of an endless header now and then, until the client has had enough.
            loop {
                match line.stream.read(&mut sink) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(_) if !drops => {}
                    Err(_) if line.stream.write_all(b" ").is_err() => break,
                    Err(_) => {}
                }
            }
        });
        let mut wire = wire(&peer, SHORT);
        let started = Instant::now();
        let error = wire.head(Wait::USUAL).unwrap_err();
        assert!(matches!(error, Error::TimedOut(_)), "{error}");
        assert!(started.elapsed() >= SHORT);
        drop(wire);
        peer.join();
    }
}

#[test]
fn payload_that_stops_times_out_and_payload_that_ends_is_lost() {
    for (cut, patience) in [(false, SHORT), (true, LONG)] {
        let peer = Peer::start(1, move |_, line| {
            let head = br#"{"id":1,"len":1000}"#;
            line.stream.write_all(&[0, 0, 0, 19]).unwrap();
            line.stream.write_all(head).unwrap();
            line.stream.write_all(&[1; 500]).unwrap();
            if cut {
                line.cut();
            }
            line.until_closed();
        });
        let mut wire = wire(&peer, patience);
        assert_eq!(wire.head(Wait::USUAL).unwrap().unwrap().len, 1000);
        let error = wire.payload(&mut [0; 1000]).unwrap_err();
        assert_eq!(matches!(error, Error::Lost(_)), cut, "{error}");
        assert_eq!(matches!(error, Error::TimedOut(_)), !cut, "{error}");
        drop(wire);
        peer.join();
    }
}

#[test]
fn a_peer_that_writes_before_it_reads_does_not_block_us() {
    const ANSWERS: u64 = 5000;
    let peer = Peer::start(1, |_, line| {
        // Far more than socket buffers hold, before a byte is read.
        for id in 1..=ANSWERS {
            line.send(&format!(r#"{{"id":{id},"fin":true}}"#), &[]);
        }
        let mut bytes = 0;
        while let Some((head, payload)) = line.frame() {
            assert!(payload.iter().all(|byte| *byte == 7));
            bytes += head.len;
        }
        assert_eq!(bytes, 16 << 20);
    });
    let mut wire = wire(&peer, LONG);
    let pool = Pool::new(1 << 20, 2);
    let mut seen = 0;
    for _ in 0..16 {
        let mut block = pool.take(LONG).unwrap();
        block.spare(1 << 20).fill(7);
        block.grow(1 << 20);
        let head = RequestHead {
            id: 1,
            len: 1 << 20,
            ..RequestHead::default()
        };
        wire.queue_block(&head, block).unwrap();
        wire.flush_below(1 << 19).unwrap();
        while wire.head(Wait::No).unwrap().is_some() {
            seen += 1;
        }
    }
    wire.flush_below(0).unwrap();
    while seen < ANSWERS {
        assert!(wire.head(Wait::USUAL).unwrap().is_some());
        seen += 1;
    }
    drop(wire);
    peer.join();
}

#[test]
fn the_last_words_before_a_reset_are_heard() {
    let peer = Peer::start(1, |_, line| {
        line.error(0, "overloaded");
        line.cut();
    });
    let mut wire = wire(&peer, LONG);
    let head = RequestHead {
        id: 1,
        ..RequestHead::default()
    };
    // Writes go on until the peer's close has arrived; they may fail or not.
    let head = loop {
        wire.queue(&head, &[0; 100]).unwrap();
        wire.pump();
        if let Some(head) = wire.head(Wait::No).unwrap() {
            break head;
        }
    };
    assert!(head.error.is_some());
    assert!(matches!(wire.head(Wait::USUAL), Err(Error::Lost(_))));
    peer.join();
}

#[test]
fn the_switch_ends_a_wait() {
    let peer = Peer::start(1, |_, line| line.until_closed());
    let mut wire = wire(&peer, LONG);
    let cancel = peer.cancel.clone();
    let thread = std::thread::spawn(move || wire.head(Wait::USUAL).map(drop));
    cancel.cancel(2);
    assert!(matches!(thread.join().unwrap(), Err(Error::Interrupted(2))));
    peer.join();
}

#[test]
fn heads_too_long_are_our_own_fault() {
    let peer = Peer::start(1, |_, line| line.until_closed());
    let mut wire = wire(&peer, LONG);
    let head = RequestHead {
        path: Some("x".repeat(70_000)),
        ..RequestHead::default()
    };
    assert!(matches!(wire.queue(&head, &[]), Err(Error::Usage(_))));
    assert_eq!(wire.queued(), 0);
    drop(wire);
    peer.join();
}
