//! Frame headers as types: one flat shape a direction, and [`Request`], which is parsed, not validated.

use serde::{Deserialize, Serialize};

use super::code::{Code, ErrorBody};
use crate::{Digest, Durability, IfExists, Kind, Secret, VPath};

/// The header of a frame from client to server. Field meanings: `PROTOCOL.md`, "Verbs".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are the protocol's, and its text explains them"
)]
pub struct RequestHead {
    pub id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verb: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub fin: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub len: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_from: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime_ns: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub parents: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_exists: Option<IfExists>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub resume: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub recursive: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// Just enough of a header to keep the framing when the rest of it is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Outline {
    /// Which message.
    pub id: u64,
    /// Whether the message ends here.
    #[serde(default)]
    pub fin: bool,
    /// Payload bytes that follow.
    #[serde(default)]
    pub len: u64,
}

/// The header of a frame from server to client. Field meanings: `PROTOCOL.md`, "Verbs".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are the protocol's, and its text explains them"
)]
pub struct ReplyHead {
    pub id: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    pub fin: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub len: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<PeerLimits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<Durability>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub skipped: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    pub kind: Option<Kind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime_ns: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginWanted>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Whether a connection has to say who it is, as `hello` tells it. Absent: the server has no users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginWanted {
    /// Before anything but `hello` and `ping`.
    Required,
    /// Who does not is a guest.
    Optional,
}

/// What the server says of itself in `hello`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerLimits {
    /// Longest frame header, in bytes.
    pub header: u32,
    /// Most payload bytes in one frame.
    pub chunk: u32,
    /// Most requests that may wait for their answer.
    pub pipeline: u32,
    /// Most payload bytes of a `ping`.
    pub ping: u32,
}

/// One entry of a `list` page: the payload is a JSON array of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are the protocol's, and its text explains them"
)]
pub struct ListEntry {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub size: u64,
    pub mtime: i64,
    #[serde(default, skip_serializing_if = "is_zero_u32")]
    pub mtime_ns: u32,
    pub mode: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero_u32(value: &u32) -> bool {
    *value == 0
}

/// The first frame of a request, parsed: what it holds is well-formed and within bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the fields are the protocol's, and its text explains them"
)]
pub enum Request {
    Hello {
        version: u32,
        client: String,
        chunk: Option<u32>,
    },
    Ping,
    Login {
        user: String,
        password: Secret,
    },
    Put(Put),
    Get {
        path: VPath,
        offset: u64,
        length: Option<u64>,
        digest_from: u64,
        if_etag: Option<String>,
    },
    List {
        path: VPath,
        cursor: Option<String>,
        limit: Option<u32>,
    },
    Stat {
        path: VPath,
    },
    Hash {
        path: VPath,
        offset: u64,
        length: Option<u64>,
    },
    MakeDir {
        path: VPath,
        parents: bool,
    },
    Rename {
        from: VPath,
        to: VPath,
        replace: bool,
    },
    Remove {
        path: VPath,
        recursive: bool,
    },
    Abort,
}

/// A parsed `put`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the fields are the protocol's, and its text explains them"
)]
pub struct Put {
    pub path: VPath,
    pub size: Option<u64>,
    pub sha256: Option<Digest>,
    pub mtime: Option<(i64, u32)>,
    pub mode: Option<u32>,
    pub parents: bool,
    pub if_exists: IfExists,
    pub resume: bool,
}

impl Request {
    /// Gives the first frame of a message its meaning.
    ///
    /// # Errors
    /// The answer to give: an unknown verb, a missing or wrong field, a path that is refused.
    pub fn parse(head: RequestHead) -> Result<Self, ErrorBody> {
        let verb = head.verb.as_deref().unwrap_or_default();
        Ok(match verb {
            "hello" => Self::Hello {
                version: head.version.ok_or_else(|| missing("hello", "version"))?,
                client: head.client.unwrap_or_default(),
                chunk: head.chunk,
            },
            "ping" => Self::Ping,
            "login" => Self::Login {
                user: head.user.ok_or_else(|| missing("login", "user"))?,
                password: head.password.ok_or_else(|| missing("login", "password"))?,
            },
            "put" => Self::Put(Put::parse(head)?),
            "get" => {
                let offset = head.offset.unwrap_or(0);
                let digest_from = head.digest_from.unwrap_or(offset);
                if digest_from > offset {
                    return Err(bad("`digest_from` lies after `offset`"));
                }
                Self::Get {
                    path: path(head.path, verb)?,
                    offset,
                    length: head.length,
                    digest_from,
                    if_etag: head.if_etag,
                }
            }
            "list" => Self::List {
                path: path(head.path, verb)?,
                cursor: head.cursor,
                limit: head.limit,
            },
            "stat" => Self::Stat {
                path: path(head.path, verb)?,
            },
            "hash" => Self::Hash {
                path: path(head.path, verb)?,
                offset: head.offset.unwrap_or(0),
                length: head.length,
            },
            "mkdir" => Self::MakeDir {
                path: path(head.path, verb)?,
                parents: head.parents,
            },
            "rename" => Self::Rename {
                from: path(head.path, verb)?,
                to: path(head.to.ok_or_else(|| missing(verb, "to")).map(Some)?, verb)?,
                replace: match head.if_exists.unwrap_or(IfExists::Fail) {
                    IfExists::Replace => true,
                    IfExists::Fail => false,
                    IfExists::Skip | IfExists::Newer => {
                        return Err(bad("`rename` knows `replace` and `fail` only"));
                    }
                },
            },
            "remove" => Self::Remove {
                path: path(head.path, verb)?,
                recursive: head.recursive,
            },
            "abort" => Self::Abort,
            "" => return Err(bad("the first frame of a request needs a `verb`")),
            other => {
                let shown: String = other.chars().take(40).collect();
                return Err(ErrorBody::new(
                    Code::UnknownVerb,
                    format!("no such verb: {shown:?}"),
                ));
            }
        })
    }
}

impl Put {
    fn parse(head: RequestHead) -> Result<Self, ErrorBody> {
        if head.mtime_ns.is_some_and(|ns| ns > 999_999_999) {
            return Err(bad("`mtime_ns` is 0 to 999999999"));
        }
        if head.resume && (head.size.is_none() || head.len > 0 || head.fin) {
            return Err(bad(
                "a `put` with `resume` needs `size`, and its first frame neither payload nor `fin`",
            ));
        }
        Ok(Self {
            path: path(head.path, "put")?,
            size: head.size,
            sha256: head.sha256,
            mtime: head
                .mtime
                .map(|seconds| (seconds, head.mtime_ns.unwrap_or(0))),
            mode: head.mode.map(|bits| bits & 0o777),
            parents: head.parents,
            if_exists: head.if_exists.unwrap_or_default(),
            resume: head.resume,
        })
    }
}

fn bad(message: &str) -> ErrorBody {
    ErrorBody::new(Code::BadRequest, message)
}

fn missing(verb: &str, field: &str) -> ErrorBody {
    ErrorBody::new(Code::BadRequest, format!("`{verb}` needs `{field}`"))
}

fn path(text: Option<String>, verb: &str) -> Result<VPath, ErrorBody> {
    let text = text.ok_or_else(|| missing(verb, "path"))?;
    VPath::parse(&text).map_err(|error| {
        let shown: String = text.chars().take(200).collect();
        ErrorBody::new(Code::BadPath, format!("{shown:?}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Request, Code> {
        let head: RequestHead = serde_json::from_str(json).unwrap();
        Request::parse(head).map_err(|error| error.code)
    }

    #[test]
    fn every_verb_parses() {
        for json in [
            r#"{"id":1,"verb":"hello","version":1}"#,
            r#"{"id":1,"verb":"ping"}"#,
            r#"{"id":1,"verb":"login","user":"anna","password":"","fin":true}"#,
            r#"{"id":1,"verb":"put","path":"a","len":3,"fin":true,"later":"ignored"}"#,
            r#"{"id":1,"verb":"get","path":"a","offset":3,"length":4}"#,
            r#"{"id":1,"verb":"list","path":""}"#,
            r#"{"id":1,"verb":"stat","path":"a"}"#,
            r#"{"id":1,"verb":"hash","path":"a"}"#,
            r#"{"id":1,"verb":"mkdir","path":"a","parents":true}"#,
            r#"{"id":1,"verb":"rename","path":"a","to":"b"}"#,
            r#"{"id":1,"verb":"remove","path":"a"}"#,
            r#"{"id":1,"verb":"abort"}"#,
        ] {
            assert!(parse(json).is_ok(), "{json}");
        }
    }

    #[test]
    fn nobody_sets_more_than_permissions() {
        let json = r#"{"id":1,"verb":"put","path":"a","mode":4095,"mtime_ns":999999999}"#;
        let Ok(Request::Put(put)) = parse(json) else {
            panic!("refused");
        };
        assert_eq!((put.mode, put.mtime), (Some(0o777), None));
    }

    #[test]
    fn wrong_requests_say_why() {
        for (json, code) in [
            (r#"{"id":1}"#, Code::BadRequest),
            (r#"{"id":1,"verb":"frobnicate"}"#, Code::UnknownVerb),
            (r#"{"id":1,"verb":"hello"}"#, Code::BadRequest),
            (r#"{"id":1,"verb":"get"}"#, Code::BadRequest),
            (r#"{"id":1,"verb":"login","user":"anna"}"#, Code::BadRequest),
            (
                r#"{"id":1,"verb":"login","password":"x"}"#,
                Code::BadRequest,
            ),
            (r#"{"id":1,"verb":"get","path":"../x"}"#, Code::BadPath),
            (
                r#"{"id":1,"verb":"get","path":"x","offset":1,"digest_from":2}"#,
                Code::BadRequest,
            ),
            (r#"{"id":1,"verb":"rename","path":"x"}"#, Code::BadRequest),
            (
                r#"{"id":1,"verb":"rename","path":"x","to":"y","if_exists":"skip"}"#,
                Code::BadRequest,
            ),
            (
                r#"{"id":1,"verb":"put","path":"x","resume":true}"#,
                Code::BadRequest,
            ),
            (
                r#"{"id":1,"verb":"put","path":"x","mtime":1,"mtime_ns":1000000000}"#,
                Code::BadRequest,
            ),
        ] {
            assert_eq!(parse(json), Err(code), "{json}");
        }
    }
}
