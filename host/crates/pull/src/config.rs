//! What a pulling trigger is told. The host makes it from the manifest.

use std::sync::Arc;
use std::time::Duration;

use wfh_event::Target;

use crate::Filter;

/// Who takes the events of a trigger, and how many at once.
#[derive(Debug, Clone, PartialEq)]
pub struct PullConfig {
    /// What the trigger is called; it keys its durable state.
    pub name: String,
    /// What is called.
    pub target: Target,
    /// Where an HTTP function receives an event.
    pub path: Option<Arc<str>>,
    /// What one call gets.
    pub batch: BatchLimits,
    /// Calls at once, over all shards.
    pub calls_max: usize,
    /// Tries that the target's policy allows; it bounds those of a record that crashes the host.
    pub attempts_max: u32,
    /// Which events are given to the target.
    pub filter: Filter,
}

/// What one call gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Events at most.
    pub size: usize,
    /// How long a batch that is not full waits for more.
    pub window: Duration,
    /// Bytes at most; a larger event comes alone.
    pub bytes_max: u64,
    /// Whether a batch that failed as a whole is repeated in halves.
    pub bisect: bool,
}
