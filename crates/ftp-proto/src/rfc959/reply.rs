//! Replies (RFC 959, section 4.2): their text on the wire, and what a fault of the disk is called there.
//!
//! The only place that turns an outcome into a code. No text of a peer or of the disk can end a line.

use crate::path::PathError;
use crate::session::{Fault, FaultKind};

/// Most characters of a message; the rest is cut.
const MESSAGE_CHARS: usize = 1000;

/// One reply: a code, and one line or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// The only line, or the last.
    text: String,
    /// The lines before the last: the first stands beside the code, the others are indented.
    before: Vec<String>,
}

impl Reply {
    /// One line.
    pub(super) fn new(code: u16, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if let Some((end, _)) = text.char_indices().nth(MESSAGE_CHARS) {
            text.truncate(end);
            text.push('…');
        }
        Self {
            code,
            text,
            before: Vec::new(),
        }
    }

    /// One line that is never cut, because a program reads it: a path or a list of facts.
    pub(super) fn exact(code: u16, text: String) -> Self {
        Self {
            code,
            text,
            before: Vec::new(),
        }
    }

    /// Several lines: `first`, the indented ones between, and `last`.
    pub(super) fn lines(
        code: u16,
        first: impl Into<String>,
        between: impl IntoIterator<Item = String>,
        last: impl Into<String>,
    ) -> Self {
        let mut before = vec![first.into()];
        before.extend(between);
        Self {
            code,
            text: last.into(),
            before,
        }
    }

    /// The bytes for the control connection.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = String::new();
        for (index, line) in self.before.iter().enumerate() {
            if index == 0 {
                out.push_str(&format!("{}-", self.code));
            } else {
                out.push(' ');
            }
            push_line(&mut out, line);
        }
        out.push_str(&format!("{} ", self.code));
        push_line(&mut out, &self.text);
        out.into_bytes()
    }
}

/// A line with its end. What could end it early, or move a terminal's cursor, is shown as `?`; a tab is part of names that clients read.
fn push_line(out: &mut String, line: &str) {
    let shown = |c: char| {
        if c.is_ascii_control() && c != '\t' {
            '?'
        } else {
            c
        }
    };
    out.extend(line.chars().map(shown));
    out.push_str("\r\n");
}

/// A path as 257 tells it: in quotes, and those within doubled (RFC 959, appendix II).
pub(super) fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('"', "\"\""))
}

/// What a fault of the disk is called (RFC 959, section 4.2.1).
pub(super) fn fault(fault: &Fault) -> Reply {
    Reply::new(code(fault.kind), fault.detail.clone())
}

fn code(kind: FaultKind) -> u16 {
    match kind {
        FaultKind::NotFound
        | FaultKind::NotADirectory
        | FaultKind::IsADirectory
        | FaultKind::NotAFile
        | FaultKind::NotEmpty
        | FaultKind::Exists
        | FaultKind::Denied
        | FaultKind::ReadOnly => 550,
        FaultKind::NoSpace => 452,
        FaultKind::Quota => 552,
        FaultKind::BadName => 553,
        FaultKind::DigestMismatch
        | FaultKind::SizeMismatch
        | FaultKind::Changed
        | FaultKind::Io
        | FaultKind::Internal => 451,
        FaultKind::Busy => 450,
        FaultKind::BadRange => 554,
    }
}

/// What the log calls it.
pub(super) fn outcome(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::NotFound => "not_found",
        FaultKind::NotADirectory => "not_a_directory",
        FaultKind::IsADirectory => "is_a_directory",
        FaultKind::NotAFile => "not_a_file",
        FaultKind::NotEmpty => "not_empty",
        FaultKind::Exists => "exists",
        FaultKind::Denied => "denied",
        FaultKind::ReadOnly => "read_only",
        FaultKind::NoSpace => "no_space",
        FaultKind::Quota => "quota",
        FaultKind::BadName => "bad_path",
        FaultKind::DigestMismatch => "digest_mismatch",
        FaultKind::SizeMismatch => "size_mismatch",
        FaultKind::Changed => "changed",
        FaultKind::Busy => "busy",
        FaultKind::BadRange => "bad_range",
        FaultKind::Io => "io",
        FaultKind::Internal => "internal",
    }
}

/// A name that cannot be one; `code` is 553 where one was to be made, else 550.
pub(super) fn bad_path(code: u16, error: &PathError) -> Reply {
    Reply::new(code, error.to_string())
}

/// The shell answered an operation with the outcome of another.
pub(super) fn unexpected() -> Reply {
    Reply::new(
        451,
        "The server lost track of this command; its log says more",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: &Reply) -> String {
        String::from_utf8(reply.encode()).unwrap()
    }

    #[test]
    fn one_line_and_several() {
        assert_eq!(wire(&Reply::new(200, "Fine")), "200 Fine\r\n");
        let many = Reply::lines(211, "Features:", ["UTF8".into(), "211 odd".into()], "End");
        assert_eq!(
            wire(&many),
            "211-Features:\r\n UTF8\r\n 211 odd\r\n211 End\r\n"
        );
    }

    #[test]
    fn no_text_ends_a_line_or_moves_a_cursor() {
        let reply = Reply::new(550, "a\r\n226 done\x1b[2J\0\x7f");
        assert_eq!(wire(&reply), "550 a??226 done?[2J??\r\n");
        let tab = Reply::exact(257, quoted("/a\tb"));
        assert_eq!(wire(&tab), "257 \"/a\tb\"\r\n");
        let long = Reply::new(550, "é".repeat(2000));
        assert_eq!(wire(&long).chars().count(), 4 + 1000 + 1 + 2);
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quoted("/a\"b"), "\"/a\"\"b\"");
    }
}
