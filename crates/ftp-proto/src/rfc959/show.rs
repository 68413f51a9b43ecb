//! `STAT` with a path: a listing that goes out between replies.

use super::Rfc959;
use super::listing::Format;
use super::pages::{Pages, Show};
use super::progress::Progress;
use super::reply::Reply;
use super::task::Task;
use crate::VPath;
use crate::session::Outcome;

impl Rfc959 {
    /// `STAT` with a path.
    pub(super) fn show(&mut self, path: VPath) {
        let file = self.fx.next_file();
        let mut pages = Pages::new(path, Format::Long);
        pages.start(file, &mut self.fx);
        self.task = Task::Show(Box::new(Show {
            file,
            pages,
            begun: false,
        }));
    }

    pub(super) fn take_page(&mut self, outcome: Outcome) {
        let Task::Show(show) = &mut self.task else {
            return;
        };
        let Some(job) = show.asked() else {
            return;
        };
        match show.pages.done(job, outcome, show.file, &mut self.fx) {
            Ok(Progress::Prepared(_)) => {
                if !std::mem::replace(&mut show.begun, true) {
                    self.fx.say(b"213-Status\r\n".to_vec());
                }
            }
            Ok(Progress::Going | Progress::Complete) => {}
            Err((reply, _)) => {
                if !show.begun {
                    self.fx.reply(&reply);
                }
                self.cut_show();
            }
        }
    }

    /// Ends a listing over control in its middle, so that what is said next is a reply of its own.
    pub(super) fn cut_show(&mut self) {
        let Task::Show(show) = &self.task else {
            return;
        };
        if show.begun {
            let words = b" (cut off)\r\n213 This is not all of it\r\n";
            self.fx.say(words.to_vec());
        }
        self.task = Task::None;
    }

    /// Says the next page once the peer takes its replies.
    pub(super) fn pump_show(&mut self) {
        let Task::Show(show) = &mut self.task else {
            return;
        };
        if !self.fx.may_reply() || show.waits_for_disk() || !show.begun {
            return;
        }
        let lines = show.pages.take_lines();
        if !lines.is_empty() {
            self.fx.say(lines);
        }
        if !show.pages.has_more() {
            self.fx.reply(&Reply::new(213, "End"));
            self.task = Task::None;
        } else if self.fx.may_reply() {
            show.pages.start(show.file, &mut self.fx);
        }
    }
}
