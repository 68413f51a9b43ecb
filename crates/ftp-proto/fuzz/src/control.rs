//! The control connection of the RFC 959 machine, both ways: bytes that a client sends (`rfc959_line`), and texts of a
//! peer and of the disk that come back in replies (`rfc959_reply`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::path::check_name;
use ftp_proto::rfc959::{Config, Rfc959, Security};
use ftp_proto::session::{
    Action, Appetite, Channel, Dialect, Digesting, DiskOp, Entry, Fault, FaultKind, Input, JobId,
    LoginOutcome, Meta, Outcome,
};
use ftp_proto::{Digest, Kind, Limits};

use super::replies::Replies;
use super::source::Source;

const CONTROL: Channel = Channel::CONTROL;
const DATA: Channel = Channel::DATA;
/// Longest command line, its end included.
const LINE: usize = 512;

/// What was asked of the shell and is to be answered.
enum Asked {
    Port,
    Connection,
    Login,
    Disk(JobId, Box<DiskOp>),
    End,
}

/// One session with a shell that answers only when it is told to.
struct Control {
    machine: Rfc959,
    now: Instant,
    inbox: Vec<u8>,
    asked: VecDeque<Asked>,
    replies: Replies,
    closed: bool,
    log: Vec<String>,
}

impl Control {
    fn new(login: bool, server: &str, now: Instant) -> Self {
        let config = Config {
            limits: Limits {
                command_bytes: LINE,
                held_bytes: 2000,
                // The moment at which the peer takes its replies is no matter here.
                replies_bytes: u64::MAX,
                unique_tries: 3,
                ..Limits::default()
            },
            server: server.to_owned(),
            login,
            tls: Security::Off,
            implicit_tls: false,
            data_tls: Security::Off,
            read_only: false,
            active: true,
            digesting: Digesting::Upload,
        };
        let mut control = Self {
            machine: Rfc959::new(Arc::new(config), now),
            now,
            inbox: Vec::new(),
            asked: VecDeque::new(),
            replies: Replies::default(),
            closed: false,
            log: Vec::new(),
        };
        control.opened(CONTROL);
        control
    }

    /// The client sends bytes; the machine takes what it will.
    fn send(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        while self.machine.appetite(CONTROL) == Appetite::Message {
            let used = self.machine.receive(CONTROL, &self.inbox, self.now);
            assert!(used <= self.inbox.len(), "more was taken than was given");
            self.inbox.drain(..used);
            self.perform();
            if used == 0 {
                let waits = self.machine.appetite(CONTROL) == Appetite::Message;
                assert!(!waits || self.inbox.len() < LINE, "waits on a full inbox");
                return;
            }
        }
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.perform();
    }

    fn opened(&mut self, channel: Channel) {
        let peer = "192.0.2.7:40000".parse().ok();
        self.tell(Input::Opened { channel, peer });
    }

    fn perform(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            self.log.push(format!("{action:?}"));
            match action {
                Action::Send { channel, bytes } if channel == CONTROL => {
                    assert!(!self.closed, "a reply behind the end");
                    self.replies.read(&bytes);
                }
                Action::Send { .. } | Action::SendFile { .. } | Action::Report(_) => {}
                Action::Disk { job, op, .. } => {
                    self.asked.push_back(Asked::Disk(job, Box::new(op)));
                }
                Action::Close { channel, .. } if channel == CONTROL => self.closed = true,
                Action::Close { flush: true, .. } => self.asked.push_back(Asked::End),
                Action::Close { .. } | Action::StopListening { .. } => {
                    let of_data = |asked: &Asked| {
                        matches!(asked, Asked::Port | Asked::Connection | Asked::End)
                    };
                    self.asked.retain(|asked| !of_data(asked));
                }
                Action::Listen { .. } => self.asked.push_back(Asked::Port),
                Action::Connect { .. } => self.asked.push_back(Asked::Connection),
                Action::Login { .. } => self.asked.push_back(Asked::Login),
                Action::StartTls { .. } => panic!("there is no TLS here"),
            }
        }
    }

    /// Answers what was asked first. Says whether anything was.
    fn answer(&mut self, disk: impl FnOnce(&DiskOp) -> Outcome) -> bool {
        if let Appetite::Payload { .. } = self.machine.appetite(DATA) {
            self.tell(Input::Eof { channel: DATA });
            return true;
        }
        match self.asked.pop_front() {
            None => return false,
            Some(Asked::Port) => {
                let address = "192.0.2.1:50000".parse().expect("an address");
                let channel = DATA;
                // Whoever is told may come, until the port is closed.
                self.asked.push_back(Asked::Connection);
                self.tell(Input::Listening { channel, address });
            }
            Some(Asked::Connection) => self.opened(DATA),
            Some(Asked::Login) => {
                let user = "ann".to_owned();
                self.tell(Input::Login(LoginOutcome::Admitted { user }));
            }
            Some(Asked::Disk(job, op)) => {
                let outcome = disk(&op);
                self.tell(Input::Done { job, outcome });
            }
            Some(Asked::End) => self.tell(Input::Closed { channel: DATA }),
        }
        true
    }

    /// Answers everything, and what is asked upon that.
    fn settle(&mut self) {
        for count in 0.. {
            assert!(count < 10_000, "work without end");
            if !self.answer(usual) {
                self.send(&[]);
                if self.asked.is_empty() {
                    return;
                }
            }
        }
    }
}

/// What a disk says on which every name is a folder with nothing in it.
fn usual(op: &DiskOp) -> Outcome {
    match op {
        DiskOp::Stat { .. } => Outcome::Found(folder()),
        DiskOp::List { .. } => Outcome::Listed {
            entries: Vec::new(),
            next: None,
        },
        DiskOp::Create { .. } => Outcome::Created { partial: None },
        DiskOp::Space { .. } => Outcome::Room { bytes: Some(7) },
        DiskOp::Abort | DiskOp::Release | DiskOp::MakeDir { .. } | DiskOp::SetMeta { .. } => {
            Outcome::Ended
        }
        DiskOp::Rename { .. } | DiskOp::Remove { .. } => Outcome::Ended,
        DiskOp::Commit { .. } => Outcome::Committed {
            size: 0,
            digest: Some(Digest([0; 32])),
            durability: ftp_proto::Durability::Full,
        },
        DiskOp::Open { .. }
        | DiskOp::Warm { .. }
        | DiskOp::Continue { .. }
        | DiskOp::Size { .. }
        | DiskOp::Digest { .. }
        | DiskOp::Checksum { .. } => {
            Outcome::Failed(Fault::new(FaultKind::IsADirectory, "a folder"))
        }
    }
}

fn folder() -> Meta {
    Meta {
        kind: Kind::Dir,
        size: 0,
        mtime: 0,
        mtime_ns: 0,
        mode: 0o755,
        etag: "1.2.3".into(),
    }
}

/// Bytes on the control connection: however they are cut, the same comes of them, and each line that is a command
/// is answered once.
pub fn rfc959_line(bytes: &[u8]) {
    let mut source = Source(bytes);
    let (settings, pieces) = (source.byte(), usize::from(source.byte()) % 64);
    let text = source.0;
    // Only differences of time are ever looked at.
    #[allow(clippy::disallowed_methods)]
    let now = Instant::now();
    let play = |len: usize| {
        let mut control = Control::new(settings & 1 != 0, "muxftp/fuzz", now);
        if settings & 2 != 0 {
            control.send(b"USER ann\r\nPASS x\r\n");
            control.settle();
        }
        let before = control.replies.last_ones;
        for piece in text.chunks(len.max(1)) {
            control.send(piece);
        }
        control.settle();
        assert!(!control.replies.is_open(), "a reply without its end");
        if !control.closed {
            let answers = control.replies.last_ones - before;
            check_count(text, answers);
        }
        control.log
    };
    let whole = play(text.len());
    assert_eq!(
        whole,
        play(1 + pieces),
        "cut otherwise, understood otherwise"
    );
}

/// Each line but the empty ones has one answer. Telnet's bytes may make a line empty that does not look so.
fn check_count(text: &[u8], answers: usize) {
    if text.contains(&0xff) {
        return;
    }
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    // What has no end yet is no line, unless it is too long to be one.
    let whole = lines.filter(|line| line.ends_with(b"\n") || line.len() >= LINE);
    let commands = whole.filter(|line| {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\r' | b'\n');
        line.len() > LINE || !line.iter().all(blank)
    });
    assert_eq!(commands.count(), answers, "not one answer a command");
}

/// Texts of a peer, of the disk and of the settings: none of them ends a line, none makes a reply that is none, and
/// a path in quotes is read back as it is.
pub fn rfc959_reply(bytes: &[u8]) {
    let mut source = Source(bytes);
    // Only differences of time are ever looked at.
    #[allow(clippy::disallowed_methods)]
    let now = Instant::now();
    let server = words(&mut source);
    let mut control = Control::new(true, &server, now);
    control.send(b"USER ann\r\nPASS x\r\n");
    control.settle();
    while !source.0.is_empty() && !control.closed {
        let name = words(&mut source);
        match source.byte() % 8 {
            0 => {
                line(&mut control, "CWD", &name);
                control.settle();
                line(&mut control, "PWD", "");
                let told = quoted(&control.replies.last_line);
                line(&mut control, "CWD", &told);
                control.settle();
                line(&mut control, "PWD", "");
                assert_eq!(told, quoted(&control.replies.last_line));
            }
            1 => line(&mut control, "MKD", &name),
            2 => line(&mut control, "MLST", &name),
            3 => line(&mut control, "STOU", &name),
            4 => line(&mut control, "HASH", &name),
            5 => {
                line(&mut control, "STAT", &name);
                let entries = (0..source.byte() % 4).map(|_| words(&mut source));
                // The store lists no other names.
                let entries = entries.filter(|name| check_name(name).is_ok());
                let meta = folder();
                let entries: Vec<_> = entries
                    .map(|name| Entry {
                        name,
                        meta: meta.clone(),
                    })
                    .collect();
                control.answer(|_| Outcome::Listed {
                    entries,
                    next: None,
                });
            }
            6 => {
                line(&mut control, "RNFR", &name);
                let detail = words(&mut source);
                control.answer(|_| Outcome::Failed(Fault::new(FaultKind::Io, detail)));
            }
            _ => {
                line(&mut control, "PASV", "");
                control.asked.clear();
                let (channel, why) = (DATA, words(&mut source));
                control.tell(Input::OpenFailed { channel, why });
            }
        }
        control.settle();
        assert!(!control.replies.is_open(), "a reply without its end");
    }
    if !control.closed {
        line(&mut control, "REIN", "");
        let (why, after) = (words(&mut source), Duration::from_secs(1));
        line(&mut control, "USER", "ann");
        line(&mut control, "PASS", "x");
        control.asked.clear();
        control.tell(Input::Login(LoginOutcome::Later { why, after }));
        assert!(control.closed, "not closed behind 421");
    }
}

/// A command with its answer, or with what is asked for it.
fn line(control: &mut Control, verb: &str, argument: &str) {
    control.send(format!("{verb} {argument}\r\n").as_bytes());
}

/// Text as long as the next byte says, with ends of line and quotes in it as they come.
fn words(source: &mut Source<'_>) -> String {
    let len = usize::from(source.byte());
    String::from_utf8_lossy(&source.bytes(len)).into_owned()
}

/// The path of a 257 (RFC 959, appendix II).
fn quoted(line: &str) -> String {
    let rest = line.strip_prefix("257 \"").expect("a path in quotes");
    let end = rest.rfind("\" is the working folder").expect("its end");
    rest[..end].replace("\"\"", "\"")
}
