//! From the first frame's header to a task: what each verb asks of the machine.

use super::Native;
use super::download::{Download, Wanted};
use super::hello;
use super::queue::Task;
use super::reply::{self, Answer};
use super::upload::Upload;
use super::verbs::Verb;
use crate::path::NAME_BYTES;
use crate::session::DiskOp;
use crate::wire::{Code, ErrorBody, Put, Request, RequestHead};

/// Longest `if_etag`, in bytes.
const ETAG_BYTES: usize = 256;
/// Bytes of a page's JSON array that belong to no entry.
const BRACKETS: u32 = 2;

/// A task, and its answer where it is known at once.
type Made = Result<(Task, Option<Answer>), ErrorBody>;

impl Native {
    /// Gives a request its task.
    ///
    /// # Errors
    /// The answer to a request that is wrong in itself.
    pub(super) fn make(&mut self, head: RequestHead) -> Made {
        let (fin, len) = (head.fin, head.len);
        let request = Request::parse(head)?;
        match request {
            Request::Put(put) => return self.make_put(put, len),
            Request::Ping if fin && len <= u64::from(self.fx.config.limits.ping_bytes) => {
                return Ok((Task::Ping(Vec::new()), None));
            }
            Request::Ping => {
                let max = self.fx.config.limits.ping_bytes;
                let why = format!("a `ping` is one frame with at most {max} bytes of payload");
                return Err(reply::error(Code::BadRequest, why));
            }
            Request::Hello { .. }
            | Request::Login { .. }
            | Request::Get { .. }
            | Request::List { .. }
            | Request::Stat { .. }
            | Request::Hash { .. }
            | Request::MakeDir { .. }
            | Request::Rename { .. }
            | Request::Remove { .. }
            | Request::Abort => {}
        }
        if !fin || len > 0 {
            let why = "this request is one frame with `fin` and without payload";
            return Err(reply::error(Code::BadRequest, why));
        }
        match request {
            Request::Hello { version, chunk, .. } => self.make_hello(version, chunk),
            Request::Login { user, password } => self.make_login(user, password),
            Request::MakeDir { path, parents } => self.change(DiskOp::MakeDir { path, parents }),
            Request::Rename { from, to, replace } => {
                self.change(DiskOp::Rename { from, to, replace })
            }
            Request::Remove { path, recursive } => self.change(DiskOp::Remove { path, recursive }),
            Request::Get { .. }
            | Request::List { .. }
            | Request::Stat { .. }
            | Request::Hash { .. }
            | Request::Ping
            | Request::Put(_)
            | Request::Abort => self.make_read(request),
        }
    }

    fn make_read(&self, request: Request) -> Made {
        let task = match request {
            Request::Get {
                path,
                offset,
                length,
                digest_from,
                if_etag,
            } => {
                short_enough("if_etag", if_etag.as_deref(), ETAG_BYTES)?;
                Task::Download(Download::new(Wanted {
                    path,
                    offset,
                    length,
                    digest_from,
                    if_etag,
                }))
            }
            Request::List {
                path,
                cursor,
                limit,
            } => {
                short_enough("cursor", cursor.as_deref(), NAME_BYTES)?;
                let limits = &self.fx.config.limits;
                Task::Verb(Verb::read(DiskOp::List {
                    path,
                    after: cursor,
                    entries: limit.map_or(limits.page_entries, |limit| {
                        limit.clamp(1, limits.page_entries.max(1))
                    }),
                    bytes: limits
                        .page_bytes
                        .min(self.fx.chunk)
                        .saturating_sub(BRACKETS),
                }))
            }
            Request::Stat { path } => Task::Verb(Verb::read(DiskOp::Stat { path })),
            Request::Hash {
                path,
                offset,
                length: len,
            } => Task::Verb(Verb::read(DiskOp::Digest { path, offset, len })),
            Request::Hello { .. }
            | Request::Ping
            | Request::Login { .. }
            | Request::Put(_)
            | Request::MakeDir { .. }
            | Request::Rename { .. }
            | Request::Remove { .. }
            | Request::Abort => return Err(reply::unexpected()),
        };
        Ok((task, None))
    }

    fn make_hello(&mut self, version: u32, chunk: Option<u32>) -> Made {
        let user = self.login.user();
        let (head, chunk) = hello::greet(version, chunk, &self.fx.config, user)?;
        self.fx.chunk = chunk;
        self.phase.greeted = true;
        if self.fx.config.login.is_none() || self.login.user().is_some() {
            self.deadlines.greeted();
        }
        Ok((Task::Told, Some(Answer::ok(head))))
    }

    fn make_put(&self, put: Put, len: u64) -> Made {
        self.check_writable()?;
        let mut upload = Upload::new(put);
        upload.chunk(len, None, self.fx.config.limits.chunk_bytes)?;
        Ok((Task::Upload(upload), None))
    }

    fn change(&self, op: DiskOp) -> Made {
        self.check_writable()?;
        Ok((Task::Verb(Verb::change(op)), None))
    }

    fn check_writable(&self) -> Result<(), ErrorBody> {
        if self.fx.config.read_only {
            return Err(reply::error(Code::ReadOnly, "this server takes no writes"));
        }
        Ok(())
    }
}

fn short_enough(field: &str, text: Option<&str>, max: usize) -> Result<(), ErrorBody> {
    if text.is_some_and(|text| text.len() > max) {
        let why = format!("`{field}` is longer than {max} bytes");
        return Err(reply::error(Code::BadRequest, why));
    }
    Ok(())
}
