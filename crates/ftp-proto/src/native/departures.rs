//! Transfers whose answer is given but not yet taken by the peer's side.
//!
//! A file that was read is released, and its transfer reported, when its last byte has left.

use std::collections::VecDeque;
use std::time::Instant;

use super::effects::Effects;
use super::queue::{Entry, Task};
use crate::session::{TransferReport, Verb};
use crate::wire::Code;

/// The transfers on their way out, in the order of their answers. Bounded by the window and the pipeline.
#[derive(Debug, Default)]
pub(super) struct Departures(VecDeque<Departure>);

#[derive(Debug)]
struct Departure {
    /// Its last byte is gone when this many bytes of the connection were taken.
    mark: u64,
    seq: u64,
    /// The lane holds an open file.
    open: bool,
    began: Instant,
    report: TransferReport,
}

impl Departures {
    /// Takes over an answered request. Uploads are reported at once: their answer is no part of their transfer.
    pub(super) fn add(
        &mut self,
        seq: u64,
        entry: Entry,
        outcome: &'static str,
        fx: &mut Effects,
        now: Instant,
    ) {
        match entry.task {
            Task::Upload(upload) if upload.is_started() => fx.report(TransferReport {
                verb: Verb::Put,
                path: upload.path().as_str().to_owned(),
                bytes: upload.received(),
                elapsed: now.saturating_duration_since(entry.began),
                outcome,
            }),
            Task::Download(download) if download.is_started() => self.0.push_back(Departure {
                mark: fx.queued(),
                seq,
                open: download.is_open(),
                began: entry.began,
                report: TransferReport {
                    verb: Verb::Get,
                    path: download.path().as_str().to_owned(),
                    bytes: download.given(),
                    elapsed: std::time::Duration::ZERO,
                    outcome,
                },
            }),
            Task::Upload(_)
            | Task::Download(_)
            | Task::Verb(_)
            | Task::Ping(_)
            | Task::Login(_)
            | Task::Told => {}
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Releases and reports those whose last byte has left, or all once nobody listens.
    pub(super) fn leave(&mut self, fx: &mut Effects, now: Instant) {
        let gone = |next: &Departure, fx: &Effects| fx.is_muted() || next.mark <= fx.sent();
        while self.0.front().is_some_and(|next| gone(next, fx)) {
            let Some(mut next) = self.0.pop_front() else {
                break;
            };
            if next.open {
                fx.release(next.seq);
            }
            next.report.elapsed = now.saturating_duration_since(next.began);
            fx.report(next.report);
        }
        if self.0.is_empty() {
            self.0.shrink_to(4);
        }
    }

    /// The file of request `seq` failed under way; the peer will see it by the digest.
    pub(super) fn fail_one(&mut self, seq: u64, outcome: &'static str) {
        if let Some(departure) = self.0.iter_mut().find(|departure| departure.seq == seq) {
            departure.report.outcome = outcome;
        }
    }

    /// The connection ends before any of them has left.
    pub(super) fn fail(&mut self, code: Code) {
        for departure in &mut self.0 {
            if departure.report.outcome == "ok" {
                departure.report.outcome = code.as_str();
            }
        }
    }
}
