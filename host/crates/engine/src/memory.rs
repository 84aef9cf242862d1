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

    /// Takes some for a sandbox, if there is as much.
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

    /// Whether no further sandbox may begin: the last eighth is for those that run already.
    pub(crate) fn is_short(&self) -> bool {
        self.used_bytes() > self.bytes_max - self.bytes_max / 8
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_not_taken() {
        let memory = HostMemory::new(80);
        assert!(memory.take(70) && !memory.is_short());
        assert!(!memory.take(11));
        assert!(memory.take(10) && memory.is_short());
        memory.give_back(80);
        assert_eq!(memory.used_bytes(), 0, "a refusal was counted");
    }
}
