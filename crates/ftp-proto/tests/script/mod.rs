//! A script: inputs and what must come of them, line by line.
//!
//! ```text
//! ## title                     a fresh machine; words after ` | ` set limits (`pipeline=2 window_bytes=100`)
//! > greet                      a `hello`, its answer left out
//! > {"id":1,...} text          a frame of the client, with the payload the machine itself reads
//! > raw text                   bytes as they are (`\0` is NUL)
//! > payload 3                  the shell took payload         > sent [3]       the peer took bytes (all)
//! > done 1 created             a disk outcome (see `outcome`)  > fault 2 io     a file failed
//! > wait 10                    seconds pass; a deadline is told > deadline       how far the next one is
//! > eof · lost · drain
//! > login anna · login refused · login later 7      what came of a log-in      > secured anna   a certificate stands for her
//! < {"id":1,...} text          a frame of the server (messages of errors left out)
//! disk 1 f2 stat a             close flush        report put a 3 ok
//! = payload f2 3               the appetite, unless it is `message`
//! # a remark
//! ```
//!
//! `"@07"` is the digest of 32 bytes 0x07, `"@empty"` that of nothing.

mod disk;
mod render;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::native::{Config, Native};
use ftp_proto::session::{Channel, Dialect, Fault, FileId, Input, JobId, LoginOutcome};
use ftp_proto::wire::LoginWanted;
use ftp_proto::{Durability, Limits};

use self::disk::{EMPTY, fault_kind, parse_outcome};
use self::render::Wire;

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
    machine: Native,
    now: Instant,
    wire: Wire,
    /// Bytes of the client that the machine did not take yet.
    inbox: Vec<u8>,
    unsent: u64,
}

impl Scene {
    fn new(title: &str) -> Self {
        let (_, settings) = title.split_once(" | ").unwrap_or((title, ""));
        let mut config = Config {
            limits: Limits::default(),
            server: "muxftp/test".into(),
            durability: Durability::Full,
            read_only: false,
            login: None,
        };
        for setting in settings.split_whitespace() {
            set(&mut config, setting);
        }
        // Only differences of time are ever looked at.
        #[allow(clippy::disallowed_methods, reason = "any origin will do")]
        let now = Instant::now();
        Self {
            machine: Native::new(Arc::new(config), now),
            now,
            wire: Wire::default(),
            inbox: Vec::new(),
            unsent: 0,
        }
    }

    /// Gives one input and says what came of it.
    fn input(&mut self, text: &str) -> String {
        match text {
            "greet" => {
                self.text(&frame(
                    r#"{"id":1000000,"verb":"hello","version":1,"fin":true}"#,
                ));
                self.tell(Input::Sent {
                    channel: Channel::CONTROL,
                    len: 1 << 60,
                });
                self.actions();
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
        // What was held back may go on now.
        if !self.inbox.is_empty() {
            self.text(&[]);
            out.push_str(&self.actions());
        }
        out.push_str(&render::appetite(self.machine.appetite(Channel::CONTROL)));
        if !self.inbox.is_empty() {
            writeln!(out, "= unread {}", self.inbox.len()).unwrap();
        }
        out
    }

    fn happen(&mut self, text: &str) {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let number = || rest.parse::<u64>().unwrap_or_else(|_| panic!("{text:?}"));
        let channel = Channel::CONTROL;
        match word {
            "raw" => self.text(rest.replace("\\0", "\0").as_bytes()),
            "payload" => self.tell(Input::Payload {
                channel,
                len: number(),
            }),
            "sent" => {
                let len = if rest.is_empty() {
                    self.unsent
                } else {
                    number()
                };
                self.unsent -= len;
                self.tell(Input::Sent { channel, len });
            }
            "done" => {
                let (job, outcome) = rest.split_once(' ').unwrap();
                let job = JobId(job.parse().unwrap());
                self.tell(Input::Done {
                    job,
                    outcome: parse_outcome(outcome),
                });
            }
            "fault" => {
                let (file, kind) = rest.split_once(' ').unwrap();
                let file = FileId(file.parse().unwrap());
                self.tell(Input::Fault {
                    file,
                    fault: Fault::new(fault_kind(kind), "it broke"),
                });
            }
            "wait" => {
                self.now += Duration::from_secs(number());
                if self.machine.deadline().is_some_and(|at| at <= self.now) {
                    self.tell(Input::Deadline);
                }
            }
            "eof" => self.tell(Input::Eof { channel }),
            "lost" => self.tell(Input::Lost {
                channel,
                why: "reset by peer".into(),
            }),
            "drain" => self.tell(Input::Drain),
            "login" => self.tell(Input::Login(match rest.split_once(' ') {
                Some(("later", seconds)) => LoginOutcome::Later {
                    why: "too many".into(),
                    after: Duration::from_millis(seconds.parse::<u64>().unwrap() * 1000 - 1),
                },
                Some(_) => panic!("{text:?}"),
                None if rest == "refused" => LoginOutcome::Refused,
                None => LoginOutcome::Admitted { user: rest.into() },
            })),
            "secured" => self.tell(Input::Secured {
                channel,
                user: Some(rest.into()),
            }),
            _ if word.starts_with('{') => self.text(&frame(text)),
            _ => panic!("no such input: {text:?}"),
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        let used = self
            .machine
            .receive(Channel::CONTROL, &self.inbox, self.now);
        self.inbox.drain(..used);
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(input, self.now);
    }

    fn actions(&mut self) -> String {
        let mut out = String::new();
        while let Some(action) = self.machine.poll_action() {
            self.unsent += render::weight(&action);
            self.wire.action(action, &mut out);
        }
        out
    }
}

fn frame(text: &str) -> Vec<u8> {
    let (json, payload) = text.rfind('}').map(|at| text.split_at(at + 1)).unwrap();
    let mut json = json.replace("@empty", EMPTY);
    while let Some(at) = json.find('@') {
        let byte = json[at + 1..at + 3].to_owned();
        json.replace_range(at..at + 3, &byte.repeat(32));
    }
    let mut bytes = u32::try_from(json.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(json.as_bytes());
    bytes.extend_from_slice(payload.strip_prefix(' ').unwrap_or(payload).as_bytes());
    bytes
}

fn set(config: &mut Config, setting: &str) {
    let limits = &mut config.limits;
    let (name, value) = setting.split_once('=').unwrap_or((setting, "0"));
    match (name, value) {
        ("login", "required") => return config.login = Some(LoginWanted::Required),
        ("login", "optional") => return config.login = Some(LoginWanted::Optional),
        _ => {}
    }
    let value: u32 = value.parse().unwrap();
    match name {
        "read_only" => config.read_only = true,
        "chunk_bytes" => limits.chunk_bytes = value,
        "ping_bytes" => limits.ping_bytes = value,
        "pipeline" => limits.pipeline = value as usize,
        "window_bytes" => limits.window_bytes = value.into(),
        "inline_bytes" => limits.inline_bytes = value,
        "swallow_bytes" => limits.swallow_bytes = value.into(),
        "login_tries" => limits.login_tries = value,
        "floor_bytes" => limits.floor_bytes = value.into(),
        "page_bytes" => limits.page_bytes = value,
        _ => panic!("no such limit: {name}"),
    }
}
