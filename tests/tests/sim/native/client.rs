//! The client of a session: writes its plan frame by frame, reads answers, checks that they come in order.

use std::collections::VecDeque;
use std::fmt;

use fastrand::Rng;
use ftp_proto::wire::frame::{self, Split};
use ftp_proto::wire::{Code, ReplyHead, RequestHead};

use super::plan::{PutReq, Req, Said};
use crate::fs::digest;

/// A request that waits for the last frame of its answer.
pub(crate) struct Waiting {
    id: u64,
    pub(crate) req: Req,
    /// An `abort` was sent for it.
    pub(crate) aborted: bool,
    /// The first frame of the answer.
    pub(crate) first: Option<ReplyHead>,
    pub(crate) payload: Vec<u8>,
    interim: Option<ReplyHead>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, aborted) = (self.id, if self.aborted { ", aborted" } else { "" });
        let (req, len) = (&self.req, self.payload.len());
        write!(f, "{id}: {req:?}{aborted}, {len} bytes answered")
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) asked: Waiting,
    pub(crate) last: ReplyHead,
}

/// An upload whose frames are being written.
#[derive(Debug)]
struct Sending {
    id: u64,
    put: PutReq,
    at: usize,
    begun: bool,
    /// The next chunk says where it begins.
    says_offset: bool,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) plan: VecDeque<Req>,
    sending: Option<Sending>,
    pub(crate) waiting: VecDeque<Waiting>,
    /// Bytes on their way to the server.
    pub(crate) wire: Vec<u8>,
    inbox: Vec<u8>,
    /// The frame that is being read: its header, the bytes that lack.
    frame: Option<(ReplyHead, u64)>,
    pub(crate) answers: Vec<Answered>,
    /// The error that belongs to no request.
    pub(crate) goodbye: Option<Code>,
    next_id: u64,
    /// Most payload bytes per frame: the server's bound, ours.
    chunk: (usize, u32),
    ahead: usize,
    aborts: bool,
    pub(crate) reads: bool,
    pub(crate) sends: bool,
}

impl Client {
    pub(crate) fn new(plan: VecDeque<Req>, chunk: usize, ahead: usize, aborts: bool) -> Self {
        Self {
            plan,
            sending: None,
            waiting: VecDeque::new(),
            wire: Vec::new(),
            inbox: Vec::new(),
            frame: None,
            answers: Vec::new(),
            goodbye: None,
            next_id: 1,
            chunk: (chunk, u32::MAX),
            ahead,
            aborts,
            reads: true,
            sends: true,
        }
    }

    /// Everything was asked and answered.
    pub(crate) fn is_done(&self) -> bool {
        self.plan.is_empty() && self.sending.is_none() && self.waiting.is_empty()
    }

    /// Whether there is a frame that may be written now.
    pub(crate) fn may_write(&self) -> bool {
        if !self.sends || self.wire.len() > 8192 {
            return false;
        }
        match &self.sending {
            Some(sending) => {
                !sending.says_offset
                    || self.interim(sending.id).is_some()
                    || self.is_answered(sending.id)
            }
            None => !self.plan.is_empty() && self.waiting.len() < self.ahead,
        }
    }

    /// Writes one frame.
    pub(crate) fn write(&mut self, rng: &mut Rng) {
        if self.aborts && rng.u32(..30) == 0 && !self.waiting.is_empty() {
            let index = rng.usize(..self.waiting.len());
            let id = self.waiting[index].id;
            // Within an open message it ends that message, which is written no more.
            self.abort(id);
            return;
        }
        if self.sending.is_some() {
            return self.write_chunk(rng);
        }
        let Some(req) = self.plan.pop_front() else {
            return;
        };
        let id = self.next_id;
        self.next_id += 1 + rng.u64(..3);
        if let Req::Hello { chunk } = req {
            self.chunk.1 = chunk;
        }
        if let Req::Put(put) = &req {
            let (put, says_offset) = (put.clone(), put.options.resume);
            self.sending = Some(Sending {
                id,
                put,
                at: 0,
                begun: false,
                says_offset,
            });
        } else {
            let payload = req.payload();
            let head = RequestHead {
                fin: true,
                ..req.head(id)
            };
            self.frame(head, &payload);
        }
        self.waiting.push_back(Waiting {
            id,
            req,
            aborted: false,
            first: None,
            payload: Vec::new(),
            interim: None,
        });
        if self.sending.is_some() {
            self.write_chunk(rng);
        }
    }

    /// Takes bytes of the server.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        loop {
            if let Some((head, lacks)) = self.frame.take() {
                let len = self.inbox.len().min(usize::try_from(lacks).unwrap());
                let payload = self.inbox.drain(..len);
                if let Some(front) = self.waiting.front_mut() {
                    front.payload.extend(payload);
                } else {
                    drop(payload);
                }
                let lacks = lacks - len as u64;
                if lacks > 0 {
                    self.frame = Some((head, lacks));
                    return;
                }
                self.end_frame(head);
            }
            match frame::split(&self.inbox, 65536) {
                Split::NeedMore => return,
                Split::BadLength(len) => panic!("the server sent a header of {len} bytes"),
                Split::Head { json, consumed } => {
                    let head: ReplyHead = frame::decode(json).unwrap();
                    self.inbox.drain(..consumed);
                    self.begin_frame(head);
                }
            }
        }
    }

    /// The plan of a client that comes back: what was not answered, and the rest.
    pub(crate) fn leftover(self) -> VecDeque<Req> {
        let unanswered = self.waiting.into_iter().map(|waiting| waiting.req);
        unanswered
            .filter(|req| !matches!(req, Req::Hello { .. }))
            .chain(self.plan)
            .collect()
    }

    fn begin_frame(&mut self, head: ReplyHead) {
        assert!(self.goodbye.is_none(), "a frame after the last: {head:?}");
        if head.id == 0 {
            assert!(head.fin && head.len == 0, "{head:?}");
            self.goodbye = Some(head.error.as_ref().unwrap().code);
            return;
        }
        let chunk = self.chunk.1;
        let front = self.waiting.front_mut();
        let front = front.unwrap_or_else(|| panic!("nothing was asked: {head:?}"));
        assert_eq!(front.id, head.id, "out of order: {head:?}");
        assert!(
            head.len <= u64::from(chunk),
            "a frame longer than we take: {head:?}"
        );
        assert!(
            head.error.is_none() || (head.fin && head.len == 0),
            "{head:?}"
        );
        let interim = front.req.is_put() && !head.fin;
        if interim {
            assert!(front.interim.is_none(), "two interim answers: {head:?}");
            front.interim = Some(head);
            return;
        }
        front.first.get_or_insert_with(|| head.clone());
        let len = head.len;
        self.frame = Some((head, len));
    }

    fn end_frame(&mut self, head: ReplyHead) {
        if head.fin {
            let asked = self.waiting.pop_front().unwrap();
            self.answers.push(Answered { asked, last: head });
        }
    }

    fn interim(&self, id: u64) -> Option<&ReplyHead> {
        let waiting = self.waiting.iter().find(|waiting| waiting.id == id)?;
        waiting.interim.as_ref()
    }

    fn is_answered(&self, id: u64) -> bool {
        self.waiting.iter().all(|waiting| waiting.id != id)
    }

    fn abort(&mut self, id: u64) {
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.id == id) {
            waiting.aborted = true;
        }
        let _ = self.sending.take_if(|sending| sending.id == id);
        let head = RequestHead {
            id,
            verb: Some("abort".to_owned()),
            fin: true,
            ..RequestHead::default()
        };
        self.frame(head, &[]);
    }

    fn write_chunk(&mut self, rng: &mut Rng) {
        let Some(mut sending) = self.sending.take() else {
            return;
        };
        let id = sending.id;
        if self.is_answered(id) && rng.bool() {
            return self.abort(id);
        }
        if sending
            .put
            .abort_at
            .is_some_and(|at| sending.begun && at <= sending.at)
        {
            return self.abort(id);
        }
        let mut head = RequestHead {
            id,
            ..RequestHead::default()
        };
        if !sending.begun {
            head = Req::Put(sending.put.clone()).head(id);
            sending.begun = true;
            if sending.says_offset {
                self.frame(head, &[]);
                self.sending = Some(sending);
                return;
            }
        } else if std::mem::take(&mut sending.says_offset) {
            sending.at = self.go_on_at(&sending, rng);
            head.offset = Some(sending.at as u64);
        }
        let rest = &sending.put.bytes[sending.at..];
        let most = rest.len().min(self.chunk.0);
        let len = if rng.bool() { most } else { rng.usize(..=most) };
        let payload = rest[..len].to_vec();
        sending.at += len;
        head.fin = sending.at == sending.put.bytes.len() && rng.u32(..4) > 0;
        if head.fin && sending.put.digest == Said::Last {
            head.sha256 = Some(sending.put.said());
        }
        let fin = head.fin;
        self.frame(head, &payload);
        if !fin {
            self.sending = Some(sending);
        }
    }

    /// Where to go on: after the server's prefix, if it is ours.
    fn go_on_at(&self, sending: &Sending, rng: &mut Rng) -> usize {
        let Some(interim) = self.interim(sending.id) else {
            return 0;
        };
        let at = usize::try_from(interim.offset.unwrap()).unwrap();
        let ours = sending
            .put
            .bytes
            .get(..at)
            .is_some_and(|prefix| interim.sha256 == Some(digest(prefix)));
        if at > 0 && ours && rng.u32(..4) > 0 {
            at
        } else {
            0
        }
    }

    fn frame(&mut self, mut head: RequestHead, payload: &[u8]) {
        head.len = payload.len() as u64;
        frame::encode(&head, 65536, &mut self.wire).unwrap();
        self.wire.extend_from_slice(payload);
    }
}
