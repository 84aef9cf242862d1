//! Leases on keys. They live in memory: only one process opens the store, and they are void when
//! it opens again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wfh_store::{Key, Lease, Now};

/// How long a lease that a commit relies on is at least kept, so that nobody gets it between the
/// check and the end of the commit.
const COMMIT_MAX: Duration = Duration::from_secs(60);

/// Who holds what.
pub(crate) struct Leases {
    held: Mutex<HashMap<Key, Held>>,
    token: AtomicU64,
}

struct Held {
    token: u64,
    until_ms: u64,
}

impl Leases {
    /// `opening`, which is greater each time, makes the tokens of this one differ from all before.
    pub(crate) fn new(opening: u64) -> Self {
        let token = AtomicU64::new(opening.wrapping_shl(40));
        Self { held: Mutex::default(), token }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None: somebody holds it.
    pub(crate) fn acquire(&self, key: &Key, ttl: Duration, now: Now) -> Option<Lease> {
        let token = self.token.fetch_add(1, Ordering::Relaxed);
        let lease = Held { token, until_ms: now.later_ms(ttl) };
        match self.lock().entry(key.clone()) {
            Entry::Occupied(held) if held.get().until_ms > now.steady_ms => return None,
            Entry::Occupied(mut held) => *held.get_mut() = lease,
            Entry::Vacant(place) => {
                place.insert(lease);
            }
        }
        Some(Lease { key: key.clone(), token })
    }

    /// Makes a live lease end `ttl` from now.
    pub(crate) fn renew(&self, lease: &Lease, ttl: Duration, now: Now) -> bool {
        match self.lock().get_mut(&lease.key) {
            Some(held) if held.token == lease.token && held.until_ms > now.steady_ms => {
                held.until_ms = now.later_ms(ttl);
                true
            }
            _ => false,
        }
    }

    /// Whether the lease is live; if so it stays live while a commit is made.
    pub(crate) fn pin(&self, lease: &Lease, now: Now) -> bool {
        match self.lock().get_mut(&lease.key) {
            Some(held) if held.token == lease.token && held.until_ms > now.steady_ms => {
                held.until_ms = held.until_ms.max(now.later_ms(COMMIT_MAX));
                true
            }
            _ => false,
        }
    }

    pub(crate) fn give_back(&self, lease: &Lease) {
        let mut held = self.lock();
        if held.get(&lease.key).is_some_and(|held| held.token == lease.token) {
            held.remove(&lease.key);
        }
    }

    /// Ends the leases of keys that were written.
    pub(crate) fn end(&self, keys: &[Key]) {
        if keys.is_empty() {
            return;
        }
        let mut held = self.lock();
        for key in keys {
            held.remove(key);
        }
    }

    /// Forgets those that are over.
    pub(crate) fn expire(&self, now: Now) {
        self.lock().retain(|_, held| held.until_ms > now.steady_ms);
    }
}
