//! `Judgement`: what an allowed operation may still not do, and what may be shown of its outcome.
//!
//! A judgement is *obeyed* twice: [`Judgement::apply`] narrows the operation before the store sees it,
//! [`Judgement::review`] narrows the outcome before the machine sees it.

use std::sync::Arc;

use ftp_proto::path::NAME_BYTES;
use ftp_proto::session::{DiskOp, Fault, FaultKind, Outcome};
use ftp_proto::{IfExists, Kind, VPath};

use super::{Right, Rules};

/// What the store is to do with symbolic links on the way of this operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Follow them, as long as they stay beneath the root.
    Follow,
    /// Refuse them: a link could lead from the folder of one rule into that of another.
    Refuse,
}

/// What may be shown of an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reveal {
    /// All of it.
    All,
    /// Of what stands at a name, only a folder; anything else looks as if it were not there.
    Folders,
    /// Of a folder's names, only those that lead to a rule which allows something.
    WayOnly {
        /// The folder.
        folder: VPath,
        /// The rules.
        rules: Arc<Rules>,
    },
}

/// An operation may be done, within this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// `Create`, `Rename`: nothing that stands there may be replaced.
    pub keep_existing: bool,
    /// `Create`: no missing folder may be made on the way.
    pub no_parents: bool,
    /// `Create`: the partial of an earlier attempt may be looked for, and one left behind. Off for guests, and where
    /// the user may not read: a partial's digest tells of bytes that may be another's.
    pub may_resume: bool,
    /// What of the outcome may be shown.
    pub reveal: Reveal,
    /// What to do with links on the way.
    pub links: Links,
}

impl Judgement {
    /// Narrows the operation to what is allowed. To be called before the store sees it.
    pub fn apply(&self, op: &mut DiskOp) {
        match op {
            DiskOp::Create { options, .. } => {
                if self.keep_existing {
                    // Refused without a word about the file there; `Skip` says no more than that either.
                    options.if_exists = match options.if_exists {
                        IfExists::Replace | IfExists::Fail | IfExists::Newer => IfExists::Fail,
                        IfExists::Skip => IfExists::Skip,
                    };
                }
                options.parents &= !self.no_parents;
                options.resume &= self.may_resume;
            }
            DiskOp::Size { resume, .. } => *resume &= self.may_resume,
            DiskOp::Rename { replace, .. } => *replace &= !self.keep_existing,
            DiskOp::Open { .. }
            | DiskOp::Warm { .. }
            | DiskOp::Continue { .. }
            | DiskOp::Commit { .. }
            | DiskOp::Abort
            | DiskOp::Release
            | DiskOp::List { .. }
            | DiskOp::Stat { .. }
            | DiskOp::Digest { .. }
            | DiskOp::Checksum { .. }
            | DiskOp::SetMeta { .. }
            | DiskOp::Space { .. }
            | DiskOp::MakeDir { .. }
            | DiskOp::Remove { .. } => {}
        }
    }

    /// Whether an outcome may hold what is not to be shown: else it need not be reviewed.
    #[must_use]
    pub fn hides(&self) -> bool {
        self.reveal != Reveal::All
    }

    /// Narrows the outcome to what may be shown. To be called before the machine sees it.
    #[must_use]
    pub fn review(&self, outcome: Outcome) -> Outcome {
        match (&self.reveal, outcome) {
            (Reveal::Folders, Outcome::Found(meta)) if meta.kind != Kind::Dir => {
                Outcome::Failed(Fault::new(FaultKind::NotFound, "no such file or folder"))
            }
            (Reveal::Folders, Outcome::Sized { found, kept }) => {
                let found = found.filter(|meta| meta.kind == Kind::Dir);
                match (&found, kept) {
                    (None, None) => {
                        Outcome::Failed(Fault::new(FaultKind::NotFound, "no such file or folder"))
                    }
                    (Some(_), _) | (_, Some(_)) => Outcome::Sized { found, kept },
                }
            }
            // Nor does the story of a fault tell what stands there.
            (Reveal::Folders, Outcome::Failed(fault)) if fault.kind == FaultKind::NotFound => {
                Outcome::Failed(Fault::new(FaultKind::NotFound, "no such file or folder"))
            }
            (Reveal::WayOnly { folder, rules }, Outcome::Listed { mut entries, next }) => {
                entries.retain(|entry| {
                    let path = folder.join(&entry.name);
                    path.is_ok_and(|path| rules.leads_somewhere(&path))
                });
                let next = next.and_then(|next| way_on(folder, rules, &next));
                Outcome::Listed { entries, next }
            }
            (_, outcome) => outcome,
        }
    }
}

/// A cursor that passes over what is hidden and tells no name of it: just before the next folder that leads to a rule.
fn way_on(folder: &VPath, rules: &Rules, after: &str) -> Option<String> {
    let depth = folder.parts().count();
    let first = rules
        .beneath(folder)
        .filter(|(_, rights)| !rights.is_empty())
        .filter_map(|(path, _)| path.parts().nth(depth))
        .filter(|name| *name > after)
        .min()?;
    let mut cursor = first.to_owned();
    let last = cursor.pop().map_or(0, u32::from);
    cursor.extend((0..last).rev().find_map(char::from_u32));
    cursor.push(char::MAX);
    // Where names are that close, or of letters that cannot be, there is nothing between them to be told.
    let between = cursor.as_str() > after
        && cursor.len() <= NAME_BYTES
        && !cursor.chars().any(char::is_control);
    Some(if between { cursor } else { after.to_owned() })
}

/// A refusal, for people.
pub(super) fn refuse(user: &str, right: Right, path: &VPath) -> Fault {
    let word = right.word();
    let detail = format!("user `{user}` lacks the right `{word}` at `{path}`");
    Fault::new(FaultKind::Denied, detail)
}
