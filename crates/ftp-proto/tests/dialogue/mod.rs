//! A dialogue: inputs to the RFC 959 machine and what must come of them, line by line.
//!
//! ```text
//! ## title | settings          a fresh machine; settings: see `set`
//! > login                      greeting, USER and PASS, their answers left out
//! > pasv                       PASV, its port, and the client that comes, left out
//! > RETR a                     a command line
//! > raw a\r\nb\xff             bytes as they are
//! > data 192.0.2.7:40000       the data connection is there    > listening 192.0.2.1:50000
//! > dataeof · datalost · closed · datasecured · openfailed · payload 3 · sent [3]
//! > opened · secured [user] · eof · lost · drain · cut · admitted u · refused · later 5
//! > done 1 created             a disk outcome                  > fault 2 io
//! > wait 10                    seconds pass; a deadline is told > deadline
//! < 220 ready                  a line of a reply                data < text       bytes of the data connection
//! disk 1 f2 stat a             listen · stop listening · connect ADDR · tls data · close data flush
//! = data payload f2            its appetite, unless it is nothing   = control nothing
//! # a remark
//! ```

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::Limits;
use ftp_proto::rfc959::{Config, Rfc959, Security};
use ftp_proto::session::{
    Action, Appetite, Channel, Dialect, Digesting, Fault, FileId, Input, JobId, LoginOutcome,
};

use crate::disk::{fault_kind, operation, parse_outcome};

/// Plays a text of scenarios and returns it with the expectations as the machine met them.
pub(crate) fn play(text: &str) -> String {
    let mut out = String::new();
    let mut scene: Option<Scene> = None;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            scene = Some(Scene::new(title));
            writeln!(out, "{line}").unwrap();
        } else if let Some(input) = line.strip_prefix("> ") {
            writeln!(out, "{line}").unwrap();
            let scene = scene.as_mut().expect("a script begins with `## title`");
            out.push_str(&scene.input(input));
        } else if line.starts_with('#') || line.is_empty() {
            writeln!(out, "{line}").unwrap();
        }
    }
    out
}

struct Scene {
    machine: Rfc959,
    now: Instant,
    inbox: Vec<u8>,
    /// Bytes of the data connection that the peer has not taken.
    unsent: u64,
    /// The peer takes no replies.
    deaf: bool,
    /// Jobs asked so far.
    jobs: u64,
}

fn peer() -> std::net::SocketAddr {
    "192.0.2.7:40000".parse().unwrap()
}

impl Scene {
    fn new(title: &str) -> Self {
        let (_, settings) = title.split_once(" | ").unwrap_or((title, ""));
        let mut config = Config {
            limits: Limits::default(),
            server: "muxftp/test".into(),
            login: true,
            tls: Security::Off,
            implicit_tls: false,
            data_tls: Security::Offered,
            read_only: false,
            active: true,
            digesting: Digesting::Upload,
        };
        let mut deaf = false;
        for setting in settings.split_whitespace() {
            deaf |= setting == "deaf";
            set(&mut config, setting);
        }
        // Only differences of time are ever looked at.
        #[allow(clippy::disallowed_methods, reason = "any origin will do")]
        let now = Instant::now();
        Self {
            machine: Rfc959::new(Arc::new(config), now),
            now,
            inbox: Vec::new(),
            unsent: 0,
            deaf,
            jobs: 0,
        }
    }

    /// Gives one input and says what came of it.
    fn input(&mut self, text: &str) -> String {
        match text {
            "login" => {
                for step in ["opened", "USER ann", "PASS x", "admitted ann", "TYPE I"] {
                    self.input(step);
                }
                return String::new();
            }
            "pasv" => {
                for step in ["PASV", "listening 192.0.2.1:50000", "data"] {
                    self.input(step);
                }
                return String::new();
            }
            "deadline" => {
                return match self.machine.deadline() {
                    Some(at) => format!("in {} s\n", (at - self.now).as_secs()),
                    None => "none\n".into(),
                };
            }
            _ => self.happen(text),
        }
        let mut out = self.actions();
        if !self.inbox.is_empty() {
            self.text(&[]);
            out.push_str(&self.actions());
        }
        out.push_str(&appetites(&self.machine));
        if !self.inbox.is_empty() {
            writeln!(out, "= unread {}", self.inbox.len()).unwrap();
        }
        out
    }

    fn happen(&mut self, text: &str) {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let number = || rest.parse::<u64>().unwrap_or_else(|_| panic!("{text:?}"));
        let input = match word {
            "raw" => return self.text(&unescape(rest)),
            "sent" => {
                let len = if rest.is_empty() {
                    self.unsent
                } else {
                    number()
                };
                self.unsent = self.unsent.saturating_sub(len);
                Input::Sent {
                    channel: Channel::DATA,
                    len,
                }
            }
            "admitted" => Input::Login(LoginOutcome::Admitted { user: rest.into() }),
            "refused" => Input::Login(LoginOutcome::Refused),
            "later" => Input::Login(LoginOutcome::Later {
                why: "too many".into(),
                after: Duration::from_secs(number()),
            }),
            "done" => {
                let (job, outcome) = rest.split_once(' ').unwrap();
                let job = if job == "-" {
                    self.jobs
                } else {
                    job.parse().unwrap()
                };
                Input::Done {
                    job: JobId(job),
                    outcome: parse_outcome(outcome),
                }
            }
            "fault" => {
                let (file, kind) = rest.split_once(' ').unwrap();
                Input::Fault {
                    file: FileId(file.parse().unwrap()),
                    fault: Fault::new(fault_kind(kind), "it broke"),
                }
            }
            "wait" => {
                self.now += Duration::from_secs(number());
                if self.machine.deadline().is_none_or(|at| at > self.now) {
                    return;
                }
                Input::Deadline
            }
            "drain" => Input::Drain,
            "cut" => Input::Cut {
                why: "you were removed".into(),
            },
            _ if word.starts_with(|c: char| c.is_ascii_uppercase()) => {
                return self.text(format!("{text}\r\n").as_bytes());
            }
            _ => connections(word, rest),
        };
        self.machine.handle(input, self.now);
    }

    fn text(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        if self.machine.appetite(Channel::CONTROL) == Appetite::Message {
            let used = self
                .machine
                .receive(Channel::CONTROL, &self.inbox, self.now);
            self.inbox.drain(..used);
        }
    }

    fn actions(&mut self) -> String {
        let mut out = String::new();
        let mut replies = 0;
        while let Some(action) = self.machine.poll_action() {
            match &action {
                Action::Send { channel, bytes } if *channel == Channel::CONTROL => {
                    replies += bytes.len() as u64;
                }
                Action::Send { bytes, .. } => self.unsent += bytes.len() as u64,
                Action::SendFile { len, .. } => self.unsent += len,
                Action::Disk { job, .. } => self.jobs = job.0,
                // What the peer sent in plain is dropped.
                Action::StartTls { channel, .. } if *channel == Channel::CONTROL => {
                    self.inbox.clear()
                }
                Action::Close { .. }
                | Action::Listen { .. }
                | Action::StopListening { .. }
                | Action::Connect { .. }
                | Action::StartTls { .. }
                | Action::Login { .. }
                | Action::Report(_) => {}
            }
            show(&action, &mut out);
        }
        if replies > 0 && !self.deaf {
            let channel = Channel::CONTROL;
            let sent = Input::Sent {
                channel,
                len: replies,
            };
            self.machine.handle(sent, self.now);
            out.push_str(&self.actions());
        }
        out
    }
}

/// Comings and goings of connections.
fn connections(word: &str, rest: &str) -> Input {
    let (control, data) = (Channel::CONTROL, Channel::DATA);
    match word {
        "opened" | "data" => Input::Opened {
            channel: if word == "data" { data } else { control },
            peer: Some(peer()),
        },
        "secured" | "datasecured" => Input::Secured {
            channel: if word == "secured" { control } else { data },
            user: (!rest.is_empty()).then(|| rest.to_owned()),
        },
        "listening" => Input::Listening {
            channel: data,
            address: rest.parse().unwrap(),
        },
        "openfailed" => Input::OpenFailed {
            channel: data,
            why: "it broke".into(),
        },
        "closed" => Input::Closed { channel: data },
        "payload" => Input::Payload {
            channel: data,
            len: rest.parse().unwrap(),
        },
        "eof" | "dataeof" => Input::Eof {
            channel: if word == "eof" { control } else { data },
        },
        "lost" | "datalost" => Input::Lost {
            channel: if word == "lost" { control } else { data },
            why: "reset by peer".into(),
        },
        _ => panic!("no such input: {word:?}"),
    }
}

fn appetites(machine: &Rfc959) -> String {
    let mut out = String::new();
    match machine.appetite(Channel::CONTROL) {
        Appetite::Message => {}
        Appetite::Nothing => out.push_str("= control nothing\n"),
        other @ (Appetite::Payload { .. } | Appetite::Discard { .. }) => {
            panic!("control wants {other:?}")
        }
    }
    match machine.appetite(Channel::DATA) {
        Appetite::Nothing => {}
        Appetite::Payload { file, remaining } => {
            assert_eq!(remaining, u64::MAX);
            writeln!(out, "= data payload f{}", file.0).unwrap();
        }
        other @ (Appetite::Message | Appetite::Discard { .. }) => panic!("data wants {other:?}"),
    }
    out
}

fn show(action: &Action, out: &mut String) {
    let name = |channel: &Channel| if channel.0 == 0 { "control" } else { "data" };
    match action {
        Action::Send { channel, bytes } => {
            let mark = if *channel == Channel::CONTROL {
                "<"
            } else {
                "data <"
            };
            let text = String::from_utf8_lossy(bytes);
            assert!(
                text.ends_with("\r\n") || *channel == Channel::DATA,
                "{text:?}"
            );
            for line in text.split_terminator("\r\n") {
                assert!(!line.contains(['\r', '\n']), "{line:?}");
                writeln!(out, "{mark} {line}").unwrap();
            }
        }
        Action::SendFile {
            file, offset, len, ..
        } => writeln!(out, "data < f{}[{offset}..{}]", file.0, offset + len).unwrap(),
        Action::Disk { job, file, op } => {
            writeln!(out, "disk {} f{} {}", job.0, file.0, operation(op)).unwrap();
        }
        Action::Close {
            channel,
            flush,
            why,
        } => {
            let how = if *flush { "flush" } else { "now" };
            writeln!(out, "close {} {how} ({why})", name(channel)).unwrap();
        }
        Action::Listen { .. } => out.push_str("listen\n"),
        Action::StopListening { .. } => out.push_str("stop listening\n"),
        Action::Connect { address, .. } => writeln!(out, "connect {address}").unwrap(),
        Action::StartTls { channel, one_way } => {
            let way = if *one_way { " one way" } else { "" };
            writeln!(out, "tls {}{way}", name(channel)).unwrap();
        }
        Action::Login { user, password } => {
            let password = String::from_utf8_lossy(password.bytes());
            writeln!(out, "login {user} {password}").unwrap();
        }
        Action::Report(report) => {
            let (verb, path) = (report.verb.as_str(), &report.path);
            let (bytes, outcome) = (report.bytes, report.outcome);
            writeln!(out, "report {verb} {path} {bytes} {outcome}").unwrap();
        }
    }
}

/// `\r`, `\n`, `\0` and `\xHH`.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let used = match tail {
            [b'r', ..] => {
                out.push(b'\r');
                1
            }
            [b'n', ..] => {
                out.push(b'\n');
                1
            }
            [b'0', ..] => {
                out.push(0);
                1
            }
            [b'x', a, b, ..] => {
                let hex = String::from_utf8(vec![*a, *b]).unwrap();
                out.push(u8::from_str_radix(&hex, 16).unwrap());
                3
            }
            _ => panic!("{text:?}"),
        };
        rest = &tail[used..];
    }
    out
}

fn set(config: &mut Config, setting: &str) {
    let limits = &mut config.limits;
    let (name, value) = setting.split_once('=').unwrap_or((setting, "0"));
    let number = || value.parse::<u32>().unwrap();
    match name {
        "deaf" => {}
        "open" => config.login = false,
        "read_only" => config.read_only = true,
        "unhurried" => config.digesting = Digesting::Unhurried,
        "on_demand" => config.digesting = Digesting::OnDemand,
        "passive" => config.active = false,
        "implicit" => config.implicit_tls = true,
        "tls" => config.tls = security(value),
        "data_tls" => config.data_tls = security(value),
        "chunk_bytes" => limits.chunk_bytes = number(),
        "window_bytes" => limits.window_bytes = number().into(),
        "inline_bytes" => limits.inline_bytes = number(),
        "page_bytes" => limits.page_bytes = number(),
        "page_entries" => limits.page_entries = number(),
        "command_bytes" => limits.command_bytes = number() as usize,
        "held_bytes" => limits.held_bytes = number() as usize,
        "replies_bytes" => limits.replies_bytes = number().into(),
        "wrong_commands" => limits.wrong_commands = number(),
        "unique_tries" => limits.unique_tries = number(),
        _ => panic!("no such limit: {name}"),
    }
}

fn security(word: &str) -> Security {
    match word {
        "off" => Security::Off,
        "offered" => Security::Offered,
        "required" => Security::Required,
        _ => panic!("{word:?}"),
    }
}
