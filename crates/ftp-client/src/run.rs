//! Runs: many files and trees, over one or more connections, with one summary at the end.

use std::fs::File;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::Arc;

use ftp_proto::VPath;
use rustix::fs::{major, minor};

use crate::cancel::Cancel;
use crate::client::Client;
use crate::download::{Download, Downloader, GetOptions, Out, SPLIT_BYTES, Sink, Target, split};
use crate::error::{Error, Result};
use crate::local::{Folder, Found, walk};
use crate::options::Options;
use crate::remote::{Lister, Walked};
use crate::retry::Backoff;
use crate::session::Session;
use crate::transfer::{Context, Event, Item, Observer, Queue, Summary, Way, run};
use crate::upload::{PutOptions, Upload, Uploader, What};

/// The device `/dev/null`: 1:3 on Linux, null(4).
const NULL: (u32, u32) = (1, 3);

/// Something to be put.
pub struct PutSource {
    /// What.
    pub local: LocalSource,
    /// Its name on the server.
    pub remote: VPath,
}

/// Where bytes for the server come from.
pub enum LocalSource {
    /// A file, or a folder with all in it.
    Path(PathBuf),
    /// A stream of unknown length.
    Stream(Box<dyn std::io::Read + Send>),
}

/// Something to be got.
pub struct GetSource {
    /// Its name on the server.
    pub remote: VPath,
    /// Its bytes, if it is known to be a file of a known size.
    pub size: Option<u64>,
    /// Where it goes.
    pub local: LocalTarget,
}

/// Where bytes from the server go.
pub enum LocalTarget {
    /// A file.
    File(PathBuf),
    /// A stream.
    Stream(Box<dyn std::io::Write + Send>),
    /// Nowhere: it is received (and verified, if the options say so) and dropped.
    Nothing,
    /// The source is a folder; all in it goes into this one, which is made if it is missing.
    Folder(PathBuf),
}

impl LocalTarget {
    /// An open file that is no regular one: what goes to `/dev/null` need not be written.
    pub fn stream(file: File) -> Self {
        let drops = file.metadata().is_ok_and(|meta| {
            let device = (major(meta.rdev()), minor(meta.rdev()));
            meta.file_type().is_char_device() && device == NULL
        });
        if drops {
            Self::Nothing
        } else {
            Self::Stream(Box::new(file))
        }
    }
}

/// Puts files and trees.
///
/// `client` is a connection that is there already. Symbolic links that are named are followed, those within a
/// tree only if the options say so.
pub fn put_all(
    options: &Options,
    cancel: &Cancel,
    observer: &dyn Observer,
    client: Option<Client>,
    sources: Vec<PutSource>,
    put: &PutOptions,
) -> Summary {
    let context = Context::new(options, cancel, observer);
    let workers = if sources.len() == 1 && !sources.iter().any(is_tree) {
        1
    } else {
        options.connections.max(1)
    };
    let queue = Queue::new(workers);
    let mut first = client.and_then(|mut client| client.take_session());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let session = first.take();
            let (context, queue) = (&context, &queue);
            scope.spawn(move || run(context, queue, &mut Uploader::new(context, *put), session));
        }
        for source in sources {
            if find(&context, &queue, source, put).is_err() {
                // The run is over: whoever ended it has told why.
                break;
            }
        }
        queue.close();
    });
    context.tally.finish()
}

fn is_tree(source: &PutSource) -> bool {
    matches!(&source.local, LocalSource::Path(path) if path.is_dir())
}

/// Puts what a source holds into the queue.
fn find(
    context: &Context<'_>,
    queue: &Queue<Upload>,
    source: PutSource,
    put: &PutOptions,
) -> Result<()> {
    // No finder of uploads helps: none comes back.
    let push = |what, remote| {
        let pushed = queue.push(Upload::new(what, remote), context.cancel);
        pushed.map(drop)
    };
    let path = match source.local {
        LocalSource::Stream(stream) => {
            return push(What::Stream(Some(stream)), source.remote);
        }
        LocalSource::Path(path) => path,
    };
    let shown = path.display().to_string();
    let failed = |shown: String, remote: &str, error| fail(context, shown, remote, error);
    if path.is_dir() {
        let root = match Folder::open(&path) {
            Ok(root) => root,
            Err(error) => return failed(shown, source.remote.as_str(), error),
        };
        return walk(root, source.remote, put.follow, &mut |found| match found {
            Found::File {
                folder,
                name,
                remote,
            } => {
                let follow = put.follow;
                push(
                    What::File {
                        folder,
                        name,
                        follow,
                    },
                    remote,
                )
            }
            Found::Empty { shown, remote } => push(What::Folder { shown }, remote),
            Found::Skipped { shown, why } => {
                context.tally.skipped();
                context.tell(&Event::Skipped { name: &shown, why });
                Ok(())
            }
            Found::Failed { shown, error } => failed(shown, "", error),
        });
    }
    match Folder::of(&path) {
        Ok((folder, name)) => {
            let what = What::File {
                folder,
                name,
                follow: true,
            };
            push(what, source.remote)
        }
        Err(error) => failed(shown, source.remote.as_str(), error),
    }
}

fn fail(context: &Context<'_>, local: String, remote: &str, error: Error) -> Result<()> {
    let item = Item {
        number: context.numbers.next(),
        way: Way::Put,
        local,
        remote: remote.to_owned(),
        size: None,
    };
    context.tell(&Event::Failed(&item, &error));
    context.tally.failed(error);
    context.cancel.check()
}

/// Gets files and trees.
///
/// `client` is a connection that is there already; with trees it lists, and others carry the files, unless the server has no
/// room for others. Large files that are to come over several streams come last, one after the other.
pub fn get_all(
    options: &Options,
    cancel: &Cancel,
    observer: &dyn Observer,
    client: Option<Client>,
    sources: Vec<GetSource>,
    get: &GetOptions,
) -> Summary {
    let context = Context::new(options, cancel, observer);
    let (large, sources): (Vec<_>, Vec<_>) = sources.into_iter().partition(|source| {
        get.streams > 1
            && matches!(source.local, LocalTarget::File(_))
            && source.size.is_some_and(|size| size >= SPLIT_BYTES)
    });
    let mut first = client.and_then(|mut client| client.take_session());
    if !sources.is_empty() {
        get_usual(&context, first.take(), sources, get);
    }
    for source in large {
        if let Err(error) = cancel.check() {
            context.stopped(error);
            break;
        }
        first = get_split(&context, first, source, get);
    }
    context.tally.finish()
}

fn get_split(
    context: &Context<'_>,
    first: Option<Session>,
    source: GetSource,
    get: &GetOptions,
) -> Option<Session> {
    let LocalTarget::File(path) = source.local else {
        return first;
    };
    match Folder::of(&path) {
        Ok((folder, name)) => {
            let target = Target::File { folder, name };
            let task = Download::new(source.remote, target, source.size);
            split(context, *get, task, first)
        }
        Err(error) => {
            fail_get(context, path.display().to_string(), &source.remote, error);
            first
        }
    }
}

fn get_usual(
    context: &Context<'_>,
    mut first: Option<Session>,
    sources: Vec<GetSource>,
    get: &GetOptions,
) {
    let options = context.options;
    let trees = sources
        .iter()
        .any(|source| matches!(source.local, LocalTarget::Folder(_)));
    let workers = if sources.len() == 1 && !trees {
        1
    } else {
        options.connections.max(1)
    };
    let queue = if trees {
        Queue::helped(workers)
    } else {
        Queue::new(workers)
    };
    let lister_session = if trees { first.take() } else { None };
    if let Some(session) = &lister_session {
        context.note_met(session);
    }
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let session = first.take();
            let queue = &queue;
            scope.spawn(move || run(context, queue, &mut Downloader::new(context, *get), session));
        }
        let mut finder = Finder {
            context,
            queue: &queue,
            get,
            session: lister_session,
        };
        let mut lister = Lister::new(context, &queue);
        for source in sources {
            if want(&mut finder, &mut lister, source).is_err() {
                break;
            }
        }
        if let Err(error) = finder.list(&mut lister)
            && !lister.is_stopped()
        {
            context.stopped(error);
        }
        queue.close();
        // Broken off: the workers tell.
        while queue.wait_crew(context.cancel).unwrap_or(false) {
            finder.carry();
        }
    });
}

/// Puts a file into the queue, or a tree into the lister.
fn want(finder: &mut Finder<'_>, lister: &mut Lister<'_>, source: GetSource) -> Result<()> {
    let (context, verify) = (finder.context, finder.get.verify);
    let failed = |local: String, error: Error| -> Result<()> {
        fail_get(context, local, &source.remote, error);
        context.cancel.check()
    };
    let mut stream = |out| {
        let mut task = Download::new(source.remote.clone(), Target::Stream, source.size);
        task.sink = Some(Sink::new(out, verify));
        finder.push(task)
    };
    match source.local {
        LocalTarget::Stream(to) => stream(Out::Stream(to)),
        LocalTarget::Nothing => stream(Out::Nothing),
        LocalTarget::File(path) => match Folder::of(&path) {
            Ok((folder, name)) => {
                let target = Target::File { folder, name };
                finder.push(Download::new(source.remote.clone(), target, source.size))
            }
            Err(error) => failed(path.display().to_string(), error),
        },
        LocalTarget::Folder(path) => match Folder::make(&path) {
            Ok(folder) => {
                lister.add(source.remote, Arc::clone(&folder));
                Ok(())
            }
            Err(error) => failed(path.display().to_string(), error),
        },
    }
}

fn fail_get(context: &Context<'_>, local: String, remote: &VPath, error: Error) {
    let item = Item {
        number: context.numbers.next(),
        way: Way::Get,
        local,
        remote: remote.as_str().to_owned(),
        size: None,
    };
    context.tell(&Event::Failed(&item, &error));
    context.tally.failed(error);
}

/// Who finds what is to be got: over a connection of its own, with which it helps where the server has room for no other.
struct Finder<'a> {
    context: &'a Context<'a>,
    queue: &'a Queue<Download>,
    get: &'a GetOptions,
    session: Option<Session>,
}

impl Finder<'_> {
    fn push(&mut self, task: Download) -> Result<()> {
        let mut held = Some(task);
        while let Some(task) = held.take() {
            held = self.queue.push(task, self.context.cancel)?;
            if held.is_some() {
                self.carry();
            }
        }
        Ok(())
    }

    /// Carries what is in the queue, if nobody else does.
    fn carry(&mut self) {
        if let Some(all) = self.queue.take_over() {
            let mut mover = Downloader::new(self.context, *self.get);
            self.session = run(self.context, &all, &mut mover, self.session.take());
        }
    }

    /// Lists, connecting anew where the connection breaks.
    fn list(&mut self, lister: &mut Lister<'_>) -> Result<()> {
        let context = self.context;
        let mut backoff = Backoff::new(context.options.retries);
        let mut achieved = lister.progress();
        while !lister.is_done() {
            let result = match self.session.take() {
                Some(live) => Ok(live),
                None => Session::connect(context.options, context.cancel),
            }
            .and_then(|mut live| {
                let result = lister.walk(&mut live);
                context.note_met(&live);
                self.session = Some(live).filter(|_| result.is_ok());
                result
            });
            match result {
                Ok(Walked::All) => {}
                Ok(Walked::Stuck) => self.carry(),
                Err(error) if lister.is_stopped() => return Err(error),
                Err(error) => {
                    if lister.progress() > achieved {
                        achieved = lister.progress();
                        backoff.reset();
                    }
                    context.pause(&mut backoff, error)?;
                }
            }
        }
        Ok(())
    }
}
