//! `Lister`: a tree on the server as a stream of files, lists asked ahead, local folders made beneath a held one.
//!
//! Memory is bounded by the depth times a page: what waits is the rest of the pages above, and those that were asked ahead. Every
//! name is checked before it is used; one that could climb or confuse ends that entry, not the run.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::sync::Arc;

use ftp_proto::wire::{ListEntry, RequestHead};
use ftp_proto::{Kind, VPath};

use crate::download::{Download, Target};
use crate::error::{Error, Result};
use crate::local::{Folder, is_partial_name};
use crate::net::Wait;
use crate::session::Session;
use crate::transfer::{Context, Event, Item, Queue, Way};

/// Folders that wait at most. A tree as deep and pages as full as they may be stay below it.
const PENDING_MOST: usize = 512 * 1024;
/// Lists that are asked ahead.
const AHEAD: usize = 16;

/// Walks trees and puts their files into a queue.
pub(crate) struct Lister<'a> {
    context: &'a Context<'a>,
    queue: &'a Queue<Download>,
    /// Folders (or their next pages) to be asked for; the last one first.
    pending: Vec<Pending>,
    asked: VecDeque<(u64, Pending)>,
    /// Pages that are here and not handed out.
    listed: VecDeque<Listed>,
    pages: u64,
    /// Nobody takes files any more.
    stopped: bool,
}

/// A page to be asked for.
struct Pending {
    remote: VPath,
    place: Place,
    cursor: Option<String>,
}

/// A page that is here, but for what was handed out of it.
struct Listed {
    remote: VPath,
    folder: Arc<Folder>,
    entries: std::vec::IntoIter<ListEntry>,
    /// A file for which there was no room.
    held: Option<Download>,
}

/// How far a walk came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walked {
    /// To the end.
    All,
    /// Nobody takes files: whoever walks is to carry some, over the same connection, which is at rest.
    Stuck,
}

/// The local folder that belongs to it.
enum Place {
    /// Made and open.
    Open(Arc<Folder>),
    /// To be made in this one, under the last name of the remote path.
    In(Arc<Folder>),
}

impl<'a> Lister<'a> {
    pub(crate) fn new(context: &'a Context<'a>, queue: &'a Queue<Download>) -> Self {
        Self {
            context,
            queue,
            pending: Vec::new(),
            asked: VecDeque::new(),
            listed: VecDeque::new(),
            pages: 0,
            stopped: false,
        }
    }

    /// Adds a tree to be walked into an open local folder.
    pub(crate) fn add(&mut self, remote: VPath, into: Arc<Folder>) {
        self.pending.push(Pending {
            remote,
            place: Place::Open(into),
            cursor: None,
        });
    }

    /// Pages dealt with so far.
    pub(crate) fn progress(&self) -> u64 {
        self.pages
    }

    /// Whether all has been listed.
    pub(crate) fn is_done(&self) -> bool {
        self.pending.is_empty() && self.listed.is_empty()
    }

    /// Whether it ended because nobody takes files any more: no connection of its own would help.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Walks all that was added. After a failure of the connection it may be called again with a new one.
    ///
    /// # Errors
    /// What ends the connection or the run.
    pub(crate) fn walk(&mut self, session: &mut Session) -> Result<Walked> {
        let result = self.rounds(session);
        for (_, pending) in self.asked.drain(..) {
            self.pending.push(pending);
        }
        result
    }

    fn rounds(&mut self, session: &mut Session) -> Result<Walked> {
        loop {
            let stuck = self.hand_out()? == Walked::Stuck;
            while !stuck && self.asked.len() < AHEAD && session.has_room() {
                let Some(pending) = self.pending.pop() else {
                    break;
                };
                let head = RequestHead {
                    verb: Some("list".into()),
                    fin: true,
                    path: Some(pending.remote.as_str().into()),
                    cursor: pending.cursor.clone(),
                    ..RequestHead::default()
                };
                match session.begin(head, &[]) {
                    Ok(id) => self.asked.push_back((id, pending)),
                    Err(error) => self.failed(&pending.remote, error),
                }
            }
            let Some((id, pending)) = self.asked.pop_front() else {
                return Ok(if stuck { Walked::Stuck } else { Walked::All });
            };
            let page = page(session, id);
            match page {
                Ok((entries, cursor)) => {
                    self.pages += 1;
                    self.take(pending, entries, cursor);
                }
                Err(Error::Remote(body)) => self.failed(&pending.remote, Error::Remote(body)),
                Err(error) => {
                    self.asked.push_front((id, pending));
                    return Err(error);
                }
            }
        }
    }

    /// A page is here: its entries wait to be handed out, the next page waits behind them.
    fn take(&mut self, pending: Pending, entries: Vec<ListEntry>, cursor: Option<String>) {
        let folder = match pending.place {
            Place::Open(folder) => Ok(folder),
            Place::In(parent) => parent.make_child(last_name(&pending.remote)),
        };
        let folder = match folder {
            Ok(folder) => folder,
            Err(error) => {
                self.failed(&pending.remote, error);
                return;
            }
        };
        if let Some(cursor) = cursor {
            if pending.cursor.as_ref() >= Some(&cursor) {
                let error = Error::Protocol("a listing that does not get any further".into());
                self.failed(&pending.remote, error);
                return;
            }
            self.pending.push(Pending {
                remote: pending.remote.clone(),
                place: Place::Open(Arc::clone(&folder)),
                cursor: Some(cursor),
            });
        }
        self.listed.push_back(Listed {
            remote: pending.remote,
            folder,
            entries: entries.into_iter(),
            held: None,
        });
    }

    /// Files go into the queue, folders wait.
    fn hand_out(&mut self) -> Result<Walked> {
        while let Some(mut page) = self.listed.pop_front() {
            let result = self.hand_out_page(&mut page);
            if !matches!(result, Ok(Walked::All)) {
                self.listed.push_front(page);
                return result;
            }
        }
        Ok(Walked::All)
    }

    fn hand_out_page(&mut self, page: &mut Listed) -> Result<Walked> {
        loop {
            if let Some(task) = page.held.take() {
                let pushed = self.queue.push(task, self.context.cancel);
                self.stopped |= pushed.is_err();
                page.held = pushed?;
                if page.held.is_some() {
                    return Ok(Walked::Stuck);
                }
            }
            let Some(entry) = page.entries.next() else {
                return Ok(Walked::All);
            };
            page.held = self.entry(&page.remote, &page.folder, entry)?;
        }
    }

    /// A file is given back, to be got.
    fn entry(
        &mut self,
        parent: &VPath,
        folder: &Arc<Folder>,
        entry: ListEntry,
    ) -> Result<Option<Download>> {
        let shown = || format!("{}/{}", parent.as_str(), entry.name);
        let remote = match parent.join(&entry.name) {
            Ok(remote) if !is_partial_name(OsStr::new(&entry.name)) => remote,
            Ok(_) => {
                self.skipped(&shown(), "a name that partial downloads use");
                return Ok(None);
            }
            Err(error) => {
                let error = Error::Protocol(format!("a listing names {:?}: {error}", entry.name));
                self.fail_named(shown(), error);
                return Ok(None);
            }
        };
        match entry.kind {
            Kind::File => {
                let target = Target::File {
                    folder: Arc::clone(folder),
                    name: entry.name.into(),
                };
                return Ok(Some(Download::new(remote, target, Some(entry.size))));
            }
            Kind::Dir if self.pending.len() >= PENDING_MOST => {
                return Err(Error::Protocol("listings without an end".into()));
            }
            Kind::Dir => self.pending.push(Pending {
                remote,
                place: Place::In(Arc::clone(folder)),
                cursor: None,
            }),
            Kind::Link => self.skipped(&shown(), "a symbolic link"),
            Kind::Other => self.skipped(&shown(), "neither a file nor a folder"),
        }
        Ok(None)
    }

    fn skipped(&self, name: &str, why: &str) {
        self.context.tally.skipped();
        self.context.tell(&Event::Skipped { name, why });
    }

    fn failed(&self, remote: &VPath, error: Error) {
        self.fail_named(remote.as_str().to_owned(), error);
    }

    fn fail_named(&self, remote: String, error: Error) {
        let item = Item {
            number: self.context.numbers.next(),
            way: Way::Get,
            local: String::new(),
            remote,
            size: None,
        };
        self.context.tell(&Event::Failed(&item, &error));
        self.context.tally.failed(error);
    }
}

/// The answer to a `list` as entries.
///
/// # Errors
/// [`Error::Remote`] for a refusal, and what ends the connection.
pub(crate) fn page(session: &mut Session, id: u64) -> Result<(Vec<ListEntry>, Option<String>)> {
    let head = session.answer(id, Wait::USUAL)?;
    let payload = session.whole_payload()?;
    let entries = serde_json::from_slice(&payload)
        .map_err(|error| Error::Protocol(format!("a listing that cannot be read: {error}")))?;
    Ok((entries, head.cursor))
}

fn last_name(path: &VPath) -> &OsStr {
    OsStr::new(path.split_last().map_or("", |(_, name)| name))
}
