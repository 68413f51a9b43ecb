//! What may go wrong in a world, and so which answers are no surprise in it.

/// What may go wrong beyond what the request itself asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Climate {
    /// The disk fails now and then.
    pub(crate) faults: bool,
    /// Another session works on the same disk, or the reference cannot be sure for another reason.
    pub(crate) shared: bool,
    /// Files change behind the server's back: what was announced already ends with a digest that does not fit.
    pub(crate) tampered: bool,
    /// The server stops, or runs out of patience.
    pub(crate) ends: bool,
}
