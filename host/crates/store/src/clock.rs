//! Wall time for records and their age. Timers are tokio's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the wall time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970. It may step in either direction.
    fn now_ms(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that stands until it is set: for tests.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `now_ms`.
    #[must_use]
    pub fn new(now_ms: u64) -> Self {
        Self(AtomicU64::new(now_ms))
    }

    /// Sets it, forwards or backwards.
    pub fn set(&self, now_ms: u64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }

    /// Sets it forward.
    pub fn advance(&self, by_ms: u64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Time for delays, leases and ages, which never goes back.
///
/// When the wall clock steps backwards this time goes on from where it was, so that nothing which
/// could be claimed is hidden and nothing that was over begins again. A step forwards moves it.
pub struct Steady {
    clock: Arc<dyn Clock>,
    last: Mutex<Now>,
}

/// One moment, on both scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// What the wall clock shows: for records.
    pub wall_ms: u64,
    /// The time that never goes back.
    pub steady_ms: u64,
}

impl Now {
    /// The moment that is `by` later, in steady time.
    #[must_use]
    pub fn later_ms(self, by: Duration) -> u64 {
        self.steady_ms.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX))
    }

    /// What the wall clock shows, by its present setting, when the steady time is `steady_ms`.
    #[must_use]
    pub fn wall_of(self, steady_ms: u64) -> u64 {
        let ahead_ms = self.steady_ms.saturating_sub(self.wall_ms);
        let behind_ms = self.wall_ms.saturating_sub(self.steady_ms);
        steady_ms.saturating_sub(ahead_ms).saturating_add(behind_ms)
    }
}

impl Steady {
    /// Begins at `last`, which a store kept from when it was open before. What has gone by since
    /// then, by the wall clock, is added.
    #[must_use]
    pub fn resume(clock: Arc<dyn Clock>, last: Now) -> Self {
        Self { clock, last: Mutex::new(last) }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Now {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: two readings out of order would look like a step back.
        let wall_ms = self.clock.now_ms();
        let gone_by_ms = wall_ms.saturating_sub(last.wall_ms);
        *last = Now { wall_ms, steady_ms: last.steady_ms.saturating_add(gone_by_ms) };
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_time_follows_steps_forward_and_ignores_steps_back() {
        let clock = Arc::new(ManualClock::new(1_000));
        let steady = Steady::resume(clock.clone(), Now::default());
        assert_eq!(steady.now().steady_ms, 1_000);
        clock.set(400);
        assert_eq!(steady.now(), Now { wall_ms: 400, steady_ms: 1_000 });
        clock.set(500);
        let now = steady.now();
        assert_eq!(now.steady_ms, 1_100, "it goes on after a step back");
        assert_eq!(now.wall_of(1_300), 700);
        clock.set(5_000);
        assert_eq!(steady.now().steady_ms, 5_600);
    }
}
