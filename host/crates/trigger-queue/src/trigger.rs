//! Claims as much as can run, and no more.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::TaskTracker;
use wfh_invoke::{Dispatcher, Shutdown};
use wfh_pull::Pause;
use wfh_store::{Claim, Claimed, Clock, Store, StoreError, crash};

use crate::QueueConfig;
use crate::batch::Batch;

/// Calls that one claim may fill.
const CALLS_PER_CLAIM_MAX: usize = 64;
/// After an error of the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Takes the entries of one queue to its target.
pub struct QueueTrigger {
    shared: Arc<Shared>,
    workers: Vec<Handle>,
}

/// What the trigger and its batches share.
pub(crate) struct Shared {
    pub(crate) config: QueueConfig,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) shutdown: Shutdown,
    pub(crate) pause: Pause,
}

impl QueueTrigger {
    /// Joins a queue of `store` and what `dispatcher` finds for the target. Calls run on `workers`
    /// in turn.
    #[must_use]
    pub fn new(
        config: QueueConfig,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        dispatcher: Dispatcher,
        workers: Vec<Handle>,
        shutdown: Shutdown,
    ) -> Self {
        let pause = Pause::default();
        let shared = Shared { config, store, clock, dispatcher, shutdown, pause };
        Self { shared: Arc::new(shared), workers }
    }

    /// Takes entries until the host drains, and returns when the calls in flight have ended or
    /// given back what they held.
    pub async fn run(self) {
        let Self { shared, workers } = self;
        let mut workers = workers.iter().cycle();
        let permits = Arc::new(Semaphore::new(shared.config.in_flight_max.max(1)));
        let calls = TaskTracker::new();
        let drain = shared.shutdown.drain.clone();
        while let Some(held) = drain.run_until_cancelled(ready(&shared, &permits)).await {
            // A claim is never broken off: its entries would be hidden until their leases run out.
            let claimed = match held {
                Ok(_) => claim(&shared, &permits).await,
                Err(error) => Err(error),
            };
            let (claimed, permits) = claimed.unwrap_or_else(|error| {
                tracing::warn!(trigger = %shared.config.name, %error, "the queue cannot be read");
                shared.pause.for_at_least(STORE_PAUSE);
                (Vec::new(), Vec::new())
            });
            for (entries, permit) in batches(claimed, shared.config.batch_size).zip(permits) {
                let batch = Batch::new(Arc::clone(&shared), entries);
                let call = async move {
                    batch.run().await;
                    drop(permit);
                };
                match workers.next() {
                    Some(worker) => calls.spawn_on(call, worker),
                    None => calls.spawn(call),
                };
            }
        }
        calls.close();
        calls.wait().await;
    }
}

type Claims = (Vec<Claimed>, Vec<OwnedSemaphorePermit>);

/// Waits until something may be claimed and a call may run.
async fn ready(shared: &Shared, permits: &Arc<Semaphore>) -> Result<(), StoreError> {
    // The semaphore is never closed. Nobody else takes from it, so the permit is there again.
    drop(permits.acquire().await);
    if let Some(until) = shared.pause.until() {
        sleep_until(until).await;
    }
    shared.store.claimable(shared.config.queue.clone()).await
}

/// Claims for as many calls as may run; a batch that is not full waits for more.
async fn claim(shared: &Shared, permits: &Arc<Semaphore>) -> Result<Claims, StoreError> {
    let config = &shared.config;
    let mut held = Vec::new();
    while held.len() < CALLS_PER_CLAIM_MAX
        && let Ok(permit) = Arc::clone(permits).try_acquire_owned()
    {
        held.push(permit);
    }
    let calls = u32::try_from(held.len()).unwrap_or(u32::MAX);
    let mut claimed = claim_up_to(shared, calls.saturating_mul(config.batch_size)).await?;
    if config.batch_window.is_zero() || claimed.is_empty() {
        return Ok((claimed, held));
    }
    // What is claimed already must not become claimable again while it waits for company.
    let until = Instant::now() + config.batch_window.min(config.visibility / 3);
    while claimed.len() < config.batch_size as usize {
        let more = timeout_at(until, shared.store.claimable(config.queue.clone()));
        let more = shared.shutdown.drain.run_until_cancelled(more).await;
        let lacking = config.batch_size - u32::try_from(claimed.len()).unwrap_or(u32::MAX);
        match more {
            Some(Ok(Ok(()))) => match claim_up_to(shared, lacking).await {
                Ok(more) => claimed.extend(more),
                Err(_) => break,
            },
            _ => break,
        }
    }
    Ok((claimed, held))
}

async fn claim_up_to(shared: &Shared, entries_max: u32) -> Result<Vec<Claimed>, StoreError> {
    let config = &shared.config;
    let (bytes_max, visibility) = (config.batch_bytes_max, config.visibility);
    let claim = Claim { entries_max, bytes_max, visibility };
    let claimed = shared.store.claim(config.queue.clone(), claim).await?;
    if !claimed.is_empty() {
        crash::pass("entry-claimed");
    }
    Ok(claimed)
}

/// As many batches as it takes, in order.
fn batches(claimed: Vec<Claimed>, size: u32) -> impl Iterator<Item = Vec<Claimed>> {
    let mut left = claimed.into_iter().peekable();
    std::iter::from_fn(move || {
        left.peek()?;
        Some(left.by_ref().take(size.max(1) as usize).collect())
    })
}

#[cfg(test)]
mod tests;
