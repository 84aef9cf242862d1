//! What the trigger is told. The host makes it from the manifest.

use std::sync::Arc;
use std::time::Duration;

use wfh_event::Target;
use wfh_store::QueueKey;

/// One queue and who takes its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueConfig {
    /// What it is called in logs and in the attributes of deliveries.
    pub name: String,
    /// The queue in the store.
    pub queue: QueueKey,
    /// What is called.
    pub target: Target,
    /// Where an HTTP function receives an event; without it, where its record says, or `/`.
    pub path: Option<Arc<str>>,
    /// The most entries that one call gets.
    pub batch_size: u32,
    /// How long a batch that is not full waits for more.
    pub batch_window: Duration,
    /// The most bytes of entries that one call gets; a larger entry comes alone.
    pub batch_bytes_max: u64,
    /// Whether a batch whose call broke off is repeated in halves.
    pub bisect: bool,
    /// Calls at once.
    pub in_flight_max: usize,
    /// How long a claimed entry is hidden from others; it is extended while a call runs.
    pub visibility: Duration,
    /// Leases that may run out before an entry is given up.
    pub receives_max: u32,
    /// The age at which an entry is given up; none without it.
    pub retention: Option<Duration>,
}
