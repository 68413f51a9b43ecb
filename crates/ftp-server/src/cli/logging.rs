//! The log: text or JSON lines on standard error, written by a thread of their own through a bounded queue.
//!
//! Never waits for a slow terminal: what does not fit is dropped and counted. In text lines no value
//! can forge a line or drive a terminal: control characters are escaped, odd values quoted.

use std::fmt::{self, Debug};
use std::io::BufWriter;
use std::sync::{Arc, OnceLock};
use std::{io, panic};

use tracing::field::{Field, Visit};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FormatFields, layer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, registry, reload};

use super::settings::{LogFormat, LogLevel};

/// Most lines that wait to be written.
const LINES: usize = 16 * 1024;

/// The running log.
pub(super) struct Log {
    lines: Lines,
    /// Flushes when it is dropped.
    guard: Option<WorkerGuard>,
}

/// Where lines go: to standard error, and through a queue once there is a thread behind it.
#[derive(Clone, Default)]
struct Lines(Arc<OnceLock<NonBlocking>>);

impl MakeWriter<'_> for Lines {
    type Writer = Box<dyn io::Write>;

    fn make_writer(&self) -> Self::Writer {
        match self.0.get() {
            Some(queue) => Box::new(queue.clone()),
            None => Box::new(io::stderr()),
        }
    }
}

/// Changes what is logged while the log runs.
pub(super) struct Level(reload::Handle<LevelFilter, Registry>);

impl Level {
    /// From here on.
    pub(super) fn set(&self, level: LogLevel) {
        if let Err(error) = self.0.reload(filter(level)) {
            tracing::error!(%error, "the level of the log cannot be changed");
        }
    }
}

/// Starts the log of this process. Starts no thread: until [`Log::queue`] whoever logs waits for standard error.
pub(super) fn start(format: LogFormat, level: LogLevel) -> (Log, Level) {
    let writer = Lines::default();
    let lines = layer()
        .with_writer(writer.clone())
        .with_target(false)
        .with_ansi(false);
    let (filter, level) = reload::Layer::new(filter(level));
    let log = registry().with(filter);
    match format {
        LogFormat::Text => log.with(lines.fmt_fields(TextFields)).init(),
        LogFormat::Json => log.with(lines.json().flatten_event(true)).init(),
    }
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let words = panic.payload().downcast_ref::<&str>().copied();
        let words = words.or_else(|| panic.payload().downcast_ref::<String>().map(String::as_str));
        let why = words.unwrap_or("no words");
        tracing::error!(place, why, "a thread panicked");
    }));
    let log = Log {
        lines: writer,
        guard: None,
    };
    (log, Level(level))
}

impl Log {
    /// From here on nobody waits for standard error: a thread writes.
    pub(super) fn queue(&mut self) {
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(LINES)
            .thread_name("log")
            // Flushed when no line waits: a burst is one system call, not one for each line.
            .finish(BufWriter::new(io::stderr()));
        if self.lines.0.set(writer).is_ok() {
            self.guard = Some(guard);
        }
    }

    /// Writes what is left.
    pub(super) fn finish(self) {
        let queue = self.lines.0.get();
        let lines = queue.map_or(0, |queue| queue.error_counter().dropped_lines());
        if lines > 0 {
            tracing::warn!(lines, "log lines were dropped: standard error was too slow");
        }
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// `message name=value name="odd value"`.
struct TextFields;

impl<'writer> FormatFields<'writer> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut text = Text {
            writer,
            first: true,
            result: Ok(()),
        };
        fields.record(&mut text);
        text.result
    }
}

struct Text<'writer> {
    writer: Writer<'writer>,
    first: bool,
    result: fmt::Result,
}

impl Text<'_> {
    fn write(&mut self, field: &Field, value: &str) {
        if self.result.is_ok() {
            self.result = self.try_write(field.name(), value);
        }
    }

    fn try_write(&mut self, name: &str, value: &str) -> fmt::Result {
        if !self.first {
            self.writer.write_char(' ')?;
        }
        self.first = false;
        if name == "message" {
            return value.chars().try_for_each(|c| match c {
                '"' | '\'' | '\\' => self.writer.write_char(c),
                c => write!(self.writer, "{}", c.escape_debug()),
            });
        }
        write!(self.writer, "{name}=")?;
        if is_plain(value) {
            self.writer.write_str(value)
        } else {
            // The debug form of a text escapes all that does not print, and quotes.
            write!(self.writer, "{value:?}")
        }
    }
}

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, &format!("{value:?}"));
    }
}

/// Whether a value can stand in a line as it is.
fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"\"'\\=".contains(&b))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Paper {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn written(event: impl FnOnce()) -> String {
        let paper = Paper::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(paper.clone())
            .without_time()
            .with_target(false)
            .with_ansi(false)
            .fmt_fields(TextFields)
            .finish();
        tracing::subscriber::with_default(subscriber, event);
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn plain_values_stand_as_they_are() {
        let line = written(|| {
            tracing::info!(
                path = "docs/a.txt",
                bytes = 7_u64,
                rate = 1.5,
                ok = true,
                "transfer"
            )
        });
        assert_eq!(
            line,
            " INFO transfer path=docs/a.txt bytes=7 rate=1.5 ok=true\n"
        );
    }

    #[test]
    fn no_value_forges_a_line_or_drives_a_terminal() {
        let evil = "a\n INFO transfer path=\"b\"\r\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\0";
        let error = io::Error::other(evil);
        for line in [
            written(|| tracing::info!(path = evil, "transfer")),
            written(|| tracing::info!(path = %evil, "transfer")),
            written(|| tracing::info!(path = ?evil, "transfer")),
            written(|| tracing::info!(%error, "transfer")),
            written(|| tracing::info!("transfer of {evil}")),
        ] {
            let (line, end) = line.split_at(line.len() - 1);
            assert_eq!(end, "\n");
            let raw = line.chars().find(|c| c.is_control() || *c == '\u{202e}');
            assert_eq!(raw, None, "{line:?}");
            assert!(line.contains("\\n") && line.contains("\\u{1b}"), "{line}");
        }
    }

    #[test]
    fn a_value_cannot_pass_for_another_field() {
        let line =
            written(|| tracing::info!(path = "a outcome=ok", outcome = "denied", "transfer"));
        assert_eq!(
            line,
            " INFO transfer path=\"a outcome=ok\" outcome=denied\n"
        );
        let line = written(|| tracing::info!(path = "", "transfer"));
        assert_eq!(line, " INFO transfer path=\"\"\n");
    }
}
