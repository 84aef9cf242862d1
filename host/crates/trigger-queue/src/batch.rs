//! One call with some entries: its leases are extended while it runs, and given back when the host
//! stops before it ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use wfh_event::{Failure, FailureClass};
use wfh_invoke::{Input, Invocation, Item, Outcome, Verdict, delivered, new_invocation_id};
use wfh_store::{Claimed, Op, Receipt};
use wfh_telemetry::TraceContext;

use crate::trigger::Shared;

/// What cannot be taken now is asked for again after this, unless the failure says.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a host that stops waits for a store that does not answer.
const GIVE_BACK_MAX: Duration = Duration::from_secs(5);

/// The entries of one call.
pub(crate) struct Batch {
    shared: Arc<Shared>,
    entries: Vec<Claimed>,
}

impl Batch {
    pub(crate) fn new(shared: Arc<Shared>, entries: Vec<Claimed>) -> Self {
        Self { shared, entries }
    }

    /// Calls; the target's layers settle.
    pub(crate) async fn run(self) {
        let Self { shared, entries } = self;
        let receipts: Vec<Receipt> =
            entries.iter().map(|claimed| claimed.receipt.clone()).collect();
        let invocation = invocation(&shared, entries);
        tokio::select! {
            outcomes = call(&shared, invocation) => pause_for(&shared, &outcomes),
            never = extend(&shared, &receipts) => match never {},
            () = shared.shutdown.cancel.cancelled() => give_back(&shared, receipts).await,
        }
    }
}

async fn call(shared: &Shared, invocation: Invocation) -> Vec<Outcome> {
    match shared.dispatcher.find(&shared.config.target) {
        Some(stacked) => stacked.invoke.invoke(invocation).await,
        // The manifest changed; the entries come back to whoever serves them next.
        None => {
            let target = &shared.config.target;
            let failure =
                Failure::new(FailureClass::Unavailable, format!("nothing takes {target}"));
            vec![Outcome::Failed(failure)]
        }
    }
}

fn invocation(shared: &Shared, entries: Vec<Claimed>) -> Invocation {
    let items: Vec<Item> = entries.into_iter().map(|claimed| item(shared, claimed)).collect();
    let only = match items.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    let id = only.and_then(|item| Some(item.delivery.as_ref()?.invocation));
    let hops = items.iter().filter_map(|item| Some(item.delivery.as_ref()?.hops));
    Invocation {
        id: id.unwrap_or_else(new_invocation_id),
        target: shared.config.target.clone(),
        deadline: None,
        hops: hops.max().unwrap_or(0),
        attempts_max: 1,
        trace: only.and_then(|item| item.trace.clone()).unwrap_or_else(TraceContext::root),
        input: Input::Events(items),
    }
}

fn item(shared: &Shared, claimed: Claimed) -> Item {
    let config = &shared.config;
    let (receives, appended_at_ms) = (claimed.entry.receives, claimed.entry.appended_at_ms);
    let age_ms = shared.clock.now_ms().saturating_sub(appended_at_ms);
    let too_old = config.retention.is_some_and(|kept| u128::from(age_ms) > kept.as_millis());
    let verdict = match receives > config.receives_max {
        true => Some(Verdict::LeasesRanOut { receives: receives - 1 }),
        false => too_old.then_some(Verdict::TooOld),
    };
    let mut item = delivered(claimed, config.path.clone());
    item.attributes.push(("trigger".to_owned(), config.name.clone()));
    if let Some(delivery) = &mut item.delivery {
        delivery.verdict = verdict;
    }
    item
}

/// What the target cannot take now, it will not take at once either.
fn pause_for(shared: &Shared, outcomes: &[Outcome]) {
    let waits = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Failed(failure) if failure.class.is_pressure() => {
            Some(failure.retry_after.unwrap_or(PAUSE))
        }
        Outcome::Failed(_) | Outcome::Done(_) | Outcome::Deferred { .. } => None,
    });
    if let Some(wait) = waits.max() {
        shared.pause(wait);
    }
}

async fn extend(shared: &Shared, receipts: &[Receipt]) -> Infallible {
    loop {
        tokio::time::sleep(shared.config.visibility / 3).await;
        let visibility = shared.config.visibility;
        if let Err(error) = shared.store.extend(receipts.to_vec(), visibility).await {
            tracing::warn!(trigger = %shared.config.name, %error, "leases cannot be extended");
        }
    }
}

/// The call was cut off: its entries are claimable at once, and it counts for nothing. One that was
/// settled just now conflicts, and one that cannot be given back runs out.
async fn give_back(shared: &Shared, receipts: Vec<Receipt>) {
    let release = |receipt| Op::Release { receipt, delay: Duration::ZERO, state: None };
    let releases = receipts.into_iter().map(|receipt| shared.store.commit(vec![release(receipt)]));
    let _ = tokio::time::timeout(GIVE_BACK_MAX, join_all(releases)).await;
}
