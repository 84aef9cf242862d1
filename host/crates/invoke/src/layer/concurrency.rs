//! How many calls run at once: of one function, and of the whole host.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout_at};
use wfh_event::{Failure, FailureClass};

use super::all_failed;
use crate::{Invocation, Invoke, Outcome, Reply};

/// The ceiling of calls in flight that all functions share. Cheap to clone.
#[derive(Clone)]
pub struct HostLimit(Arc<Semaphore>);

impl HostLimit {
    /// At most `invocations_max` at once.
    #[must_use]
    pub fn new(invocations_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(invocations_max)))
    }
}

/// Lets `limit` calls run; the others wait in order of arrival, up to `queue_timeout`. A permit is
/// held to the last byte of a streaming answer.
pub struct Concurrency<I> {
    inner: I,
    own: Arc<Semaphore>,
    host: HostLimit,
    queue_timeout: Duration,
}

impl<I> Concurrency<I> {
    /// Bounds the calls of `inner`.
    pub fn new(inner: I, limit: usize, queue_timeout: Duration, host: HostLimit) -> Self {
        Self { inner, own: Arc::new(Semaphore::new(limit)), host, queue_timeout }
    }

    async fn permits(&self, callers: Option<Instant>) -> Result<Permits, Failure> {
        let until = || {
            let own = Instant::now() + self.queue_timeout;
            callers.map_or(own, |deadline| deadline.min(own))
        };
        let own = acquire(&self.own, until).await.ok_or_else(|| {
            let detail = format!("no permit within the queue_timeout of {:?}", self.queue_timeout);
            Failure::new(FailureClass::Busy, detail).with_retry_after(self.retry_after())
        })?;
        let host = acquire(&self.host.0, until).await.ok_or_else(|| {
            let detail = "the host is at limits.invocations_max";
            Failure::new(FailureClass::Unavailable, detail).with_retry_after(self.retry_after())
        })?;
        Ok(Permits { _own: own, _host: host })
    }

    /// A waiter has just shown that a place takes longer than this to come free.
    fn retry_after(&self) -> Duration {
        self.queue_timeout.max(Duration::from_secs(1))
    }
}

struct Permits {
    _own: OwnedSemaphorePermit,
    _host: OwnedSemaphorePermit,
}

async fn acquire(
    semaphore: &Arc<Semaphore>,
    until: impl Fn() -> Instant,
) -> Option<OwnedSemaphorePermit> {
    match Arc::clone(semaphore).try_acquire_owned() {
        Ok(permit) => Some(permit),
        Err(TryAcquireError::Closed) => None,
        Err(TryAcquireError::NoPermits) => {
            timeout_at(until(), Arc::clone(semaphore).acquire_owned()).await.ok()?.ok()
        }
    }
}

impl<I: Invoke> Invoke for Concurrency<I> {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(async move {
            let began = invocation.phases.is_some().then(Instant::now);
            let permits = self.permits(invocation.deadline).await;
            if let (Some(phases), Some(began)) = (&invocation.phases, began) {
                phases.waited(began.elapsed());
            }
            let permits = match permits {
                Ok(permits) => permits,
                Err(failure) => return all_failed(invocation.input.items(), &failure),
            };
            let mut outcomes = self.inner.invoke(invocation).await;
            if let Some(Outcome::Done(Reply::Http(_, tail))) = outcomes.first_mut() {
                tail.hold(permits);
            }
            outcomes
        })
    }
}

#[cfg(test)]
mod tests;
