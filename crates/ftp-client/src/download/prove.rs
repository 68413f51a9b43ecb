//! Resume across runs: a partial counts only if the server's digest of the same range is the partial's.

use ftp_proto::wire::{Code, ReplyHead, RequestHead};

use super::hashing::hash_more;
use super::mover::Downloader;
use super::sink::Sink;
use super::task::{Download, Flight, Stage};
use crate::error::{Error, Result};
use crate::hash::Hasher;
use crate::local::Partial;
use crate::session::Session;
use crate::transfer::Item;

impl Downloader<'_> {
    /// Asks for the digest of the file's beginning; meanwhile computes the partial's.
    pub(super) fn prove(
        &mut self,
        session: &mut Session,
        task: Download,
        item: Item,
        partial: Partial,
        len: u64,
    ) -> Result<()> {
        let head = RequestHead {
            verb: Some("hash".into()),
            fin: true,
            path: Some(task.remote.as_str().into()),
            offset: Some(0),
            length: Some(len),
            ..RequestHead::default()
        };
        let id = match session.begin(head, &[]) {
            Ok(id) => id,
            Err(error) => {
                self.settle(task, &item, Err(error));
                return Ok(());
            }
        };
        session.pump();
        let mut hasher = Hasher::default();
        match hash_more(&partial, &mut hasher, 0, len, self.context.cancel) {
            Ok(()) => {}
            Err(error) if error.is_final() => {
                partial.keep();
                self.give_back(task);
                return Err(error);
            }
            // Cannot be read: no hasher will ever agree, so it will be thrown away.
            Err(_) => hasher = Hasher::default(),
        }
        self.flights.push_back(Flight {
            id,
            task,
            item,
            stage: Stage::Prove {
                partial,
                hasher,
                len,
            },
        });
        Ok(())
    }

    /// The server's digest is here.
    pub(super) fn proved(
        &mut self,
        session: &mut Session,
        mut task: Download,
        item: &Item,
        head: &ReplyHead,
        (partial, hasher, len): (Partial, Hasher, u64),
    ) -> Result<()> {
        if let Some(body) = &head.error {
            if body.code == Code::BadRange {
                drop(partial);
                return self.fetch(session, task, 0);
            }
            if body.retryable {
                partial.keep();
            }
            self.settle(task, item, Err(Error::Remote(body.clone())));
            return Ok(());
        }
        if !head.fin {
            return Err(Error::Protocol(
                "an answer of one frame was expected".into(),
            ));
        }
        if head.sha256 == Some(hasher.so_far()) && head.length == Some(len) {
            task.reached = task.reached.max(len);
            task.sink = Some(Sink::behind(partial, hasher, len, head.etag.clone()));
            self.fetch(session, task, len)
        } else {
            // Another file, or another version of it: what we have is worth nothing.
            drop(partial);
            self.fetch(session, task, 0)
        }
    }
}
