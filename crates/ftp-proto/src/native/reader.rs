//! Frames: finds them in what arrives, and follows the message that is open.

use crate::wire::frame::{self, Split};
use crate::wire::{Outline, RequestHead};

/// Where the reading stands.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The message whose last frame has not been read to its end.
    pub(super) open: Option<Open>,
    /// The payload of its current frame. Only with `open`.
    pub(super) body: Option<Body>,
    /// A frame that was read and has to wait; nothing is read meanwhile.
    pub(super) held: Option<Frame>,
}

/// An open message.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: u64,
    /// The request's number in the queue, where it may be gone already.
    pub(super) seq: u64,
    /// Payload bytes that nobody wanted.
    pub(super) swallowed: u64,
}

/// The payload of a frame.
#[derive(Debug)]
pub(super) struct Body {
    /// Bytes to come; never 0.
    pub(super) left: u64,
    /// It ends the message.
    pub(super) fin: bool,
}

/// A frame's header. `head` is what is wrong with it, if only its outline could be read.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) id: u64,
    pub(super) fin: bool,
    pub(super) len: u64,
    pub(super) head: Result<Box<RequestHead>, String>,
}

/// What stands at the front of the bytes.
#[derive(Debug)]
pub(super) enum Found {
    /// Not yet a whole header.
    NeedMore,
    /// A header of so many bytes, prelude included.
    Frame(Frame, usize),
    /// Nothing that could be followed any further, and why.
    Broken(String),
}

impl Reader {
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_none() && self.held.is_none()
    }
}

impl Frame {
    /// The verb, if this frame has one.
    pub(super) fn verb(&self) -> Option<&str> {
        self.head
            .as_ref()
            .ok()
            .and_then(|head| head.verb.as_deref())
    }
}

/// Reads the header at the front of `bytes`.
pub(super) fn find(bytes: &[u8], header_max: u32) -> Found {
    let (json, consumed) = match frame::split(bytes, header_max) {
        Split::NeedMore => return Found::NeedMore,
        Split::BadLength(len) => {
            return Found::Broken(format!(
                "a header of {len} bytes; 1 to {header_max} are taken"
            ));
        }
        Split::Head { json, consumed } => (json, consumed),
    };
    let frame = match frame::decode::<RequestHead>(json) {
        Ok(head) => Frame {
            id: head.id,
            fin: head.fin,
            len: head.len,
            head: Ok(Box::new(head)),
        },
        Err(error) => match frame::decode::<Outline>(json) {
            Ok(Outline { id, fin, len }) => Frame {
                id,
                fin,
                len,
                head: Err(error.to_string()),
            },
            Err(error) => return Found::Broken(error.to_string()),
        },
    };
    if frame.id == 0 {
        return Found::Broken("a request needs an `id` of 1 or more".to_owned());
    }
    Found::Frame(frame, consumed)
}
