//! Whether a reply of standard FTP is right: against what went over the data connection, against what the disk did, and
//! against the reference where nothing else disturbs it.

use std::collections::BTreeSet;
use std::rc::Rc;

use ftp_proto::session::{CreateOptions, FaultKind};
use ftp_proto::{Kind, VPath};

use super::client::Answered;
use super::data::Ended;
use super::plan::{About, Move, Name, What};
use crate::climate::Climate;
use crate::disk::Disk;
use crate::fs::{Fs, Node, digest};
use crate::uploads::Commit;

/// What the judge knows of the world beside the answer.
pub(crate) struct Bench<'a> {
    pub(crate) session: usize,
    pub(crate) reference: &'a mut Fs,
    /// Paths of which something may be kept beside what stands there.
    pub(crate) kept: &'a mut BTreeSet<VPath>,
    pub(crate) renaming: &'a mut Option<VPath>,
    pub(crate) disk: &'a mut Disk,
    /// Every content that may stand under a name.
    pub(crate) known: &'a BTreeSet<Vec<u8>>,
    pub(crate) climate: Climate,
    /// The session has work for the disk by an upload.
    pub(crate) storing: bool,
}

/// Checks an answer and does to the reference what it says was done.
pub(crate) fn judge(answered: &Answered, bench: &mut Bench<'_>) {
    let is_rnfr = matches!(answered.asked.command.about, About::Name(Name::Rnfr, _));
    match &answered.asked.command.about {
        About::Move(moved) if moved.is_upload() => bench.upload(moved, answered),
        About::Move(moved) => bench.download(moved, answered),
        About::Name(name, path) => bench.name(*name, path, answered),
        About::Nothing
        | About::Login
        | About::Secured
        | About::Protected
        | About::Meet(..)
        | About::Resume(_) => {}
    }
    if !is_rnfr {
        *bench.renaming = None;
    }
}

impl Bench<'_> {
    /// 226 means: all that was sent stands under its name, in one piece and safely. Anything else means it does not.
    fn upload(&mut self, moved: &Rc<Move>, answered: &Answered) {
        if answered.asked.command.alone {
            // Whoever hears it may ask at once how much is kept.
            assert!(!self.storing, "answered before the disk was: {answered:?}");
        }
        if answered.last.code != 226 {
            self.kept.insert(moved.path.clone());
            return;
        }
        let commit = self.disk.take_commit(self.session);
        let commit = commit.unwrap_or_else(|| panic!("nothing was stored: {answered:?}"));
        self.check_commit(moved, answered, &commit);
        if self.climate.shared {
            return;
        }
        let old = self.reference.open(&moved.path).ok();
        let old = old.map(|inode| inode.bytes.borrow().clone());
        let sure = !self.kept.contains(&moved.path);
        let base = match (moved.what, &old) {
            (What::Store(at), Some(old)) => old.get(..usize::try_from(at).unwrap()),
            (What::Append, Some(old)) => Some(&old[..]),
            (What::Unique, _) | (What::Store(0) | What::Append, None) => Some(&[][..]),
            (_, _) => None,
        };
        if sure && !moved.resumes {
            let base = base.unwrap_or_else(|| panic!("nothing to go behind: {answered:?}"));
            assert_eq!(commit.bytes[..commit.base], *base, "{answered:?}");
        }
        self.kept.remove(&moved.path);
        let options = CreateOptions::default();
        let put = self
            .reference
            .put(&commit.path, commit.bytes.to_vec(), &options);
        assert_eq!(put, Ok(true), "{answered:?}");
    }

    fn check_commit(&self, moved: &Move, answered: &Answered, commit: &Commit) {
        assert_eq!(commit.bytes[commit.base..], *moved.sent(), "{answered:?}");
        assert!(self.known.contains(&*commit.bytes), "mixed: {answered:?}");
        let conn = answered.conn.as_ref().expect("a connection");
        // Once the client has said that this was all, it is no matter how the connection ended; but it has ended.
        assert!(conn.is_closed(), "stored before its end: {answered:?}");
        assert_ne!(conn.ended, Ended::NotYet, "{answered:?}");
        if moved.what == What::Unique {
            let told = format!("226 Stored as /{}", commit.path);
            assert_eq!(answered.last.lines, [told]);
            let first = answered.asked.first.as_ref().unwrap();
            assert_eq!(first.lines, [format!("150 FILE: /{}", commit.path)]);
        } else {
            assert_eq!(commit.path, moved.path, "{answered:?}");
        }
    }

    /// 226 means: that was all, and it ended as it should. Anything else means it did not.
    fn download(&self, moved: &Move, answered: &Answered) {
        let ended = answered.conn.as_ref().map(|conn| conn.ended);
        if answered.last.code != 226 {
            assert_ne!(
                ended,
                Some(Ended::Cleanly),
                "a part for the whole: {answered:?}"
            );
            return;
        }
        assert_eq!(ended, Some(Ended::Cleanly), "{answered:?}");
        let padded = answered.conn.as_ref().is_some_and(|conn| conn.padded);
        assert!(!padded, "what never was in the file: {answered:?}");
        let received = answered.conn.as_ref().map(|conn| &conn.received[..]);
        let received = received.unwrap_or_default();
        match moved.what {
            What::Fetch(at) => {
                self.fetched(moved, usize::try_from(at).unwrap(), received, answered)
            }
            What::List | What::Names | What::Facts => self.listed(moved, received, answered),
            What::Store(_) | What::Append | What::Unique => unreachable!("an upload"),
        }
    }

    fn fetched(&self, moved: &Move, at: usize, received: &[u8], answered: &Answered) {
        let first = &answered.asked.first.as_ref().unwrap().lines[0];
        let said = format!("({} bytes)", received.len());
        assert!(first.ends_with(&said), "{first}: {}", received.len());
        if self.climate.tampered {
            return;
        }
        let fits = |whole: &[u8]| whole.get(at..) == Some(received);
        if self.climate.shared {
            assert!(
                self.known.iter().any(|whole| fits(whole)),
                "mixed: {moved:?}"
            );
        } else {
            let inode = self.reference.open(&moved.path);
            let inode = inode.unwrap_or_else(|kind| panic!("{kind:?}: {answered:?}"));
            assert!(fits(&inode.bytes.borrow()), "another content: {answered:?}");
        }
    }

    fn listed(&self, moved: &Move, received: &[u8], answered: &Answered) {
        let text = String::from_utf8(received.to_vec()).unwrap();
        assert!(text.is_empty() || text.ends_with("\r\n"), "{text:?}");
        if self.climate.shared {
            return;
        }
        let names = text.lines().map(|line| match moved.what {
            What::Facts => line.split_once(' ').unwrap().1,
            What::List => listed_name(line),
            What::Names | What::Fetch(_) | What::Store(_) | What::Append | What::Unique => line,
        });
        let names: Vec<String> = names.map(str::to_owned).collect();
        let expected: Vec<String> = match self.reference.list(&moved.path) {
            Ok(entries) => entries.into_iter().map(|(name, _)| name).collect(),
            Err(FaultKind::NotADirectory) => {
                let name = moved.path.as_str().rsplit('/').next().unwrap();
                vec![name.to_owned()]
            }
            Err(kind) => panic!("{kind:?}: {answered:?}"),
        };
        assert_eq!(names, expected, "{answered:?}");
    }

    fn name(&mut self, name: Name, path: &VPath, answered: &Answered) {
        let code = answered.last.code;
        // 503: another command came between; 501: `MLSD` and the like of what is no folder.
        let disturbed = matches!(code, 503 | 530) || (self.climate.faults && code == 451);
        if self.climate.shared || disturbed {
            return;
        }
        let expected = self.expect(name, path, answered);
        let is = code < 400;
        assert_eq!(expected.is_ok(), is, "{expected:?}: {answered:?}");
    }

    /// Compares with the reference, and does to it what was asked.
    fn expect(&mut self, name: Name, path: &VPath, answered: &Answered) -> Result<(), FaultKind> {
        let found = self.reference.stat(path);
        let file = |found: &Result<Node, FaultKind>| match found {
            Ok(Node::File(inode)) => Ok(Rc::clone(inode)),
            Ok(Node::Dir) => Err(FaultKind::IsADirectory),
            Err(kind) => Err(*kind),
        };
        let dir = |found: &Result<Node, FaultKind>| match found {
            Ok(Node::Dir) => Ok(()),
            Ok(Node::File(_)) => Err(FaultKind::NotADirectory),
            Err(kind) => Err(*kind),
        };
        let last = &answered.last;
        match name {
            Name::Dele => file(&found).and_then(|_| self.reference.remove(path, false)),
            Name::Rmd => dir(&found).and_then(|()| self.reference.remove(path, false)),
            Name::Mkd => self.reference.make_dir(path, false),
            Name::Rnfr => {
                *self.renaming = found.as_ref().ok().map(|_| path.clone());
                found.map(|_| ())
            }
            Name::Rnto => match self.renaming.take() {
                Some(from) => self.reference.rename(&from, path, true),
                None => Err(FaultKind::NotFound),
            },
            Name::Size if self.kept.contains(path) => {
                if last.code < 400 {
                    Ok(())
                } else {
                    Err(FaultKind::Busy)
                }
            }
            Name::Size => {
                let size = file(&found)?.bytes.borrow().len();
                assert_eq!(last.lines, [format!("213 {size}")]);
                Ok(())
            }
            Name::Mdtm => file(&found).map(|_| ()),
            Name::Cwd => dir(&found),
            Name::Hash | Name::Xsha256 => {
                let digest = digest(&file(&found)?.bytes.borrow()).to_string();
                assert!(last.lines[0].contains(&digest), "{answered:?}");
                Ok(())
            }
            Name::Mlst => {
                let kind = match found?.meta().kind {
                    Kind::Dir => "type=dir;",
                    Kind::File | Kind::Link | Kind::Other => "type=file;",
                };
                assert!(last.lines[1].contains(kind), "{answered:?}");
                Ok(())
            }
            Name::Stat | Name::Avbl => found.map(|_| ()),
        }
    }
}

/// What stands behind eight columns and the blanks between them.
fn listed_name(line: &str) -> &str {
    let mut rest = line;
    for _ in 0..8 {
        let (_, behind) = rest.split_once(' ').unwrap();
        rest = behind.trim_start();
    }
    rest
}
