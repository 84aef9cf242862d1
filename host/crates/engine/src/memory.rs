//! The memory of all sandboxes together.

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
    pub(crate) fn reserve(&self, bytes: u64) -> bool {
        let others = self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = others.saturating_add(bytes) <= self.bytes_max - self.bytes_max / 8;
        // Alone, it may try.
        let may_begin = fits || others == 0;
        if !may_begin {
            self.give_back(bytes);
        }
        may_begin
    }

    /// Takes more for a sandbox, if there is as much.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let used = self.used_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let fits = used <= self.bytes_max;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes_max(&self) -> u64 {
        self.bytes_max
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
        let memory = HostMemory::new(80);
        assert!(memory.reserve(60) && memory.reserve(10) && !memory.reserve(1));
        assert!(!memory.take(11));
        assert!(memory.take(10));
        memory.give_back(80);
        assert_eq!(memory.used_bytes(), 0, "a refusal was counted");
        assert!(memory.reserve(100), "a sandbox that is alone must begin");
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
