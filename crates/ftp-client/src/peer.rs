//! A scripted server for tests: each connection is dealt with by a closure, frame by frame, on a thread.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ftp_proto::wire::RequestHead;

use crate::cancel::Cancel;
use crate::hash;
use crate::options::Options;

/// No script waits longer for its client.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server with a script.
pub(crate) struct Peer {
    pub(crate) options: Options,
    pub(crate) cancel: Cancel,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Deals with so many connections, one after the other; `script` is told which one it is, from 0.
    pub(crate) fn start(
        connections: usize,
        mut script: impl FnMut(usize, &mut Line) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let options = Options {
            server: listener.local_addr().unwrap().to_string(),
            connect_timeout: PATIENCE,
            timeout: PATIENCE,
            ..Options::default()
        };
        let over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            for number in 0..connections {
                let (stream, _) = listener.accept().unwrap();
                if flag.load(Ordering::SeqCst) {
                    break;
                }
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                script(number, &mut Line { stream });
            }
        });
        Self {
            options,
            cancel: Cancel::new().unwrap(),
            over,
            thread: Some(thread),
        }
    }

    /// Waits for the script's end, and hands on its panic. Connections that never came are not waited for.
    pub(crate) fn join(mut self) {
        self.over.store(true, Ordering::SeqCst);
        let address = self.options.server.parse().unwrap();
        // Refused if the script has ended.
        let _ = TcpStream::connect_timeout(&address, PATIENCE);
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }
}

/// One connection, seen from the server.
pub(crate) struct Line {
    pub(crate) stream: TcpStream,
}

impl Line {
    /// The next frame; `None` at the end of the stream.
    pub(crate) fn frame(&mut self) -> Option<(RequestHead, Vec<u8>)> {
        let mut prelude = [0; 4];
        self.stream.read_exact(&mut prelude).ok()?;
        let mut head = vec![0; u32::from_be_bytes(prelude) as usize];
        self.stream.read_exact(&mut head).unwrap();
        let head: RequestHead = serde_json::from_slice(&head).unwrap();
        let mut payload = vec![0; usize::try_from(head.len).unwrap()];
        self.stream.read_exact(&mut payload).unwrap();
        Some((head, payload))
    }

    /// The next frame, which is to begin this verb.
    pub(crate) fn expect(&mut self, verb: &str) -> (RequestHead, Vec<u8>) {
        let (head, payload) = self.frame().unwrap_or_else(|| panic!("no {verb} came"));
        assert_eq!(head.verb.as_deref(), Some(verb), "{head:?}");
        (head, payload)
    }

    /// Sends a frame; `len` is put in if there is payload.
    pub(crate) fn send(&mut self, head: &str, payload: &[u8]) {
        let mut head: serde_json::Value = serde_json::from_str(head).unwrap();
        if !payload.is_empty() {
            head["len"] = payload.len().into();
        }
        let head = serde_json::to_vec(&head).unwrap();
        let mut bytes = u32::try_from(head.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(payload);
        // The client may have gone: scripts for that say so in the client's error.
        let _ = self.stream.write_all(&bytes);
    }

    /// Takes `hello` and answers it.
    pub(crate) fn hello(&mut self) {
        let (head, _) = self.expect("hello");
        self.send(
            &format!(
                r#"{{"id":{},"fin":true,"version":1,"server":"peer","durability":"none",
                "limits":{{"header":65536,"chunk":1048576,"pipeline":64,"ping":4096}}}}"#,
                head.id
            ),
            &[],
        );
    }

    /// Takes all further frames of an upload up to its end; its bytes, and its last header.
    pub(crate) fn rest_of_put(&mut self, mut bytes: Vec<u8>) -> (Vec<u8>, RequestHead) {
        loop {
            let (head, payload) = self.frame().expect("the upload ends");
            bytes.extend_from_slice(&payload);
            if head.fin {
                return (bytes, head);
            }
        }
    }

    /// Answers an upload as stored.
    pub(crate) fn stored(&mut self, id: u64, bytes: &[u8]) {
        let (size, digest) = (bytes.len(), hash::digest(bytes));
        self.send(
            &format!(
                r#"{{"id":{id},"fin":true,"size":{size},"sha256":"{digest}","durability":"none"}}"#
            ),
            &[],
        );
    }

    /// Answers with an error.
    pub(crate) fn error(&mut self, id: u64, code: &str) {
        self.send(
            &format!(
                r#"{{"id":{id},"fin":true,"error":{{"code":"{code}","message":"so it is"}}}}"#
            ),
            &[],
        );
    }

    /// Answers a `get` with the bytes from `offset` on, and the digest of all.
    pub(crate) fn file(&mut self, id: u64, bytes: &[u8], offset: usize) {
        let (size, length) = (bytes.len(), bytes.len() - offset);
        self.send(
            &format!(
                r#"{{"id":{id},"size":{size},"offset":{offset},"length":{length},"etag":"e","mode":420,"mtime":1000000000}}"#
            ),
            &[],
        );
        for part in bytes[offset..].chunks(300_000) {
            self.send(&format!(r#"{{"id":{id}}}"#), part);
        }
        let digest = hash::digest(bytes);
        self.send(
            &format!(r#"{{"id":{id},"fin":true,"sha256":"{digest}"}}"#),
            &[],
        );
    }

    /// Closes at once, as a server that is killed.
    pub(crate) fn cut(&self) {
        self.stream.shutdown(Shutdown::Both).unwrap();
    }

    /// Waits until the client closes.
    pub(crate) fn until_closed(&mut self) {
        let mut sink = [0; 65536];
        while self.stream.read(&mut sink).is_ok_and(|count| count > 0) {}
    }
}
