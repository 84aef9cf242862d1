//! Which asynchronous invocations run at this moment, in this process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wfh_event::InvocationId;

/// The set of them.
#[derive(Default)]
pub struct Running(Mutex<HashSet<InvocationId>>);

impl Running {
    /// Whether an invocation runs now.
    #[must_use]
    pub fn contains(&self, id: InvocationId) -> bool {
        self.lock().contains(&id)
    }

    /// They run until the guard is dropped. Synchronous calls are none of them, and lock nothing.
    pub(crate) fn enter(
        self: &Arc<Self>,
        ids: impl Iterator<Item = InvocationId>,
    ) -> Option<Guard> {
        let ids: Vec<InvocationId> = ids.collect();
        if ids.is_empty() {
            return None;
        }
        self.lock().extend(&ids);
        Some(Guard { running: Arc::clone(self), ids })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<InvocationId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends what it entered.
pub(crate) struct Guard {
    running: Arc<Running>,
    ids: Vec<InvocationId>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut running = self.running.lock();
        for id in &self.ids {
            running.remove(id);
        }
    }
}
