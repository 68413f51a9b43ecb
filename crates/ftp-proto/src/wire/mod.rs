//! What the bytes of the native protocol mean: the normative text is `PROTOCOL.md`.
//!
//! Used by both ends. Pure: [`frame`] finds frames in a buffer, [`head`] gives their headers a type,
//! [`code`] lists every error we may say.

pub mod code;
pub mod frame;
pub mod head;

pub use code::{Code, ErrorBody};
pub use frame::{FrameError, Split};
pub use head::{ListEntry, LoginWanted, Outline, PeerLimits, Put, ReplyHead, Request, RequestHead};

/// The version of the protocol that this crate speaks.
pub const VERSION: u32 = 1;
