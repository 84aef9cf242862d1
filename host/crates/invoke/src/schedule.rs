//! Schedules as they are kept, so that operators and the trigger that fires them agree.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wfh_event::{Event, EventId, Target};
use wfh_store::{Key, NameTooLong};

use crate::new_invocation_id;

/// The type of the event of a schedule.
pub const SCHEDULE_TICK: &str = "wfh.schedule.tick";

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

/// The event of a point in time of a schedule; its id is the same whoever fires it.
#[must_use]
pub fn tick(schedule: &str, at_ms: u64) -> Event {
    event(schedule, "", at_ms)
}

/// What a delivery of a schedule's event says besides.
#[must_use]
pub fn schedule_attributes(name: &str, when: &str) -> Vec<(String, String)> {
    [("trigger", name), ("schedule", when)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// The event of a schedule that an operator runs now.
pub(crate) fn manual_tick(schedule: &str, at_ms: u64) -> Event {
    event(schedule, "manual/", at_ms)
}

fn event(schedule: &str, kind: &str, at_ms: u64) -> Event {
    let at = Timestamp::from_millisecond(i64::try_from(at_ms).unwrap_or(i64::MAX));
    let time = at.unwrap_or_default().to_string();
    let id = EventId::new(&format!("{schedule}/{kind}{time}"));
    let id = id.unwrap_or_else(|| new_invocation_id().into());
    let mut event = Event::new(id, format!("schedule:{schedule}"), SCHEDULE_TICK);
    event.time = Some(time);
    event
}

/// What a schedule calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// When, as the manifest says it.
    pub when: String,
    /// What is called.
    pub target: Target,
    /// Where an HTTP function receives the event.
    pub path: String,
}

/// The schedules that run, by name: their triggers enter them, operators look.
#[derive(Debug, Default)]
pub struct Schedules(Mutex<BTreeMap<String, Scheduled>>);

impl Schedules {
    /// Enters a schedule for as long as the guard lives.
    #[must_use]
    pub fn enter(self: &Arc<Self>, name: &str, scheduled: Scheduled) -> Entered {
        self.lock().insert(name.to_owned(), scheduled.clone());
        Entered { schedules: Arc::clone(self), name: name.to_owned(), scheduled }
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Scheduled> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Scheduled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A schedule that runs.
#[derive(Debug)]
pub struct Entered {
    schedules: Arc<Schedules>,
    name: String,
    scheduled: Scheduled,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut schedules = self.schedules.lock();
        // A changed one may have taken its place.
        if schedules.get(&self.name) == Some(&self.scheduled) {
            schedules.remove(&self.name);
        }
    }
}
