//! One large file over several connections at once.
//!
//! Every part is verified by its own digest and belongs to one state of the file (its `etag`); while parts
//! arrive, what is verified from the start on is read back and hashed, and the whole's digest must be the one
//! the server computes of the whole. What is kept for a later run is the verified beginning alone.

use std::time::Duration;

use ftp_proto::wire::{Code, ReplyHead, RequestHead};
use ftp_proto::{Digest, Kind};

use super::hashing::hash_more;
use super::mover::Downloader;
use super::options::GetOptions;
use super::plan::Plan;
use super::sink::KEEP_BYTES;
use super::stream::{Shared, Stream};
use super::task::{Download, Target};
use crate::error::{Error, Result};
use crate::hash::{Hasher, time_to_hash};
use crate::local::{Meta, Partial};
use crate::net::Wait;
use crate::retry::Backoff;
use crate::session::Session;
use crate::transfer::{Again, Context, Event, Item, Outcome, persist, run_one};

/// Files from this size on are split.
pub(crate) const SPLIT_BYTES: u64 = 64 * 1024 * 1024;

/// Gets one file over `options.streams` connections if it is large, else over one.
/// Gives a connection back if one is still good.
pub(crate) fn split(
    context: &Context<'_>,
    options: GetOptions,
    mut task: Download,
    first: Option<Session>,
) -> Option<Session> {
    let mut session = first;
    let number = *task.number.get_or_insert_with(|| context.numbers.next());
    let mut backoff = Backoff::new(context.options.retries);
    let mut wrong = 0;
    loop {
        let error = match once(context, options, &task, &mut session) {
            Ok(Some(())) => return session,
            Ok(None) => {
                let mut mover = Downloader::new(context, options);
                return run_one(context, &mut mover, task, session);
            }
            Err(error) => error,
        };
        // Another file now, or wrong bytes: once more from the start. Broken connections were forgiven before.
        wrong += u32::from(error.is_integrity());
        let again = error.code() == Some(Code::Changed) || (error.is_integrity() && wrong < 2);
        let result = if again {
            context.pause(&mut backoff, error)
        } else {
            Err(error)
        };
        if let Err(error) = result {
            let item = task.item(number, None);
            context.tell(&Event::Failed(&item, &error));
            context.tally.failed(error);
            return session;
        }
    }
}

/// What stands on the server.
struct Whole {
    size: u64,
    meta: Meta,
    etag: String,
}

/// One attempt; `None` if the file is none to be split.
fn once(
    context: &Context<'_>,
    options: GetOptions,
    task: &Download,
    session: &mut Option<Session>,
) -> Result<Option<()>> {
    let stat = ask(context, session, verb("stat", task), Duration::ZERO)?;
    let Target::File { folder, name } = &task.target else {
        return Ok(None);
    };
    let whole = match (stat.kind, stat.size, stat.etag) {
        (Some(Kind::File), Some(size), Some(etag)) if size >= SPLIT_BYTES => Whole {
            size,
            meta: Meta {
                mtime: stat.mtime.map(|time| (time, stat.mtime_ns.unwrap_or(0))),
                mode: stat.mode,
                sync: options.sync,
            },
            etag,
        },
        _ => return Ok(None),
    };
    let item = task.item(task.number.unwrap_or_default(), Some(whole.size));
    let (partial, hasher, from) = match begun(context, options, task, session, &whole)? {
        Some(begun) => begun,
        None => (Partial::create(folder, name)?, Hasher::default(), 0),
    };
    context.tell(&Event::Begin(&item));
    context.tell(&Event::Position(&item, from));
    let (prefix, digest) = fetch(
        context,
        options,
        task,
        session,
        (&whole, &item, &partial, hasher, from),
    );
    let result = digest.and_then(|ours| compare(context, session, task, &whole, ours));
    let digest = match result {
        Ok(digest) => digest,
        Err(error) => {
            if !spoils(&error) && prefix >= KEEP_BYTES && partial.truncate(prefix).is_ok() {
                partial.keep();
            }
            return Err(error);
        }
    };
    partial.commit(whole.meta)?;
    let outcome = Outcome::Moved {
        size: whole.size,
        sha256: digest,
        verified: true,
        durability: None,
        resumed: from,
    };
    context.tell(&Event::Done(&item, &outcome));
    context.tally.done(&outcome);
    Ok(Some(()))
}

/// Whether what is here is worth nothing after this: another file, or wrong bytes.
fn spoils(error: &Error) -> bool {
    error.is_integrity()
        || matches!(
            error.code(),
            Some(Code::Changed | Code::BadRange | Code::NotFound)
        )
}

/// The proven beginning that an earlier run left.
fn begun(
    context: &Context<'_>,
    options: GetOptions,
    task: &Download,
    session: &mut Option<Session>,
    whole: &Whole,
) -> Result<Option<(Partial, Hasher, u64)>> {
    if !options.resume {
        return Ok(None);
    }
    let Some(partial) = task.leftover()? else {
        return Ok(None);
    };
    let len = partial.len()?;
    if len == 0 || len > whole.size {
        return Ok(None);
    }
    let head = RequestHead {
        offset: Some(0),
        length: Some(len),
        ..verb("hash", task)
    };
    let mut hasher = Hasher::default();
    let proof = hash_more(&partial, &mut hasher, 0, len, context.cancel)
        .and_then(|()| ask(context, session, head, time_to_hash(len)));
    match proof {
        Ok(head)
            if head.sha256 == Some(hasher.so_far()) && head.etag == Some(whole.etag.clone()) =>
        {
            Ok(Some((partial, hasher, len)))
        }
        Ok(_) => Ok(None),
        Err(error) => {
            if error.is_transient() || error.is_final() {
                partial.keep();
            }
            Err(error)
        }
    }
}

/// Fetches all parts. How many bytes are verified from the start on, and the digest of the whole.
fn fetch(
    context: &Context<'_>,
    options: GetOptions,
    task: &Download,
    session: &mut Option<Session>,
    (whole, item, partial, mut hasher, from): (&Whole, &Item, &Partial, Hasher, u64),
) -> (u64, Result<Digest>) {
    let streams = usize::from(options.streams.max(1));
    let plan = Plan::new(context, item, whole.size, from, streams);
    let shared = Shared {
        context,
        plan: &plan,
        partial,
        remote: &task.remote,
        size: whole.size,
        etag: &whole.etag,
    };
    let followed = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..streams)
            .map(|_| {
                let (shared, first) = (&shared, session.take());
                scope.spawn(move || Stream::new(shared).run(first))
            })
            .collect();
        let mut seen = from;
        let followed = loop {
            let Some(prefix) = plan.wait_prefix(seen) else {
                break Ok(());
            };
            // Just written: this reads memory, not the disk.
            if let Err(error) = hash_more(partial, &mut hasher, seen, prefix, context.cancel) {
                plan.fail(error.again());
                break Err(error);
            }
            seen = prefix;
        };
        for thread in threads {
            if let Ok(Some(live)) = thread.join() {
                session.get_or_insert(live);
            }
        }
        followed
    });
    let (prefix, failure) = plan.finish();
    let result = match failure {
        Some(error) => Err(error),
        None => followed.map(|()| hasher.finish()),
    };
    (prefix, result)
}

/// The server's digest of the whole must be ours. One that stored the file, or hashed it before, knows it.
fn compare(
    context: &Context<'_>,
    session: &mut Option<Session>,
    task: &Download,
    whole: &Whole,
    ours: Digest,
) -> Result<Digest> {
    let theirs = ask(
        context,
        session,
        verb("hash", task),
        time_to_hash(whole.size),
    )?;
    if theirs.sha256 == Some(ours) && theirs.size == Some(whole.size) {
        return Ok(ours);
    }
    Err(Error::Integrity(format!(
        "{} bytes with SHA-256 {ours} arrived, but the server says {} bytes with {}",
        whole.size,
        theirs.size.unwrap_or(0),
        theirs
            .sha256
            .map_or_else(|| "none".into(), |digest| digest.to_string()),
    )))
}

fn verb(verb: &str, task: &Download) -> RequestHead {
    RequestHead {
        verb: Some(verb.into()),
        fin: true,
        path: Some(task.remote.as_str().into()),
        ..RequestHead::default()
    }
}

fn ask(
    context: &Context<'_>,
    session: &mut Option<Session>,
    head: RequestHead,
    extra: Duration,
) -> Result<ReplyHead> {
    persist(context, session, Again::Whenever, |live| {
        let id = live.begin(head.clone(), &[])?;
        live.answer(id, Wait::Extra(extra))
    })
}
