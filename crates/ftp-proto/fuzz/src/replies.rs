//! What an FTP client reads: replies, line by line (RFC 959, section 4.2). Whatever is none is a panic.

/// Reads the server's side of a control connection.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// The code of a reply that goes on over several lines.
    open: Option<Vec<u8>>,
    /// Replies that were whole, but for those that only announce another (1yz).
    pub(crate) last_ones: usize,
    /// The line that ended the last reply.
    pub(crate) last_line: String,
}

impl Replies {
    /// Takes what the server sends in one go: whole lines.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let text = bytes.strip_suffix(b"\r\n").expect("a line without its end");
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            assert!(!line.contains(&b'\r') && !line.contains(&0), "{line:?}");
            self.line(line);
        }
    }

    /// Whether a reply has begun and not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn line(&mut self, line: &[u8]) {
        let code = line
            .get(..3)
            .filter(|code| code.iter().all(u8::is_ascii_digit));
        match (&self.open, code, line.get(3)) {
            (None, Some(code), Some(b' ')) => self.end(code, line),
            (None, Some(code), Some(b'-')) => self.open = Some(code.to_vec()),
            (Some(open), Some(code), Some(b' ')) if open == code => self.end(code, line),
            (Some(_), None, _) => {}
            _ => panic!("no reply: {:?}", String::from_utf8_lossy(line)),
        }
    }

    fn end(&mut self, code: &[u8], line: &[u8]) {
        assert!((b'1'..=b'5').contains(&code[0]), "no such class: {code:?}");
        self.open = None;
        self.last_ones += usize::from(code[0] != b'1');
        self.last_line = String::from_utf8_lossy(line).into_owned();
    }
}
