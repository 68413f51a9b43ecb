//! The time bounds of a session that a server may change while the session lasts.

use std::time::Duration;

use crate::Limits;

/// How long the machine waits for its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// From the connection to the first request.
    pub hello: Duration,
    /// Without a request under way.
    pub idle: Duration,
    /// Within it a transfer moves at least `floor_bytes`, or it is given up.
    pub stall: Duration,
    /// Least bytes of a transfer in each `stall`.
    pub floor_bytes: u64,
}

impl Times {
    /// Those among the limits of a session.
    #[must_use]
    pub fn of(limits: &Limits) -> Self {
        Self {
            hello: limits.hello_time,
            idle: limits.idle_time,
            stall: limits.stall_time,
            floor_bytes: limits.floor_bytes,
        }
    }
}
