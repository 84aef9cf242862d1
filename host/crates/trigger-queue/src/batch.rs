//! One call with some entries: its leases are extended while it runs, and given back when the host
//! stops before it ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use wfh_invoke::{Item, Verdict, delivered};
use wfh_pull::call;
use wfh_store::{Claimed, Op, Receipt};

use crate::trigger::Shared;

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
        let items = entries.into_iter().map(|claimed| item(&shared, claimed)).collect();
        tokio::select! {
            outcomes = call(&shared.dispatcher, &shared.config.target, items) => {
                shared.pause.follow(&outcomes);
            }
            never = extend(&shared, &receipts) => match never {},
            () = shared.shutdown.cancel.cancelled() => give_back(&shared, receipts).await,
        }
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
        delivery.bisect = config.bisect;
    }
    item
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
