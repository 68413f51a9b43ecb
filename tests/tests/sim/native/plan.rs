//! What a client of a world will ask for, drawn from the seed.

use std::fmt;

use fastrand::Rng;
use ftp_proto::session::CreateOptions;
use ftp_proto::wire::{Code, RequestHead};
use ftp_proto::{IfExists, VPath};

use crate::fs::digest;
use crate::names::{content, path};

/// One request.
#[derive(Clone, Debug)]
pub(crate) enum Req {
    Hello {
        chunk: u32,
    },
    Ping(Vec<u8>),
    Put(PutReq),
    Get {
        path: VPath,
        offset: u64,
        length: Option<u64>,
        digest_from: u64,
    },
    Hash {
        path: VPath,
        offset: u64,
        length: Option<u64>,
    },
    Stat {
        path: VPath,
    },
    List {
        path: VPath,
        cursor: Option<String>,
        limit: Option<u32>,
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
    /// Something that is refused with this code, and has so many bytes of payload.
    Wrong {
        verb: &'static str,
        path: &'static str,
        payload: usize,
        code: Code,
    },
}

/// An upload.
#[derive(Clone)]
pub(crate) struct PutReq {
    pub(crate) path: VPath,
    pub(crate) bytes: Vec<u8>,
    pub(crate) options: CreateOptions,
    /// The size that is said is not the one that comes.
    pub(crate) wrong_size: bool,
    pub(crate) digest: Said,
    /// Give up after so many bytes.
    pub(crate) abort_at: Option<usize>,
}

/// What is said of the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Nothing,
    First,
    Last,
    Wrong,
}

/// What a client's plan may contain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub(crate) requests: usize,
    /// Uploads are resumable, large and right, so that a broken connection can be made good.
    pub(crate) resumes: bool,
    /// Nothing but pings: answers that cost the server nothing but their bytes.
    pub(crate) pings: bool,
    pub(crate) longest: usize,
}

impl fmt::Debug for PutReq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({} bytes, wrong size {}, digest {:?}, abort at {:?}, {:?})",
            self.path,
            self.bytes.len(),
            self.wrong_size,
            self.digest,
            self.abort_at,
            self.options
        )
    }
}

impl PutReq {
    fn draw(rng: &mut Rng, habits: Habits) -> Self {
        let bytes = content(rng, habits.longest);
        let resume = habits.resumes || rng.u32(..6) == 0;
        let wrong_size = !habits.resumes && rng.u32(..20) == 0;
        let size = match bytes.len() as u64 {
            len if wrong_size => Some(if len > 0 && rng.bool() {
                len - 1
            } else {
                len + 1
            }),
            len if resume || rng.bool() => Some(len),
            _ => None,
        };
        let careful = !habits.resumes && rng.u32(..4) == 0;
        Self {
            path: path(rng),
            options: CreateOptions {
                size,
                mtime: rng.bool().then(|| (rng.i64(..5), 0)),
                mode: None,
                parents: habits.resumes || rng.bool(),
                if_exists: match rng.u32(..3) {
                    _ if !careful => IfExists::Replace,
                    0 => IfExists::Fail,
                    1 => IfExists::Skip,
                    _ => IfExists::Newer,
                },
                resume,
                ..CreateOptions::default()
            },
            wrong_size,
            digest: match rng.u32(..8) {
                0 if !habits.resumes => Said::Wrong,
                1 => Said::Nothing,
                2..=4 => Said::First,
                _ => Said::Last,
            },
            abort_at: (!habits.resumes && rng.u32(..10) == 0).then(|| rng.usize(..=bytes.len())),
            bytes,
        }
    }

    /// The digest as it is said.
    pub(crate) fn said(&self) -> ftp_proto::Digest {
        let mut said = digest(&self.bytes);
        if self.digest == Said::Wrong {
            said.0[0] ^= 1;
        }
        said
    }
}

impl Req {
    pub(crate) fn draw(rng: &mut Rng, habits: Habits) -> Self {
        let range = |rng: &mut Rng| match rng.u32(..4) {
            0 => (rng.u64(..300), Some(rng.u64(..9000))),
            1 => (rng.u64(..), Some(rng.u64(..))),
            2 => (rng.u64(..40), None),
            _ => (0, None),
        };
        match rng.u32(..20) {
            _ if habits.pings => Self::Ping(vec![b'p'; 4096 - rng.usize(..9)]),
            0..=6 => Self::Put(PutReq::draw(rng, habits)),
            7..=11 => {
                let (offset, length) = range(rng);
                let digest_from = if rng.bool() {
                    offset
                } else {
                    rng.u64(..=offset)
                };
                Self::Get {
                    path: path(rng),
                    offset,
                    length,
                    digest_from,
                }
            }
            _ if habits.resumes => Self::Stat { path: path(rng) },
            12 => Self::Ping(content(rng, 4097)),
            13 => Self::Stat { path: path(rng) },
            14 => {
                let (offset, length) = range(rng);
                Self::Hash {
                    path: path(rng),
                    offset,
                    length,
                }
            }
            15 => Self::List {
                path: if rng.bool() { VPath::root() } else { path(rng) },
                cursor: rng.bool().then(|| "b".to_owned()),
                limit: rng.bool().then(|| rng.u32(..4)),
            },
            16 => Self::MakeDir {
                path: path(rng),
                parents: rng.bool(),
            },
            17 => Self::Rename {
                from: path(rng),
                to: path(rng),
                replace: rng.bool(),
            },
            18 => Self::Remove {
                path: path(rng),
                recursive: rng.bool(),
            },
            _ => Self::wrong(rng),
        }
    }

    fn wrong(rng: &mut Rng) -> Self {
        let (verb, path, payload, code) = match rng.u32(..4) {
            0 => ("stat", "../a", 0, Code::BadPath),
            1 => ("frobnicate", "a", rng.usize(..100), Code::UnknownVerb),
            2 => ("get", "a", 1 + rng.usize(..3000), Code::BadRequest),
            _ => ("put", ".muxftp-x", rng.usize(..3000), Code::BadPath),
        };
        Self::Wrong {
            verb,
            path,
            payload,
            code,
        }
    }

    pub(crate) fn is_put(&self) -> bool {
        matches!(self, Self::Put(_))
    }

    /// The header of the first frame, but for its payload and `fin`.
    pub(crate) fn head(&self, id: u64) -> RequestHead {
        let head = |verb| named(id, verb);
        let at = |verb, path| placed(id, verb, path);
        match self {
            Self::Hello { chunk } => RequestHead {
                version: Some(1),
                chunk: Some(*chunk),
                ..head("hello")
            },
            Self::Ping(_) => head("ping"),
            Self::Put(put) => RequestHead {
                size: put.options.size,
                sha256: matches!(put.digest, Said::First | Said::Wrong).then(|| put.said()),
                mtime: put.options.mtime.map(|time| time.0),
                parents: put.options.parents,
                if_exists: Some(put.options.if_exists),
                resume: put.options.resume,
                ..at("put", &put.path)
            },
            Self::Get { .. }
            | Self::Hash { .. }
            | Self::Stat { .. }
            | Self::List { .. }
            | Self::MakeDir { .. }
            | Self::Rename { .. }
            | Self::Remove { .. }
            | Self::Wrong { .. } => self.plain_head(id),
        }
    }

    fn plain_head(&self, id: u64) -> RequestHead {
        let at = |verb, path| placed(id, verb, path);
        match self {
            Self::Get {
                path,
                offset,
                length,
                digest_from,
            } => RequestHead {
                offset: Some(*offset),
                length: *length,
                digest_from: Some(*digest_from),
                ..at("get", path)
            },
            Self::Hash {
                path,
                offset,
                length,
            } => RequestHead {
                offset: Some(*offset),
                length: *length,
                ..at("hash", path)
            },
            Self::Stat { path } => at("stat", path),
            Self::List {
                path,
                cursor,
                limit,
            } => RequestHead {
                cursor: cursor.clone(),
                limit: *limit,
                ..at("list", path)
            },
            Self::MakeDir { path, parents } => RequestHead {
                parents: *parents,
                ..at("mkdir", path)
            },
            Self::Rename { from, to, replace } => RequestHead {
                to: Some(to.as_str().to_owned()),
                if_exists: replace.then_some(IfExists::Replace),
                ..at("rename", from)
            },
            Self::Remove { path, recursive } => RequestHead {
                recursive: *recursive,
                ..at("remove", path)
            },
            Self::Wrong { verb, path, .. } => RequestHead {
                path: Some((*path).to_owned()),
                ..named(id, verb)
            },
            Self::Hello { .. } | Self::Ping(_) | Self::Put(_) => named(id, "ping"),
        }
    }

    /// The payload of a request of one frame.
    pub(crate) fn payload(&self) -> Vec<u8> {
        match self {
            Self::Ping(bytes) => bytes.clone(),
            Self::Wrong { payload, .. } => vec![b'x'; *payload],
            Self::Hello { .. }
            | Self::Put(_)
            | Self::Get { .. }
            | Self::Hash { .. }
            | Self::Stat { .. }
            | Self::List { .. }
            | Self::MakeDir { .. }
            | Self::Rename { .. }
            | Self::Remove { .. } => Vec::new(),
        }
    }
}

fn named(id: u64, verb: &str) -> RequestHead {
    RequestHead {
        id,
        verb: Some(verb.to_owned()),
        ..RequestHead::default()
    }
}

fn placed(id: u64, verb: &str, path: &VPath) -> RequestHead {
    RequestHead {
        path: Some(path.as_str().to_owned()),
        ..named(id, verb)
    }
}
