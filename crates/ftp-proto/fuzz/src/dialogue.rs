//! Bytes as a dialogue with the RFC 959 machine: any command line and any input in any state.
//!
//! Some inputs break the rules that a shell keeps; even then the machine may not panic, may say nothing that
//! is no reply, may use no data connection that it did not ask for, and may do nothing after its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::rfc959::{Config, Rfc959, Security};
use ftp_proto::session::{
    Action, Appetite, Channel, Content, Dialect, Digesting, DiskOp, Entry, Fault, FaultKind,
    FileId, Input, JobId, LoginOutcome, Meta, Outcome,
};
use ftp_proto::{Digest, Durability, Kind, Limits};

use super::replies::Replies;
use super::source::Source;

/// Lines to begin from.
const LINES: [&str; 49] = [
    "USER ann",
    "PASS x",
    "PASV",
    "EPSV",
    "EPSV ALL",
    "PORT 192,0,2,7,200,1",
    "EPRT |1|192.0.2.7|5000|",
    "RETR a",
    "REST 7",
    "STOR a",
    "STOU",
    "APPE a",
    "LIST -la",
    "NLST",
    "MLSD d",
    "MLST a",
    "STAT",
    "STAT d",
    "ABOR",
    "QUIT",
    "NOOP",
    "CWD ../d",
    "CDUP",
    "PWD",
    "MKD d\"d",
    "RMD d",
    "DELE a",
    "RNFR a",
    "RNTO b",
    "SIZE a",
    "MDTM a",
    "TYPE A",
    "OPTS MLST size;",
    "FEAT",
    "HELP",
    "AUTH TLS",
    "PBSZ 0",
    "PROT P",
    "REIN",
    "GET / HTTP/1.1",
    "MFMT 20260102030405 a",
    "MFF UNIX.mode=644; a",
    "SITE CHMOD 600 a",
    "AVBL",
    "RANG 1 3",
    "HASH a",
    "XCRC \"a\" 1 3",
    "SIZE p",
    "REST 18446744073709551615",
];

struct Play {
    machine: Rfc959,
    now: Instant,
    inbox: Vec<u8>,
    jobs: VecDeque<JobId>,
    files: u64,
    closed: bool,
    /// A data connection was asked for and not given up.
    data: bool,
    replies: Replies,
    log: Vec<String>,
}

/// Plays the dialogue that the bytes say, twice: it has to go the same way.
pub fn rfc959_dialogue(bytes: &[u8]) {
    // Only differences of time are ever looked at.
    #[allow(clippy::disallowed_methods)]
    let now = Instant::now();
    let first = play(bytes, now);
    assert_eq!(first, play(bytes, now), "the same inputs, other actions");
}

fn play(bytes: &[u8], now: Instant) -> Vec<String> {
    let mut source = Source(bytes);
    let settings = source.byte();
    let config = Config {
        limits: Limits {
            chunk_bytes: 100,
            window_bytes: 250,
            inline_bytes: 64,
            page_bytes: 200,
            command_bytes: 64,
            held_bytes: 300,
            replies_bytes: 2000,
            unique_tries: 3,
            ..Limits::default()
        },
        server: "muxftp/fuzz".into(),
        login: settings & 1 != 0,
        tls: if settings & 2 != 0 {
            Security::Offered
        } else {
            Security::Off
        },
        implicit_tls: settings & 12 == 12,
        data_tls: if settings & 16 != 0 {
            Security::Required
        } else {
            Security::Offered
        },
        read_only: settings & 96 == 96,
        // It changes what is asked of the disk, and nothing else.
        active: true,
        digesting: Digesting::Upload,
    };
    let mut play = Play {
        machine: Rfc959::new(Arc::new(config), now),
        now,
        inbox: Vec::new(),
        jobs: VecDeque::new(),
        files: 0,
        closed: false,
        data: false,
        replies: Replies::default(),
        log: Vec::new(),
    };
    play.opened(Channel::CONTROL);
    if settings & 128 != 0 {
        play.text(b"USER ann\r\nPASS x\r\n");
        play.tell(Input::Login(LoginOutcome::Admitted { user: "ann".into() }));
    }
    while !source.0.is_empty() {
        play.step(&mut source);
    }
    play.finish();
    play.log
}

impl Play {
    fn step(&mut self, source: &mut Source<'_>) {
        let (control, data) = (Channel::CONTROL, Channel::DATA);
        match source.byte() % 24 {
            0..=6 => {
                let line = LINES[usize::from(source.byte()) % LINES.len()];
                self.text(format!("{line}\r\n").as_bytes());
            }
            7 => {
                let len = usize::from(source.byte());
                let bytes = source.bytes(len);
                self.text(&bytes);
            }
            op @ (8..=14 | 22) => self.data_step(op, source),
            15..=18 => {
                let at = usize::from(source.byte()) % self.jobs.len().max(1);
                let job = self.jobs.remove(at);
                let job = job.unwrap_or_else(|| JobId(source.number()));
                let outcome = outcome(source);
                self.tell(Input::Done { job, outcome });
            }
            19 => {
                let file = FileId(1 + source.number() % (self.files + 1));
                let fault = Fault::new(kind(source), "it broke\r\n226 no");
                self.tell(Input::Fault { file, fault });
            }
            20 => {
                self.now += Duration::from_secs(source.number() % 1000);
                self.tell(Input::Deadline);
            }
            21 => self.tell(Input::Login(match source.byte() % 4 {
                0 => LoginOutcome::Refused,
                1 => LoginOutcome::Later {
                    why: "too many".into(),
                    after: Duration::ZERO,
                },
                _ => LoginOutcome::Admitted { user: "ann".into() },
            })),
            _ => match source.byte() % 8 {
                0 => self.tell(Input::Eof { channel: control }),
                1 => self.tell(Input::Drain),
                2 => {
                    self.data = false;
                    self.tell(Input::OpenFailed {
                        channel: data,
                        why: "no".into(),
                    });
                }
                3 => self.tell(Input::Lost {
                    channel: control,
                    why: "lost".into(),
                }),
                4 => self.tell(Input::Cut { why: "cut".into() }),
                _ => self.text(b"\r\n"),
            },
        }
    }

    /// Comings and goings of connections, and bytes that move.
    fn data_step(&mut self, op: u8, source: &mut Source<'_>) {
        let (control, data) = (Channel::CONTROL, Channel::DATA);
        match op {
            8 => self.tell(Input::Listening {
                channel: data,
                address: "192.0.2.1:50000".parse().expect("an address"),
            }),
            9 => self.opened(data),
            10 => self.tell(Input::Secured {
                channel: if source.byte().is_multiple_of(2) {
                    data
                } else {
                    control
                },
                user: (source.byte().is_multiple_of(4)).then(|| "ann".into()),
            }),
            11 => {
                self.data = false;
                self.tell(Input::Closed { channel: data });
            }
            12 => self.tell(Input::Eof { channel: data }),
            13 => {
                let len = source.number();
                self.tell(Input::Payload { channel: data, len });
            }
            14 => {
                let len = source.number();
                let channel = if source.byte().is_multiple_of(2) {
                    data
                } else {
                    control
                };
                self.tell(Input::Sent { channel, len });
            }
            _ => {
                self.data = false;
                self.tell(Input::Lost {
                    channel: data,
                    why: "lost".into(),
                });
            }
        }
    }

    /// Whatever was played, the session can still be ended.
    fn finish(&mut self) {
        self.tell(Input::Lost {
            channel: Channel::CONTROL,
            why: "over".into(),
        });
        while let Some(job) = self.jobs.pop_front() {
            let fault = Fault::new(FaultKind::Io, "over");
            let outcome = Outcome::Failed(fault);
            self.tell(Input::Done { job, outcome });
        }
        assert!(self.closed, "not closed at the end");
        assert_eq!(self.machine.deadline(), None);
        assert_eq!(self.machine.appetite(Channel::CONTROL), Appetite::Nothing);
        assert_eq!(self.machine.appetite(Channel::DATA), Appetite::Nothing);
    }

    fn opened(&mut self, channel: Channel) {
        self.tell(Input::Opened {
            channel,
            peer: "192.0.2.7:40000".parse().ok(),
        });
    }

    fn text(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        while self.machine.appetite(Channel::CONTROL) == Appetite::Message {
            let inbox = std::mem::take(&mut self.inbox);
            let used = self.machine.receive(Channel::CONTROL, &inbox, self.now);
            self.inbox = inbox[used..].to_vec();
            self.perform();
            if used == 0 {
                let full = self.machine.appetite(Channel::CONTROL) != Appetite::Message;
                assert!(self.inbox.len() < 64 || full, "waits on a full inbox");
                return;
            }
        }
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
            self.log.push(format!("{action:?}"));
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Send { channel, bytes } if channel == Channel::CONTROL => {
                assert!(!self.closed, "sent after the end");
                self.replies.read(&bytes);
            }
            Action::Send { channel, .. } | Action::SendFile { channel, .. } => {
                assert!(self.data && channel == Channel::DATA, "data out of place");
            }
            Action::Disk { job, file, op } => {
                let ends = matches!(op, DiskOp::Abort | DiskOp::Release);
                assert!(!self.closed || ends, "after the end: {op:?}");
                self.jobs.push_back(job);
                self.files = self.files.max(file.0);
            }
            Action::Close { channel, .. } if channel == Channel::CONTROL => {
                assert!(!self.closed, "closed twice");
                self.closed = true;
            }
            Action::Listen { .. } | Action::Connect { .. } => {
                assert!(!self.closed && !self.data, "a second data connection");
                self.data = true;
            }
            Action::StopListening { .. } => self.data = false,
            // After a flush the end is told; whoever is told otherwise has to close at once.
            Action::Close { flush, .. } => self.data &= flush,
            Action::StartTls { channel, .. } => {
                assert!(!self.closed);
                if channel == Channel::CONTROL {
                    self.inbox.clear();
                }
            }
            Action::Login { .. } => assert!(!self.closed),
            Action::Report(_) => {}
        }
    }
}

fn kind(source: &mut Source<'_>) -> FaultKind {
    match source.byte() % 6 {
        0 => FaultKind::NotFound,
        1 => FaultKind::NoSpace,
        2 => FaultKind::Changed,
        3 => FaultKind::Exists,
        4 => FaultKind::NotADirectory,
        _ => FaultKind::Io,
    }
}

fn outcome(source: &mut Source<'_>) -> Outcome {
    let digest = Digest([source.byte(); 32]);
    let number = source.number();
    let meta = Meta {
        kind: if number.is_multiple_of(3) {
            Kind::Dir
        } else {
            Kind::File
        },
        size: number,
        mtime: i64::from(source.byte()) << 50,
        mtime_ns: 999_999_999,
        mode: 0o777,
        etag: "e".into(),
    };
    match source.byte() % 11 {
        0 => Outcome::Opened {
            meta,
            content: None,
            digest: None,
        },
        1 => {
            let bytes = vec![b'x'; usize::try_from(number % 70).unwrap_or(0)];
            let content = Some(Content { bytes, digest });
            Outcome::Opened {
                meta,
                content,
                digest: None,
            }
        }
        2 => Outcome::Warmed {
            len: number,
            digest: None,
        },
        3 => Outcome::Warmed {
            len: 100,
            digest: None,
        },
        4 => Outcome::Created { partial: None },
        5 => Outcome::Committed {
            size: number,
            digest: Some(digest),
            durability: Durability::None,
        },
        6 => {
            let name = "n".repeat(usize::from(source.byte()));
            let entries = vec![Entry { name, meta }; usize::from(source.byte() % 12)];
            let next = "m".repeat(usize::try_from(number % 99).unwrap_or(0));
            Outcome::Listed {
                entries,
                next: number.is_multiple_of(2).then_some(next),
            }
        }
        7 => Outcome::Found(meta),
        8 => Outcome::Ended,
        9 => Outcome::Sized {
            found: number.is_multiple_of(2).then_some(meta),
            kept: number.is_multiple_of(5).then_some(number),
        },
        _ => Outcome::Failed(Fault::new(kind(source), "it broke\r\n226 no")),
    }
}
