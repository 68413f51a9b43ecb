//! What a listing's lines look like: `ls -l`, names, and the facts of RFC 3659.
//!
//! Every line ends with CR LF, whatever the type. Times are UTC.

use std::fmt::Write as _;

use super::time::{Civil, stamp};
use crate::Kind;
use crate::session::{Entry, Meta};

/// How a listing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `LIST`, and `STAT` with a path: as `ls -l` writes it.
    Long,
    /// `NLST`: names.
    Names,
    /// `MLSD`: facts.
    Facts(Facts),
}

/// Which facts are told (RFC 3659, section 7.5; `UNIX.mode` is in common use).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts(u8);

const FACTS: [&str; 6] = ["type", "size", "modify", "perm", "unique", "UNIX.mode"];

impl Facts {
    pub(super) const ALL: Self = Self(0b11_1111);

    /// Those of `names` that are known, as `OPTS MLST a;b;` gives them.
    pub(super) fn parse(names: &str) -> Self {
        let mut bits = 0;
        for name in names.split(';') {
            if let Some(at) = FACTS
                .iter()
                .position(|fact| fact.eq_ignore_ascii_case(name))
            {
                bits |= 1 << at;
            }
        }
        Self(bits)
    }

    /// `type;size;` and so on, the chosen ones with a mark behind them.
    pub(super) fn names(self, mark: &str) -> String {
        let all = mark == "*";
        let mut out = String::new();
        for (at, fact) in FACTS.iter().enumerate() {
            let chosen = self.has(at);
            if chosen || all {
                out.push_str(fact);
                out.push_str(if chosen { mark } else { "" });
                out.push(';');
            }
        }
        out
    }

    fn has(self, at: usize) -> bool {
        self.0 & (1 << at) != 0
    }
}

/// One line of a listing; `None` for what this format does not show.
pub(super) fn push(out: &mut String, format: Format, entry: &Entry, writable: bool) {
    match format {
        Format::Long => push_long(out, &entry.name, &entry.meta),
        Format::Names => out.push_str(&entry.name),
        Format::Facts(facts) => {
            push_facts(out, facts, &entry.meta, writable);
            let _ = write!(out, " {}", entry.name);
        }
    }
    out.push_str("\r\n");
}

/// `-rw-r--r--   1 ftp      ftp            1234 Jan 02  2026 name`. Always with the year and never with the
/// time of day: which of the two `ls` shows depends on the day it is asked.
fn push_long(out: &mut String, name: &str, meta: &Meta) {
    let kind = match meta.kind {
        Kind::File => '-',
        Kind::Dir => 'd',
        Kind::Link => 'l',
        Kind::Other => 's',
    };
    out.push(kind);
    for shift in [6, 3, 0] {
        let bits = meta.mode >> shift;
        for (bit, letter) in [(4, 'r'), (2, 'w'), (1, 'x')] {
            out.push(if bits & bit == 0 { '-' } else { letter });
        }
    }
    let date = Civil::of(meta.mtime);
    let month = MONTHS
        .get(usize::from(date.month).wrapping_sub(1))
        .unwrap_or(&"Jan");
    let _ = write!(
        out,
        " {:>3} ftp      ftp      {:>12} {month} {:02} {:>5} {name}",
        1, meta.size, date.day, date.year
    );
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `type=file;size=12;modify=20260102030405;` and so on, without the blank and the name.
pub(super) fn push_facts(out: &mut String, facts: Facts, meta: &Meta, writable: bool) {
    let dir = meta.kind == Kind::Dir;
    for (at, fact) in FACTS.iter().enumerate() {
        // RFC 3659 has `size` for files alone.
        if !facts.has(at) || (*fact == "size" && dir) {
            continue;
        }
        let _ = match at {
            0 => write!(out, "type={}", kind(meta.kind)),
            1 => write!(out, "size={}", meta.size),
            2 => write!(out, "modify={}", stamp(meta.mtime, 0)),
            3 => write!(out, "perm={}", perm(meta.kind, writable)),
            4 => write!(out, "unique={}", meta.unique()),
            _ => write!(out, "UNIX.mode={:04o}", meta.mode),
        };
        out.push(';');
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Dir => "dir",
        Kind::Link => "OS.unix=slink",
        Kind::Other => "OS.unix=special",
    }
}

/// What may be tried (RFC 3659, section 7.5.5); whether it works is found out by trying.
fn perm(kind: Kind, writable: bool) -> &'static str {
    match (kind, writable) {
        (Kind::File, true) => "adfrw",
        (Kind::File, false) => "r",
        (Kind::Dir, true) => "cdeflmp",
        (Kind::Dir, false) => "el",
        (Kind::Link | Kind::Other, true) => "df",
        (Kind::Link | Kind::Other, false) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind, name: &str) -> Entry {
        Entry {
            name: name.into(),
            meta: Meta {
                kind,
                size: 1234,
                mtime: 1_767_323_045,
                mtime_ns: 5,
                mode: 0o751,
                etag: "1f.2a.3.4.5".into(),
            },
        }
    }

    fn line(format: Format, kind: Kind) -> String {
        let mut out = String::new();
        push(&mut out, format, &entry(kind, "a b"), true);
        out
    }

    #[test]
    fn long_lines_are_as_ls_writes_them() {
        assert_eq!(
            line(Format::Long, Kind::File),
            "-rwxr-x--x   1 ftp      ftp              1234 Jan 02  2026 a b\r\n"
        );
        assert_eq!(&line(Format::Long, Kind::Dir)[..10], "drwxr-x--x");
        assert_eq!(&line(Format::Long, Kind::Link)[..1], "l");
    }

    #[test]
    fn facts_are_those_that_were_chosen() {
        assert_eq!(
            line(Format::Facts(Facts::ALL), Kind::File),
            "type=file;size=1234;modify=20260102030405;perm=adfrw;unique=1f.2a;UNIX.mode=0751; a b\r\n"
        );
        let some = Facts::parse("Type;SIZE;nonsense;");
        assert_eq!(line(Format::Facts(some), Kind::Dir), "type=dir; a b\r\n");
        assert_eq!(
            line(Format::Facts(Facts::parse("")), Kind::File),
            " a b\r\n"
        );
        assert_eq!(some.names(""), "type;size;");
        assert_eq!(some.names("*"), "type*;size*;modify;perm;unique;UNIX.mode;");
    }

    #[test]
    fn names_are_bare() {
        assert_eq!(line(Format::Names, Kind::File), "a b\r\n");
    }
}
