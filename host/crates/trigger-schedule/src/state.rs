//! What is kept of a schedule.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wfh_store::{Key, NameTooLong};

/// The state of a schedule, under [`schedule_key`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleState {
    /// What it was computed from: another schedule begins anew.
    pub schedule: String,
    /// The next point in time, in milliseconds since 1970.
    pub next_at_ms: u64,
    /// The last one that fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at_ms: Option<u64>,
    /// Whether it stands still.
    #[serde(default)]
    pub paused: bool,
}

/// The key of the schedule of a trigger.
///
/// # Errors
/// The name is longer than the store takes; those of a manifest are not.
pub fn schedule_key(trigger: &str) -> Result<Key, NameTooLong> {
    Key::new(&format!("schedule/{trigger}"))
}

impl ScheduleState {
    /// As it is kept.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        // Its fields are plain values, of which JSON refuses none.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// What was kept; `None` when somebody else wrote it.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}
