//! A server that lies: it speaks frames, and says what the test wants.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::peer::{Frame, Peer};

/// A running rogue; it stops accepting when dropped.
pub struct Rogue {
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Rogue {
    /// Runs `talk` with every client, each on a thread of its own.
    #[must_use]
    pub fn start(talk: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let talk = Arc::new(talk);
        thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                while let Ok((stream, _)) = listener.accept() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let talk = Arc::clone(&talk);
                    // A client that leaves early ends this thread with a panic of its own, which nobody joins.
                    thread::spawn(move || talk(&mut Peer::over(stream)));
                }
            }
        });
        Self { addr, stop }
    }

    /// A rogue that answers `hello` as it should, and gives every later request of one frame to `answer`.
    #[must_use]
    pub fn polite(answer: impl Fn(&mut Peer, &Value, Vec<u8>) + Send + Sync + 'static) -> Self {
        Self::start(move |peer| {
            while let Some((head, payload)) = peer.frame() {
                if head["verb"] == "hello" {
                    greet(peer, &head);
                } else {
                    answer(peer, &head, payload);
                }
            }
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.addr));
    }
}

/// Answers a `hello` as an honest server would.
pub fn greet(peer: &mut Peer, head: &Value) {
    let limits = json!({"header": 65_536, "chunk": 1 << 20, "pipeline": 64, "ping": 4096});
    let answer = json!({"id": head["id"], "fin": true, "version": 1, "server": "rogue", "durability": "none",
        "features": ["range", "resume", "etag", "abort"], "limits": limits});
    peer.send(&answer, b"");
}

/// Reads the rest of a message whose first frame was `head`; all of its payload, and the last header.
pub fn rest_of(peer: &mut Peer, head: &Value, payload: Vec<u8>) -> Frame {
    let (mut head, mut all) = (head.clone(), payload);
    while head["fin"] != true {
        let Some((next, payload)) = peer.frame() else {
            break;
        };
        all.extend(payload);
        head = next;
    }
    (head, all)
}
