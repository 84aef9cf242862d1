//! What follows a failed try. Pure: time and chance come from outside.

use std::time::Duration;

use wfh_event::{Failure, FailureClass};

use super::policy::RetryPolicy;
use super::record::Progress;

/// Waits up to this long stay in memory.
pub(crate) const IN_MEMORY_MAX: Duration = Duration::from_secs(1);

/// Why an event is given up, as Lambda's destination records call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It was not.
    Success,
    /// Every try failed.
    RetriesExhausted,
    /// It got too old.
    EventAgeExceeded,
    /// Another try could not end better.
    Rejected,
}

impl Condition {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            Self::Rejected => "Rejected",
        }
    }
}

/// What to do after a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again after this wait.
    Again(Duration),
    /// Give up.
    GiveUp(Condition),
    /// It never began, so nothing is counted.
    NotStarted,
}

/// Whether the call never began, or its caller left: such a failure is no try.
pub(crate) fn never_began(class: FailureClass) -> bool {
    class.is_pressure() || class == FailureClass::Cancelled
}

/// Decides. `progress` counts the failed try already; `chance` is between 0 and 1.
pub(crate) fn next(
    policy: &RetryPolicy,
    progress: &Progress,
    failure: &Failure,
    now_ms: u64,
    chance: f64,
) -> Next {
    if never_began(failure.class) {
        return Next::NotStarted;
    }
    if !failure.class.is_retried() {
        return Next::GiveUp(Condition::Rejected);
    }
    if progress.attempts >= policy.attempts {
        return Next::GiveUp(Condition::RetriesExhausted);
    }
    let wait = match failure.retry_after {
        Some(asked) => asked,
        None => backoff(policy, progress.attempts, chance),
    };
    let age = Duration::from_millis(now_ms.saturating_sub(progress.first_at_ms.unwrap_or(now_ms)));
    if age.saturating_add(wait) > policy.event_age_max {
        return Next::GiveUp(Condition::EventAgeExceeded);
    }
    Next::Again(wait)
}

/// The wait after `attempts` failed tries: exponential, with full jitter (Marc Brooker,
/// "Exponential Backoff And Jitter", 2015).
pub(crate) fn backoff(policy: &RetryPolicy, attempts: u32, chance: f64) -> Duration {
    let exponent = i32::try_from(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
    let seconds = policy.initial.as_secs_f64() * policy.factor.powi(exponent);
    let longest = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(policy.max);
    if policy.jitter { longest.mul_f64(chance.clamp(0.0, 1.0)) } else { longest }
}

/// A number between 0 and 1.
#[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
pub(crate) fn chance() -> f64 {
    (wfh_telemetry::random_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            attempts: 3,
            initial: Duration::from_millis(200),
            factor: 2.0,
            max: Duration::from_secs(30),
            jitter: true,
            event_age_max: Duration::from_secs(3_600),
            sync: false,
        }
    }

    fn after(attempts: u32, failure: &Failure) -> Next {
        let progress = Progress { attempts, first_at_ms: Some(0), ..Progress::default() };
        next(&policy(), &progress, failure, 1_000, 1.0)
    }

    proptest! {
        #[test]
        fn a_wait_never_leaves_its_bounds(attempts in 1_u32..=1_000, chance in 0.0..=1.0_f64) {
            let wait = backoff(&policy(), attempts, chance);
            prop_assert!(wait <= Duration::from_secs(30));
            let without = RetryPolicy { jitter: false, ..policy() };
            prop_assert!(backoff(&without, attempts, chance) >= wait);
            prop_assert!(backoff(&without, attempts + 1, 0.0) >= backoff(&without, attempts, 0.0));
        }
    }

    #[test]
    fn waits_double() {
        let without = RetryPolicy { jitter: false, ..policy() };
        let waits: Vec<u128> =
            (1..=4).map(|attempts| backoff(&without, attempts, 0.5).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1_600]);
    }

    #[test]
    fn what_follows_depends_on_class_count_and_age() {
        let trap = Failure::new(FailureClass::Trap, "");
        assert_eq!(after(1, &trap), Next::Again(Duration::from_millis(200)));
        assert_eq!(after(3, &trap), Next::GiveUp(Condition::RetriesExhausted));
        let rejected = Failure::new(FailureClass::Rejected, "");
        assert_eq!(after(1, &rejected), Next::GiveUp(Condition::Rejected));
        let busy = Failure::new(FailureClass::Busy, "");
        assert_eq!(after(1, &busy), Next::NotStarted);
        let later = Failure::new(FailureClass::Guest, "").with_retry_after(Duration::from_secs(60));
        assert_eq!(after(1, &later), Next::Again(Duration::from_secs(60)));
        let much_later = later.with_retry_after(Duration::from_secs(3_600));
        assert_eq!(after(1, &much_later), Next::GiveUp(Condition::EventAgeExceeded));
    }
}
