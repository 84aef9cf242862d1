//! What the host knows about itself: the parts fill it, the admin port reads it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why the host is not ready, part by part. Empty means ready.
#[derive(Debug, Default)]
pub struct Status {
    waiting: Mutex<BTreeMap<String, String>>,
}

impl Status {
    /// Says that `part` (such as `function:hello`) keeps the host from being ready, and why.
    pub fn wait_for(&self, part: &str, reason: &str) {
        self.lock().insert(part.to_owned(), reason.to_owned());
    }

    /// Says that `part` no longer does.
    pub fn is_ready(&self, part: &str) {
        self.lock().remove(part);
    }

    /// What the host still waits for, as pairs of part and reason.
    #[must_use]
    pub fn waiting(&self) -> Vec<(String, String)> {
        self.lock().iter().map(|(part, reason)| (part.clone(), reason.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
