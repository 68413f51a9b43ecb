//! Commands about names: CWD, CDUP, PWD, MKD, RMD, DELE, RNFR, RNTO (RFC 959), SIZE, MDTM, MLST (RFC 3659).

use super::Rfc959;
use super::folder;
use super::listing;
use super::reply::{self, Reply};
use super::step::Step;
use super::sums;
use super::task::Task;
use super::time::stamp;
use crate::session::{DiskOp, FaultKind, Meta, Outcome};
use crate::{Kind, VPath};

impl Rfc959 {
    /// Asks the disk, and says what for.
    pub(super) fn ask(&mut self, op: DiskOp, step: Step) {
        let job = self.fx.disk_once(op);
        self.task = Task::Disk(job, step);
    }

    /// Looks at a path, and says what for.
    pub(super) fn look(&mut self, path: VPath, step: Step) {
        self.ask(DiskOp::Stat { path }, step);
    }

    /// `SIZE` (RFC 3659, section 4): also of an upload that broke, where nothing stands under its name.
    pub(super) fn size(&mut self, path: VPath) {
        self.settings.told = None;
        let op = DiskOp::Size {
            path: path.clone(),
            resume: true,
            owner: None,
        };
        self.ask(op, Step::Size(path));
    }

    /// `PWD`.
    pub(super) fn pwd(&self) -> Reply {
        let here = reply::quoted(&folder::absolute(&self.settings.here));
        Reply::exact(257, format!("{here} is the working folder"))
    }

    /// `MKD`.
    pub(super) fn mkd(&mut self, path: VPath) {
        let shown = reply::quoted(&folder::absolute(&path));
        let done = Reply::exact(257, format!("{shown} was made"));
        let parents = false;
        self.ask(DiskOp::MakeDir { path, parents }, Step::Say(done));
    }

    /// `RNTO`: what stands at the new name is replaced, as `rename(2)` does.
    pub(super) fn rnto(&mut self, from: VPath, to: VPath) {
        let replace = true;
        let op = DiskOp::Rename { from, to, replace };
        self.ask(op, Step::Say(Reply::new(250, "Renamed")));
    }

    fn remove(&mut self, path: VPath) {
        let recursive = false;
        let done = Step::Say(Reply::new(250, "Removed"));
        self.ask(DiskOp::Remove { path, recursive }, done);
    }

    /// The disk has answered.
    pub(super) fn take_step(&mut self, step: Step, outcome: Outcome) {
        let reply = match (step, outcome) {
            // What may not be seen may be removed all the same, and so may a link that leads nowhere. A folder is seen.
            (Step::Remove(path, Kind::File), Outcome::Failed(fault))
                if matches!(fault.kind, FaultKind::NotFound | FaultKind::Denied) =>
            {
                return self.remove(path);
            }
            (_, Outcome::Failed(fault)) => reply::fault(&fault),
            (Step::Enter(path), Outcome::Found(meta)) => self.enter(path, &meta),
            (Step::RenameFrom(path), Outcome::Found(_)) => {
                self.settings.rename_from = Some(path);
                Reply::new(350, "It is there; RNTO next")
            }
            (Step::Remove(path, wanted), Outcome::Found(meta)) => {
                let is_dir = meta.kind == Kind::Dir;
                if is_dir == (wanted == Kind::Dir) {
                    return self.remove(path);
                }
                Reply::new(
                    550,
                    if is_dir {
                        "It is a folder; RMD removes it"
                    } else {
                        "It is no folder; DELE removes it"
                    },
                )
            }
            (Step::Size(path), Outcome::Sized { found, kept }) => self.sized(path, found, kept),
            (Step::Time, Outcome::Found(meta)) => match file_only(&meta) {
                Some(refusal) => refusal,
                None => Reply::new(213, stamp(meta.mtime, 0)),
            },
            (Step::Facts(path), Outcome::Found(meta)) => self.facts(&path, &meta),
            (Step::Hash { path, hash, offset }, Outcome::Digested { digest, len, .. }) => {
                sums::hashed(&path, hash, offset, len, &sums::hex(digest))
            }
            (Step::Hash { path, hash, offset }, Outcome::Summed { hex, len }) => {
                sums::hashed(&path, hash, offset, len, &hex)
            }
            (Step::Digest, Outcome::Digested { digest, .. }) => sums::summed(sums::hex(digest)),
            (Step::Digest, Outcome::Summed { hex, .. }) => sums::summed(hex),
            (Step::Room, Outcome::Room { bytes }) => match bytes {
                Some(bytes) => Reply::exact(213, bytes.to_string()),
                None => Reply::new(550, "The file system does not say"),
            },
            (Step::Say(reply), Outcome::Ended) => reply,
            (_, _) => reply::unexpected(),
        };
        self.fx.reply(&reply);
    }

    fn enter(&mut self, path: VPath, meta: &Meta) -> Reply {
        if meta.kind != Kind::Dir {
            return Reply::new(550, "It is no folder");
        }
        self.settings.here = path;
        let here = reply::quoted(&folder::absolute(&self.settings.here));
        Reply::exact(250, format!("{here} is the working folder"))
    }

    /// A size to go on from, if there is one alone that it can be.
    fn sized(&mut self, path: VPath, found: Option<Meta>, kept: Option<u64>) -> Reply {
        let size = match (found, kept) {
            (Some(meta), _) if meta.kind != Kind::File => {
                return Reply::new(550, "It is no file");
            }
            // Whoever goes on from the size of the one would mix it with the other.
            (Some(_), Some(_)) => {
                return Reply::new(
                    450,
                    "It stands here, and beside it an upload that broke; no one size is right",
                );
            }
            (Some(meta), None) => meta.size,
            (None, Some(kept)) => kept,
            (None, None) => return reply::unexpected(),
        };
        self.settings.told = Some((path, size));
        Reply::new(213, size.to_string())
    }

    fn facts(&self, path: &VPath, meta: &Meta) -> Reply {
        let mut line = String::new();
        listing::push_facts(
            &mut line,
            self.settings.facts,
            meta,
            !self.fx.config.read_only,
        );
        line.push(' ');
        line.push_str(&folder::absolute(path));
        Reply::lines(250, "Facts", [line], "End")
    }
}

fn file_only(meta: &Meta) -> Option<Reply> {
    (meta.kind != Kind::File).then(|| Reply::new(550, "It is no file"))
}
