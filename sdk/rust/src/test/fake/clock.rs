//! A time that moves when it is told to, or when there is nothing else to wait for.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

#[derive(Default)]
pub(in crate::test) struct Clock {
    now: Duration,
    /// By when they are due; the number tells apart what is due at once.
    timers: BTreeMap<(Duration, u64), Waker>,
    made: u64,
}

impl Clock {
    pub(in crate::test) fn now(&self) -> Duration {
        self.now
    }

    pub(in crate::test) fn advance(&mut self, duration: Duration) {
        self.now = self.now.saturating_add(duration);
    }

    pub(super) fn wake_at(&mut self, due: Duration, waker: Waker) {
        self.made += 1;
        self.timers.insert((due, self.made), waker);
    }

    /// Goes to the next timer; false when there is none.
    pub(in crate::test) fn skip_to_next(&mut self) -> bool {
        let Some(((due, _), waker)) = self.timers.pop_first() else {
            return false;
        };
        self.now = self.now.max(due);
        waker.wake();
        true
    }
}
