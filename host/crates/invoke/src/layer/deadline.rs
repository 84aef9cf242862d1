//! One attempt takes at most `timeout`, from here to its last byte.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use wfh_event::{Failure, FailureClass};

use super::all_failed;
use crate::{Invocation, Invoke, Outcome, Reply};

/// Answers in the guest's place when the deadline passes, whatever the guest does: its timer runs
/// in the caller's task.
pub struct Deadline<I> {
    inner: I,
    timeout: Duration,
}

impl<I> Deadline<I> {
    /// Bounds each call of `inner`.
    pub fn new(inner: I, timeout: Duration) -> Self {
        Self { inner, timeout }
    }
}

impl<I: Invoke> Invoke for Deadline<I> {
    fn invoke(&self, mut invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(async move {
            let own = Instant::now() + self.timeout;
            let deadline = invocation.deadline.map_or(own, |callers| callers.min(own));
            invocation.deadline = Some(deadline);
            let items = invocation.input.items();
            match timeout_at(deadline, self.inner.invoke(invocation)).await {
                Ok(mut outcomes) => {
                    outcomes.iter_mut().for_each(|outcome| bound_tail(outcome, deadline));
                    outcomes
                }
                Err(_) => all_failed(items, &timed_out(self.timeout)),
            }
        })
    }
}

fn bound_tail(outcome: &mut Outcome, deadline: Instant) {
    if let Outcome::Done(Reply::Http(_, tail)) = outcome {
        tail.set_deadline(deadline);
    }
}

fn timed_out(timeout: Duration) -> Failure {
    Failure::new(FailureClass::Timeout, format!("no answer within the timeout of {timeout:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::{Fake, class, invocation};
    use std::sync::Arc;

    const TIMEOUT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_call_over_its_timeout_fails_at_the_timeout() {
        let layer = Deadline::new(Arc::new(Fake::taking(TIMEOUT * 2)), TIMEOUT);
        let start = Instant::now();
        assert_eq!(class(layer.invoke(invocation()).await), Some(FailureClass::Timeout));
        assert_eq!(start.elapsed(), TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn the_callers_earlier_deadline_wins() {
        let layer = Deadline::new(Arc::new(Fake::taking(TIMEOUT * 2)), TIMEOUT);
        let start = Instant::now();
        let mut call = invocation();
        call.deadline = Some(start + Duration::from_secs(1));
        assert_eq!(class(layer.invoke(call).await), Some(FailureClass::Timeout));
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_in_time_passes() {
        let layer = Deadline::new(Arc::new(Fake::taking(TIMEOUT / 2)), TIMEOUT);
        assert_eq!(class(layer.invoke(invocation()).await), None);
    }
}
