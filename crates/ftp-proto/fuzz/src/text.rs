//! Texts of a peer: frames, paths, what a proxy says first.

use ftp_proto::VPath;
use ftp_proto::path::{NAME_BYTES, PATH_BYTES, PATH_DEPTH, RESERVED_PREFIX};
use ftp_proto::proxy::{HEADER_MAX as PROXY_MAX, Reading};
use ftp_proto::wire::frame::{self, Split};
use ftp_proto::wire::{ErrorBody, ListEntry, Outline, ReplyHead, Request, RequestHead};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest header, in bytes.
const HEADER_MAX: u32 = 65_536;

/// Bytes as a stream of frames, read by either end.
pub fn decoder(bytes: &[u8]) {
    // The header by itself, so that no luck with the length is needed to reach the JSON.
    header(bytes);
    let mut rest = bytes;
    while let Split::Head { json, consumed } = frame::split(rest, HEADER_MAX) {
        assert!(consumed <= rest.len() && json.len() + frame::PRELUDE == consumed);
        for cut in [0, 1, frame::PRELUDE, consumed / 2, consumed - 1] {
            let early = frame::split(&rest[..cut], HEADER_MAX);
            assert_eq!(early, Split::NeedMore, "a head before its last byte");
        }
        header(json);
        rest = &rest[consumed..];
    }
}

fn header(json: &[u8]) {
    goes_round::<ReplyHead>(json);
    goes_round::<ErrorBody>(json);
    if let Ok(entries) = serde_json::from_slice::<Vec<ListEntry>>(json) {
        let out = serde_json::to_vec(&entries).expect("read, but not written");
        let back: Vec<ListEntry> = serde_json::from_slice(&out).expect("written, but not read");
        assert_eq!(back, entries);
    }
    let Some(head) = goes_round::<RequestHead>(json) else {
        return;
    };
    let outline: Outline = frame::decode(json).expect("a whole head has an outline");
    assert_eq!(
        (outline.id, outline.fin, outline.len),
        (head.id, head.fin, head.len)
    );
    match Request::parse(head) {
        Ok(Request::Get {
            offset,
            digest_from,
            ..
        }) => assert!(digest_from <= offset),
        Ok(Request::Put(put)) => {
            check_path(&put.path);
            assert!(put.mode.is_none_or(|mode| mode <= 0o777));
            assert!(!put.resume || put.size.is_some());
        }
        Ok(Request::Rename { from, to, .. }) => {
            check_path(&from);
            check_path(&to);
        }
        Ok(_) => {}
        Err(error) => assert!(!error.message.is_empty()),
    }
}

/// Whatever can be read can be written, and reads the same again.
fn goes_round<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(
    json: &[u8],
) -> Option<T> {
    let value: T = frame::decode(json).ok()?;
    let mut out = Vec::new();
    if frame::encode(&value, HEADER_MAX, &mut out).is_err() {
        // Escapes can make it longer than it was.
        assert!(out.is_empty() && json.len() * 6 > HEADER_MAX as usize);
        return Some(value);
    }
    let Split::Head { json, consumed } = frame::split(&out, HEADER_MAX) else {
        panic!("written, but not read: {value:?}");
    };
    assert_eq!(consumed, out.len());
    let back: T = frame::decode(json).expect("written, but not read");
    assert_eq!(back, value);
    Some(value)
}

/// Bytes as the beginning of a proxy's connection: an answer holds, whatever follows, and comes in time.
pub fn proxy_header(bytes: &[u8]) {
    let all = ftp_proto::proxy::read(bytes);
    assert!(all != Reading::More || bytes.len() < PROXY_MAX);
    if let Reading::Header(header) = all {
        assert!(header.len <= bytes.len() && header.len <= PROXY_MAX);
        let whole = ftp_proto::proxy::read(&bytes[..header.len]);
        assert_eq!(whole, all, "what follows changes a header");
        let early = ftp_proto::proxy::read(&bytes[..header.len - 1]);
        assert_eq!(early, Reading::More, "a header before its last byte");
    }
}

/// Bytes as the text of a path, and as a name to join.
pub fn vpath(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (text, name) = text.split_once('\n').unwrap_or((&text, "x"));
    let Ok(path) = VPath::parse(text) else {
        return;
    };
    assert_eq!(path.as_str(), text);
    check_path(&path);
    match path.split_last() {
        None => assert!(path.is_root()),
        Some((dir, last)) => {
            check_path(&dir);
            assert_eq!(dir.join(last).as_ref(), Ok(&path));
        }
    }
    if let Ok(longer) = path.join(name) {
        check_path(&longer);
        assert_eq!(longer.split_last(), Some((path, name)));
    }
}

/// What every path promises to those who turn it into a file.
fn check_path(path: &VPath) {
    let text = path.as_str();
    assert!(text.len() <= PATH_BYTES && !text.starts_with('/') && !text.ends_with('/'));
    assert!(!text.contains(['\0', '\r', '\n']));
    let parts: Vec<&str> = path.parts().collect();
    assert!(parts.len() <= PATH_DEPTH && parts.join("/") == text);
    for part in parts {
        assert!(!part.is_empty() && part != "." && part != ".." && part.len() <= NAME_BYTES);
        assert!(!part.starts_with(RESERVED_PREFIX));
    }
}
