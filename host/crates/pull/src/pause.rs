//! What the target cannot take now is not asked for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wfh_invoke::Outcome;

/// How long to leave a target alone that is at its limit, unless it says.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// Until when nothing is given to a target.
#[derive(Debug, Default)]
pub struct Pause(Mutex<Option<Instant>>);

impl Pause {
    /// Lets everybody wait for at least this long.
    pub fn for_at_least(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut paused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = Some(paused.map_or(until, |other| other.max(until)));
    }

    /// Pauses if an outcome says that the target cannot take anything now.
    pub fn follow(&self, outcomes: &[Outcome]) {
        let waits = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Failed(failure) if failure.class.is_pressure() => {
                Some(failure.retry_after.unwrap_or(PAUSE))
            }
            Outcome::Failed(_) | Outcome::Done(_) | Outcome::Deferred { .. } => None,
        });
        if let Some(wait) = waits.max() {
            self.for_at_least(wait);
        }
    }

    /// When the pause is over; `None` when there is none.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        let paused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        paused.filter(|until| *until > Instant::now())
    }
}
