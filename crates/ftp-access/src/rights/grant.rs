//! `Grant`: one user's view of the server, and the one gate that every operation passes.

use std::path::PathBuf;
use std::sync::Arc;

use ftp_proto::VPath;
use ftp_proto::session::{DiskOp, Fault, FaultKind};

use super::judgement::refuse;
use super::{Judgement, Links, Reveal, Right, Rights, Rules};

/// What one user may do, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    user: Arc<str>,
    root: Arc<PathBuf>,
    rules: Arc<Rules>,
    may_resume: bool,
}

impl Grant {
    /// The grant of a user whose jail is `root`. `may_resume` is for those who have a name of their own; they need
    /// [`Right::Read`] as well, for partials are shared by all who write to a folder.
    #[must_use]
    pub fn new(user: &str, root: PathBuf, rules: Rules, may_resume: bool) -> Self {
        Self {
            user: user.into(),
            root: Arc::new(root),
            rules: Arc::new(rules),
            may_resume,
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The host's folder that is this user's `/`.
    #[must_use]
    pub fn root(&self) -> &PathBuf {
        &self.root
    }

    /// What holds where.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether the store may follow symbolic links for this user. Only where the same rights hold everywhere:
    /// else a link could make a name in one rule's folder a file in another's. The store is to refuse
    /// links while it resolves, in one step with opening, so that nothing can be flipped in between.
    #[must_use]
    pub fn follows_links(&self) -> bool {
        self.rules.is_uniform()
    }

    /// May this be done?
    ///
    /// Steps of a file that is open already carry no path and are allowed: the operation that opened it was
    /// judged. Whoever swaps a live session's grant judges those operations again.
    ///
    /// # Errors
    /// [`FaultKind::Denied`], with the right that is lacking and where.
    pub fn judge(&self, op: &DiskOp) -> Result<Judgement, Fault> {
        let mut judgement = Judgement {
            keep_existing: false,
            no_parents: false,
            may_resume: self.may_resume,
            reveal: Reveal::All,
            links: if self.follows_links() {
                Links::Follow
            } else {
                Links::Refuse
            },
        };
        match op {
            DiskOp::Open { path, .. }
            | DiskOp::Digest { path, .. }
            | DiskOp::Checksum { path, .. } => {
                self.need(self.rules.within(path), Right::Read, path)?;
            }
            // What stands there is another one afterwards; and a folder's mode rules all that is in it.
            DiskOp::SetMeta { path, .. } => {
                self.need(self.rules.of_name(path), Right::Overwrite, path)?;
            }
            DiskOp::Space { path } => self.need(self.rules.within(path), Right::Write, path)?,
            DiskOp::Create { path, options } => {
                let rights = self.rules.of_name(path);
                self.need(rights, Right::Write, path)?;
                judgement.keep_existing = !rights.has(Right::Overwrite);
                // What a partial holds may be another user's, and its digest is a way to read it.
                judgement.may_resume &= self.rules.within(path).has(Right::Read);
                judgement.no_parents = options.parents && !rights.has(Right::Mkdir);
            }
            DiskOp::List { path, .. } => judgement.reveal = self.list(path)?,
            DiskOp::Stat { path } => judgement.reveal = self.stat(path)?,
            DiskOp::Size { path, .. } => {
                judgement.reveal = self.stat(path)?;
                judgement.may_resume &= self.rules.within(path).has(Right::Read);
            }
            // Missing parents lie beneath the same rule, or are folders that a rule names.
            DiskOp::MakeDir { path, .. } => self.make_dir(path)?,
            DiskOp::Rename { from, to, .. } => {
                self.rename(from, to)?;
                judgement.keep_existing = !self.rules.of_name(to).has(Right::Overwrite);
            }
            DiskOp::Remove { path, recursive } => self.remove(path, *recursive)?,
            DiskOp::Warm { .. }
            | DiskOp::Continue { .. }
            | DiskOp::Commit { .. }
            | DiskOp::Abort
            | DiskOp::Release => {}
        }
        Ok(judgement)
    }

    fn need(&self, rights: Rights, right: Right, path: &VPath) -> Result<(), Fault> {
        if rights.has(right) {
            Ok(())
        } else {
            Err(refuse(&self.user, right, path))
        }
    }

    /// A folder on the way to a rule can be listed as far as that way goes.
    fn list(&self, path: &VPath) -> Result<Reveal, Fault> {
        if self.rules.within(path).has(Right::List) {
            return Ok(Reveal::All);
        }
        let beneath = self.rules.beneath(path);
        if beneath
            .into_iter()
            .any(|(folder, rights)| folder != path && !rights.is_empty())
        {
            return Ok(Reveal::WayOnly {
                folder: path.clone(),
                rules: Arc::clone(&self.rules),
            });
        }
        Err(refuse(&self.user, Right::List, path))
    }

    /// Who may list or read sees what stands there; who has any other right there, or may pass, only whether it is
    /// a folder.
    fn stat(&self, path: &VPath) -> Result<Reveal, Fault> {
        let within = self.rules.within(path);
        let listed = path
            .split_last()
            .is_some_and(|(above, _)| self.rules.within(&above).has(Right::List));
        if listed || within.has(Right::List) || within.has(Right::Read) {
            Ok(Reveal::All)
        } else if !within.is_empty() || self.rules.leads_somewhere(path) {
            Ok(Reveal::Folders)
        } else {
            Err(refuse(&self.user, Right::List, path))
        }
    }

    fn make_dir(&self, path: &VPath) -> Result<(), Fault> {
        // The folder of a rule, or one on the way there, was named by the administrator: who may make folders in it
        // may make it.
        let named = self
            .rules
            .beneath(path)
            .any(|(_, rights)| rights.has(Right::Mkdir));
        if named && self.rules.leads_somewhere(path) {
            return Ok(());
        }
        self.need(self.rules.of_name(path), Right::Mkdir, path)
    }

    /// What moves may not come under rights that it was not under, and no folder that a rule names may move.
    fn rename(&self, from: &VPath, to: &VPath) -> Result<(), Fault> {
        self.need(self.rules.of_name(from), Right::Rename, from)?;
        self.need(self.rules.of_name(to), Right::Rename, to)?;
        for path in [from, to] {
            if let Some((folder, _)) = self.rules.beneath(path).next() {
                let detail =
                    format!("`{path}` cannot get or lose its name: a rule is bound to `{folder}`");
                return Err(Fault::new(FaultKind::Denied, detail));
            }
        }
        let (before, after) = (self.rules.within(from), self.rules.within(to));
        let gained: Rights = after.iter().filter(|right| !before.has(*right)).collect();
        if !gained.is_empty() {
            let detail = format!(
                "moving `{from}` to `{to}` would give user `{}` over it: {gained}",
                self.user
            );
            return Err(Fault::new(FaultKind::Denied, detail));
        }
        Ok(())
    }

    /// With all that is in it means: with the folders of all rules in it.
    fn remove(&self, path: &VPath, recursive: bool) -> Result<(), Fault> {
        self.need(self.rules.of_name(path), Right::Delete, path)?;
        if recursive {
            for (folder, rights) in self.rules.beneath(path) {
                self.need(rights, Right::Delete, folder)?;
            }
        }
        Ok(())
    }
}
