//! The native dialect: what its client asks for, how it plays, and whether it was answered rightly.

pub(crate) mod client;
pub(crate) mod judge;
pub(crate) mod plan;
