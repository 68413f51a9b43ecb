//! One worker: a connection, a mover that drives it, and what happens when it breaks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ftp_proto::wire::Code;

use super::crew::Standing;
use super::event::{Event, ItemNumber, Observer};
use super::queue::Queue;
use super::tally::Tally;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::retry::Backoff;
use crate::session::Session;

/// The longest wait that a server may ask for; beyond it the failure is told instead.
const ASKED_MOST: Duration = Duration::from_secs(60);

/// What all workers of a run share.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a Options,
    pub(crate) cancel: &'a Cancel,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) tally: Tally,
    pub(crate) numbers: ItemNumber,
    /// Whether the server has answered in this run: only then is it worth waiting for it to come back.
    met: AtomicBool,
    /// Whether a connection has ended for good.
    stopped: AtomicBool,
    kept_out: Mutex<KeptOut>,
}

/// Whether a worker was kept out, and whether that has been told.
#[derive(Debug, Default)]
struct KeptOut {
    seen: Option<Error>,
    told: bool,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        options: &'a Options,
        cancel: &'a Cancel,
        observer: &'a dyn Observer,
    ) -> Self {
        Self {
            options,
            cancel,
            observer,
            tally: Tally::default(),
            numbers: ItemNumber::default(),
            met: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            kept_out: Mutex::default(),
        }
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.observer.event(event);
    }

    /// A connection has ended for good, with nothing under way. Told once: the others end alike.
    pub(crate) fn stopped(&self, error: Error) {
        if !self.stopped.swap(true, Ordering::Relaxed) {
            self.tell(&Event::Stopped(&error));
            self.tally.failed(error);
        }
    }

    /// A worker was kept out, by `error`, or let in. Told once, as soon as others carry on.
    fn kept_out<T>(&self, error: Option<Error>, queue: &Queue<T>) {
        let mut kept_out = self.kept_out.lock().unwrap_or_else(PoisonError::into_inner);
        kept_out.seen = error.or_else(|| kept_out.seen.take());
        // Asked with the lock held: who comes aboard meanwhile looks here after that.
        if !kept_out.told
            && let Some(error) = &kept_out.seen
            && queue.is_carried()
        {
            self.tell(&Event::KeptOut(error));
            kept_out.told = true;
        }
    }

    /// Notes whether the server has answered over this connection.
    pub(crate) fn note_met(&self, session: &Session) {
        if session.hello().is_some() {
            self.met.store(true, Ordering::Relaxed);
        }
    }

    /// Decides after a failure of the connection, and waits: `Ok` means once more.
    ///
    /// # Errors
    /// The failure itself if it is final, or [`Error::Interrupted`] if the wait was broken off.
    pub(crate) fn pause(&self, backoff: &mut Backoff, error: Error) -> Result<()> {
        // A connection that was made and broke had somebody at its other end, too; so has a refusal.
        let met =
            self.met.load(Ordering::Relaxed) || matches!(error, Error::Lost(_) | Error::Remote(_));
        let wait = backoff_after(backoff, &error).filter(|_| error.is_transient() && met);
        let Some(wait) = wait else {
            return Err(error);
        };
        self.tell(&Event::Retry {
            error: &error,
            attempt: backoff.attempt(),
            wait,
        });
        Backoff::wait(wait, self.cancel)
    }
}

/// How long to wait after a failure; `None` if no longer.
fn backoff_after(backoff: &mut Backoff, error: &Error) -> Option<Duration> {
    let asked = error.retry_after().unwrap_or_default();
    if asked > ASKED_MOST {
        return None;
    }
    backoff.failed().map(|wait| wait.max(asked))
}

/// Moves tasks over a connection, and remembers those that are not finished.
pub(crate) trait Mover {
    /// What it moves.
    type Task;

    /// Drives `session` until the queue has ended and all is answered. Tasks that failed for the moment
    /// may be left for the next call.
    ///
    /// # Errors
    /// What ends the connection. Unfinished tasks stay with the mover.
    fn drive(&mut self, session: &mut Session, queue: &Queue<Self::Task>) -> Result<()>;

    /// Something that grows whenever something was achieved.
    fn progress(&self) -> u64;

    /// The error after which the tasks left are to be tried again, if there are any.
    fn left(&self) -> Option<Error>;

    /// Whether it has tasks that it took and did not finish.
    fn is_loaded(&self) -> bool;

    /// All that is unfinished fails with this; says how many that were.
    fn abandon(&mut self, error: &Error) -> usize;
}

/// Works until the queue has ended; `first` is a connection that is there already.
/// Gives the connection back if it is still good.
///
/// There may be fewer connections than were asked for, by a limit of the user or of our address: a worker that the server keeps
/// out leaves the work to the others, looks now and then whether there is room, and only the last one fails.
pub(crate) fn run<M: Mover>(
    context: &Context<'_>,
    queue: &Queue<M::Task>,
    mover: &mut M,
    first: Option<Session>,
) -> Option<Session> {
    let mut session = first;
    let mut standing = Standing::Coming;
    let mut backoff = Backoff::new(context.options.retries);
    let mut achieved = mover.progress();
    let result = loop {
        let failure = match attempt(context, queue, mover, &mut session, &mut standing) {
            Ok(()) => match mover.left() {
                None => break Ok(()),
                Some(error) => error,
            },
            Err(error) => {
                session = None;
                error
            }
        };
        if mover.progress() > achieved {
            achieved = mover.progress();
            backoff.reset();
        }
        let paused = if is_kept_out(&failure) && !mover.is_loaded() && queue.is_shared() {
            queue.stand(&mut standing, Standing::KeptOut);
            rest(context, queue, &mut backoff, failure)
        } else {
            if session.is_none() {
                queue.stand(&mut standing, Standing::Coming);
            }
            context.pause(&mut backoff, failure)
        };
        if let Err(error) = paused {
            break Err(error);
        }
    };
    let Err(error) = result else {
        queue.leave(standing, false);
        return session;
    };
    if mover.abandon(&error) == 0 {
        if is_kept_out(&error) && queue.leave_to_others(standing) {
            return session;
        }
        context.stopped(error);
    }
    queue.leave(standing, true);
    session
}

/// Whether the server refuses one more connection, rather than us.
fn is_kept_out(error: &Error) -> bool {
    matches!(error.code(), Some(Code::LoginLater | Code::Overloaded))
}

/// Waits for room at the server, or until there is nothing left to be done.
fn rest<T>(
    context: &Context<'_>,
    queue: &Queue<T>,
    backoff: &mut Backoff,
    error: Error,
) -> Result<()> {
    context.kept_out(Some(error.again()), queue);
    if !queue.is_hopeful() {
        return context.pause(backoff, error);
    }
    match backoff_after(backoff, &error) {
        Some(wait) => queue.rest(wait, context.cancel),
        None => Err(error),
    }
}

fn attempt<M: Mover>(
    context: &Context<'_>,
    queue: &Queue<M::Task>,
    mover: &mut M,
    session: &mut Option<Session>,
    standing: &mut Standing,
) -> Result<()> {
    let mut live = match session.take() {
        Some(live) => live,
        // No connection before there is something to carry.
        None if !mover.is_loaded() && !queue.wait_item(context.cancel)? => return Ok(()),
        None => {
            let mut fresh = Session::connect(context.options, context.cancel)?;
            // Who shares the work takes none before it is let in.
            if queue.is_shared() && !mover.is_loaded() {
                let admitted = fresh.admitted().map(drop);
                context.note_met(&fresh);
                admitted?;
            }
            fresh
        }
    };
    queue.stand(standing, Standing::Aboard);
    context.kept_out(None, queue);
    let result = mover.drive(&mut live, queue);
    context.note_met(&live);
    *session = Some(live);
    result
}

/// The same for one task.
pub(crate) fn run_one<M: Mover>(
    context: &Context<'_>,
    mover: &mut M,
    task: M::Task,
    first: Option<Session>,
) -> Option<Session> {
    let queue = Queue::new(1);
    // Cannot fail: the queue is empty and has a taker; if the switch is thrown, the run says so itself.
    if queue.push(task, context.cancel).is_err() {
        context
            .tally
            .failed(Error::Interrupted(context.cancel.signal().unwrap_or(1)));
        return first;
    }
    queue.close();
    run(context, &queue, mover, first)
}

/// After which failures something may be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// All that pass: asked twice it is as asked once.
    Whenever,
    /// Those that say that nothing was done.
    Undone,
    /// None.
    Never,
}

impl Again {
    fn after(self, error: &Error) -> bool {
        match self {
            Self::Whenever => true,
            Self::Undone => {
                let refused = [
                    Code::Busy,
                    Code::LoginLater,
                    Code::Overloaded,
                    Code::ShuttingDown,
                ];
                matches!(error, Error::Unreachable { .. })
                    || error.code().is_some_and(|code| refused.contains(&code))
            }
            Self::Never => false,
        }
    }
}

/// Asks something over a connection, and again after failures that pass, over a new one where it broke.
///
/// # Errors
/// What `work` says in the end; what ends connecting.
pub(crate) fn persist<T>(
    context: &Context<'_>,
    session: &mut Option<Session>,
    again: Again,
    mut work: impl FnMut(&mut Session) -> Result<T>,
) -> Result<T> {
    let mut backoff = Backoff::new(context.options.retries);
    loop {
        let result = match session.take() {
            Some(live) => Ok(live),
            None => Session::connect(context.options, context.cancel),
        }
        .and_then(|mut live| {
            let result = work(&mut live);
            context.note_met(&live);
            if live.is_good() {
                *session = Some(live);
            }
            result
        });
        match result {
            Err(error) if again.after(&error) => context.pause(&mut backoff, error)?,
            done => return done,
        }
    }
}
