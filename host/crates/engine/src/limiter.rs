//! Memory and tables of one sandbox.

use wasmtime::ResourceLimiter;

use crate::memory::Share;

/// Counts what a sandbox holds and remembers whether it was ever refused.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes_max: usize,
    memory_bytes: usize,
    table_elements_max: usize,
    /// What it has of the host's memory; an init is not counted.
    share: Option<Share>,
    denied: Option<Denied>,
}

/// Whose limit it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The function's.
    Function,
    /// The host's.
    Host,
}

impl Limiter {
    pub(crate) fn new(
        memory_bytes_max: u64,
        table_elements_max: u32,
        share: Option<Share>,
    ) -> Self {
        Self {
            memory_bytes_max: usize::try_from(memory_bytes_max).unwrap_or(usize::MAX),
            memory_bytes: 0,
            table_elements_max: table_elements_max as usize,
            share,
            denied: None,
        }
    }

    /// What it holds.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes as u64
    }

    /// Which limit refused memory: a trap that follows is its doing.
    pub(crate) fn denied(&self) -> Option<Denied> {
        self.denied
    }

    /// Takes `total` bytes in all, or says whose limit forbids it.
    fn take(&mut self, total: usize) -> Result<(), Denied> {
        if total > self.memory_bytes_max {
            return Err(Denied::Function);
        }
        if self.share.as_mut().is_some_and(|share| !share.covers(total as u64)) {
            return Err(Denied::Host);
        }
        self.memory_bytes = total;
        Ok(())
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        let taken = match maximum {
            Some(max) if desired > max => Err(Denied::Function),
            _ => self.take(total),
        };
        self.denied = taken.err().or(self.denied);
        Ok(taken.is_ok())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.table_elements_max && maximum.is_none_or(|max| desired <= max))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::memory::HostMemory;

    #[test]
    fn memories_count_together_and_a_refusal_is_remembered() {
        let host = Arc::new(HostMemory::new(1_000));
        let mut limiter = Limiter::new(100, 10, host.reserve(70));
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert_eq!((limiter.denied(), host.used_bytes()), (None, 100));
        assert!(!limiter.memory_growing(40, 41, None).unwrap());
        assert_eq!(limiter.denied(), Some(Denied::Function), "the refusal was forgotten");
        assert!(!limiter.table_growing(0, 11, None).unwrap());
        let mut other = Limiter::new(100, 10, host.reserve(0));
        let mut rest = host.reserve(0).unwrap();
        assert!(rest.covers(850));
        assert!(!other.memory_growing(0, 60, None).unwrap());
        assert_eq!(other.denied(), Some(Denied::Host));
        drop((limiter, other));
        assert_eq!(host.used_bytes(), 850, "a sandbox did not give back what it had");
    }
}
