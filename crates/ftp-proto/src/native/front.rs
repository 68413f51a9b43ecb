//! `Front`: what the request whose turn it is had to say.

/// What the front of the queue had to say.
#[derive(Debug)]
pub(super) enum Front {
    /// Nothing yet.
    Silent,
    /// A frame that is not the last.
    Spoke,
    /// The last frame; this is what the log says of it.
    Answered(&'static str),
}
