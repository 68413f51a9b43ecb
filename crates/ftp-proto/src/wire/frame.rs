//! The frame: a 4-byte big-endian header length, a JSON header of that many bytes, then the payload it announces.

use std::fmt;

use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};

/// Bytes of the length before the header.
pub const PRELUDE: usize = 4;

/// What stands at the front of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum Split<'a> {
    /// Not all of the header is here yet.
    NeedMore,
    /// A whole header.
    Head {
        /// The JSON text.
        json: &'a [u8],
        /// Bytes up to the payload.
        consumed: usize,
    },
    /// A header longer than allowed, or empty: the stream cannot be followed any further.
    BadLength(u32),
}

/// Why a header could not be read or written.
#[derive(Debug)]
pub enum FrameError {
    /// It is not JSON of the right shape.
    Json(serde_json::Error),
    /// It would be longer than the receiver takes.
    TooLong(usize),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the frame header is not valid: {error}"),
            Self::TooLong(len) => write!(f, "the frame header would be {len} bytes long"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Looks for a header at the front of `bytes`. Cheap enough to be called again for every byte that comes.
#[must_use]
pub fn split(bytes: &[u8], header_max: u32) -> Split<'_> {
    let Some((prelude, rest)) = bytes.split_first_chunk::<PRELUDE>() else {
        return Split::NeedMore;
    };
    let len = u32::from_be_bytes(*prelude);
    if len == 0 || len > header_max {
        return Split::BadLength(len);
    }
    let len = len as usize;
    rest.get(..len).map_or(Split::NeedMore, |json| Split::Head {
        json,
        consumed: PRELUDE + len,
    })
}

/// Reads a header.
///
/// # Errors
/// [`FrameError::Json`] if the text is not a JSON object or a field has the wrong type.
pub fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T, FrameError> {
    // serde would also take an array of the fields' values, in our order of them.
    if json.trim_ascii_start().first() != Some(&b'{') {
        let why = "a header is a JSON object";
        return Err(FrameError::Json(serde_json::Error::custom(why)));
    }
    serde_json::from_slice(json).map_err(FrameError::Json)
}

/// Appends the prelude and header of a frame to `out`; the caller appends the payload.
///
/// # Errors
/// [`FrameError::TooLong`] if the header is longer than `header_max`; `out` is as before.
pub fn encode<T: Serialize>(
    head: &T,
    header_max: u32,
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; PRELUDE]);
    let written = serde_json::to_writer(&mut *out, head);
    let len = out.len() - start - PRELUDE;
    let fits = u32::try_from(len).ok().filter(|len| *len <= header_max);
    let failure = match (written, fits) {
        (Ok(()), Some(len)) => {
            if let Some(prelude) = out.get_mut(start..start + PRELUDE) {
                prelude.copy_from_slice(&len.to_be_bytes());
            }
            return Ok(());
        }
        (Err(error), _) => FrameError::Json(error),
        (Ok(()), None) => FrameError::TooLong(len),
    };
    out.truncate(start);
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::RequestHead;

    #[test]
    fn any_split_gives_the_same_head() {
        let mut bytes = Vec::new();
        let head = RequestHead {
            id: 7,
            verb: Some("ping".into()),
            fin: true,
            ..RequestHead::default()
        };
        encode(&head, 65536, &mut bytes).unwrap();
        for cut in 0..bytes.len() {
            assert_eq!(split(&bytes[..cut], 65536), Split::NeedMore, "cut at {cut}");
        }
        let Split::Head { json, consumed } = split(&bytes, 65536) else {
            panic!("no head")
        };
        assert_eq!(consumed, bytes.len());
        let back: RequestHead = decode(json).unwrap();
        assert_eq!(back, head);
    }

    #[test]
    fn a_header_is_an_object() {
        assert!(decode::<RequestHead>(br#" {"id":1}"#).is_ok());
        for json in ["[1,\"ping\"]", "1", "", "  ", "\"id\""] {
            assert!(decode::<RequestHead>(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn lengths_out_of_bounds_are_seen_at_once() {
        assert_eq!(split(&[0, 0, 0, 0], 65536), Split::BadLength(0));
        assert_eq!(split(&[0, 1, 0, 1], 65536), Split::BadLength(65537));
        assert_eq!(
            split(b"GET / HTTP/1.1", 65536),
            Split::BadLength(0x4745_5420)
        );
    }

    #[test]
    fn too_long_a_header_leaves_the_buffer_alone() {
        let mut out = b"before".to_vec();
        let head = RequestHead {
            id: 1,
            path: Some("x".repeat(100)),
            ..RequestHead::default()
        };
        assert!(matches!(
            encode(&head, 50, &mut out),
            Err(FrameError::TooLong(_))
        ));
        assert_eq!(out, b"before");
    }
}
