//! The memory of all sandboxes together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What sandboxes hold of their memory, and how much that may be.
#[derive(Debug)]
pub(crate) struct HostMemory {
    used_bytes: AtomicU64,
    bytes_max: u64,
}

impl HostMemory {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { used_bytes: AtomicU64::new(0), bytes_max }
    }

    /// Sets aside what a sandbox is expected to need, unless others leave too little: then it must
    /// not begin. The last eighth is for those that need more than was expected.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Share> {
        let others = self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = others.saturating_add(bytes) <= self.bytes_max - self.bytes_max / 8;
        // Alone, it may try.
        let share = Share { host: Arc::clone(self), bytes };
        (fits || others == 0).then_some(share)
    }

    /// Takes more for a sandbox, if there is as much.
    fn take(&self, bytes: u64) -> bool {
        let used = self.used_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let fits = used <= self.bytes_max;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }
}

/// What a sandbox has of it, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    host: Arc<HostMemory>,
    bytes: u64,
}

impl Share {
    /// Whether the sandbox may have so many bytes in all.
    pub(crate) fn covers(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let covers = more == 0 || self.host.take(more);
        if covers {
            self.bytes += more;
        }
        covers
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.host.give_back(self.bytes);
    }
}

/// What sandboxes of a function come to: the most lately, which is forgotten slowly.
#[derive(Debug, Default)]
pub(crate) struct Expected(AtomicU64);

/// How slowly.
const FORGOTTEN_PER_CALL: u64 = 64;

impl Expected {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A call came to this. Two at once may overwrite each other: the next call says it again.
    pub(crate) fn note(&self, bytes: u64) {
        let before = self.bytes();
        let after = bytes.max(before - before / FORGOTTEN_PER_CALL);
        if after != before {
            self.0.store(after, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_not_taken() {
        let memory = Arc::new(HostMemory::new(80));
        let (first, mut second) = (memory.reserve(60).unwrap(), memory.reserve(10).unwrap());
        assert!(memory.reserve(1).is_none());
        assert!(!second.covers(21));
        assert!(second.covers(20));
        drop((first, second));
        assert_eq!(memory.used_bytes(), 0, "a refusal was counted");
        assert!(memory.reserve(100).is_some(), "a sandbox that is alone must begin");
    }

    #[test]
    fn the_most_is_expected_until_it_is_long_ago() {
        let expected = Expected::default();
        expected.note(6_400);
        expected.note(100);
        assert_eq!(expected.bytes(), 6_300);
        (0..1_000).for_each(|_| expected.note(100));
        assert_eq!(expected.bytes(), 100);
    }
}
