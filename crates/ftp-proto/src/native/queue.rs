//! The pipeline: requests in the order they came, each with how far it is; answers leave from the front.

use std::collections::VecDeque;
use std::time::Instant;

use super::download::Download;
use super::effects::Effects;
use super::front::Front;
use super::reply::{self, Answer};
use super::upload::Upload;
use super::verbs::Verb;
use crate::session::{Outcome, Secret};
use crate::wire::ErrorBody;

/// Requests that wait for the last frame of their answer. Each has a number, `seq`, which is also the
/// number of its file; it counts up from 1 and is never used twice.
#[derive(Debug)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    /// The number of the front entry.
    first: u64,
    /// The number of the first entry that was not started yet.
    unstarted: u64,
    /// The highest id seen: ids that only grow need no search for doubles.
    highest_id: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            first: 1,
            unstarted: 1,
            highest_id: 0,
        }
    }
}

/// One request.
#[derive(Debug)]
pub(super) struct Entry {
    /// What the client calls it.
    pub(super) id: u64,
    /// When its first frame was read.
    pub(super) began: Instant,
    /// What it is.
    pub(super) task: Task,
    /// Its last frame, once it is known.
    pub(super) answer: Option<Answer>,
}

/// What a request is.
#[derive(Debug)]
pub(super) enum Task {
    /// `put`.
    Upload(Upload),
    /// `get`.
    Download(Download),
    /// A request with one disk operation and one frame of answer.
    Verb(Verb),
    /// `ping`, with the payload so far.
    Ping(Vec<u8>),
    /// `login`, with who it is until that is asked.
    Login(Option<(String, Secret)>),
    /// Nothing but its answer.
    Told,
}

impl Queue {
    /// Adds a request and says its number.
    pub(super) fn push(&mut self, entry: Entry) -> u64 {
        self.highest_id = self.highest_id.max(entry.id);
        self.entries.push_back(entry);
        self.first + (self.entries.len() as u64 - 1)
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.first += 1;
        self.unstarted = self.unstarted.max(self.first);
        Some(entry)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn is_front(&self, seq: u64) -> bool {
        seq == self.first
    }

    pub(super) fn front_mut(&mut self) -> Option<(u64, &mut Entry)> {
        let seq = self.first;
        self.entries.front_mut().map(|entry| (seq, entry))
    }

    /// The request with this number, unless its answer is known or gone.
    pub(super) fn unanswered(&self, seq: u64) -> Option<&Entry> {
        let index = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        self.entries
            .get(index)
            .filter(|entry| entry.answer.is_none())
    }

    /// As [`Queue::unanswered`].
    pub(super) fn unanswered_mut(&mut self, seq: u64) -> Option<&mut Entry> {
        let index = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        self.entries
            .get_mut(index)
            .filter(|entry| entry.answer.is_none())
    }

    /// The number of the unanswered request that the client calls `id`.
    pub(super) fn find(&self, id: u64) -> Option<u64> {
        if id > self.highest_id {
            return None;
        }
        let index = self.entries.iter().position(|entry| entry.id == id)?;
        Some(self.first + index as u64)
    }

    /// The first request that was not started: its number, whether it is the front, itself.
    pub(super) fn unstarted_mut(&mut self) -> Option<(u64, bool, &mut Entry)> {
        let seq = self.unstarted;
        let index = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        let entry = self.entries.get_mut(index)?;
        Some((seq, index == 0, entry))
    }

    /// The first request that was not started is now.
    pub(super) fn mark_started(&mut self) {
        self.unstarted += 1;
    }

    /// Ends every unanswered request, but for those whose effect can no longer be stopped.
    pub(super) fn fail_all(&mut self, error: &ErrorBody, fx: &mut Effects) {
        let entries = (self.first..).zip(self.entries.iter_mut());
        for (seq, entry) in entries.filter(|(_, entry)| entry.answer.is_none()) {
            if entry.may_stop() {
                entry.fail(seq, error.clone(), fx);
            }
        }
    }

    /// Gives memory back after a burst.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to(4);
    }
}

impl Entry {
    /// A request that only its answer is left of.
    pub(super) fn told(id: u64, began: Instant, answer: Answer) -> Self {
        Self {
            id,
            began,
            task: Task::Told,
            answer: Some(answer),
        }
    }

    /// Begins the work, unless a barrier or the window is in the way. `true`: it is begun, or needs no beginning.
    pub(super) fn start(&mut self, seq: u64, front: bool, fx: &mut Effects) -> bool {
        if self.answer.is_some() {
            return true;
        }
        let class = match &self.task {
            Task::Upload(upload) => upload.class(),
            Task::Download(download) => download.class(),
            Task::Verb(verb) => verb.class(),
            Task::Login(_) => return self.ask(fx),
            Task::Ping(_) | Task::Told => return true,
        };
        if !fx.order.admits(class) || !fx.has_room() {
            return false;
        }
        match &mut self.task {
            Task::Upload(upload) => upload.start(seq, fx),
            Task::Download(download) => return download.start(seq, front, fx),
            Task::Verb(verb) => return verb.start(seq, front, fx),
            Task::Ping(_) | Task::Login(_) | Task::Told => {}
        }
        true
    }

    /// Asks who it is.
    fn ask(&mut self, fx: &mut Effects) -> bool {
        if let Task::Login(asked) = &mut self.task
            && let Some((user, password)) = asked.take()
        {
            fx.login(user, password);
        }
        true
    }

    /// An operation that this request asked for is done.
    pub(super) fn done(&mut self, seq: u64, outcome: Outcome, fx: &mut Effects) {
        let result = match &mut self.task {
            Task::Upload(upload) => upload.done(seq, outcome, fx),
            Task::Download(download) => download.done(seq, outcome, fx),
            Task::Verb(verb) => verb.done(outcome, fx).map(Some),
            Task::Ping(_) | Task::Login(_) | Task::Told => Err(reply::unexpected()),
        };
        match result {
            Ok(answer) => self.answer = answer,
            Err(error) => self.fail(seq, error, fx),
        }
    }

    /// Ends the work; the answer is this error.
    pub(super) fn fail(&mut self, seq: u64, error: ErrorBody, fx: &mut Effects) {
        match &mut self.task {
            Task::Upload(upload) => upload.cancel(seq, fx),
            Task::Download(download) => download.cancel(seq, fx),
            Task::Verb(verb) => verb.cancel(fx),
            Task::Ping(_) | Task::Login(_) | Task::Told => {}
        }
        self.answer = Some(Answer::error(error));
    }

    /// Whether it can still end without its effect.
    pub(super) fn may_stop(&self) -> bool {
        match &self.task {
            Task::Upload(upload) => !upload.is_committing(),
            Task::Verb(verb) => verb.may_stop(),
            // Whoever is asked answers: the outcome has to find who waits for it.
            Task::Login(_) => false,
            Task::Download(_) | Task::Ping(_) | Task::Told => true,
        }
    }

    /// Says what can be said, this being the front of the queue.
    pub(super) fn speak(&mut self, seq: u64, fx: &mut Effects) -> Front {
        if let Some(mut answer) = self.answer.take() {
            if let Task::Download(_) | Task::Verb(_) = &self.task {
                fx.unreserve(answer.payload.len() as u64);
            }
            answer.head.id = self.id;
            answer.head.fin = true;
            answer.head.len = answer.payload.len() as u64;
            fx.frame(&answer.head, answer.payload);
            return Front::Answered(answer.outcome);
        }
        match &mut self.task {
            Task::Upload(upload) => upload.speak(self.id, fx),
            Task::Download(download) => download.speak(seq, self.id, fx),
            Task::Verb(_) | Task::Ping(_) | Task::Login(_) | Task::Told => Front::Silent,
        }
    }
}
