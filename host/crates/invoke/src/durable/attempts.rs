//! Calls, and calls again: waits up to a second stay here and hold neither permit nor instance.

use std::time::Duration;

use wfh_event::{Failure, FailureClass};
use wfh_store::crash;
use wfh_telemetry::{Recording, SpanKind, attribute, meters, tracer};

use super::Call;
use super::job::{End, Job, Lanes, behind};
use super::retry::{Condition, IN_MEMORY_MAX, Next, chance, next};
use crate::{Input, Invocation, Invoke, Outcome};

/// What follows a try.
enum After {
    Ended(End),
    Again(Duration),
}

impl<I: Invoke + 'static> Call<'_, I> {
    /// Runs the jobs until each has ended. In an ordered lane, what comes after a job that runs again
    /// runs again as well, and counts no try.
    pub(super) async fn attempts(&self, mut jobs: Vec<Job>) -> Vec<(Job, End)> {
        let mut ended = Vec::with_capacity(jobs.len());
        let mut stopped = Lanes::default();
        let mut is_again = false;
        loop {
            let outcomes = self.call(&mut jobs, is_again).await;
            let (mut again, mut longest) = (Vec::new(), Duration::ZERO);
            let mut waiting = Lanes::default();
            for (mut job, outcome) in jobs.into_iter().zip(outcomes) {
                let lane = job.lane();
                if stopped.hold(lane) {
                    ended.push((job, End::NotStarted(behind())));
                    continue;
                }
                if waiting.hold(lane) {
                    again.push(job);
                    continue;
                }
                match self.after(&mut job, outcome) {
                    After::Ended(end) => {
                        if !end.is_final() {
                            stopped.add(lane);
                        }
                        ended.push((job, end));
                    }
                    After::Again(wait) => {
                        waiting.add(lane);
                        longest = longest.max(wait);
                        again.push(job);
                    }
                }
            }
            if again.is_empty() {
                return ended;
            }
            tokio::time::sleep(longest).await;
            jobs = again;
            is_again = true;
        }
    }

    /// Calls with all jobs; a call that failed as a whole is repeated in halves where they ask for
    /// that, which counts no try.
    async fn call(&self, jobs: &mut [Job], is_again: bool) -> Vec<Outcome> {
        let bisect = jobs.iter().all(Job::bisects);
        let ordered = jobs.iter().any(|job| job.lane().is_some());
        let mut outcomes = Vec::with_capacity(jobs.len());
        let mut sizes = vec![jobs.len()];
        while let Some(size) = sizes.pop() {
            let first = outcomes.len();
            let Some(part) = jobs.get_mut(first..first + size) else { break };
            let called = self.try_all(part, is_again).await;
            if bisect && size > 1 && failed_as_a_whole(&called) {
                sizes.extend([size - size / 2, size / 2]);
                continue;
            }
            let stops = ordered && called.iter().any(|one| matches!(one, Outcome::Failed(_)));
            outcomes.extend(called);
            if stops {
                break;
            }
        }
        outcomes.resize_with(jobs.len(), || Outcome::Failed(behind()));
        outcomes
    }

    async fn try_all(&self, jobs: &mut [Job], is_again: bool) -> Vec<Outcome> {
        let now_ms = self.now_ms();
        for job in &mut *jobs {
            job.progress.first_at_ms.get_or_insert(now_ms);
        }
        let attempts_max = if jobs.iter().any(|job| self.is_retried(job)) {
            self.shared.policy.retry.attempts
        } else {
            1
        };
        let items = jobs.iter().map(Job::next_try).collect();
        let mut invocation = self.head.with(Input::Events(items), attempts_max);
        let attempt = jobs.iter().map(|job| job.progress.attempts).max().unwrap_or(0) + 1;
        let again = is_again.then(|| Again::begin(attempt, &mut invocation));
        let mut outcomes = self.shared.inner.invoke(invocation).await;
        if let Some(again) = again {
            again.end(&outcomes);
        }
        crash::pass("guest-ended");
        let lacking = || Failure::new(FailureClass::Internal, "an item without an outcome");
        outcomes.resize_with(jobs.len(), || Outcome::Failed(lacking()));
        outcomes
    }

    /// Whether a failed try of it is followed by another.
    fn is_retried(&self, job: &Job) -> bool {
        job.delivery.is_some() || (self.shared.policy.retry.sync && job.claim.is_some())
    }

    fn after(&self, job: &mut Job, outcome: Outcome) -> After {
        let failure = match outcome {
            Outcome::Done(reply) => {
                job.progress.attempts = job.progress.attempts.saturating_add(1);
                return After::Ended(End::Done(reply));
            }
            Outcome::Deferred { after, .. } => return After::Ended(End::Later(after)),
            Outcome::Failed(failure) => failure,
        };
        if !self.is_retried(job) {
            return After::Ended(End::GaveUp(failure, Condition::Rejected));
        }
        let now_ms = self.now_ms();
        let begun = !super::retry::never_began(failure.class);
        if let Some(phases) = &self.head.phases {
            phases.failed(failure.class.as_str(), &failure.detail);
        }
        if begun {
            job.progress.failed(now_ms, failure.class, &failure.detail);
        }
        let next = next(&self.shared.policy.retry, &job.progress, &failure, now_ms, chance());
        if matches!(next, Next::Again(_)) {
            meters().retried(self.shared.function.as_str());
        }
        match next {
            Next::NotStarted => After::Ended(End::NotStarted(failure)),
            Next::GiveUp(condition) => After::Ended(End::GaveUp(failure, condition)),
            Next::Again(wait) if wait <= IN_MEMORY_MAX => After::Again(wait),
            Next::Again(wait) if job.delivery.is_some() => After::Ended(End::Later(wait)),
            // A caller that waits is not kept that long.
            Next::Again(_) => After::Ended(End::GaveUp(failure, Condition::RetriesExhausted)),
        }
    }
}

/// The span of a try beyond the first that this call makes; a try that a queue gives again has its
/// call's.
struct Again(Option<Recording>);

impl Again {
    /// What the guest does in this try is below it.
    fn begin(attempt: u32, invocation: &mut Invocation) -> Self {
        invocation.trace = invocation.trace.child();
        let begun = tracer().begin(&invocation.trace, SpanKind::Internal, "attempt");
        Self(begun.map(|mut recording| {
            recording.set(attribute::ATTEMPT, i64::from(attempt));
            recording
        }))
    }

    fn end(self, outcomes: &[Outcome]) {
        let Some(mut recording) = self.0 else { return };
        let failure = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Failed(failure) => Some(failure),
            Outcome::Done(_) | Outcome::Deferred { .. } => None,
        });
        if let Some(failure) = failure {
            recording.fail(failure.class.as_str(), failure.detail.clone());
        }
        recording.end();
    }
}

/// Whether a call gave no item an outcome of its own.
fn failed_as_a_whole(outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|outcome| match outcome {
        Outcome::Failed(failure) => failure.class.breaks_off(),
        Outcome::Done(_) | Outcome::Deferred { .. } => false,
    })
}
