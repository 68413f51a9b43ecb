//! `Nearby`: the folder that the last of several jobs worked in, for the next one, which mostly wants the same.
//!
//! Only for jobs that were all asked for before the first of them began: whichever folder the path led
//! to since then is a right answer for each of them. Never kept longer than such a batch, and forgotten
//! whenever one of the batch changes names otherwise than by an upload.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use ftp_proto::VPath;

use crate::jail::{Jail, Place};

/// What the jobs of one batch share: one folder, held open, and what is known of it.
#[derive(Debug, Default)]
pub struct Nearby {
    folder: Option<Folder>,
}

#[derive(Debug)]
struct Folder {
    /// Of the store that it belongs to: another one has other folders at the same paths.
    root: Arc<OwnedFd>,
    path: String,
    dir: Arc<OwnedFd>,
    /// The last mode that a file got here as it was asked for: neither the process's mask nor the
    /// folder's own list changed it.
    plain_mode: Option<u32>,
}

impl Nearby {
    /// The place of `path`, if the folder it is in is at hand.
    pub(crate) fn place(&self, jail: &Jail, path: &VPath) -> Option<Place> {
        let (dir, name) = path.as_str().rsplit_once('/')?;
        let folder = self.folder.as_ref()?;
        (folder.path == dir && Arc::ptr_eq(&folder.root, jail.held_root())).then(|| Place {
            dir: Arc::clone(&folder.dir),
            name: name.to_owned(),
        })
    }

    /// Keeps the folder of `place`, which is that of `path`.
    pub(crate) fn keep(&mut self, jail: &Jail, path: &VPath, place: &Place) {
        self.folder = path.as_str().rsplit_once('/').map(|(dir, _)| Folder {
            root: Arc::clone(jail.held_root()),
            path: dir.to_owned(),
            dir: Arc::clone(&place.dir),
            plain_mode: None,
        });
    }

    /// Lets the folder go.
    pub fn forget(&mut self) {
        self.folder = None;
    }

    /// Whether a file that was made in `dir` with `mode` has that mode without anybody looking.
    pub(crate) fn gives(&self, dir: &Arc<OwnedFd>, mode: u32) -> bool {
        self.folder
            .as_ref()
            .is_some_and(|folder| folder.plain_mode == Some(mode) && Arc::ptr_eq(&folder.dir, dir))
    }

    /// A file that was made in `dir` with `mode` was seen to have it.
    pub(crate) fn note_mode(&mut self, dir: &Arc<OwnedFd>, mode: u32) {
        if let Some(folder) = &mut self.folder
            && Arc::ptr_eq(&folder.dir, dir)
        {
            folder.plain_mode = Some(mode);
        }
    }
}
