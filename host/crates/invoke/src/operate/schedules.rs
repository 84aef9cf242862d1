//! Schedules: standing still, going on, running now.

use wfh_store::{Expect, Op, Value};

use super::audit::{Action, Actor};
use super::{OperateError, Operator};
use crate::schedule::{Scheduled, manual_tick};
use crate::{ScheduleState, schedule_attributes, schedule_key};

/// A schedule and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleStatus {
    /// The trigger's name.
    pub name: String,
    /// When it fires and what it calls.
    pub scheduled: Scheduled,
    /// How it stands; `None` before it was looked at for the first time.
    pub state: Option<ScheduleState>,
}

impl Operator {
    /// The schedules of the manifest, by name.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn schedules(&self) -> Result<Vec<ScheduleStatus>, OperateError> {
        let mut all = Vec::new();
        for (name, scheduled) in self.host.schedules.all() {
            let state = self.stored(&name).await?.and_then(|value| state_of(&value));
            all.push(ScheduleStatus { name, scheduled, state });
        }
        Ok(all)
    }

    /// Lets a schedule stand still, or go on. What it missed meanwhile does not fire later.
    ///
    /// # Errors
    /// There is no such schedule, somebody else changed it at the same time, or the store does not
    /// answer.
    pub async fn set_paused(
        &self,
        name: &str,
        paused: bool,
        actor: &Actor,
    ) -> Result<(), OperateError> {
        self.scheduled(name)?;
        let found = self.stored(name).await?;
        let found = found.and_then(|value| Some((state_of(&value)?, value.version)));
        let Some((state, version)) = found else {
            return Err(OperateError::Conflict(format!("the schedule {name} is just beginning")));
        };
        if state.paused == paused {
            return Ok(());
        }
        // One that goes on is computed anew from the time that it is then.
        let next_at_ms = if paused { state.next_at_ms } else { u64::MAX };
        let next = ScheduleState { paused, next_at_ms, ..state };
        let word = |paused| if paused { "paused" } else { "running" }.to_owned();
        let action = if paused { Action::Pause } else { Action::Resume };
        let change = (word(!paused), word(paused));
        let put = Op::Put {
            key: key_of(name)?,
            bytes: next.to_bytes(),
            expect: Expect::Version(version),
            ttl: None,
        };
        let audit = self.audit(actor, action, format!("schedule:{name}"), change)?;
        self.host.store.commit(vec![put, audit]).await?;
        Ok(())
    }

    /// Fires a schedule now, beside its own points in time; gives the id of the event.
    ///
    /// # Errors
    /// There is no such schedule, nothing takes its event, or the store does not answer.
    pub async fn run_schedule(&self, name: &str, actor: &Actor) -> Result<String, OperateError> {
        let scheduled = self.scheduled(name)?;
        let event = manual_tick(name, self.host.clock.now_ms());
        let id = event.id.to_string();
        let attributes = schedule_attributes(name, &scheduled.when);
        let appends =
            self.host.targets.appends_of(event, &scheduled.target, &scheduled.path, attributes);
        let mut ops = appends.map_err(|error| OperateError::NotFound(error.to_string()))?;
        let change = (String::new(), format!("event {id}"));
        ops.push(self.audit(actor, Action::Run, format!("schedule:{name}"), change)?);
        self.host.store.commit(ops).await?;
        Ok(id)
    }

    fn scheduled(&self, name: &str) -> Result<Scheduled, OperateError> {
        let found = self.host.schedules.all().remove(name);
        found.ok_or_else(|| OperateError::NotFound(format!("there is no schedule {name}")))
    }

    async fn stored(&self, name: &str) -> Result<Option<Value>, OperateError> {
        Ok(self.host.store.get(key_of(name)?).await?)
    }
}

fn key_of(name: &str) -> Result<wfh_store::Key, OperateError> {
    schedule_key(name).map_err(|error| OperateError::Invalid(error.to_string()))
}

fn state_of(value: &Value) -> Option<ScheduleState> {
    ScheduleState::from_bytes(&value.bytes)
}
