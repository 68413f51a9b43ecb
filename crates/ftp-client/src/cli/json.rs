//! The objects of `--json`. Their meaning is promised in `JSON.md`; a change there is a change for users.

use ftp_proto::wire::ListEntry;
use ftp_proto::{Digest, Durability, Kind};
use serde::Serialize;

use super::exit::Exit;
use crate::client::Stat;
use crate::error::Error;
use crate::transfer::{Item, Outcome, Summary};

/// One line of output.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Line<'a> {
    Start {
        verb: &'a str,
        server: &'a str,
    },
    Begin {
        #[serde(flatten)]
        item: ItemFields<'a>,
    },
    Progress {
        item: u64,
        bytes: u64,
        size: Option<u64>,
    },
    Done {
        #[serde(flatten)]
        item: ItemFields<'a>,
        #[serde(flatten)]
        outcome: OutcomeFields,
    },
    Skipped {
        name: &'a str,
        why: &'a str,
    },
    KeptOut {
        #[serde(flatten)]
        error: ErrorFields,
    },
    Retry {
        #[serde(flatten)]
        error: ErrorFields,
        attempt: u32,
        wait_ms: u64,
    },
    Error {
        #[serde(flatten)]
        item: Option<ItemFields<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<&'a str>,
        #[serde(flatten)]
        error: ErrorFields,
    },
    Interrupted {
        signal: i32,
        resume: Option<&'a str>,
    },
    Trusted {
        host: &'a str,
        key: &'a str,
    },
    Login {
        server: &'a str,
        user: &'a str,
    },
    Logout {
        server: &'a str,
        user: &'a str,
    },
    Entry {
        path: &'a str,
        #[serde(flatten)]
        entry: &'a ListEntry,
    },
    Stat {
        path: &'a str,
        #[serde(rename = "type")]
        kind: Kind,
        size: u64,
        mtime: i64,
        mtime_ns: u32,
        mode: u32,
        etag: Option<&'a str>,
    },
    Hash {
        path: &'a str,
        sha256: Digest,
        size: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        matches: Option<bool>,
    },
    Ping {
        seq: u32,
        ms: f64,
    },
    Ok {
        path: &'a str,
    },
    Summary {
        done: u64,
        verified: bool,
        skipped: u64,
        failed: u64,
        bytes: u64,
        resumed: u64,
        seconds: f64,
        exit: u8,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct ItemFields<'a> {
    item: u64,
    way: &'static str,
    local: &'a str,
    remote: &'a str,
    size: Option<u64>,
}

impl<'a> From<&'a Item> for ItemFields<'a> {
    fn from(item: &'a Item) -> Self {
        Self {
            item: item.number,
            way: item.way.as_str(),
            local: &item.local,
            remote: &item.remote,
            size: item.size,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct OutcomeFields {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    durability: Option<Durability>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<u64>,
}

impl From<&Outcome> for OutcomeFields {
    fn from(outcome: &Outcome) -> Self {
        let plain = |outcome| Self {
            outcome,
            sha256: None,
            verified: None,
            durability: None,
            resumed: None,
        };
        match outcome {
            Outcome::Moved {
                sha256,
                verified,
                durability,
                resumed,
                size: _,
            } => Self {
                outcome: "moved",
                sha256: Some(*sha256),
                verified: Some(*verified),
                durability: *durability,
                resumed: Some(*resumed),
            },
            Outcome::Made => plain("made"),
            Outcome::Kept => plain("kept"),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ErrorFields {
    exit: u8,
    /// The server's code, if the server said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    message: String,
    retryable: bool,
}

impl From<&Error> for ErrorFields {
    fn from(error: &Error) -> Self {
        Self {
            exit: Exit::of(error).code(),
            code: error.code().map(|code| code.as_str()),
            message: error.to_string(),
            retryable: error.is_transient(),
        }
    }
}

impl<'a> Line<'a> {
    pub(super) fn stat(path: &'a str, stat: &'a Stat) -> Self {
        Self::Stat {
            path,
            kind: stat.kind,
            size: stat.size,
            mtime: stat.mtime.0,
            mtime_ns: stat.mtime.1,
            mode: stat.mode,
            etag: stat.etag.as_deref(),
        }
    }

    pub(super) fn summary(summary: &Summary, seconds: f64, exit: Exit) -> Self {
        Self::Summary {
            done: summary.done,
            verified: summary.unverified == 0,
            skipped: summary.skipped,
            failed: summary.failed,
            bytes: summary.bytes,
            resumed: summary.resumed,
            seconds,
            exit: exit.code(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::Way;

    #[test]
    fn lines_are_as_promised() {
        let item = Item {
            number: 1,
            way: Way::Put,
            local: "a\nb".into(),
            remote: "x".into(),
            size: Some(3),
        };
        let outcome = Outcome::Moved {
            size: 3,
            sha256: Digest([0; 32]),
            verified: true,
            durability: Some(Durability::Full),
            resumed: 0,
        };
        let zeros = "0".repeat(64);
        let item = &item;
        for (line, text) in [
            (
                Line::Done {
                    item: item.into(),
                    outcome: (&outcome).into(),
                },
                format!(
                    r#"{{"event":"done","item":1,"way":"put","local":"a\nb","remote":"x","size":3,"outcome":"moved","sha256":"{zeros}","verified":true,"durability":"full","resumed":0}}"#
                ),
            ),
            (
                Line::Error {
                    item: None,
                    path: Some("x"),
                    error: (&Error::TimedOut("y".into())).into(),
                },
                r#"{"event":"error","path":"x","exit":9,"message":"timed out: y","retryable":true}"#
                    .into(),
            ),
        ] {
            assert_eq!(serde_json::to_string(&line).unwrap(), text);
        }
    }
}
