//! The server machine of the native protocol.
