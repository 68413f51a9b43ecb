//! Every bound of the protocol side, by name, in one struct.
//!
//! What can grow has its bound here (or, for what only the process knows, in the server's
//! configuration), and no machine invents one of its own.

use std::time::Duration;

/// Bounds of one session. All byte counts are bytes, all times are wall durations on a monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest frame header.
    pub header_bytes: u32,
    /// Most payload bytes in one frame, in either direction.
    pub chunk_bytes: u32,
    /// Most payload bytes of a `ping`.
    pub ping_bytes: u32,
    /// Most requests of one session that wait for their answer; beyond it the session is not read.
    pub pipeline: usize,
    /// Most answer bytes that are made but not yet taken by the peer; beyond it no new work starts.
    pub window_bytes: u64,
    /// Files up to this size are answered from memory in one frame, in one trip to a worker.
    pub inline_bytes: u32,
    /// Most bytes that are swallowed after a refused `put` before the connection is given up.
    pub swallow_bytes: u64,
    /// Most entries of one `list` page.
    pub page_entries: u32,
    /// Most bytes of one `list` page.
    pub page_bytes: u32,
    /// Most log-ins of one connection that may fail; with the last one it closes.
    pub login_tries: u32,
    /// From the connection to its `hello`, or, where users are wanted, to the end of its log-in.
    pub hello_time: Duration,
    /// Without a request under way.
    pub idle_time: Duration,
    /// Within it a transfer moves at least `floor_bytes`, or it is given up.
    pub stall_time: Duration,
    /// Least bytes of a transfer in each `stall_time`: a peer that trickles holds nothing for long.
    pub floor_bytes: u64,
    /// To flush and linger after the last answer.
    pub linger_time: Duration,
    /// RFC 959: longest command line, its end included; names take most of it.
    pub command_bytes: usize,
    /// RFC 959: most bytes of commands that wait for the one under way; beyond it the session is not read.
    pub held_bytes: usize,
    /// RFC 959: most bytes of replies the peer has not taken; beyond it no command is begun.
    pub replies_bytes: u64,
    /// RFC 959: most commands before the login that are unknown, too long or out of place.
    pub wrong_commands: u32,
    /// RFC 959: most names `STOU` tries.
    pub unique_tries: u32,
    /// RFC 959: from the connection to the login.
    pub login_time: Duration,
    /// RFC 959: from the transfer command to a data connection that can be used.
    pub data_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 64 * 1024,
            chunk_bytes: 1024 * 1024,
            ping_bytes: 4096,
            pipeline: 256,
            window_bytes: 4 * 1024 * 1024,
            inline_bytes: 64 * 1024,
            swallow_bytes: 64 * 1024 * 1024,
            page_entries: 4096,
            page_bytes: 1024 * 1024,
            login_tries: 3,
            hello_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(300),
            stall_time: Duration::from_secs(60),
            floor_bytes: 60 * 64,
            linger_time: Duration::from_secs(2),
            command_bytes: 8192,
            held_bytes: 16 * 1024,
            replies_bytes: 64 * 1024,
            wrong_commands: 16,
            unique_tries: 64,
            login_time: Duration::from_secs(60),
            data_time: Duration::from_secs(30),
        }
    }
}
