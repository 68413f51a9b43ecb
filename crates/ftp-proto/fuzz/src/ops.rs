//! Bytes as a sequence of operations on the native machine: any input in any state.
//!
//! Some inputs break the rules that a shell keeps; even then the machine may not panic, may not
//! break its framing, and may do nothing after its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::native::{Config, Native};
use ftp_proto::session::{
    Action, Appetite, Channel, Content, Dialect, DiskOp, Entry, Fault, FaultKind, FileId, Input,
    JobId, LoginOutcome, Meta, Outcome, Partial,
};
use ftp_proto::wire::frame::{self, Split};
use ftp_proto::wire::{LoginWanted, ReplyHead};
use ftp_proto::{Digest, Durability, Kind, Limits};

/// Headers to begin from, so that not every path must be found letter by letter.
const HEADS: [&str; 20] = [
    r#"{"id":1,"verb":"hello","version":1,"fin":true}"#,
    r#"{"id":2,"verb":"hello","version":1,"chunk":4096,"fin":true}"#,
    r#"{"id":3,"verb":"ping","len":9,"fin":true}"#,
    r#"{"id":4,"verb":"put","path":"a","len":7,"fin":true}"#,
    r#"{"id":5,"verb":"put","path":"a","len":7}"#,
    r#"{"id":5,"len":300}"#,
    r#"{"id":5,"fin":true}"#,
    r#"{"id":5,"verb":"abort","fin":true}"#,
    r#"{"id":6,"verb":"put","path":"d/b","size":9,"resume":true,"parents":true}"#,
    r#"{"id":6,"offset":3,"len":6,"fin":true}"#,
    r#"{"id":6,"offset":0,"len":9,"fin":true}"#,
    r#"{"id":6,"verb":"abort","fin":true}"#,
    r#"{"id":7,"verb":"get","path":"a","fin":true}"#,
    r#"{"id":8,"verb":"get","path":"b","offset":300,"digest_from":2,"fin":true}"#,
    r#"{"id":7,"verb":"abort","fin":true}"#,
    r#"{"id":9,"verb":"list","path":"","fin":true}"#,
    r#"{"id":10,"verb":"hash","path":"a","fin":true}"#,
    r#"{"id":11,"verb":"mkdir","path":"d","fin":true}"#,
    r#"{"id":12,"verb":"rename","path":"a","to":"b","fin":true}"#,
    r#"{"id":13,"verb":"stat","path":"a","len":18446744073709551615}"#,
];

/// More of them where there are users.
const LOGINS: [&str; 4] = [
    r#"{"id":20,"verb":"login","user":"anna","password":"x","fin":true}"#,
    r#"{"id":21,"verb":"login","user":"","password":"\u0000","fin":true}"#,
    r#"{"id":20,"verb":"abort","fin":true}"#,
    r#"{"id":22,"verb":"login","user":"anna","password":7,"fin":true}"#,
];

/// The bytes of the fuzzer, one decision at a time; zeros when they are used up.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let (now, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        now.to_vec()
    }

    /// Small mostly, huge sometimes.
    fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => u64::from(u32::MAX),
            byte @ 200.. => u64::from(byte) << 8,
            byte => u64::from(byte),
        }
    }
}

struct Play {
    machine: Native,
    now: Instant,
    inbox: Vec<u8>,
    /// Jobs asked and not answered.
    jobs: VecDeque<JobId>,
    files: u64,
    closed: bool,
    /// Bytes of the server that do not make a frame yet, and payload that is still to come.
    stream: Vec<u8>,
    lacks: u64,
    users: Option<Users>,
}

/// What is known of the peer where there are users.
#[derive(Default)]
struct Users {
    /// It was let in as somebody.
    admitted: bool,
    /// It was asked who it is, and nothing was answered.
    asked: bool,
}

/// Plays the operations that the bytes say.
pub fn native_ops(bytes: &[u8]) {
    play(&mut Source(bytes), None);
}

/// The same where there are users: the first byte says whether somebody has to log in.
pub fn login_ops(bytes: &[u8]) {
    let mut source = Source(bytes);
    let wanted = match source.byte() % 2 {
        0 => LoginWanted::Required,
        _ => LoginWanted::Optional,
    };
    play(&mut source, Some(wanted));
}

fn play(source: &mut Source<'_>, login: Option<LoginWanted>) {
    let limits = Limits {
        chunk_bytes: 4096,
        pipeline: 4,
        window_bytes: 5000,
        inline_bytes: 64,
        swallow_bytes: 500,
        page_bytes: 1000,
        ..Limits::default()
    };
    let config = Config {
        limits,
        server: "muxftp/fuzz".into(),
        durability: Durability::Full,
        read_only: false,
        login,
    };
    // Only differences of time are ever looked at.
    #[allow(clippy::disallowed_methods)]
    let now = Instant::now();
    let mut play = Play {
        machine: Native::new(Arc::new(config), now),
        now,
        inbox: Vec::new(),
        jobs: VecDeque::new(),
        files: 0,
        closed: false,
        stream: Vec::new(),
        lacks: 0,
        users: login.map(|_| Users::default()),
    };
    while !source.0.is_empty() {
        play.step(source);
    }
    play.finish();
}

impl Play {
    fn step(&mut self, source: &mut Source<'_>) {
        let channel = Channel::CONTROL;
        match source.byte() % 16 {
            0..=4 => {
                let head = HEADS[usize::from(source.byte()) % HEADS.len()];
                self.text(&(head.len() as u32).to_be_bytes());
                self.text(head.as_bytes());
            }
            5 => {
                let len = usize::from(source.byte());
                let bytes = source.bytes(len);
                self.text(&bytes);
            }
            6 | 7 => {
                let len = match self.machine.appetite(channel) {
                    Appetite::Payload { remaining, .. } | Appetite::Discard { remaining } => {
                        source.number().min(remaining)
                    }
                    Appetite::Message | Appetite::Nothing => source.number(),
                };
                self.tell(Input::Payload { channel, len });
            }
            8 => {
                let len = source.number();
                self.tell(Input::Sent { channel, len });
            }
            9..=11 => {
                let at = usize::from(source.byte()) % self.jobs.len().max(1);
                let job = self
                    .jobs
                    .remove(at)
                    .unwrap_or_else(|| JobId(source.number()));
                let outcome = outcome(source);
                self.tell(Input::Done { job, outcome });
            }
            12 => {
                let file = FileId(1 + source.number() % (self.files + 1));
                self.tell(Input::Fault {
                    file,
                    fault: fault(source),
                });
            }
            13 => {
                self.now += Duration::from_secs(source.number() % 1000);
                self.tell(Input::Deadline);
            }
            14 => match source.byte() % 8 {
                0 => self.tell(Input::Eof { channel }),
                1 => self.tell(Input::Lost {
                    channel,
                    why: "lost".into(),
                }),
                2 => self.tell(Input::Drain),
                3 => self.tell(Input::Opened {
                    channel,
                    peer: None,
                }),
                4 => self.tell(Input::Eof {
                    channel: Channel::DATA,
                }),
                7 => self.tell(Input::Cut { why: "cut".into() }),
                5 if self.users.is_some() => self.find_out(source),
                6 if self.users.is_some() => {
                    let head = LOGINS[usize::from(source.byte()) % LOGINS.len()];
                    self.text(&(head.len() as u32).to_be_bytes());
                    self.text(head.as_bytes());
                }
                _ => self.text(&[]),
            },
            _ => self.text(&[]),
        }
    }

    /// An outcome of a log-in, asked for or not.
    fn find_out(&mut self, source: &mut Source<'_>) {
        let user = "anna".to_owned();
        let outcome = match source.byte() % 4 {
            0 => LoginOutcome::Refused,
            1 => LoginOutcome::Later {
                why: "too many".into(),
                after: Duration::from_millis(source.number()),
            },
            2 => LoginOutcome::Admitted { user },
            _ => {
                if let Some(users) = &mut self.users {
                    users.admitted = true;
                }
                return self.tell(Input::Secured {
                    channel: Channel::CONTROL,
                    user: Some(user),
                });
            }
        };
        if let Some(users) = &mut self.users
            && std::mem::take(&mut users.asked)
        {
            users.admitted |= matches!(outcome, LoginOutcome::Admitted { .. });
        }
        self.tell(Input::Login(outcome));
    }

    /// Whatever was played, the connection can still be ended.
    fn finish(&mut self) {
        let channel = Channel::CONTROL;
        while let Some(job) = self.jobs.pop_front() {
            let fault = Fault::new(FaultKind::Io, "over");
            self.tell(Input::Done {
                job,
                outcome: Outcome::Failed(fault),
            });
        }
        self.tell(Input::Lost {
            channel,
            why: "over".into(),
        });
        while let Some(job) = self.jobs.pop_front() {
            self.tell(Input::Done {
                job,
                outcome: Outcome::Ended,
            });
        }
        if self.users.as_ref().is_some_and(|users| users.asked) {
            self.tell(Input::Login(LoginOutcome::Refused));
        }
        assert!(self.machine.is_idle() || !self.closed, "busy after the end");
        assert_eq!(self.machine.deadline(), None);
    }

    fn text(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        if self.machine.appetite(Channel::CONTROL) == Appetite::Message {
            let used = self
                .machine
                .receive(Channel::CONTROL, &self.inbox, self.now);
            self.inbox.drain(..used);
            assert!(self.inbox.len() < 70_000 || used > 0 || self.closed || self.starves());
            self.perform();
        }
    }

    /// The machine takes no text for the time being.
    fn starves(&self) -> bool {
        self.machine.appetite(Channel::CONTROL) != Appetite::Message
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.perform();
    }

    fn perform(&mut self) {
        for count in 0.. {
            assert!(count < 5000, "actions without end");
            let Some(action) = self.machine.poll_action() else {
                return;
            };
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Send { bytes, .. } => {
                assert!(!self.closed, "sent after the end");
                self.stream.extend_from_slice(&bytes);
                self.frames();
            }
            Action::SendFile { len, .. } => {
                assert!(
                    !self.closed && len > 0 && len <= self.lacks,
                    "a file out of place"
                );
                assert!(self.stream.is_empty(), "a file within text");
                self.lacks -= len;
            }
            Action::Disk { job, file, op } => {
                let ends = matches!(op, DiskOp::Abort | DiskOp::Release);
                if let Some(users) = &self.users {
                    // What somebody opened is closed whoever is asked for by then.
                    let known = users.admitted && (ends || !users.asked);
                    assert!(known, "for nobody: {op:?}");
                }
                assert!(!self.closed || ends, "after the end: {op:?}");
                self.jobs.push_back(job);
                self.files = self.files.max(file.0);
            }
            Action::Close { .. } => {
                assert!(
                    self.lacks == 0 && self.stream.is_empty(),
                    "closed within a frame"
                );
                self.closed = true;
            }
            Action::Report(_) => {}
            Action::Listen { .. }
            | Action::StopListening { .. }
            | Action::Connect { .. }
            | Action::StartTls { .. } => panic!("never asked for: {action:?}"),
            Action::Login { .. } => match &mut self.users {
                Some(users) => assert!(
                    !std::mem::replace(&mut users.asked, true),
                    "asked twice at once"
                ),
                None => panic!("there are no users"),
            },
        }
    }

    /// Follows the server's frames.
    fn frames(&mut self) {
        loop {
            let len = self
                .stream
                .len()
                .min(usize::try_from(self.lacks).unwrap_or(usize::MAX));
            self.stream.drain(..len);
            self.lacks -= len as u64;
            if self.lacks > 0 {
                return;
            }
            match frame::split(&self.stream, 65_536) {
                Split::NeedMore => {
                    assert!(self.stream.is_empty(), "half a header");
                    return;
                }
                Split::BadLength(len) => panic!("a header of {len} bytes"),
                Split::Head { json, consumed } => {
                    let head: ReplyHead = frame::decode(json).expect("a header that is none");
                    assert!(head.len <= 4096, "a frame too long: {head:?}");
                    assert!(
                        head.error.is_none() || head.fin && head.len == 0,
                        "{head:?}"
                    );
                    self.lacks = head.len;
                    self.stream.drain(..consumed);
                }
            }
        }
    }
}

fn fault(source: &mut Source<'_>) -> Fault {
    let kind = match source.byte() % 5 {
        0 => FaultKind::NotFound,
        1 => FaultKind::NoSpace,
        2 => FaultKind::Changed,
        3 => FaultKind::Busy,
        _ => FaultKind::Io,
    };
    Fault::new(kind, String::from_utf8_lossy(&source.bytes(3)))
}

fn outcome(source: &mut Source<'_>) -> Outcome {
    let digest = Digest([source.byte(); 32]);
    let number = source.number();
    let meta = Meta {
        kind: Kind::File,
        size: number,
        mtime: -1,
        mtime_ns: 999_999_999,
        mode: 0o777,
        etag: "e".into(),
    };
    match source.byte() % 13 {
        0 | 1 => Outcome::Opened {
            meta,
            content: None,
            digest: None,
        },
        2 => {
            let bytes = vec![b'x'; usize::try_from(number % 70).unwrap_or(0)];
            let size = bytes.len() as u64;
            let content = Some(Content { bytes, digest });
            Outcome::Opened {
                meta: Meta { size, ..meta },
                content,
                digest: None,
            }
        }
        3 | 4 => Outcome::Warmed {
            len: number << 4,
            digest: Some(digest),
        },
        5 => Outcome::Created { partial: None },
        6 => Outcome::Created {
            partial: Some(Partial {
                offset: number,
                digest,
            }),
        },
        7 => Outcome::Continued,
        8 => Outcome::Committed {
            size: number,
            digest: Some(digest),
            durability: Durability::None,
        },
        9 => Outcome::Skipped,
        10 => {
            let entry = Entry {
                name: "n".repeat(usize::from(source.byte())),
                meta,
            };
            let entries = vec![entry; usize::from(source.byte() % 12)];
            let next = "m".repeat(usize::try_from(number % 99).unwrap_or(0));
            Outcome::Listed {
                entries,
                next: number.is_multiple_of(2).then_some(next),
            }
        }
        11 => Outcome::Digested {
            digest,
            len: number,
            meta,
        },
        _ => Outcome::Failed(fault(source)),
    }
}
