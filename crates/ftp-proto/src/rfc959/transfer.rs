//! `Transfer`: what goes over the data connection, and how far it has come.

use std::time::Instant;

use super::download::Download;
use super::effects::Effects;
use super::pages::Pages;
use super::progress::Progress;
use super::upload::Upload;
use crate::VPath;
use crate::session::{Appetite, FileId, JobId, TransferReport, Verb};

/// A transfer under way.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) file: FileId,
    pub(super) path: VPath,
    pub(super) began: Instant,
    /// Payload bytes that were received or queued.
    pub(super) bytes: u64,
    /// The data connection is to be within TLS.
    pub(super) protect: bool,
    pub(super) stage: Stage,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The disk is asked; nothing was said yet.
    Preparing,
    /// 150 was said; the data connection is to come.
    Connecting,
    /// Bytes flow.
    Moving,
    /// All bytes are queued or received; the connection is to close, and the disk to be done.
    Finishing,
}

/// What is moved.
#[derive(Debug)]
pub(super) enum What {
    Download(Download),
    Upload(Upload),
    Listing(Pages),
}

impl Transfer {
    pub(super) fn appetite(&self) -> Appetite {
        match (&self.what, self.stage) {
            (What::Upload(_), Stage::Moving) => Appetite::Payload {
                file: self.file,
                remaining: u64::MAX,
            },
            _ => Appetite::Nothing,
        }
    }

    pub(super) fn waits_for_data(&self) -> bool {
        self.stage == Stage::Connecting
    }

    pub(super) fn waits_for_peer(&self, fx: &Effects) -> bool {
        match (&self.what, self.stage) {
            (_, Stage::Preparing | Stage::Connecting) => false,
            (What::Upload(_), Stage::Moving) => true,
            (What::Upload(upload), Stage::Finishing) => upload.is_committed(),
            (What::Download(_) | What::Listing(_), Stage::Finishing) => true,
            (What::Download(_) | What::Listing(_), Stage::Moving) => fx.unsent_data() > 0,
        }
    }

    /// What `STAT` says of it.
    pub(super) fn describe(&self) -> String {
        let what = match self.what {
            What::Download(_) => "RETR",
            What::Upload(_) => "STOR",
            What::Listing(_) => "A listing",
        };
        let stage = match self.stage {
            Stage::Preparing | Stage::Connecting => "being prepared",
            Stage::Moving | Stage::Finishing => "under way",
        };
        format!("{what} is {stage}: {} bytes so far", self.bytes)
    }

    /// Moves what there is room for.
    pub(super) fn advance(&mut self, fx: &mut Effects) -> Progress {
        let before = fx.unsent_data();
        let progress = match &mut self.what {
            What::Download(download) => download.advance(self.file, fx),
            What::Listing(pages) => pages.advance(self.file, fx),
            What::Upload(_) => Progress::Going,
        };
        self.bytes = self.bytes.saturating_add(fx.unsent_data() - before);
        progress
    }

    /// Leaves nothing open on the disk; says which job tells that what came of an upload is kept.
    pub(super) fn end_lane(&mut self, fx: &mut Effects) -> Option<JobId> {
        match &mut self.what {
            What::Download(download) => {
                download.release(self.file, fx);
                None
            }
            What::Upload(upload) => upload.abort(self.file, fx),
            What::Listing(_) => None,
        }
    }

    /// Tells the log how it ended.
    pub(super) fn report(&self, outcome: &'static str, fx: &mut Effects, now: Instant) {
        let (verb, path) = match &self.what {
            What::Download(_) => (Verb::Get, &self.path),
            What::Upload(upload) => (Verb::Put, upload.path()),
            What::Listing(_) => return,
        };
        fx.report(TransferReport {
            verb,
            path: path.as_str().to_owned(),
            bytes: self.bytes,
            elapsed: now.saturating_duration_since(self.began),
            outcome,
        });
    }
}
