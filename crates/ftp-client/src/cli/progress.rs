//! Progress bars on a terminal: one for each large file under way, one for the run. Silent elsewhere.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::config::Voice;
use crate::text;
use crate::transfer::Item;

/// Files from this size on get a bar of their own.
const LARGE_BYTES: u64 = 4 * 1024 * 1024;

/// The bars of one run.
pub(super) struct Bars {
    multi: MultiProgress,
    total: ProgressBar,
    shown: Once,
    items: Mutex<HashMap<u64, Under>>,
    visible: bool,
    style: ProgressStyle,
}

/// One item under way.
struct Under {
    bar: Option<ProgressBar>,
    position: u64,
}

impl Bars {
    pub(super) fn new(voice: Voice) -> Self {
        let target = if voice.progress {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        let multi = MultiProgress::with_draw_target(target);
        // Until the first item begins there is nothing to show: a verb may print or ask before that, or have no items.
        let total = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let (bar, prefix) = if voice.color {
            ("{bar:24.cyan/blue}", "{prefix:.bold}")
        } else {
            ("{bar:24}", "{prefix}")
        };
        let style = |template: &str| {
            ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> ")
        };
        total.set_style(style(&format!(
            "{prefix} {{bytes}} {{binary_bytes_per_sec}} {{elapsed}} {{msg}}"
        )));
        total.set_prefix("total");
        Self {
            multi,
            total,
            shown: Once::new(),
            items: Mutex::new(HashMap::new()),
            visible: voice.progress,
            style: style(&format!(
                "{{msg:24!}} {bar} {{bytes}}/{{total_bytes}} {{binary_bytes_per_sec}} {{eta}}"
            )),
        }
    }

    /// How many bytes the run will move, if that is known: then it has an end in sight.
    pub(super) fn expect(&self, bytes: Option<u64>) {
        if let Some(bytes) = bytes {
            self.total.set_length(bytes);
            if let Ok(style) = ProgressStyle::with_template(
                "{prefix} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}",
            ) {
                self.total.set_style(style);
            }
        }
    }

    pub(super) fn begin(&self, item: &Item) {
        if !self.visible {
            return;
        }
        self.shown.call_once(|| {
            self.multi.add(self.total.clone());
            // Drawn before anything moves, however soon it is over; the steady tick has a thread that may come late.
            self.total.tick();
            self.total.enable_steady_tick(Duration::from_millis(200));
        });
        let bar = item.size.is_none_or(|size| size >= LARGE_BYTES).then(|| {
            let bar = item
                .size
                .map_or_else(ProgressBar::no_length, ProgressBar::new);
            let bar = self.multi.insert_before(&self.total, bar);
            bar.set_style(self.style.clone());
            bar.set_message(text::escape(&item.remote));
            bar
        });
        let before = self.lock().insert(item.number, Under { bar, position: 0 });
        if let Some(before) = before {
            self.total.dec(before.position);
            self.clear(before.bar);
        }
    }

    pub(super) fn position(&self, item: &Item, bytes: u64) {
        if !self.visible {
            return;
        }
        let mut items = self.lock();
        let Some(under) = items.get_mut(&item.number) else {
            return;
        };
        if bytes >= under.position {
            self.total.inc(bytes - under.position);
        } else {
            self.total.dec(under.position - bytes);
        }
        under.position = bytes;
        if let Some(bar) = &under.bar {
            bar.set_position(bytes);
        }
    }

    /// An item has ended, well or not.
    pub(super) fn end(&self, item: &Item) {
        if !self.visible {
            return;
        }
        let under = self.lock().remove(&item.number);
        if let Some(under) = under {
            self.clear(under.bar);
        }
    }

    /// All is over: the bars go.
    pub(super) fn finish(&self) {
        for (_, under) in self.lock().drain() {
            self.clear(under.bar);
        }
        self.total.finish_and_clear();
    }

    /// Lets something else be printed without tearing the bars.
    pub(super) fn pause(&self, print: impl FnOnce()) {
        self.multi.suspend(print);
    }

    fn clear(&self, bar: Option<ProgressBar>) {
        if let Some(bar) = bar {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Under>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
