//! What makes calls durable: idempotency, retries and settlement, in this order around a call.
//!
//! They are one layer because they share one commit: the record of a key, the emitted events, the
//! dead letter or the destination's record, and the acknowledgement stand or fall together.

mod accept;
mod attempts;
mod begin;
mod hold;
mod job;
mod key;
mod letter;
mod policy;
mod record;
mod request;
mod retry;
mod settle;
mod state;
mod text;

pub use accept::{Accepted, Acceptor};
pub use hold::{
    Delivery, Fate, Hold, Outside, progress_key, progress_prefix, settled_key, settled_prefix,
};
pub use job::{Verdict, delivered};
pub use letter::{DEAD_LETTERS, DeadLetter};
pub use policy::{Destinations, DurablePolicy, KeyPolicy, RetryPolicy, Version};
pub use record::{InvocationState, InvocationStatus, Progress, Record, Try};

pub(crate) use job::{behind, record_of};
pub(crate) use letter::Ended;
pub(crate) use record::{INVOCATIONS, StoredClaim, encode};
pub(crate) use retry::Condition;
pub(crate) use state::{KeyState, Origin, REPLAYED};

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::task::TaskTracker;
use wfh_event::{Failure, FailureClass, FunctionName, InvocationId, Target};
use wfh_store::{Clock, Key, Lease, Store};
use wfh_telemetry::{Phases, TraceContext};

use crate::layer::{Bounds, all_failed};
use crate::running::Running;
use crate::{Input, Invocation, Invoke, Item, Outcome, Schedules, Targets};

use job::{End, Job, Lanes};

/// How long a key stays leased by a call that does not renew it.
const LEASE: Duration = Duration::from_secs(10);

/// What the host lends to every function's layer.
#[derive(Clone)]
pub struct Durability {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The time of records.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub targets: Arc<Targets>,
    /// Calls that outlive their callers; a drain waits for them.
    pub tasks: TaskTracker,
    /// Schedules that run.
    pub schedules: Arc<Schedules>,
    /// Asynchronous invocations that run now.
    pub running: Arc<Running>,
    /// How long the status of an asynchronous invocation is kept.
    pub invocations_ttl: Duration,
    /// How long a dead letter is kept.
    pub dead_letters_ttl: Duration,
}

/// Runs what it must run at most once at most once, tries again, and settles.
pub struct Durable<I> {
    shared: Arc<Shared<I>>,
}

struct Shared<I> {
    inner: I,
    function: FunctionName,
    bounds: Bounds,
    policy: DurablePolicy,
    host: Option<Durability>,
}

impl<I> Durable<I> {
    /// Makes the calls of `function` durable as its policy says. Without what the host lends,
    /// nothing can be kept, and what asks for it fails.
    pub fn new(
        inner: I,
        function: FunctionName,
        bounds: Bounds,
        policy: DurablePolicy,
        host: Option<Durability>,
    ) -> Self {
        Self { shared: Arc::new(Shared { inner, function, bounds, policy, host }) }
    }
}

/// What all items of an invocation share.
#[derive(Clone)]
struct Head {
    id: InvocationId,
    target: Target,
    deadline: Option<tokio::time::Instant>,
    hops: u8,
    trace: TraceContext,
    phases: Option<Arc<Phases>>,
}

impl Head {
    fn of(invocation: &Invocation) -> Self {
        Self {
            id: invocation.id,
            target: invocation.target.clone(),
            deadline: invocation.deadline,
            hops: invocation.hops,
            trace: invocation.trace.clone(),
            phases: invocation.phases.clone(),
        }
    }

    fn with(&self, input: Input, attempts_max: u32) -> Invocation {
        let Self { id, target, deadline, hops, trace, phases } = self.clone();
        Invocation { id, target, deadline, hops, attempts_max, trace, phases, input }
    }
}

impl<I: Invoke + 'static> Invoke for Durable<I> {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        let shared = &self.shared;
        let durable = match &invocation.input {
            Input::Http(_) => shared.policy.key.is_some(),
            Input::Events(items) => shared.needs(items),
        };
        if !durable {
            return shared.inner.invoke(invocation);
        }
        let Some(host) = &shared.host else {
            let items = invocation.input.items();
            return Box::pin(async move { all_failed(items, &no_store()) });
        };
        let waits = match &invocation.input {
            Input::Http(_) => true,
            Input::Events(items) => items.iter().any(|item| item.delivery.is_none()),
        };
        let run = Arc::clone(shared).run(invocation, host.clone());
        if !(waits && shared.policy.key.is_some()) {
            return Box::pin(run);
        }
        // A call with a key goes on when its caller leaves: the caller will ask again.
        let task = host.tasks.spawn(run);
        Box::pin(async move { task.await.unwrap_or_else(|_| vec![Outcome::Failed(lost())]) })
    }
}

fn no_store() -> Failure {
    let detail = "this host was started without a store (a bare component has none)";
    Failure::new(FailureClass::Internal, detail)
}

fn lost() -> Failure {
    Failure::new(FailureClass::Internal, "the task of a call with a key vanished")
}

impl<I: Invoke + 'static> Shared<I> {
    /// Whether there is more to do than to call.
    fn needs(&self, items: &[Item]) -> bool {
        self.policy.key.is_some()
            || self.policy.emits
            || items.iter().any(|item| item.delivery.is_some())
    }

    async fn run(self: Arc<Self>, invocation: Invocation, host: Durability) -> Vec<Outcome> {
        let head = Head::of(&invocation);
        let call = Call { shared: &self, host: &host, head };
        match invocation.input {
            Input::Http(input) => vec![call.request(*input).await],
            Input::Events(items) => call.events(items).await,
        }
    }
}

/// One invocation on its way through the layer.
struct Call<'a, I> {
    shared: &'a Shared<I>,
    host: &'a Durability,
    head: Head,
}

impl<I: Invoke + 'static> Call<'_, I> {
    async fn events(&self, items: Vec<Item>) -> Vec<Outcome> {
        let count = items.len();
        let (mut jobs, mut ended) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut stopped = Lanes::default();
        for (index, item) in items.into_iter().enumerate() {
            let mut job = Job::new(index, item);
            if stopped.hold(job.lane()) {
                ended.push((job, End::NotStarted(behind())));
                continue;
            }
            match self.begin(&mut job).await {
                Some(end) => {
                    if !end.is_final() {
                        stopped.add(job.lane());
                    }
                    ended.push((job, end));
                }
                None => jobs.push(job),
            }
        }
        let leases = jobs.iter().filter_map(Job::lease).cloned().collect();
        let settled = self.holding(leases, async {
            if !jobs.is_empty() {
                let _running = self.host.running.enter(jobs.iter().filter_map(Job::invocation));
                ended.extend(self.attempts(jobs).await);
            }
            self.settle(ended).await
        });
        let settled = settled.await;
        let mut outcomes: Vec<Outcome> = (0..count).map(|_| Outcome::Failed(unsettled())).collect();
        for (index, outcome) in settled {
            if let Some(place) = outcomes.get_mut(index) {
                *place = outcome;
            }
        }
        outcomes
    }

    /// Works while leases are renewed.
    async fn holding<T>(&self, leases: Vec<Lease>, work: impl Future<Output = T>) -> T {
        if leases.is_empty() {
            return work.await;
        }
        tokio::select! {
            done = work => done,
            never = self.renew(&leases) => match never {},
        }
    }

    async fn renew(&self, leases: &[Lease]) -> Infallible {
        loop {
            tokio::time::sleep(LEASE / 3).await;
            for lease in leases {
                // One that is lost by now makes the settlement conflict.
                let _ = self.host.store.renew(lease, LEASE).await;
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.host.clock.now_ms()
    }
}

fn unsettled() -> Failure {
    Failure::new(FailureClass::Internal, "an item was given no outcome")
}

/// A key of ours is never longer than a store takes.
fn store_key(text: &str) -> Result<Key, Failure> {
    Key::new(text).map_err(|error| Failure::new(FailureClass::Invalid, error.to_string()))
}

/// The store did not answer: the call never began, or is not settled.
fn unavailable(error: &wfh_store::StoreError) -> Failure {
    Failure::new(FailureClass::Unavailable, error.to_string())
        .with_retry_after(Duration::from_secs(1))
}

#[cfg(test)]
mod tests;
