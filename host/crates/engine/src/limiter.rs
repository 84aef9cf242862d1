//! Memory and tables of one sandbox.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use crate::memory::HostMemory;

/// Counts what a sandbox holds and remembers whether it was ever refused.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes_max: usize,
    memory_bytes: usize,
    table_elements_max: usize,
    /// What it takes its memory from, and how much it took; an init is not counted.
    host: Option<Arc<HostMemory>>,
    taken_bytes: u64,
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
        host: Option<Arc<HostMemory>>,
        taken_bytes: u64,
    ) -> Self {
        Self {
            memory_bytes_max: usize::try_from(memory_bytes_max).unwrap_or(usize::MAX),
            memory_bytes: 0,
            table_elements_max: table_elements_max as usize,
            host,
            taken_bytes,
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

    /// Takes what `total` bytes need beyond what was taken, or says whose limit forbids it.
    fn take(&mut self, total: usize) -> Result<(), Denied> {
        if total > self.memory_bytes_max {
            return Err(Denied::Function);
        }
        let more = (total as u64).saturating_sub(self.taken_bytes);
        if let Some(host) = self.host.as_ref().filter(|_| more > 0)
            && !host.take(more)
        {
            return Err(Denied::Host);
        }
        self.taken_bytes += more;
        self.memory_bytes = total;
        Ok(())
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        if let Some(host) = &self.host {
            host.give_back(self.taken_bytes);
        }
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
    use super::*;

    #[test]
    fn memories_count_together_and_a_refusal_is_remembered() {
        let host = Arc::new(HostMemory::new(1_000));
        assert!(host.reserve(70));
        let mut limiter = Limiter::new(100, 10, Some(Arc::clone(&host)), 70);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert_eq!((limiter.denied(), host.used_bytes()), (None, 100));
        assert!(!limiter.memory_growing(40, 41, None).unwrap());
        assert_eq!(limiter.denied(), Some(Denied::Function), "the refusal was forgotten");
        assert!(!limiter.table_growing(0, 11, None).unwrap());
        assert!(host.take(850));
        let mut other = Limiter::new(100, 10, Some(Arc::clone(&host)), 0);
        assert!(!other.memory_growing(0, 60, None).unwrap());
        assert_eq!(other.denied(), Some(Denied::Host));
        drop((limiter, other));
        assert_eq!(host.used_bytes(), 850, "a sandbox did not give back what it had");
    }
}
