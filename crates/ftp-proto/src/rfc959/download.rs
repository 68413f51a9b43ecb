//! `RETR`: opens, has ranges warmed ahead of the sending, and sends them.
//!
//! Never sends a range that was not warmed, so that sending never waits for a disk. A file that is
//! shorter than it was is never sent as if it were whole.

use std::collections::VecDeque;
use std::mem;

use super::effects::Effects;
use super::progress::{Progress, refused};
use super::reply::Reply;
use crate::VPath;
use crate::session::{DiskOp, FileId, JobId, Outcome};

/// One download.
#[derive(Debug)]
pub(super) struct Download {
    path: VPath,
    /// `REST`.
    offset: u64,
    ascii: bool,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// Asked for by this job.
    Opening(Option<JobId>),
    /// A small file, whole.
    Whole(Vec<u8>),
    Range(Range),
    /// Nothing is open.
    Closed,
}

/// What is warmed next and up to where; ranges away, in their order.
#[derive(Debug)]
struct Range {
    asked: u64,
    end: u64,
    warming: VecDeque<(JobId, u64, u64)>,
}

impl Download {
    pub(super) fn new(path: VPath, offset: u64, ascii: bool) -> Self {
        Self {
            path,
            offset,
            ascii,
            body: Body::Opening(None),
        }
    }

    pub(super) fn start(&mut self, file: FileId, fx: &mut Effects) {
        let inline = if self.offset == 0 {
            fx.config.limits.inline_bytes
        } else {
            0
        };
        let path = self.path.clone();
        self.body = Body::Opening(Some(fx.disk(file, DiskOp::Open { path, inline })));
    }

    pub(super) fn done(
        &mut self,
        job: JobId,
        outcome: Outcome,
        file: FileId,
        fx: &mut Effects,
    ) -> Result<Progress, (Reply, &'static str)> {
        match &mut self.body {
            Body::Opening(Some(asked)) if *asked == job => self.opened(outcome),
            Body::Range(_) => self.warmed(job, outcome, file, fx),
            // Of a file that is released.
            Body::Opening(_) | Body::Whole(_) | Body::Closed => Ok(Progress::Going),
        }
    }

    fn opened(&mut self, outcome: Outcome) -> Result<Progress, (Reply, &'static str)> {
        let Outcome::Opened { meta, content, .. } = outcome else {
            self.body = Body::Closed;
            return Err(refused(outcome));
        };
        let end = match content {
            Some(mut content) => {
                let end = content.bytes.len();
                let before = usize::try_from(self.offset).unwrap_or(usize::MAX);
                content.bytes.drain(..before.min(end));
                self.body = Body::Whole(content.bytes);
                end as u64
            }
            None => {
                self.body = Body::Range(Range {
                    asked: self.offset.min(meta.size),
                    end: meta.size,
                    warming: VecDeque::new(),
                });
                meta.size
            }
        };
        let Some(len) = end.checked_sub(self.offset) else {
            let words = format!("REST {} is behind the end, {end}", self.offset);
            return Err((Reply::new(554, words), "bad_range"));
        };
        let mode = if self.ascii {
            "image (TYPE A changes no file)"
        } else {
            "BINARY"
        };
        // Clients read the number: it is that of the bytes to come.
        let path = self.path.as_str();
        let words = format!("Opening {mode} mode data connection for {path} ({len} bytes)");
        Ok(Progress::Prepared(Reply::exact(150, words)))
    }

    fn warmed(
        &mut self,
        job: JobId,
        outcome: Outcome,
        file: FileId,
        fx: &mut Effects,
    ) -> Result<Progress, (Reply, &'static str)> {
        let Body::Range(range) = &mut self.body else {
            return Ok(Progress::Going);
        };
        let Some(&(away, offset, len)) = range.warming.front() else {
            return Ok(Progress::Going);
        };
        if away != job {
            return Ok(Progress::Going);
        }
        range.warming.pop_front();
        let Outcome::Warmed { len: there, .. } = outcome else {
            return Err(refused(outcome));
        };
        if there < len {
            let words = "The file became shorter while it was sent";
            return Err((Reply::new(451, words), "changed"));
        }
        fx.send_file(file, offset, len);
        Ok(Progress::Going)
    }

    /// Sends what is at hand, and asks for more as far as the window allows.
    pub(super) fn advance(&mut self, file: FileId, fx: &mut Effects) -> Progress {
        match &mut self.body {
            Body::Whole(bytes) => {
                let bytes = mem::take(bytes);
                if !bytes.is_empty() {
                    fx.send(bytes);
                }
                self.body = Body::Closed;
                Progress::Complete
            }
            Body::Range(range) => {
                range.warm(file, fx);
                if range.asked == range.end && range.warming.is_empty() {
                    Progress::Complete
                } else {
                    Progress::Going
                }
            }
            Body::Opening(_) | Body::Closed => Progress::Going,
        }
    }

    /// Closes the file; the shell sees to it that what is queued of it is sent first.
    pub(super) fn release(&mut self, file: FileId, fx: &mut Effects) {
        match mem::replace(&mut self.body, Body::Closed) {
            Body::Opening(Some(_)) | Body::Range(_) => {
                fx.disk(file, DiskOp::Release);
            }
            Body::Opening(None) | Body::Whole(_) | Body::Closed => {}
        }
    }
}

impl Range {
    fn warm(&mut self, file: FileId, fx: &mut Effects) {
        let (chunk, window) = (
            u64::from(fx.config.limits.chunk_bytes).max(1),
            fx.config.limits.window_bytes,
        );
        let mut away: u64 = self.warming.iter().map(|(_, _, len)| len).sum();
        while self.asked < self.end && fx.unsent_data().saturating_add(away) < window {
            let (offset, len) = (self.asked, chunk.min(self.end - self.asked));
            self.asked += len;
            away += len;
            let op = DiskOp::Warm {
                offset,
                len,
                digest: false,
                last: self.asked == self.end,
            };
            let job = fx.disk(file, op);
            self.warming.push_back((job, offset, len));
        }
    }
}
