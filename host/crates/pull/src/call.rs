//! One batch, given to the target, and what becomes of each of its records.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use wfh_event::{Failure, FailureClass};
use wfh_invoke::{Delivery, Fate, Hold, Item, Outcome, Outside, Verdict, new_invocation_id};

use crate::marks::count_start;
use crate::pause::PAUSE;
use crate::shard::Puller;
use crate::{Raw, Record, Settled, call};

/// What could be settled neither way is tried again after this.
const TROUBLE_PAUSE: Duration = Duration::from_secs(1);

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Its source may forget it.
    Settled(Settled),
    /// It runs again after this time.
    Again(Duration),
}

/// One call.
pub(crate) struct Call<R> {
    pub(crate) puller: Arc<Puller>,
    pub(crate) source: Arc<str>,
    pub(crate) records: Vec<Record<R>>,
    /// Whether a try counts when it begins, since the host may not see its end.
    pub(crate) guarded: bool,
}

impl<R: Raw> Call<R> {
    /// Calls; the target's layers settle what they can.
    pub(crate) async fn run(mut self) -> Vec<(Record<R>, Then)> {
        let fates: Vec<Arc<Fate>> = self.records.iter().map(|_| Arc::default()).collect();
        let outcomes = match AssertUnwindSafe(self.outcomes(&fates)).catch_unwind().await {
            Ok(outcomes) => outcomes,
            Err(_) => {
                tracing::error!(trigger = %self.puller.config.name, "a call panicked");
                Vec::new()
            }
        };
        self.puller.pause.follow(&outcomes);
        let mut outcomes = outcomes.into_iter();
        let mut ended = Vec::with_capacity(self.records.len());
        for (mut record, fate) in std::mem::take(&mut self.records).into_iter().zip(fates) {
            let then = self.then(record.position, &fate, outcomes.next()).await;
            if let (Then::Again(_), Some(progress)) = (then, fate.progress()) {
                record.progress = progress;
            }
            ended.push((record, then));
        }
        ended
    }

    async fn outcomes(&self, fates: &[Arc<Fate>]) -> Vec<Outcome> {
        if self.guarded {
            for record in &self.records {
                let store = &*self.puller.store;
                if let Err(error) =
                    count_start(store, &self.source, record.position, &record.progress).await
                {
                    let failure = Failure::new(FailureClass::Unavailable, error.to_string());
                    return vec![Outcome::Failed(failure.with_retry_after(TROUBLE_PAUSE))];
                }
            }
        }
        let items = self.records.iter().zip(fates);
        let items = items.map(|(record, fate)| self.item(record, fate)).collect();
        call(&self.puller.dispatcher, &self.puller.config.target, items).await
    }

    fn item(&self, record: &Record<R>, fate: &Arc<Fate>) -> Item {
        let config = &self.puller.config;
        let (mut item, hops) = record.raw.item();
        item.attempt = record.progress.attempts().saturating_add(1);
        item.path.clone_from(&config.path);
        item.attributes.push(("trigger".to_owned(), config.name.clone()));
        let attempts = record.progress.attempts();
        let receives = (self.guarded && attempts >= config.attempts_max).then_some(attempts);
        let outside = Outside {
            source: Arc::clone(&self.source),
            position: record.position,
            lane: record.lane,
            fate: Arc::clone(fate),
        };
        item.delivery = Some(Box::new(Delivery {
            invocation: new_invocation_id(),
            hops,
            progress: record.progress.clone(),
            verdict: receives.map(|receives| Verdict::LeasesRanOut { receives }),
            bisect: config.batch.bisect,
            hold: Hold::Outside(outside),
        }));
        item
    }

    async fn then(&self, position: u128, fate: &Fate, outcome: Option<Outcome>) -> Then {
        if fate.is_settled() {
            return Then::Settled(Settled { position, marked: fate.is_marked() });
        }
        match outcome {
            Some(Outcome::Deferred { after, .. }) => Then::Again(after),
            Some(Outcome::Failed(failure)) if failure.class == FailureClass::Conflict => {
                self.conflicted(position).await
            }
            // The pause holds it back.
            Some(Outcome::Failed(failure)) if failure.class.is_pressure() => {
                Then::Again(Duration::ZERO)
            }
            Some(Outcome::Failed(failure)) if failure.class == FailureClass::Cancelled => {
                Then::Again(Duration::ZERO)
            }
            Some(Outcome::Failed(failure)) => {
                let trigger = &self.puller.config.name;
                tracing::warn!(%trigger, source = %self.source, position, %failure, "not settled");
                Then::Again(TROUBLE_PAUSE)
            }
            Some(Outcome::Done(_)) | None => Then::Again(TROUBLE_PAUSE),
        }
    }

    /// Its commit was refused: somebody has settled it already, or holds its idempotency key.
    async fn conflicted(&self, position: u128) -> Then {
        match self.puller.is_settled(&self.source, position).await {
            Ok(true) => Then::Settled(Settled { position, marked: true }),
            Ok(false) | Err(_) => Then::Again(PAUSE),
        }
    }
}
