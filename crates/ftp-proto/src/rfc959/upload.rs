//! `STOR`, `APPE` and `STOU`: a file on its way in, which gets its name when all of it is safe.
//!
//! Never sees a byte of the file. Its lane ends exactly once: by `Commit`, by `Abort`, or by a
//! `Create` that left nothing.

use super::effects::Effects;
use super::folder;
use super::progress::{self, Progress};
use super::reply::Reply;
use crate::session::{CreateOptions, Digesting, DiskOp, FaultKind, FileId, JobId, Outcome, Start};
use crate::{IfExists, VPath};

/// One upload.
#[derive(Debug)]
pub(super) struct Upload {
    path: VPath,
    options: CreateOptions,
    ascii: bool,
    /// `STOU`: the name to vary, and how often that was done.
    unique: Option<(VPath, u32)>,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Asked for by this job.
    Creating(Option<JobId>),
    /// The lane takes payload.
    Created,
    /// Its effect can no longer be stopped.
    Committing(JobId),
    /// It stands under its name.
    Committed,
    /// The lane is ended.
    Closed,
}

impl Upload {
    /// `STOR` and `APPE`: what breaks is kept for the next attempt.
    pub(super) fn new(path: VPath, start: Start, digesting: Digesting, ascii: bool) -> Self {
        let options = CreateOptions {
            resume: true,
            start: Some(start),
            digesting,
            ..CreateOptions::default()
        };
        Self::with(path, options, ascii)
    }

    fn with(path: VPath, options: CreateOptions, ascii: bool) -> Self {
        Self {
            path,
            options,
            ascii,
            unique: None,
            state: State::Creating(None),
        }
    }

    /// `STOU`: under `path` with a number behind it that nothing has yet.
    pub(super) fn unique(path: VPath, digesting: Digesting, ascii: bool) -> Self {
        let options = CreateOptions {
            if_exists: IfExists::Fail,
            digesting,
            ..CreateOptions::default()
        };
        let mut upload = Self::with(path.clone(), options, ascii);
        upload.unique = Some((path, 0));
        upload
    }

    /// Where it is to stand.
    pub(super) fn path(&self) -> &VPath {
        &self.path
    }

    pub(super) fn is_committing(&self) -> bool {
        matches!(self.state, State::Committing(_) | State::Committed)
    }

    pub(super) fn is_committed(&self) -> bool {
        self.state == State::Committed
    }

    pub(super) fn start(&mut self, file: FileId, fx: &mut Effects) {
        if let Some((base, tries)) = &mut self.unique {
            *tries += 1;
            let name = base
                .split_last()
                .map(|(dir, name)| (dir, format!("{name}.{}", spread(*tries))));
            // A name too long for its number is tried as it is, and refused if something has it.
            if let Some(path) = name.and_then(|(dir, name)| dir.join(&name).ok()) {
                self.path = path;
            }
        }
        let op = DiskOp::Create {
            path: self.path.clone(),
            options: self.options.clone(),
        };
        self.state = State::Creating(Some(fx.disk(file, op)));
    }

    pub(super) fn done(
        &mut self,
        job: JobId,
        outcome: Outcome,
        file: FileId,
        fx: &mut Effects,
    ) -> Result<Progress, (Reply, &'static str)> {
        let creating = self.state == State::Creating(Some(job));
        if !creating && self.state != State::Committing(job) {
            return Ok(Progress::Going);
        }
        match outcome {
            Outcome::Created { .. } if creating => {
                self.state = State::Created;
                Ok(Progress::Prepared(self.invitation()))
            }
            Outcome::Committed { .. } if !creating => {
                self.state = State::Committed;
                Ok(Progress::Complete)
            }
            Outcome::Failed(fault)
                if creating
                    && fault.kind == FaultKind::Exists
                    && self.may_try_again(fx.config.limits.unique_tries) =>
            {
                // The lane remembers that it failed: it is ended before it begins anew.
                fx.disk(file, DiskOp::Abort);
                self.start(file, fx);
                Ok(Progress::Going)
            }
            refused @ (Outcome::Failed(_)
            | Outcome::Created { .. }
            | Outcome::Committed { .. }
            | Outcome::Opened { .. }
            | Outcome::Warmed { .. }
            | Outcome::Continued
            | Outcome::Skipped
            | Outcome::Listed { .. }
            | Outcome::Found(_)
            | Outcome::Sized { .. }
            | Outcome::Digested { .. }
            | Outcome::Summed { .. }
            | Outcome::Room { .. }
            | Outcome::Ended) => {
                self.state = State::Closed;
                Err(progress::refused(refused))
            }
        }
    }

    /// The last byte has come.
    pub(super) fn commit(&mut self, file: FileId, fx: &mut Effects) {
        let op = DiskOp::Commit {
            digest: None,
            size: None,
        };
        self.state = State::Committing(fx.disk(file, op));
    }

    /// Ends the lane, if it is not ended yet; what came stays as a partial, once this job is done.
    pub(super) fn abort(&mut self, file: FileId, fx: &mut Effects) -> Option<JobId> {
        match self.state {
            State::Creating(_) | State::Created => {
                self.state = State::Closed;
                Some(fx.disk(file, DiskOp::Abort))
            }
            State::Committing(_) | State::Committed | State::Closed => None,
        }
    }

    /// What is said once it stands under its name.
    pub(super) fn result(&self) -> Option<Reply> {
        self.is_committed().then(|| match self.unique {
            Some(_) => Reply::exact(226, format!("Stored as {}", self.shown())),
            None => Reply::new(226, "Transfer complete: stored"),
        })
    }

    fn may_try_again(&self, most: u32) -> bool {
        self.unique.as_ref().is_some_and(|(_, tries)| *tries < most)
    }

    fn invitation(&self) -> Reply {
        if self.unique.is_some() {
            // RFC 1123, section 4.1.2.9.
            return Reply::exact(150, format!("FILE: {}", self.shown()));
        }
        let data = if self.ascii {
            "image data (TYPE A changes no file)"
        } else {
            "data"
        };
        let words = match self.options.start {
            None | Some(Start::At(0)) => format!("Ready for {data}"),
            Some(Start::At(at)) => format!("Ready for {data} from byte {at} on"),
            Some(Start::End { .. }) => format!("Ready for {data} to go behind the end"),
        };
        Reply::new(150, words)
    }

    fn shown(&self) -> String {
        folder::absolute(&self.path)
    }
}

/// Numbers to try: dense at first, then ever further apart, so that few tries get past many files.
fn spread(tries: u32) -> u64 {
    match tries.checked_sub(16) {
        None => tries.into(),
        Some(over) => 16 + (1_u64 << over.min(48)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_never_repeat() {
        let numbers: Vec<u64> = (1..=64).map(spread).collect();
        assert_eq!(
            numbers[..16],
            (1..=16)
                .map(|n| if n == 16 { 17 } else { n })
                .collect::<Vec<_>>()
        );
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }
}
