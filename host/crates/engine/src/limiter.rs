//! Memory and tables of one sandbox.

use wasmtime::ResourceLimiter;

/// Counts what a sandbox holds and remembers whether it was ever refused.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes_max: usize,
    memory_bytes: usize,
    table_elements_max: usize,
    denied: bool,
}

impl Limiter {
    pub(crate) fn new(memory_bytes_max: u64, table_elements_max: u32) -> Self {
        Self {
            memory_bytes_max: usize::try_from(memory_bytes_max).unwrap_or(usize::MAX),
            memory_bytes: 0,
            table_elements_max: table_elements_max as usize,
            denied: false,
        }
    }

    /// What it holds.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes as u64
    }

    /// Whether memory was refused: a trap that follows is the limit's doing.
    pub(crate) fn was_denied(&self) -> bool {
        self.denied
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
        let fits = total <= self.memory_bytes_max && maximum.is_none_or(|max| desired <= max);
        if fits {
            self.memory_bytes = total;
        } else {
            self.denied = true;
        }
        Ok(fits)
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
        let mut limiter = Limiter::new(100, 10);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert!(!limiter.was_denied());
        assert!(!limiter.memory_growing(40, 41, None).unwrap());
        assert!(limiter.was_denied(), "the refusal was forgotten");
        assert!(!limiter.table_growing(0, 11, None).unwrap());
    }
}
