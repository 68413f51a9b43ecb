//! Sticky readiness: an edge sets a bit, and only `WouldBlock` clears it.

/// What a socket was last said to be ready for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// A read may find something.
    pub(crate) readable: bool,
    /// A write may find room.
    pub(crate) writable: bool,
    /// The socket has an error to tell.
    pub(crate) error: bool,
}

impl Readiness {
    /// Adds what an event says. Never removes anything: spurious events are legal, lost ones are not.
    pub(crate) fn mark(&mut self, event: &mio::event::Event) {
        self.readable |= event.is_readable() || event.is_read_closed();
        self.writable |= event.is_writable() || event.is_write_closed();
        self.error |= event.is_error();
    }
}
