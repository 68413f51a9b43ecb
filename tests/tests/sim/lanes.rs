//! The lanes of a session, and what the contract says of them.

use std::collections::VecDeque;
use std::rc::Rc;

use fastrand::Rng;
use ftp_proto::session::{DiskOp, JobId, Outcome};

use super::disk::{Disk, Holder, Home, Slot, Step};
use super::fs::Inode;

/// One file: its steps in order, at most one trip away.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    steps: VecDeque<Step>,
    away: Option<Home>,
    slot: Slot,
    /// What was asked, by the first letter: Open, Create, Warm, coNtinue, coMmit, Abort, Release, X: anything else.
    asked: String,
    /// Ranges whose warming was asked and is not done.
    warming: VecDeque<(u64, u64)>,
    /// Warm bytes: from, to.
    warm: Option<(u64, u64)>,
    /// The open file, as the shell keeps it for sending.
    pub(crate) reader: Option<Rc<Inode>>,
    /// The machine was told that it holds something.
    opened: bool,
}

impl Lane {
    pub(crate) fn ask(&mut self, job: JobId, op: DiskOp) {
        let letter = match &op {
            DiskOp::Open { .. } => 'O',
            DiskOp::Create { .. } => 'C',
            DiskOp::Warm { offset, len, .. } => {
                assert!(*len > 0, "nothing to warm");
                self.warming.push_back((*offset, *len));
                'W'
            }
            DiskOp::Continue { .. } => 'N',
            DiskOp::Commit { .. } => 'M',
            DiskOp::Abort => 'A',
            DiskOp::Release => 'R',
            DiskOp::List { .. }
            | DiskOp::Stat { .. }
            | DiskOp::Size { .. }
            | DiskOp::Digest { .. }
            | DiskOp::Checksum { .. }
            | DiskOp::SetMeta { .. }
            | DiskOp::Space { .. }
            | DiskOp::MakeDir { .. }
            | DiskOp::Rename { .. }
            | DiskOp::Remove { .. } => 'X',
        };
        self.asked.push(letter);
        assert!(is_lawful(&self.asked), "asked of one file: {}", self.asked);
        self.steps.push_back(Step::Op(job, op));
    }

    pub(crate) fn write(&mut self, bytes: Vec<u8>) {
        assert!(!self.is_ended(), "payload after the end: {}", self.asked);
        assert!(self.asked.starts_with('C'), "payload for: {}", self.asked);
        self.steps.push_back(Step::Write(bytes));
    }

    /// A file is open for sending.
    pub(crate) fn is_reading(&self) -> bool {
        self.reader.is_some() && !self.is_ended()
    }

    /// Something of an upload is still to be done.
    pub(crate) fn is_storing(&self) -> bool {
        self.asked.starts_with('C') && !self.is_settled()
    }

    pub(crate) fn may_run(&self) -> bool {
        self.away.is_none() && !self.steps.is_empty()
    }

    pub(crate) fn is_away(&self) -> bool {
        self.away.is_some()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.away.is_none() && self.steps.is_empty()
    }

    /// A worker does some of the steps.
    pub(crate) fn run(&mut self, holder: Holder, disk: &mut Disk, rng: &mut Rng) {
        let mut count = 1 + rng.usize(..self.steps.len());
        let commit = |step: &Step| matches!(step, Step::Op(_, DiskOp::Commit { .. }));
        if let Some(at) = self.steps.iter().position(commit) {
            count = count.min(at + 1);
        }
        let steps: Vec<Step> = self.steps.drain(..count).collect();
        self.away = Some(disk.run(holder, &mut self.slot, steps, rng));
    }

    /// The trip is over.
    pub(crate) fn home(&mut self) -> Home {
        let home = self.away.take().unwrap_or_default();
        if let Slot::Reading { inode, .. } = &self.slot {
            self.reader = Some(Rc::clone(inode));
        }
        for (_, outcome) in &home.outcomes {
            match outcome {
                Outcome::Created { .. } | Outcome::Opened { content: None, .. } => {
                    self.opened = true;
                }
                Outcome::Warmed { len, .. } => {
                    let (offset, asked) = self.warming.pop_front().unwrap();
                    let from = self.warm.map_or(offset, |(from, to)| {
                        assert_eq!(to, offset, "ranges are asked in order");
                        from
                    });
                    assert!(*len <= asked, "more than was asked");
                    self.warm = Some((from, offset + asked));
                }
                Outcome::Opened { .. }
                | Outcome::Continued
                | Outcome::Committed { .. }
                | Outcome::Skipped
                | Outcome::Listed { .. }
                | Outcome::Found(_)
                | Outcome::Sized { .. }
                | Outcome::Digested { .. }
                | Outcome::Summed { .. }
                | Outcome::Room { .. }
                | Outcome::Ended
                | Outcome::Failed(_) => {}
            }
        }
        home
    }

    /// A range is sent: it must be warm and open.
    pub(crate) fn check_sending(&self, offset: u64, len: u64) {
        assert!(
            self.reader.is_some() && !self.is_ended(),
            "sent, but not open: {}",
            self.asked
        );
        let warm = self
            .warm
            .is_some_and(|(from, to)| from <= offset && offset + len <= to);
        assert!(
            warm && len > 0,
            "sent, but not warm: {offset}+{len} of {:?}",
            self.warm
        );
    }

    /// The session is over: what was opened was ended.
    pub(crate) fn check_end(&self) {
        assert!(!self.opened || self.is_ended(), "left open: {}", self.asked);
    }

    fn is_ended(&self) -> bool {
        self.asked.ends_with(['M', 'A', 'R', 'X'])
    }
}

/// Whether a lane's history is one that the contract allows, or the beginning of one.
fn is_lawful(asked: &str) -> bool {
    let body = |rest: &str, middle: char, ends: &str| {
        let rest = rest.trim_start_matches(middle);
        rest.is_empty() || (rest.len() == 1 && ends.contains(rest))
    };
    match asked.split_at(1) {
        // Page after page of a folder; a file in place of one.
        ("X", rest) => rest.trim_start_matches('X').is_empty(),
        ("O", rest) => body(rest, 'W', "R"),
        // What found its name taken is ended, and begun anew under another.
        ("C", rest) if rest.starts_with("AC") => is_lawful(&rest[1..]),
        ("C", rest) => {
            let rest = rest.strip_prefix('N').unwrap_or(rest);
            body(rest, '-', "MA")
        }
        _ => false,
    }
}
