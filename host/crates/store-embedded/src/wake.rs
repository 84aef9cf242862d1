//! Wakes those who wait for a queue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wfh_store::QueueKey;

/// Who waits, by queue. A queue for which nobody waits costs nothing.
#[derive(Default)]
pub(crate) struct Wakes(Mutex<HashMap<QueueKey, Arc<Notify>>>);

/// One that waits; leaves the map when it is dropped.
pub(crate) struct Waiter<'a> {
    wakes: &'a Wakes,
    queue: QueueKey,
    pub(crate) notify: Arc<Notify>,
}

impl Wakes {
    fn lock(&self) -> MutexGuard<'_, HashMap<QueueKey, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wait(&self, queue: QueueKey) -> Waiter<'_> {
        let notify = Arc::clone(self.lock().entry(queue.clone()).or_default());
        Waiter { wakes: self, queue, notify }
    }

    pub(crate) fn wake(&self, queue: &QueueKey) {
        if let Some(notify) = self.lock().get(queue) {
            notify.notify_waiters();
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiting = self.wakes.lock();
        // Two: the map's and this one's.
        if Arc::strong_count(&self.notify) <= 2 {
            waiting.remove(&self.queue);
        }
    }
}
