//! What is said, and where an answer ends, in each language. Pure: bytes in, bytes and answers out.

use ftp_proto::wire::{self, ReplyHead, RequestHead, Split, frame};

use crate::args::Language;

/// Longest header that is taken.
const HEADER_MAX: u32 = 64 * 1024;

/// Follows the answers of one connection.
#[derive(Debug)]
pub(crate) struct Reader {
    language: Language,
    /// A header that is not whole yet.
    partial: Vec<u8>,
    /// Bytes of payload that are still to come.
    payload: u64,
    /// Whether the answer ends with that payload.
    last: bool,
}

/// What bytes brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Answers that are complete now.
    pub(crate) answers: u32,
    /// Bytes of files among them.
    pub(crate) payload: u64,
    /// What has to be said now.
    pub(crate) reply: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(language: Language) -> Self {
        Self {
            language,
            partial: Vec::new(),
            payload: 0,
            last: false,
        }
    }

    /// Takes what came.
    ///
    /// # Errors
    /// What is wrong with it, or the server's own error.
    pub(crate) fn hear(&mut self, mut bytes: &[u8], user: &str) -> Result<Heard, String> {
        let mut heard = Heard::default();
        while !bytes.is_empty() {
            if self.payload > 0 {
                let len = usize::try_from(self.payload).map_or(bytes.len(), |p| p.min(bytes.len()));
                self.payload -= len as u64;
                heard.payload += len as u64;
                bytes = bytes.get(len..).unwrap_or_default();
                heard.answers += u32::from(self.payload == 0 && self.last);
                continue;
            }
            let before = self.partial.len();
            self.partial.extend_from_slice(bytes);
            let Some(end) = self.head(user, &mut heard)? else {
                return Ok(heard);
            };
            bytes = bytes.get(end - before..).unwrap_or_default();
            self.partial.clear();
        }
        // Idle connections hold nothing.
        if self.partial.is_empty() {
            self.partial = Vec::new();
        }
        Ok(heard)
    }

    /// Reads a head at the front of `partial`, if it is whole; gives its length.
    fn head(&mut self, user: &str, heard: &mut Heard) -> Result<Option<usize>, String> {
        let end = match self.language {
            Language::Native => self.native_head()?,
            Language::Http => self.http_head()?,
            Language::Ftp => return self.ftp_line(user, heard),
        };
        heard.answers += u32::from(end.is_some() && self.last && self.payload == 0);
        Ok(end)
    }

    fn native_head(&mut self) -> Result<Option<usize>, String> {
        match frame::split(&self.partial, HEADER_MAX) {
            Split::NeedMore => Ok(None),
            Split::BadLength(len) => Err(format!("a header of {len} bytes")),
            Split::Head { json, consumed } => {
                let head: ReplyHead = frame::decode(json).map_err(|error| error.to_string())?;
                if let Some(error) = head.error {
                    return Err(format!("{}: {}", error.code.as_str(), error.message));
                }
                self.payload = head.len;
                self.last = head.fin;
                Ok(Some(consumed))
            }
        }
    }

    fn http_head(&mut self) -> Result<Option<usize>, String> {
        const END: &[u8] = b"\r\n\r\n";
        let Some(at) = self.partial.windows(END.len()).position(|w| w == END) else {
            return Ok(None);
        };
        let text =
            String::from_utf8_lossy(self.partial.get(..at).unwrap_or_default()).to_lowercase();
        let mut lines = text.lines();
        let status = lines.next().unwrap_or_default();
        if !status.starts_with("http/1.1 2") {
            return Err(status.to_owned());
        }
        self.payload = lines
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or(0);
        self.last = true;
        Ok(Some(at + END.len()))
    }

    /// A line of the login: asks for what comes next, until the server says 230.
    fn ftp_line(&self, user: &str, heard: &mut Heard) -> Result<Option<usize>, String> {
        let Some(at) = self.partial.iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let line = String::from_utf8_lossy(self.partial.get(..at).unwrap_or_default()).into_owned();
        // `220-` and what follows it without a code is not the end of a reply.
        match line.get(..4).unwrap_or(&line) {
            "220 " => heard.reply.extend(format!("USER {user}\r\n").bytes()),
            "331 " => heard.reply.extend(format!("PASS {user}\r\n").bytes()),
            "230 " => heard.answers += 1,
            code if code.starts_with(['4', '5']) && code.ends_with(' ') => return Err(line),
            _ => {}
        }
        Ok(Some(at + 1))
    }
}

/// What a client says first. `small` is a small file, for languages that have no greeting of their own.
pub(crate) fn greeting(language: Language, small: &str) -> Vec<u8> {
    match language {
        Language::Native => native(&RequestHead {
            verb: Some("hello".into()),
            version: Some(wire::VERSION),
            client: Some("ftp-load".into()),
            ..RequestHead::default()
        }),
        Language::Http => get(language, small),
        Language::Ftp => Vec::new(),
    }
}

/// The smallest thing to ask on a connection that has been greeted.
pub(crate) fn ask(language: Language, small: &str) -> Vec<u8> {
    match language {
        Language::Native => native(&RequestHead {
            verb: Some("ping".into()),
            ..RequestHead::default()
        }),
        Language::Http => get(language, small),
        Language::Ftp => b"NOOP\r\n".to_vec(),
    }
}

/// Asks for a file.
pub(crate) fn get(language: Language, path: &str) -> Vec<u8> {
    match language {
        Language::Native => native(&RequestHead {
            verb: Some("get".into()),
            path: Some(path.into()),
            ..RequestHead::default()
        }),
        Language::Http => format!("GET /{path} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes(),
        Language::Ftp => Vec::new(),
    }
}

/// The head of an upload whose payload follows in frames of [`more`].
pub(crate) fn put(path: &str, size: u64, sha256: ftp_proto::Digest) -> Vec<u8> {
    encode(&RequestHead {
        id: 1,
        verb: Some("put".into()),
        path: Some(path.into()),
        size: Some(size),
        sha256: Some(sha256),
        parents: true,
        fin: size == 0,
        ..RequestHead::default()
    })
}

/// The head of a frame of an upload.
pub(crate) fn more(len: u64, fin: bool) -> Vec<u8> {
    encode(&RequestHead {
        id: 1,
        len,
        fin,
        ..RequestHead::default()
    })
}

/// A request of one frame. One is under way at a time, so all may have one id.
fn native(head: &RequestHead) -> Vec<u8> {
    encode(&RequestHead {
        id: 1,
        fin: true,
        ..head.clone()
    })
}

fn encode(head: &RequestHead) -> Vec<u8> {
    let mut out = Vec::new();
    // A header of ours is far from the limit: this cannot fail.
    if frame::encode(head, HEADER_MAX, &mut out).is_err() {
        out.clear();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear_in_pieces(language: Language, bytes: &[u8], piece: usize) -> Result<Heard, String> {
        let mut reader = Reader::new(language);
        let mut all = Heard::default();
        for part in bytes.chunks(piece) {
            let heard = reader.hear(part, "me")?;
            all.answers += heard.answers;
            all.payload += heard.payload;
            all.reply.extend(heard.reply);
        }
        Ok(all)
    }

    fn reply(head: &ReplyHead, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        frame::encode(head, HEADER_MAX, &mut out).unwrap();
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn answers_are_counted_however_they_are_cut() {
        let hello = ReplyHead {
            fin: true,
            ..ReplyHead::default()
        };
        let first = ReplyHead {
            len: 3,
            ..ReplyHead::default()
        };
        let last = ReplyHead {
            len: 2,
            fin: true,
            ..ReplyHead::default()
        };
        let native = [
            reply(&hello, b""),
            reply(&first, b"abc"),
            reply(&last, b"de"),
        ]
        .concat();
        let http = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcdeHTTP/1.1 204 No\r\n\r\n";
        let ftp = b"220-Hello\r\n220 there\r\n331 Who?\r\n230 In\r\n";
        for piece in 1..=native.len().max(http.len()) {
            let heard = hear_in_pieces(Language::Native, &native, piece).unwrap();
            assert_eq!((heard.answers, heard.payload), (2, 5), "native, {piece}");
            let heard = hear_in_pieces(Language::Http, http, piece).unwrap();
            assert_eq!((heard.answers, heard.payload), (2, 5), "http, {piece}");
            let heard = hear_in_pieces(Language::Ftp, ftp, piece).unwrap();
            assert_eq!(heard.answers, 1, "ftp, {piece}");
            assert_eq!(heard.reply, b"USER me\r\nPASS me\r\n", "ftp, {piece}");
        }
    }

    #[test]
    fn a_refusal_is_an_error() {
        let refused = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        assert!(hear_in_pieces(Language::Http, refused, 7).is_err());
        assert!(hear_in_pieces(Language::Ftp, b"530 No\r\n", 3).is_err());
        assert!(hear_in_pieces(Language::Native, b"HTTP/1.1", 1).is_err());
    }
}
