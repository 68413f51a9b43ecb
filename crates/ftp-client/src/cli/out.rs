//! `Out`: data to standard output, everything else to standard error, in the voice that was asked for.
//!
//! What came from elsewhere is escaped here before a person's terminal sees it; JSON escapes by itself.

use std::collections::HashMap;
use std::io::{self, BufWriter, Stdout, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::config::Voice;
use super::exit::Exit;
use super::json::Line;
use super::progress::Bars;
use crate::error::{Error, Result};
use crate::text;
use crate::transfer::{Event, Item, Observer, Outcome, Summary};

/// The shortest time between two `progress` lines of one item.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// Failures of one kind that a broken connection brings, told one by one at most.
const LIKE_MOST: u64 = 3;

/// Where a verb says what it has to say.
pub(super) struct Out {
    voice: Voice,
    verb: &'static str,
    bars: Bars,
    state: Mutex<State>,
    started: Instant,
}

struct State {
    stdout: BufWriter<Stdout>,
    /// When progress of an item was last told as JSON.
    told: HashMap<u64, Instant>,
    /// Failures of connections, that come by the hundred.
    alike: u64,
}

impl Out {
    pub(super) fn new(voice: Voice, verb: &'static str) -> Self {
        Self {
            voice,
            verb,
            bars: Bars::new(voice),
            state: Mutex::new(State {
                stdout: BufWriter::new(io::stdout()),
                told: HashMap::new(),
                alike: 0,
            }),
            started: Instant::now(),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.voice.json
    }

    /// How many bytes the run will move, if that is known.
    pub(super) fn expect(&self, bytes: Option<u64>) {
        self.bars.expect(bytes);
    }

    /// A line for people; nothing in `--json`.
    ///
    /// # Errors
    /// [`Error::OutputClosed`], [`Error::Local`].
    pub(super) fn line(&self, text: &str) -> Result<()> {
        if self.voice.json {
            return Ok(());
        }
        closed(writeln!(self.lock().stdout, "{text}"))
    }

    /// A line for programs; nothing without `--json`.
    ///
    /// # Errors
    /// [`Error::OutputClosed`], [`Error::Local`].
    pub(super) fn json(&self, line: &Line<'_>) -> Result<()> {
        if !self.voice.json {
            return Ok(());
        }
        let text = serde_json::to_string(line);
        let text = text.map_err(|error| Error::local("write JSON", error))?;
        let mut text = text::escape_json(&text);
        text.push('\n');
        let mut state = self.lock();
        closed(state.stdout.write_all(text.as_bytes()))?;
        // Who follows a run wants its lines now; listings may gather.
        if matches!(line, Line::Entry { .. }) {
            return Ok(());
        }
        closed(state.stdout.flush())
    }

    /// Writes out what has gathered.
    ///
    /// # Errors
    /// [`Error::OutputClosed`], [`Error::Local`].
    pub(super) fn flush(&self) -> Result<()> {
        closed(self.lock().stdout.flush())
    }

    /// Says something on standard error, unless quiet.
    pub(super) fn note(&self, text: &str) {
        if !self.voice.quiet && !self.voice.json {
            self.say(text);
        }
    }

    /// Says what failed, on what, why and what to do.
    pub(super) fn error(&self, path: &str, error: &Error) {
        let _ = self.json(&Line::Error {
            item: None,
            path: Some(path).filter(|path| !path.is_empty()),
            error: error.into(),
        });
        self.complain(path, error);
    }

    /// Says how to go on after a signal.
    pub(super) fn interrupted(&self, signal: i32, resume: Option<&str>) {
        let _ = self.json(&Line::Interrupted { signal, resume });
        match resume {
            Some(command) => {
                self.say("ftp-client: interrupted; to go on where it stopped:");
                self.say(&format!("  {command}"));
            }
            None => self.say("ftp-client: interrupted"),
        }
    }

    /// The last words of a run; its exit code.
    pub(super) fn finish(&self, summary: &Summary) -> Exit {
        let exit = Exit::of_run(summary);
        let time = self.started.elapsed();
        self.bars.finish();
        let _ = self.json(&Line::summary(summary, time.as_secs_f64(), exit));
        let more = self.lock().alike.saturating_sub(LIKE_MOST);
        if more > 0 && !self.voice.json {
            self.say(&format!(
                "ftp-client: {}: {more} more failed alike",
                self.verb
            ));
        }
        if self.voice.progress || self.voice.verbose {
            let files = if summary.done == 1 { "file" } else { "files" };
            let mut words = format!(
                "{} {files}, {} in {:.1} s ({}), {}",
                summary.done,
                text::size(summary.bytes),
                time.as_secs_f64(),
                text::rate(summary.bytes - summary.resumed.min(summary.bytes), time),
                verified(summary),
            );
            if summary.resumed > 0 {
                words += &format!("; {} were there already", text::size(summary.resumed));
            }
            if summary.skipped > 0 {
                words += &format!("; {} left out", summary.skipped);
            }
            if summary.failed > 0 {
                words += &format!("; {} failed", summary.failed);
            }
            self.note(&words);
        } else if summary.unverified > 0 {
            self.note(&format!("ftp-client: {}: {}", self.verb, verified(summary)));
        }
        exit
    }

    fn complain(&self, what: &str, error: &Error) {
        if matches!(error, Error::OutputClosed | Error::Interrupted(_)) {
            return;
        }
        let name = if self.voice.color {
            "\x1b[1;31mftp-client:\x1b[0m"
        } else {
            "ftp-client:"
        };
        let message = error.to_string();
        // Most messages begin with the path already.
        let message = message
            .strip_prefix(what)
            .and_then(|rest| rest.strip_prefix(": "))
            .unwrap_or(&message);
        let message = text::escape(message);
        let advice = error
            .advice()
            .map_or_else(String::new, |advice| format!(" ({advice})"));
        let verb = self.verb;
        if what.is_empty() {
            self.say(&format!("{name} {verb}: {message}{advice}"));
        } else {
            let what = text::escape(what);
            self.say(&format!("{name} {verb} {what}: {message}{advice}"));
        }
    }

    fn say(&self, text: &str) {
        self.bars.pause(|| {
            // Nobody can be told that standard error is closed.
            let _ = writeln!(io::stderr(), "{text}");
        });
    }

    fn failed(&self, item: Option<&Item>, error: &Error) {
        let _ = self.json(&Line::Error {
            item: item.map(Into::into),
            path: None,
            error: error.into(),
        });
        if self.voice.json {
            return;
        }
        if matches!(
            error,
            Error::Lost(_) | Error::Unreachable { .. } | Error::TimedOut(_) | Error::Protocol(_)
        ) {
            let mut state = self.lock();
            state.alike += 1;
            if state.alike > LIKE_MOST {
                return;
            }
        }
        let what = item.map_or("", |item| name(item));
        self.complain(what, error);
    }

    fn done(&self, item: &Item, outcome: &Outcome) {
        let _ = self.json(&Line::Done {
            item: item.into(),
            outcome: outcome.into(),
        });
        self.bars.end(item);
        if !self.voice.verbose {
            return;
        }
        let mut how = match outcome {
            Outcome::Moved { size, resumed, .. } if *resumed > 0 => format!(
                "{}, of which {} were there already",
                text::size(*size),
                text::size(*resumed)
            ),
            Outcome::Moved { size, .. } => text::size(*size),
            Outcome::Made => "folder".into(),
            Outcome::Kept => "kept what is there".into(),
        };
        if matches!(
            outcome,
            Outcome::Moved {
                verified: false,
                ..
            }
        ) {
            how += ", not verified";
        }
        let (local, remote) = (text::escape(&item.local), text::escape(&item.remote));
        let way = item.way.as_str();
        self.note(&format!("{way} {local} {remote}: {how}"));
    }

    fn position(&self, item: &Item, bytes: u64) {
        self.bars.position(item, bytes);
        if !self.voice.json {
            return;
        }
        let now = Instant::now();
        let mut state = self.lock();
        let begun = *state.told.entry(item.number).or_insert(now);
        if now.duration_since(begun) < PROGRESS_EVERY {
            return;
        }
        state.told.insert(item.number, now);
        drop(state);
        let _ = self.json(&Line::Progress {
            item: item.number,
            bytes,
            size: item.size,
        });
    }

    fn forget(&self, item: &Item) {
        if self.voice.json {
            self.lock().told.remove(&item.number);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Out {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Begin(item) => {
                self.bars.begin(item);
                let _ = self.json(&Line::Begin {
                    item: (*item).into(),
                });
            }
            Event::Position(item, bytes) => self.position(item, *bytes),
            Event::Done(item, outcome) => {
                self.forget(item);
                self.done(item, outcome);
            }
            Event::Failed(item, error) => {
                self.forget(item);
                self.bars.end(item);
                self.failed(Some(item), error);
            }
            Event::Stopped(error) => self.failed(None, error),
            Event::Skipped { name, why } => {
                let _ = self.json(&Line::Skipped { name, why });
                self.note(&format!("left out {}: {why}", text::escape(name)));
            }
            Event::KeptOut(error) => {
                let error = *error;
                let _ = self.json(&Line::KeptOut {
                    error: error.into(),
                });
                let error = text::escape(&error.to_string());
                self.note(&format!("{error}; going on over the connections there are"));
            }
            Event::Retry {
                error,
                attempt,
                wait,
            } => {
                let _ = self.json(&Line::Retry {
                    error: (*error).into(),
                    attempt: *attempt,
                    wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                });
                self.note(&format!(
                    "{}; again in {:.1} s (attempt {attempt})",
                    text::escape(&error.to_string()),
                    wait.as_secs_f32()
                ));
            }
        }
    }
}

/// How far what is done is verified.
fn verified(summary: &Summary) -> String {
    match summary.unverified {
        0 => "verified".into(),
        count if count >= summary.done => "not verified, as it was asked for".into(),
        count => format!("{count} of them not verified, as it was asked for"),
    }
}

/// The path by which a person knows an item.
fn name(item: &Item) -> &str {
    match item.way {
        crate::transfer::Way::Put if !item.local.is_empty() => &item.local,
        crate::transfer::Way::Put | crate::transfer::Way::Get | crate::transfer::Way::Mkdir => {
            &item.remote
        }
    }
}

fn closed(result: io::Result<()>) -> Result<()> {
    result.map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Error::OutputClosed
        } else {
            Error::local("write to standard output", error)
        }
    })
}
