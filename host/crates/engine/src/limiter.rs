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
    /// What it takes its memory from; an init is not counted.
    host: Option<Arc<HostMemory>>,
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
    ) -> Self {
        Self {
            memory_bytes_max: usize::try_from(memory_bytes_max).unwrap_or(usize::MAX),
            memory_bytes: 0,
            table_elements_max: table_elements_max as usize,
            host,
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

    fn refusal(&self, total: usize, grown: usize) -> Option<Denied> {
        if total > self.memory_bytes_max {
            return Some(Denied::Function);
        }
        let host_has = self.host.as_ref().is_none_or(|host| host.take(grown as u64));
        (!host_has).then_some(Denied::Host)
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        if let Some(host) = &self.host {
            host.give_back(self.memory_bytes as u64);
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
        let grown = desired.saturating_sub(current);
        let total = self.memory_bytes.saturating_add(grown);
        let refusal = match maximum {
            Some(max) if desired > max => Some(Denied::Function),
            _ => self.refusal(total, grown),
        };
        match refusal {
            None => self.memory_bytes = total,
            denied => self.denied = denied,
        }
        Ok(refusal.is_none())
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
        let mut limiter = Limiter::new(100, 10, Some(Arc::clone(&host)));
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert_eq!((limiter.denied(), host.used_bytes()), (None, 100));
        assert!(!limiter.memory_growing(40, 41, None).unwrap());
        assert_eq!(limiter.denied(), Some(Denied::Function), "the refusal was forgotten");
        assert!(!limiter.table_growing(0, 11, None).unwrap());
        assert!(host.take(850));
        let mut other = Limiter::new(100, 10, Some(Arc::clone(&host)));
        assert!(!other.memory_growing(0, 60, None).unwrap());
        assert_eq!(other.denied(), Some(Denied::Host));
        drop((limiter, other));
        assert_eq!(host.used_bytes(), 850, "a sandbox did not give back what it had");
    }
}
