//! The only mapper from what happened on the disk to what the peer is told.

use crate::session::{Entry as DirEntry, Fault, FaultKind, Meta};
use crate::wire::{Code, ErrorBody, ListEntry, ReplyHead};

/// Most characters of an error's message; the rest is cut.
const MESSAGE_CHARS: usize = 1000;

/// The last frame of an answer, without its id.
#[derive(Debug)]
pub(super) struct Answer {
    /// The header.
    pub(super) head: Box<ReplyHead>,
    /// The payload.
    pub(super) payload: Vec<u8>,
    /// What the log says: `ok`, `skipped` or a code.
    pub(super) outcome: &'static str,
}

impl Answer {
    /// It worked.
    pub(super) fn ok(head: ReplyHead) -> Self {
        Self::with_payload(head, Vec::new())
    }

    /// It worked, and these bytes are the answer.
    pub(super) fn with_payload(head: ReplyHead, payload: Vec<u8>) -> Self {
        Self {
            head: Box::new(head),
            payload,
            outcome: "ok",
        }
    }

    /// An upload that left the target as it was.
    pub(super) fn skipped() -> Self {
        let head = ReplyHead {
            skipped: true,
            ..ReplyHead::default()
        };
        Self {
            outcome: "skipped",
            ..Self::ok(head)
        }
    }

    /// It did not work.
    pub(super) fn error(error: ErrorBody) -> Self {
        Self {
            outcome: error.code.as_str(),
            head: Box::new(ReplyHead {
                error: Some(error),
                ..ReplyHead::default()
            }),
            payload: Vec::new(),
        }
    }
}

/// An error with its message cut to a length that fits into any header.
pub(super) fn error(code: Code, message: impl Into<String>) -> ErrorBody {
    let mut message = message.into();
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS) {
        message.truncate(end);
        message.push('…');
    }
    ErrorBody::new(code, message)
}

/// What a fault of the disk is called on the wire.
pub(super) fn fault(fault: Fault) -> ErrorBody {
    let code = match fault.kind {
        FaultKind::NotFound => Code::NotFound,
        FaultKind::NotADirectory => Code::NotADirectory,
        FaultKind::IsADirectory => Code::IsADirectory,
        FaultKind::NotAFile => Code::NotAFile,
        FaultKind::NotEmpty => Code::NotEmpty,
        FaultKind::Exists => Code::Exists,
        FaultKind::Denied => Code::Denied,
        FaultKind::ReadOnly => Code::ReadOnly,
        FaultKind::NoSpace => Code::NoSpace,
        FaultKind::Quota => Code::Quota,
        FaultKind::BadName => Code::BadPath,
        FaultKind::DigestMismatch => Code::DigestMismatch,
        FaultKind::SizeMismatch => Code::SizeMismatch,
        FaultKind::Changed => Code::Changed,
        FaultKind::Busy => Code::Busy,
        FaultKind::BadRange => Code::BadRange,
        FaultKind::Io => Code::Io,
        FaultKind::Internal => Code::Internal,
    };
    error(code, fault.detail)
}

/// The shell answered an operation with the outcome of another.
pub(super) fn unexpected() -> ErrorBody {
    error(
        Code::Internal,
        "the server lost track of this request; its log says more",
    )
}

/// The facts of a file, but for its kind.
pub(super) fn file_head(meta: &Meta) -> ReplyHead {
    ReplyHead {
        size: Some(meta.size),
        mtime: Some(meta.mtime),
        mtime_ns: Some(meta.mtime_ns),
        mode: Some(meta.mode),
        etag: Some(meta.etag.clone()),
        ..ReplyHead::default()
    }
}

/// The answer to `list`: one page, at most `max` bytes long, and where the next one begins.
pub(super) fn page(
    entries: Vec<DirEntry>,
    cursor: Option<String>,
    max: usize,
) -> Result<Answer, ErrorBody> {
    let list: Vec<ListEntry> = entries.into_iter().map(list_entry).collect();
    let payload = serde_json::to_vec(&list).map_err(|_| unexpected())?;
    if payload.len() > max {
        return Err(unexpected());
    }
    let head = ReplyHead {
        cursor,
        ..ReplyHead::default()
    };
    Ok(Answer::with_payload(head, payload))
}

fn list_entry(entry: DirEntry) -> ListEntry {
    ListEntry {
        name: entry.name,
        kind: entry.meta.kind,
        size: entry.meta.size,
        mtime: entry.meta.mtime,
        mtime_ns: entry.meta.mtime_ns,
        mode: entry.meta.mode,
    }
}
