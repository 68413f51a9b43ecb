//! Listings: pages of a folder, turned to lines; over the data connection, or over control for `STAT`.
//!
//! The next page is asked only once the peer has taken most of those before, and a listing that cannot be
//! finished is never ended as if it were whole.

use super::effects::Effects;
use super::listing::{self, Format};
use super::progress::{self, Progress};
use super::reply::Reply;
use crate::VPath;
use crate::session::{DiskOp, Entry, Fault, FaultKind, FileId, JobId, Outcome};

/// Most entries of the first page: each is looked at before the peer hears anything.
const FIRST_ENTRIES: u32 = 256;

/// A folder being listed; a file is listed as its one line.
#[derive(Debug)]
pub(super) struct Pages {
    path: VPath,
    format: Format,
    /// Lines that were made and not sent.
    lines: Vec<u8>,
    /// Where the next page begins.
    after: Option<String>,
    /// The disk is asked.
    asked: Option<JobId>,
    /// Nothing was heard yet.
    first: bool,
    /// There are more pages.
    more: bool,
}

impl Pages {
    pub(super) fn new(path: VPath, format: Format) -> Self {
        Self {
            path,
            format,
            lines: Vec::new(),
            after: None,
            asked: None,
            first: true,
            more: true,
        }
    }

    pub(super) fn start(&mut self, file: FileId, fx: &mut Effects) {
        let limits = &fx.config.limits;
        let entries = match self.after {
            None => limits.page_entries.min(FIRST_ENTRIES),
            Some(_) => limits.page_entries,
        };
        let op = DiskOp::List {
            path: self.path.clone(),
            after: self.after.clone(),
            entries,
            bytes: limits.page_bytes,
        };
        self.asked = Some(fx.disk(file, op));
    }

    pub(super) fn done(
        &mut self,
        job: JobId,
        outcome: Outcome,
        file: FileId,
        fx: &mut Effects,
    ) -> Result<Progress, (Reply, &'static str)> {
        if self.asked != Some(job) {
            return Ok(Progress::Going);
        }
        self.asked = None;
        let first = std::mem::replace(&mut self.first, false);
        let (entries, next) = match outcome {
            Outcome::Listed { entries, next } => (entries, next),
            Outcome::Found(meta) if self.after.is_none() => {
                let name = self.path.split_last().map_or("/", |(_, name)| name);
                let name = name.to_owned();
                (vec![Entry { name, meta }], None)
            }
            Outcome::Failed(fault) if first && self.may_be_file(&fault) => {
                let path = self.path.clone();
                self.asked = Some(fx.disk(file, DiskOp::Stat { path }));
                return Ok(Progress::Going);
            }
            // RFC 3659, section 7.2.1.
            Outcome::Failed(fault) if first && fault.kind == FaultKind::NotADirectory => {
                let words = "MLSD is for folders; MLST tells of a file";
                return Err((Reply::new(501, words), "not_a_directory"));
            }
            // After 150 a listing that cannot go on is cut in the middle, and says so.
            Outcome::Failed(fault) if self.after.is_some() => {
                return Err((Reply::new(451, fault.detail), "io"));
            }
            refused @ (Outcome::Failed(_)
            | Outcome::Opened { .. }
            | Outcome::Warmed { .. }
            | Outcome::Created { .. }
            | Outcome::Continued
            | Outcome::Committed { .. }
            | Outcome::Skipped
            | Outcome::Found(_)
            | Outcome::Sized { .. }
            | Outcome::Digested { .. }
            | Outcome::Summed { .. }
            | Outcome::Room { .. }
            | Outcome::Ended) => return Err(progress::refused(refused)),
        };
        self.take(&entries, next, fx.config.read_only)?;
        Ok(Progress::Prepared(Reply::new(
            150,
            "Here comes the listing",
        )))
    }

    /// Sends what was made, and asks for more as far as the window allows.
    pub(super) fn advance(&mut self, file: FileId, fx: &mut Effects) -> Progress {
        let lines = self.take_lines();
        if !lines.is_empty() {
            fx.send(lines);
        }
        if !self.more {
            return Progress::Complete;
        }
        if self.asked.is_none() && fx.unsent_data() < u64::from(fx.config.limits.page_bytes) {
            self.start(file, fx);
        }
        Progress::Going
    }

    /// The lines that were made.
    pub(super) fn take_lines(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.lines)
    }

    /// Whether there are more pages.
    pub(super) fn has_more(&self) -> bool {
        self.more
    }

    fn may_be_file(&self, fault: &Fault) -> bool {
        let lists_files = match self.format {
            Format::Long | Format::Names => true,
            Format::Facts(_) => false,
        };
        lists_files && fault.kind == FaultKind::NotADirectory
    }

    fn take(
        &mut self,
        entries: &[Entry],
        next: Option<String>,
        read_only: bool,
    ) -> Result<(), (Reply, &'static str)> {
        let mut text = String::new();
        for entry in entries {
            listing::push(&mut text, self.format, entry, !read_only);
        }
        self.lines = text.into_bytes();
        self.more = next.is_some();
        // A page may be empty, but one that does not go on would be asked for ever.
        if next.is_some() && next <= self.after {
            return Err((super::reply::unexpected(), "internal"));
        }
        self.after = next.or_else(|| self.after.take());
        Ok(())
    }
}

/// A listing over control: the lines go out as the middle of a 213 (RFC 959, section 4.1.3).
#[derive(Debug)]
pub(super) struct Show {
    pub(super) file: FileId,
    pub(super) pages: Pages,
    /// The first line was said.
    pub(super) begun: bool,
}

impl Show {
    pub(super) fn asked(&self) -> Option<JobId> {
        self.pages.asked
    }

    pub(super) fn waits_for_disk(&self) -> bool {
        self.pages.asked.is_some()
    }
}
