//! Waits for the next point in time, and appends its event.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use wfh_event::Target;
use wfh_invoke::{
    ScheduleState, Scheduled, Schedules, Shutdown, Targets, schedule_attributes, schedule_key, tick,
};
use wfh_store::{Clock, Expect, Op, Store, StoreError, Value, crash};

use crate::When;

/// The longest wait before the schedule is looked at again: it may have been paused or resumed, and
/// the wall clock may have stepped.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// After an error of the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// A point in time that could not fire for this long was missed.
const LATE_MS: u64 = 10_000;
/// Missed points in time that one commit makes up for.
const TICKS_MAX: usize = 100;

/// What becomes of points in time at which no host ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// Nothing.
    Skip,
    /// One event for all of them, with the time of the last.
    Once,
    /// An event each.
    All,
}

/// One schedule and what it calls.
#[derive(Debug, Clone)]
pub struct ScheduleConfig {
    /// The trigger's name: it keys the schedule's state.
    pub name: String,
    /// When it fires.
    pub when: When,
    /// What becomes of missed points in time.
    pub missed: Missed,
    /// What is called.
    pub target: Target,
    /// Where an HTTP function receives the event.
    pub path: String,
}

/// Fires one schedule.
pub struct ScheduleTrigger {
    config: ScheduleConfig,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    targets: Arc<Targets>,
    schedules: Arc<Schedules>,
    shutdown: Shutdown,
}

impl ScheduleTrigger {
    /// Keeps its state in `store` and sends to `targets`; operators find it in `schedules`.
    #[must_use]
    pub fn new(
        config: ScheduleConfig,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        targets: Arc<Targets>,
        schedules: Arc<Schedules>,
        shutdown: Shutdown,
    ) -> Self {
        Self { config, store, clock, targets, schedules, shutdown }
    }

    /// Fires until the host drains.
    pub async fn run(self) {
        let drain = self.shutdown.drain.clone();
        let ScheduleConfig { name, when, target, path, .. } = &self.config;
        let (when, target, path) = (when.to_string(), target.clone(), path.clone());
        let _entered = self.schedules.enter(name, Scheduled { when, target, path });
        loop {
            let wait = match self.turn().await {
                Ok(wait) => wait.min(LOOK_AGAIN),
                Err(error) => {
                    tracing::warn!(trigger = %self.config.name, %error, "the schedule cannot go on");
                    STORE_PAUSE
                }
            };
            if drain.run_until_cancelled(sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    /// Fires what is due, and says how long to wait for what comes next.
    async fn turn(&self) -> Result<Duration, StoreError> {
        let now_ms = self.clock.now_ms();
        let key = schedule_key(&self.config.name)
            .map_err(|error| StoreError::Invalid(error.to_string()))?;
        let found = self.store.get(key.clone()).await?;
        let known = found.as_ref().and_then(|value| ScheduleState::from_bytes(&value.bytes));
        let paused = known.as_ref().is_some_and(|state| state.paused);
        let last_at_ms = known.as_ref().and_then(|state| state.last_at_ms);
        let known = known.filter(|state| self.still_holds(state, now_ms));
        let Some(state) = known else {
            let began = ScheduleState { paused, last_at_ms, ..self.begin(now_ms) };
            self.write(&key, found.as_ref(), &began, Vec::new()).await?;
            return Ok(until(began.next_at_ms, now_ms));
        };
        if state.paused {
            return Ok(LOOK_AGAIN);
        }
        if state.next_at_ms > now_ms {
            return Ok(until(state.next_at_ms, now_ms));
        }
        let (ticks, next_at_ms) = self.due(&state, now_ms);
        let last_at_ms = ticks.last().copied().or(state.last_at_ms);
        let next = ScheduleState { next_at_ms, last_at_ms, ..state };
        let appends = self.appends(&ticks)?;
        self.write(&key, found.as_ref(), &next, appends).await?;
        Ok(until(next.next_at_ms, now_ms))
    }

    /// Another schedule begins anew, and so does one that was advanced by a clock that was ahead.
    fn still_holds(&self, state: &ScheduleState, now_ms: u64) -> bool {
        let furthest = self.config.when.after(now_ms).unwrap_or(u64::MAX);
        state.schedule == self.config.when.to_string() && state.next_at_ms <= furthest
    }

    fn begin(&self, now_ms: u64) -> ScheduleState {
        ScheduleState {
            schedule: self.config.when.to_string(),
            next_at_ms: self.config.when.after(now_ms).unwrap_or(u64::MAX),
            last_at_ms: None,
            paused: false,
        }
    }

    /// The points in time that fire now, and the next one.
    fn due(&self, state: &ScheduleState, now_ms: u64) -> (Vec<u64>, u64) {
        let (mut ticks, mut next) = (Vec::new(), state.next_at_ms);
        let mut passed = 0_usize;
        while next <= now_ms && passed < TICKS_MAX {
            let missed = now_ms - next > LATE_MS;
            match self.config.missed {
                Missed::Skip if missed => {}
                Missed::Once if missed => ticks = vec![next],
                Missed::Skip | Missed::Once | Missed::All => ticks.push(next),
            }
            passed += 1;
            next = self.config.when.after(next).unwrap_or(u64::MAX);
        }
        if next <= now_ms && self.config.missed != Missed::All {
            // After a long time, only what comes now counts.
            next = self.latest(next, now_ms);
        }
        (ticks, next)
    }

    /// The first point in time after now, without a step for each one before; those of `every` stay
    /// in step with the first.
    fn latest(&self, next: u64, now_ms: u64) -> u64 {
        match &self.config.when {
            When::Every(every) => {
                let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1);
                let steps = (now_ms - next) / every_ms + 1;
                next.saturating_add(steps.saturating_mul(every_ms))
            }
            When::Cron { .. } => self.config.when.after(now_ms).unwrap_or(u64::MAX),
        }
    }

    fn appends(&self, ticks: &[u64]) -> Result<Vec<Op>, StoreError> {
        let config = &self.config;
        let mut ops = Vec::new();
        for at_ms in ticks {
            let event = tick(&config.name, *at_ms);
            let attributes = schedule_attributes(&config.name, &config.when.to_string());
            let appends = self.targets.appends_of(event, &config.target, &config.path, attributes);
            ops.extend(appends.map_err(|error| StoreError::Invalid(error.to_string()))?);
        }
        Ok(ops)
    }

    /// Somebody who was faster is no error: then it has fired.
    async fn write(
        &self,
        key: &wfh_store::Key,
        found: Option<&Value>,
        state: &ScheduleState,
        appends: Vec<Op>,
    ) -> Result<(), StoreError> {
        let expect = found.map_or(Expect::Absent, |value| Expect::Version(value.version));
        let put = Op::Put { key: key.clone(), bytes: state.to_bytes(), expect, ttl: None };
        let ops = std::iter::once(put).chain(appends).collect();
        let committed = self.store.commit(ops).await;
        crash::pass("schedule-committed");
        match committed {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn until(at_ms: u64, now_ms: u64) -> Duration {
    Duration::from_millis(at_ms.saturating_sub(now_ms))
}

#[cfg(test)]
mod tests;
