//! What the machine allows: file descriptors, of which connections leave some for the rest, and
//! memory.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::system::sysinfo;
use wfh_manifest::ByteSize;

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

/// Where a container is told how much memory it may have: control groups of version 2 and 1.
const CONTAINER_MEMORY: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// The memory of all sandboxes: what is asked for, else three quarters of what there is.
pub(crate) fn memory_bytes_max(wanted: Option<ByteSize>) -> u64 {
    if let Some(wanted) = wanted {
        return wanted.as_u64();
    }
    let about = sysinfo();
    let machine = (about.totalram as u64).saturating_mul(u64::from(about.mem_unit).max(1));
    let container = CONTAINER_MEMORY.iter().find_map(|path| fs::read_to_string(path).ok());
    // `max` where there is no limit.
    let container = container.and_then(|text| text.trim().parse::<u64>().ok());
    container.map_or(machine, |container| container.min(machine)) / 4 * 3
}
