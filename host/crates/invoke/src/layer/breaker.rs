//! Stops calling a function that keeps failing, and tries again after a while.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use wfh_event::{Failure, FailureClass};

use super::all_failed;
use crate::{End, Invocation, Invoke, Outcome, Reply};

/// A window is counted in this many steps.
const STEPS: u32 = 10;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerPolicy {
    /// The share of failed calls at which it opens.
    pub failure_rate: f64,
    /// The time over which calls are counted.
    pub window: Duration,
    /// Calls in the window below which it never opens.
    pub calls_min: u32,
    /// How long it stays open before one call tries again.
    pub open_for: Duration,
}

/// What a breaker does with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// It lets calls through and counts.
    Closed,
    /// It refuses calls.
    Open,
    /// One call tries; the others are refused.
    HalfOpen,
}

impl BreakerState {
    /// Its name, as metrics and the admin API have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// A breaker, for its layer and for whoever shows it.
#[derive(Debug)]
pub struct BreakerCell {
    policy: BreakerPolicy,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Calls and failures, a step of the window each; the newest last.
    steps: VecDeque<Step>,
    opened_at: Option<Instant>,
    probing: bool,
}

#[derive(Debug)]
struct Step {
    began: Instant,
    calls: u32,
    failures: u32,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Go on; the call counts.
    Pass,
    /// Go on; this call decides.
    Probe,
    /// Not now.
    Refused(Duration),
}

impl BreakerCell {
    /// A closed breaker.
    #[must_use]
    pub fn new(policy: BreakerPolicy) -> Self {
        let state = State { steps: VecDeque::new(), opened_at: None, probing: false };
        Self { policy, state: Mutex::new(state) }
    }

    /// What it does with the next call.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        let state = self.lock();
        match state.opened_at {
            None => BreakerState::Closed,
            Some(at) if at.elapsed() < self.policy.open_for => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// How long it has been open, and how long until one call tries again; `None` while it is closed.
    #[must_use]
    pub fn open_for(&self) -> Option<(Duration, Duration)> {
        let since = self.lock().opened_at?.elapsed();
        Some((since, self.policy.open_for.saturating_sub(since)))
    }

    fn ask(&self) -> Asked {
        let mut state = self.lock();
        let Some(opened_at) = state.opened_at else { return Asked::Pass };
        let left = self.policy.open_for.saturating_sub(opened_at.elapsed());
        if !left.is_zero() {
            return Asked::Refused(left);
        }
        if state.probing {
            return Asked::Refused(self.policy.open_for);
        }
        state.probing = true;
        Asked::Probe
    }

    /// The probe left without an end: the next call is one.
    fn give_up_probe(&self) {
        self.lock().probing = false;
    }

    fn count(&self, probe: bool, calls: u32, failures: u32) {
        let now = Instant::now();
        let mut state = self.lock();
        if probe {
            state.probing = false;
            if failures > 0 {
                state.opened_at = Some(now);
            } else if calls > 0 {
                state.opened_at = None;
                state.steps.clear();
            }
            return;
        }
        if state.opened_at.is_some() {
            return;
        }
        state.note(now, self.policy.window, calls, failures);
        let (calls, failures) = state.sums();
        if calls >= self.policy.calls_min
            && f64::from(failures) >= f64::from(calls) * self.policy.failure_rate
        {
            state.opened_at = Some(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, now: Instant, window: Duration, calls: u32, failures: u32) {
        while self.steps.front().is_some_and(|step| now - step.began >= window) {
            self.steps.pop_front();
        }
        let length = window / STEPS;
        match self.steps.back_mut().filter(|step| now - step.began < length) {
            Some(step) => {
                step.calls = step.calls.saturating_add(calls);
                step.failures = step.failures.saturating_add(failures);
            }
            None => self.steps.push_back(Step { began: now, calls, failures }),
        }
    }

    fn sums(&self) -> (u32, u32) {
        self.steps.iter().fold((0, 0), |(calls, failures), step| {
            (calls.saturating_add(step.calls), failures.saturating_add(step.failures))
        })
    }
}

/// The layer; without a breaker it lets everything through.
pub struct Breaker<I> {
    inner: I,
    cell: Option<Arc<BreakerCell>>,
}

impl<I> Breaker<I> {
    /// Puts `cell` before `inner`.
    pub fn new(inner: I, cell: Option<Arc<BreakerCell>>) -> Self {
        Self { inner, cell }
    }
}

/// A call under way. One that never ends counts for nothing, but must not keep the probe.
struct Asking {
    cell: Arc<BreakerCell>,
    probe: bool,
    counted: bool,
}

impl Asking {
    fn count(&mut self, calls: u32, failures: u32) {
        self.counted = true;
        self.cell.count(self.probe, calls, failures);
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.probe && !self.counted {
            self.cell.give_up_probe();
        }
    }
}

impl<I: Invoke> Invoke for Breaker<I> {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        let Some(cell) = &self.cell else { return self.inner.invoke(invocation) };
        let asked = cell.ask();
        let items = invocation.input.items();
        if let Asked::Refused(left) = asked {
            return Box::pin(async move { all_failed(items, &is_open(left)) });
        }
        let probe = asked == Asked::Probe;
        let mut asking = Asking { cell: Arc::clone(cell), probe, counted: false };
        Box::pin(async move {
            let mut outcomes = self.inner.invoke(invocation).await;
            if let [Outcome::Done(Reply::Http(response, tail))] = outcomes.as_mut_slice() {
                let failed = response.status().is_server_error();
                tail.on_end(move |end| asking.count(1, u32::from(failed || broke_off(end))));
                return outcomes;
            }
            let (calls, failures) = outcomes.iter().fold((0, 0), tally);
            if calls > 0 {
                asking.count(calls, failures);
            }
            outcomes
        })
    }
}

fn broke_off(end: &End) -> bool {
    match end {
        End::Failed(class) => class.is_counted_by_breaker(),
        End::Complete | End::Dropped => false,
    }
}

/// What never ran says nothing about the function.
fn tally((calls, failures): (u32, u32), outcome: &Outcome) -> (u32, u32) {
    match outcome {
        Outcome::Failed(failure) if failure.class.is_counted_by_breaker() => {
            (calls + 1, failures + 1)
        }
        Outcome::Done(_) => (calls + 1, failures),
        Outcome::Failed(failure) if failure.class == FailureClass::Rejected => {
            (calls + 1, failures)
        }
        Outcome::Failed(_) | Outcome::Deferred { .. } => (calls, failures),
    }
}

fn is_open(left: Duration) -> Failure {
    let detail = "the function's breaker is open";
    Failure::new(FailureClass::Unavailable, detail).with_retry_after(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::{Failing, class, invocation};

    fn breaker() -> (Breaker<Arc<Failing>>, Arc<Failing>, Arc<BreakerCell>) {
        let failing = Arc::new(Failing::default());
        let cell = Arc::new(BreakerCell::new(BreakerPolicy {
            failure_rate: 0.5,
            window: Duration::from_secs(10),
            calls_min: 4,
            open_for: Duration::from_secs(5),
        }));
        (Breaker::new(Arc::clone(&failing), Some(Arc::clone(&cell))), failing, cell)
    }

    async fn call(breaker: &Breaker<Arc<Failing>>, times: u32) -> Option<FailureClass> {
        let mut last = None;
        for _ in 0..times {
            last = class(breaker.invoke(invocation()).await);
        }
        last
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_at_its_rate_refuses_and_closes_after_a_probe() {
        let (breaker, failing, cell) = breaker();
        call(&breaker, 2).await;
        failing.fail(Some(FailureClass::Trap));
        call(&breaker, 1).await;
        assert_eq!(cell.state(), BreakerState::Closed, "it opened below calls_min");
        call(&breaker, 1).await;
        assert_eq!(cell.state(), BreakerState::Open);
        assert_eq!(call(&breaker, 1).await, Some(FailureClass::Unavailable));
        assert_eq!(failing.calls(), 4, "an open breaker let a call through");

        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(cell.state(), BreakerState::HalfOpen);
        assert_eq!(call(&breaker, 1).await, Some(FailureClass::Trap), "there was no probe");
        assert_eq!(cell.state(), BreakerState::Open, "a failed probe did not open it again");

        tokio::time::advance(Duration::from_secs(5)).await;
        failing.fail(None);
        assert_eq!(call(&breaker, 1).await, None);
        assert_eq!(cell.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn old_failures_and_refusals_do_not_count() {
        let (breaker, failing, cell) = breaker();
        failing.fail(Some(FailureClass::Trap));
        call(&breaker, 3).await;
        tokio::time::advance(Duration::from_secs(11)).await;
        call(&breaker, 1).await;
        assert_eq!(cell.state(), BreakerState::Closed, "failures outside the window counted");
        failing.fail(Some(FailureClass::Busy));
        call(&breaker, 20).await;
        assert_eq!(cell.state(), BreakerState::Closed, "what never began counted");
    }
}
