//! Text for people: what came from elsewhere made safe for a terminal, sizes, times.
//!
//! Everything the server said passes through [`escape`] before it is printed.

use std::fmt::Write as _;
use std::time::Duration;

/// Makes a text harmless on a terminal: control characters (C0, DEL, C1), bidirectional overrides and
/// line separators become `\xNN` or `\u{NNNN}`, and a backslash that could be mistaken for one is left alone.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let code = u32::from(c);
        let _ = match steers(c) {
            false => out.write_char(c),
            true if code <= 0xff => write!(out, "\\x{code:02x}"),
            true => write!(out, "\\u{{{code:x}}}"),
        };
    }
    out
}

/// Whether a terminal would obey it rather than show it.
fn steers(c: char) -> bool {
    matches!(
        u32::from(c),
        0x00..=0x1f | 0x7f..=0x9f
            // Line and paragraph separator; embeddings, overrides, isolates and their marks.
            | 0x2028..=0x202e | 0x2066..=0x2069 | 0x200e..=0x200f | 0x061c | 0xfeff
    )
}

/// Makes a line of JSON harmless on a terminal: what [`escape`] would not print either becomes `\uNNNN`, which means the same.
#[must_use]
pub fn escape_json(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        // None of them has a meaning of its own in JSON, so it stands within a text.
        if steers(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// A size with a binary unit: `512 B`, `1.5 KiB`, `12 MiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let mut unit = "B";
    #[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut value = bytes as f64;
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" {
        format!("{bytes} B")
    } else if value < 99.95 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// A size as `ls -h` prints it: `512`, `1.5K`, `12M`.
#[must_use]
pub fn short_size(bytes: u64) -> String {
    let text = size(bytes);
    match text.split_once(' ') {
        Some((number, "B")) => number.to_owned(),
        Some((number, unit)) => format!("{number}{}", unit.chars().next().unwrap_or(' ')),
        None => text,
    }
}

/// Bytes over time, as `12 MiB/s`.
#[must_use]
pub fn rate(bytes: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(1e-9);
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people"
    )]
    let per_second = (bytes as f64 / seconds) as u64;
    format!("{}/s", size(per_second))
}

/// A time since 1970 in UTC: `2026-01-31 23:59:59`.
#[must_use]
pub fn time(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400);
    let second = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Permission bits as `rw-r--r--`.
#[must_use]
pub fn mode(bits: u32) -> String {
    [0o400, 0o200, 0o100, 0o40, 0o20, 0o10, 0o4, 0o2, 0o1]
        .iter()
        .zip("rwxrwxrwx".chars())
        .map(|(bit, letter)| if bits & bit == 0 { '-' } else { letter })
        .collect()
}

/// One word for a POSIX shell, quoted if it has to be.
#[must_use]
pub fn shell_word(word: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Days since 1970 to a date of the Gregorian calendar (Howard Hinnant's algorithm).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_not_commanded() {
        for (text, shown) in [
            ("plain ü 日本", "plain ü 日本"),
            ("\x1b[2J\x07", "\\x1b[2J\\x07"),
            ("a\u{9b}31mb", "a\\x9b31mb"),
            ("del\x7f", "del\\x7f"),
            ("line\nbreak\r", "line\\x0abreak\\x0d"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
        ] {
            assert_eq!(escape(text), shown);
        }
        // Whatever turns the line round, ends it, or is not seen (Unicode, Annex 9, section 2).
        for c in "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}"
            .chars()
        {
            assert_eq!(escape(&c.to_string()), format!("\\u{{{:x}}}", u32::from(c)));
        }
    }

    #[test]
    fn json_means_the_same_and_commands_nothing() {
        let name = "\u{9b}2J\u{7f}\u{202e}\u{1b}\\x ü 日本\u{1f600}";
        let line = serde_json::to_string(name).unwrap();
        let shown = escape_json(&line);
        assert_eq!(escape(&shown), shown);
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), name);
    }

    #[test]
    fn sizes_and_rates() {
        for (bytes, long, short) in [
            (0, "0 B", "0"),
            (1023, "1023 B", "1023"),
            (1536, "1.5 KiB", "1.5K"),
            (1024 * 1024 - 1, "1.0 MiB", "1.0M"),
            (300 << 20, "300 MiB", "300M"),
            (u64::MAX, "16384 PiB", "16384P"),
        ] {
            assert_eq!(size(bytes), long);
            assert_eq!(short_size(bytes), short);
        }
        assert_eq!(rate(2048, Duration::from_secs(2)), "1.0 KiB/s");
        assert_eq!(rate(0, Duration::ZERO), "0 B/s");
    }

    #[test]
    fn dates() {
        for (seconds, shown) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (-1, "1969-12-31 23:59:59"),
            (4_102_444_799, "2099-12-31 23:59:59"),
        ] {
            assert_eq!(time(seconds), shown);
        }
        assert!(!time(i64::MAX).is_empty() && !time(i64::MIN).is_empty());
    }

    #[test]
    fn modes_and_words() {
        assert_eq!(mode(0o644), "rw-r--r--");
        assert_eq!(mode(0o7751), "rwxr-x--x");
        assert_eq!(shell_word("a.txt"), "a.txt");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
