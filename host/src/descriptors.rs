//! File descriptors: as many as the machine allows, and connections that leave some for the rest.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for the admin port, files, outgoing calls and the runtimes.
const RESERVE: u64 = 64;

/// Raises the soft limit to the hard one: it is low for programs that still use `select`.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of descriptors stays");
    }
}

/// The connections that fit: when all descriptors were connections, nothing else would work, the
/// liveness probe among it.
pub(crate) fn connections_max(wanted: usize) -> usize {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return wanted };
    let fitting = limit.saturating_sub(RESERVE).max(limit / 2).max(1);
    let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
    if fitting < wanted {
        tracing::warn!(
            fitting,
            wanted,
            "http.connections_max is lowered to what the limit of descriptors allows; raise it with \
             `ulimit -n`"
        );
    }
    fitting.min(wanted)
}
