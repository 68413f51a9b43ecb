//! Command lines (RFC 959, section 4; Telnet's NVT, RFC 854): where one ends, and what is not text in it.
//!
//! Holds nothing: what is not a whole line stays with the caller, up to a bound.

use zeroize::Zeroizing;

/// Telnet's "interpret as command".
const IAC: u8 = 255;

/// One line, without its end. It may be a password: it leaves no trace in memory, and is not shown.
pub(super) struct Line(pub(super) Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line({} bytes)", self.0.len())
    }
}

impl Line {
    /// Stands for a line that was too long to be kept: no line that was sent can be equal to it.
    pub(super) fn too_long() -> Self {
        Self(Zeroizing::new(b"\n".to_vec()))
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.0.as_slice() == b"\n"
    }
}

/// What stands at the front of the bytes at hand.
#[derive(Debug)]
pub(super) enum Cut {
    /// No end of line yet.
    NeedMore,
    /// A line, and how many bytes it took.
    Line(Line, usize),
    /// A line longer than it may be; so many of its bytes are here and its end may not be among them.
    TooLong {
        /// Bytes to drop.
        used: usize,
        /// The end of the line was among them.
        ended: bool,
    },
}

/// Cuts one line off; `max` counts its end too. CR LF ends a line, and LF alone does.
pub(super) fn cut(bytes: &[u8], max: usize) -> Cut {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let Some(end) = end else {
        let used = bytes.len();
        return if used < max {
            Cut::NeedMore
        } else {
            Cut::TooLong { used, ended: false }
        };
    };
    if end >= max {
        let used = end + 1;
        return Cut::TooLong { used, ended: true };
    }
    let text = bytes.get(..end).unwrap_or_default();
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    Cut::Line(Line(Zeroizing::new(without_telnet(text))), end + 1)
}

/// How many bytes of an overlong line can be dropped, and whether that ends it.
pub(super) fn skip(bytes: &[u8]) -> (usize, bool) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (end + 1, true),
        None => (bytes.len(), false),
    }
}

/// Takes out Telnet's commands: IP and DM before an ABOR, and options nobody here negotiates.
fn without_telnet(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != IAC {
            out.push(byte);
            continue;
        }
        match bytes.peek() {
            Some(&IAC) => {
                bytes.next();
                out.push(IAC);
            }
            // WILL, WONT, DO, DONT and the option.
            Some(251..=254) => {
                bytes.next();
                bytes.next();
            }
            Some(240..=250) => {
                bytes.next();
            }
            // The data mark was urgent, and the urgent byte may have been taken out on its way.
            Some(_) | None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: &[u8]) -> (Vec<u8>, usize) {
        let Cut::Line(line, used) = cut(bytes, 64) else {
            panic!("no line in {bytes:?}");
        };
        (line.0.to_vec(), used)
    }

    #[test]
    fn both_ends_of_line_are_taken() {
        assert_eq!(line(b"NOOP\r\nX"), (b"NOOP".to_vec(), 6));
        assert_eq!(line(b"NOOP\nX"), (b"NOOP".to_vec(), 5));
        assert_eq!(line(b"\n"), (b"".to_vec(), 1));
        assert_eq!(line(b"a\rb\r\r\n"), (b"a\rb\r".to_vec(), 6));
    }

    #[test]
    fn a_line_is_bounded() {
        assert!(matches!(cut(b"", 4), Cut::NeedMore));
        assert!(matches!(cut(b"abc", 4), Cut::NeedMore));
        assert!(matches!(cut(b"abc\n", 4), Cut::Line(_, 4)));
        assert!(matches!(
            cut(b"abcd", 4),
            Cut::TooLong {
                used: 4,
                ended: false
            }
        ));
        assert!(matches!(
            cut(b"abcd\nx", 4),
            Cut::TooLong {
                used: 5,
                ended: true
            }
        ));
        assert_eq!(skip(b"more"), (4, false));
        assert_eq!(skip(b"more\nx"), (5, true));
    }

    #[test]
    fn telnet_is_taken_out() {
        for (raw, text) in [
            (&b"\xff\xf4\xff\xf2ABOR\n"[..], &b"ABOR"[..]),
            // The urgent byte was taken out.
            (b"\xff\xf4\xffABOR\n", b"ABOR"),
            (b"\xff\xfd\x01NO\xff\xfb\x03OP\n", b"NOOP"),
            (b"RETR \xff\xff\n", b"RETR \xff"),
            (b"NOOP\xff\n", b"NOOP"),
            (b"NOOP\xff\xfb\n", b"NOOP"),
        ] {
            assert_eq!(line(raw).0, text);
        }
    }
}
