//! What a machine does, as lines of a script.

use std::fmt::Write as _;

use ftp_proto::session::{Action, Appetite};
use ftp_proto::wire::frame::{self, Split};
use serde_json::Value;

use super::disk::{operation, short};

/// Follows the frames of the server through `Send` and `SendFile`.
#[derive(Default)]
pub(crate) struct Wire {
    bytes: Vec<u8>,
    /// The frame whose payload is not complete: its line so far, and the bytes that lack.
    open: Option<(String, u64)>,
}

/// Bytes that an action gives to the peer.
pub(crate) fn weight(action: &Action) -> u64 {
    match action {
        Action::Send { bytes, .. } => bytes.len() as u64,
        Action::SendFile { len, .. } => *len,
        Action::Disk { .. }
        | Action::Close { .. }
        | Action::Report(_)
        | Action::Listen { .. }
        | Action::StopListening { .. }
        | Action::Connect { .. }
        | Action::StartTls { .. }
        | Action::Login { .. } => 0,
    }
}

impl Wire {
    pub(crate) fn action(&mut self, action: Action, out: &mut String) {
        match action {
            Action::Send { bytes, .. } => {
                self.bytes.extend_from_slice(&bytes);
                self.frames(out);
            }
            Action::SendFile {
                file, offset, len, ..
            } => {
                let (mut line, lacks) = self.open.take().expect("a file outside of a frame");
                write!(line, " file f{}[{offset}..{}]", file.0, offset + len).unwrap();
                assert!(len <= lacks, "a file longer than its frame");
                self.open = Some((line, lacks - len));
                self.frames(out);
            }
            Action::Disk { job, file, op } => {
                writeln!(out, "disk {} f{} {}", job.0, file.0, operation(&op)).unwrap();
            }
            Action::Close { flush, why, .. } => {
                assert!(
                    self.open.is_none() && self.bytes.is_empty(),
                    "closed within a frame"
                );
                let how = if flush { "flush" } else { "now" };
                writeln!(out, "close {how} ({why})").unwrap();
            }
            Action::Report(report) => {
                let (verb, path) = (report.verb.as_str(), &report.path);
                writeln!(
                    out,
                    "report {verb} {path} {} {}",
                    report.bytes, report.outcome
                )
                .unwrap();
            }
            Action::Listen { .. }
            | Action::StopListening { .. }
            | Action::Connect { .. }
            | Action::StartTls { .. }
            | Action::Login { .. } => writeln!(out, "{action:?}").unwrap(),
        }
    }

    fn frames(&mut self, out: &mut String) {
        loop {
            if let Some((mut line, lacks)) = self.open.take() {
                let len = self.bytes.len().min(usize::try_from(lacks).unwrap());
                if len > 0 {
                    let payload: Vec<u8> = self.bytes.drain(..len).collect();
                    write!(line, " {}", String::from_utf8_lossy(&payload)).unwrap();
                }
                if lacks > len as u64 {
                    self.open = Some((line, lacks - len as u64));
                    return;
                }
                writeln!(out, "{line}").unwrap();
            }
            match frame::split(&self.bytes, 65536) {
                Split::NeedMore => return,
                Split::BadLength(len) => panic!("the server sent a header of {len} bytes"),
                Split::Head { json, consumed } => {
                    let mut head: Value = serde_json::from_slice(json).unwrap();
                    if let Some(error) = head.get_mut("error").and_then(Value::as_object_mut) {
                        let message = error.remove("message").unwrap();
                        assert!(
                            !message.as_str().unwrap().is_empty(),
                            "an error must say why"
                        );
                    }
                    let len = head.get("len").and_then(Value::as_u64).unwrap_or(0);
                    self.open = Some((format!("< {}", short(&head.to_string())), len));
                    self.bytes.drain(..consumed);
                }
            }
        }
    }
}

pub(crate) fn appetite(appetite: Appetite) -> String {
    match appetite {
        Appetite::Message => String::new(),
        Appetite::Nothing => "= nothing\n".into(),
        Appetite::Payload { file, remaining } => format!("= payload f{} {remaining}\n", file.0),
        Appetite::Discard { remaining } => format!("= discard {remaining}\n"),
    }
}
