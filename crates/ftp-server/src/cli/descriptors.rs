//! File descriptors: as many as the system lets us have, because every connection and every file takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for files, listeners and the like when connections are counted against the limit.
const RESERVE: u64 = 512;

/// Raises the soft limit to the hard one (`setrlimit(2)`, `RLIMIT_NOFILE`), logs what it is now, and warns if
/// so many connections do not fit.
pub(super) fn raise(max_connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let now = match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised");
            limit.current
        }
    };
    let Some(now) = now else {
        tracing::info!("open files are not limited");
        return;
    };
    tracing::info!(limit = now, before = limit.current, "open files");
    let connections = u64::try_from(max_connections).unwrap_or(u64::MAX);
    if connections.saturating_add(RESERVE) > now {
        tracing::warn!(
            limit = now,
            max_connections,
            "fewer connections than allowed will fit: raise the limit of open files (ulimit -n) or lower --max-connections"
        );
    }
}
