//! `Client`: one connection and all verbs, for programs. Blocking; every wait has a deadline.

use std::collections::VecDeque;
use std::fmt;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ftp_proto::wire::{ListEntry, ReplyHead, RequestHead};
use ftp_proto::{Digest, IfExists, Kind, VPath};

use crate::cancel::Cancel;
use crate::download::{Download, Downloader, GetOptions, Out, Sink, Target, split};
use crate::error::{Error, Result};
use crate::hash::time_to_hash;
use crate::local::Folder;
use crate::net::Wait;
use crate::options::Options;
use crate::remote;
use crate::session::{Hello, Session};
use crate::transfer::{Again, Context, Event, Observer, Outcome, Silent, persist, run_one};
use crate::upload::{PutOptions, Upload, Uploader, What};

/// A connection to a server.
///
/// Requests that may be asked twice without harm are asked again after passing failures, as transfers are
/// (`Options::retries`); the others only where the server says that nothing was done.
///
/// ```no_run
/// use ftp_client::{Cancel, Client, Options, VPath};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = Client::connect(&Options::default(), &Cancel::new()?)?;
/// let stored = client.put("a.txt".as_ref(), &VPath::parse("docs/a.txt")?, &Default::default())?;
/// println!("{stored:?}");
/// # Ok(())
/// # }
/// ```
pub struct Client {
    options: Options,
    cancel: Cancel,
    observer: Arc<dyn Observer>,
    /// `None` after a failure; the next request connects anew.
    session: Option<Session>,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its kind.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Modification time: seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Permission bits.
    pub mode: u32,
    /// A text that changes when the file may have changed.
    pub etag: Option<String>,
}

impl Client {
    /// Connects. The greeting leaves together with the first request.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Usage`], [`Error::Interrupted`].
    pub fn connect(options: &Options, cancel: &Cancel) -> Result<Self> {
        let session = Session::connect(options, cancel)?;
        Ok(Self {
            options: options.clone(),
            cancel: cancel.clone(),
            observer: Arc::new(Silent),
            session: Some(session),
        })
    }

    /// The same, whose small requests tell this observer when they are tried again.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// What the server says of itself; waits for its greeting if need be.
    ///
    /// # Errors
    /// What ends the connection.
    pub fn hello(&mut self) -> Result<Hello> {
        self.with(Again::Whenever, |session| {
            session.greet()?;
            session
                .hello()
                .cloned()
                .ok_or_else(|| Error::Protocol("no greeting".into()))
        })
    }

    /// Waits until the server has let us in as [`Options::login`]'s user; the name it knows us by.
    ///
    /// # Errors
    /// [`Error::Remote`] if it did not; [`Error::Usage`] without a log-in; what ends the connection.
    pub fn log_in(&mut self) -> Result<String> {
        self.with(Again::Whenever, |session| {
            let user = session.admitted()?.map(str::to_owned);
            user.ok_or_else(|| Error::Usage("nobody is to log in".into()))
        })
    }

    /// Sends `payload` (at most [`Hello::ping`] bytes) to and fro; returns the round trip's time.
    ///
    /// # Errors
    /// [`Error::Integrity`] if something else comes back; what ends the connection.
    pub fn ping(&mut self, payload: &[u8]) -> Result<Duration> {
        self.with(Again::Never, |session| {
            session.greet()?;
            let started = Instant::now();
            let head = RequestHead {
                verb: Some("ping".into()),
                fin: true,
                ..RequestHead::default()
            };
            let id = session.begin(head, payload)?;
            session.answer(id, Wait::USUAL)?;
            let back = session.whole_payload()?;
            let time = started.elapsed();
            if back == payload {
                Ok(time)
            } else {
                Err(Error::Integrity("`ping` came back changed".into()))
            }
        })
    }

    /// What stands at a path.
    ///
    /// # Errors
    /// [`Error::Remote`]; what ends the connection.
    pub fn stat(&mut self, path: &VPath) -> Result<Stat> {
        let head = self.request(Again::Whenever, &verb("stat", path), Duration::ZERO)?;
        stat(&head)
    }

    /// What stands at several paths, asked all at once.
    ///
    /// # Errors
    /// What ends the connection; a refusal is the path's own.
    pub fn stat_all(&mut self, paths: &[VPath]) -> Result<Vec<Result<Stat>>> {
        self.with(Again::Whenever, |session| {
            let mut asked = VecDeque::new();
            let mut out = Vec::new();
            let mut paths = paths.iter();
            loop {
                while session.has_room()
                    && let Some(path) = paths.next()
                {
                    asked.push_back(session.begin(verb("stat", path), &[])?);
                }
                let Some(id) = asked.pop_front() else {
                    return Ok(out);
                };
                out.push(match session.answer(id, Wait::USUAL) {
                    Ok(head) => stat(&head),
                    Err(error) if session.is_good() => Err(error),
                    Err(error) => return Err(error),
                });
            }
        })
    }

    /// The SHA-256 of a file, computed by the server, and the file's size.
    ///
    /// # Errors
    /// [`Error::Remote`]; what ends the connection.
    pub fn hash(&mut self, path: &VPath) -> Result<(Digest, u64)> {
        self.with(Again::Whenever, |session| {
            // Both leave at once; the size tells how long the hash may take.
            let first = session.begin(verb("stat", path), &[])?;
            let second = session.begin(verb("hash", path), &[])?;
            let known = session.answer(first, Wait::USUAL);
            if !session.is_good() {
                return known.map(|_| (Digest([0; 32]), 0));
            }
            let size = known.ok().and_then(|head| head.size).unwrap_or(0);
            let extra = time_to_hash(size);
            let head = session.answer(second, Wait::Extra(extra))?;
            let digest = head.sha256.ok_or_else(|| lacks("sha256"))?;
            Ok((digest, head.size.unwrap_or(size)))
        })
    }

    /// The entries of a folder, page by page: `each` is given one after the other.
    ///
    /// # Errors
    /// [`Error::Remote`]; what `each` says; what ends the connection.
    pub fn list(
        &mut self,
        path: &VPath,
        each: &mut dyn FnMut(ListEntry) -> Result<()>,
    ) -> Result<()> {
        let mut cursor: Option<String> = None;
        loop {
            let head = RequestHead {
                cursor: cursor.clone(),
                ..verb("list", path)
            };
            let (entries, next) = self.with(Again::Whenever, |session| {
                let id = session.begin(head.clone(), &[])?;
                remote::page(session, id)
            })?;
            // A page may be empty: names that are not for us can fill it.
            if next.is_some() && next <= cursor {
                return Err(Error::Protocol(
                    "a listing that does not get any further".into(),
                ));
            }
            entries.into_iter().try_for_each(&mut *each)?;
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Makes a folder; with `parents` also those above, and it may be there.
    ///
    /// # Errors
    /// [`Error::Remote`]; what ends the connection.
    pub fn make_dir(&mut self, path: &VPath, parents: bool) -> Result<()> {
        let head = RequestHead {
            parents,
            ..verb("mkdir", path)
        };
        let again = if parents {
            Again::Whenever
        } else {
            Again::Undone
        };
        self.request(again, &head, Duration::ZERO).map(drop)
    }

    /// Renames; with `replace` a file at the new name is replaced.
    ///
    /// # Errors
    /// [`Error::Remote`]; what ends the connection.
    pub fn rename(&mut self, from: &VPath, to: &VPath, replace: bool) -> Result<()> {
        let if_exists = if replace {
            IfExists::Replace
        } else {
            IfExists::Fail
        };
        let head = RequestHead {
            to: Some(to.as_str().into()),
            if_exists: Some(if_exists),
            ..verb("rename", from)
        };
        self.request(Again::Undone, &head, Duration::ZERO).map(drop)
    }

    /// Removes a file or an empty folder; with `recursive` a folder with all in it.
    ///
    /// # Errors
    /// [`Error::Remote`]; what ends the connection.
    pub fn remove(&mut self, path: &VPath, recursive: bool) -> Result<()> {
        let head = RequestHead {
            recursive,
            ..verb("remove", path)
        };
        // A large tree takes its time.
        let extra = Duration::from_secs(if recursive { 3600 } else { 0 });
        self.request(Again::Undone, &head, extra).map(drop)
    }

    /// Puts a local file. Tried again after transient failures, going on where it broke.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub fn put(&mut self, local: &Path, to: &VPath, options: &PutOptions) -> Result<Outcome> {
        let (folder, name) = Folder::of(local)?;
        let what = What::File {
            folder,
            name,
            follow: true,
        };
        self.upload(Upload::new(what, to.clone()), options)
    }

    /// Puts all that `input` gives.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub fn put_reader(
        &mut self,
        input: impl Read + Send + 'static,
        to: &VPath,
        options: &PutOptions,
    ) -> Result<Outcome> {
        let what = What::Stream(Some(Box::new(input)));
        self.upload(Upload::new(what, to.clone()), options)
    }

    /// Gets a file. It appears under its name only complete and (unless the options want otherwise) verified.
    ///
    /// # Errors
    /// Any of [`Error`]; an old file is then as it was.
    pub fn get(&mut self, from: &VPath, local: &Path, options: &GetOptions) -> Result<Outcome> {
        let (folder, name) = Folder::of(local)?;
        let task = Download::new(from.clone(), Target::File { folder, name }, None);
        self.download(task, options)
    }

    /// Gets a file into a stream. Only `Ok` says that what was written is right, if it was to be verified.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub fn get_writer(
        &mut self,
        from: &VPath,
        output: impl Write + Send + 'static,
        options: &GetOptions,
    ) -> Result<Outcome> {
        let mut task = Download::new(from.clone(), Target::Stream, None);
        task.sink = Some(Sink::new(Out::Stream(Box::new(output)), options.verify));
        self.download(task, options)
    }

    fn upload(&mut self, task: Upload, options: &PutOptions) -> Result<Outcome> {
        let first = self.session.take();
        let last = Last::default();
        let context = Context::new(&self.options, &self.cancel, &last);
        let mut mover = Uploader::new(&context, *options);
        self.session = run_one(&context, &mut mover, task, first);
        last.result()
    }

    fn download(&mut self, task: Download, options: &GetOptions) -> Result<Outcome> {
        let first = self.session.take();
        let last = Last::default();
        let context = Context::new(&self.options, &self.cancel, &last);
        self.session = if options.streams > 1 {
            split(&context, *options, task, first)
        } else {
            let mut mover = Downloader::new(&context, *options);
            run_one(&context, &mut mover, task, first)
        };
        last.result()
    }

    pub(crate) fn take_session(&mut self) -> Option<Session> {
        self.session.take()
    }

    fn request(&mut self, again: Again, head: &RequestHead, extra: Duration) -> Result<ReplyHead> {
        self.with(again, |session| {
            let id = session.begin(head.clone(), &[])?;
            session.answer(id, Wait::Extra(extra))
        })
    }

    /// Does something over the connection. What is more than a refusal gives the connection up.
    fn with<T>(&mut self, again: Again, work: impl FnMut(&mut Session) -> Result<T>) -> Result<T> {
        let context = Context::new(&self.options, &self.cancel, &*self.observer);
        persist(&context, &mut self.session, again, work)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("options", &self.options)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// Remembers how the only item of a run ended.
#[derive(Default)]
struct Last(Mutex<Option<Result<Outcome>>>);

impl Last {
    fn result(self) -> Result<Outcome> {
        self.0
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .unwrap_or_else(|| Err(Error::Lost("the transfer did not come to an end".into())))
    }
}

impl Observer for Last {
    fn event(&self, event: &Event<'_>) {
        let result = match event {
            Event::Done(_, outcome) => Ok((*outcome).clone()),
            Event::Failed(_, error) | Event::Stopped(error) => Err(error.again()),
            Event::Begin(_)
            | Event::Position(..)
            | Event::Skipped { .. }
            | Event::KeptOut(_)
            | Event::Retry { .. } => return,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }
}

fn verb(verb: &str, path: &VPath) -> RequestHead {
    RequestHead {
        verb: Some(verb.into()),
        fin: true,
        path: Some(path.as_str().into()),
        ..RequestHead::default()
    }
}

fn stat(head: &ReplyHead) -> Result<Stat> {
    Ok(Stat {
        kind: head.kind.ok_or_else(|| lacks("type"))?,
        size: head.size.unwrap_or(0),
        mtime: (head.mtime.unwrap_or(0), head.mtime_ns.unwrap_or(0)),
        mode: head.mode.unwrap_or(0) & 0o7777,
        etag: head.etag.clone(),
    })
}

fn lacks(field: &str) -> Error {
    Error::Protocol(format!("the answer lacks `{field}`"))
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
