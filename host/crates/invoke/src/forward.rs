//! A target that is no function: what a queue gives it is appended there.

use std::time::Duration;

use futures_util::future::BoxFuture;
use wfh_event::{Failure, FailureClass, Target};
use wfh_store::{Op, StoreError};

use crate::durable::{Condition, Ended};
use crate::targets::Bound;
use crate::{
    Delivery, Durability, EventReply, Input, Invocation, Invoke, Item, Outcome, Place, Record,
    Reply, new_invocation_id,
};

/// How long an entry waits that its target cannot take now.
const PAUSE: Duration = Duration::from_secs(1);

/// Moves entries from one queue to another, or to the subscribers of a topic, in one commit each.
pub struct Forward {
    target: Target,
    hops_max: u8,
    host: Durability,
}

impl Forward {
    /// Forwards to `target` what has not come through more than `hops_max` functions and queues.
    #[must_use]
    pub fn new(target: Target, hops_max: u8, host: Durability) -> Self {
        Self { target, hops_max, host }
    }

    async fn forward(&self, item: Item) -> Result<(), Failure> {
        let Some(delivery) = item.delivery else {
            return Err(Failure::new(
                FailureClass::Internal,
                "only entries of queues are forwarded",
            ));
        };
        let mut ops = match self.refused(&delivery) {
            Some((failure, condition)) => self.letter(&delivery, &failure, condition),
            None => self.appends(&delivery)?,
        };
        ops.push(Op::Ack(delivery.receipt.clone()));
        match self.host.store.commit(ops).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict { .. }) => {
                Err(Failure::new(FailureClass::Conflict, "somebody else took the entry"))
            }
            Err(error) => {
                let release = Op::Release { receipt: delivery.receipt, delay: PAUSE, state: None };
                // Its lease runs out if it cannot be given back.
                let _ = self.host.store.commit(vec![release]).await;
                let failure = Failure::new(FailureClass::Unavailable, error.to_string());
                Err(failure.with_retry_after(PAUSE))
            }
        }
    }

    /// Why an entry goes no further. A circle of queues and topics ends like one of functions.
    fn refused(&self, delivery: &Delivery) -> Option<(Failure, Condition)> {
        if let Some(verdict) = delivery.verdict {
            return Some(verdict.failure());
        }
        (delivery.record.hops() >= self.hops_max).then(|| {
            let detail = format!("the event came through more than {} functions", self.hops_max);
            (Failure::new(FailureClass::Invalid, detail), Condition::Rejected)
        })
    }

    fn appends(&self, delivery: &Delivery) -> Result<Vec<Op>, Failure> {
        let places = self.host.targets.places(&self.target).map_err(|error| {
            Failure::new(FailureClass::Unavailable, error.to_string()).with_retry_after(PAUSE)
        })?;
        let hops = delivery.record.hops().saturating_add(1);
        let append = |place: &Place| {
            let record = Record::clone(&delivery.record);
            let record = Record { invocation: new_invocation_id(), hops, ..record };
            Op::Append(place.entry(&record, Duration::ZERO, Bound::Kept))
        };
        Ok(places.iter().map(append).collect())
    }

    fn letter(&self, delivery: &Delivery, failure: &Failure, condition: Condition) -> Vec<Op> {
        let name = self.target.to_string();
        let ended = Ended {
            function: &name,
            version: String::new(),
            record: &delivery.record,
            progress: &delivery.progress,
            now_ms: self.host.clock.now_ms(),
            result: Err((failure, condition)),
            claim: None,
        };
        let queue = delivery.receipt.queue.as_str();
        let letter = ended.letter_op(queue, self.host.dead_letters_ttl);
        letter.into_iter().map(|(_, op)| op).collect()
    }
}

impl Invoke for Forward {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(async move {
            let Input::Events(items) = invocation.input else {
                let failure = Failure::new(FailureClass::Internal, "only events are forwarded");
                return vec![Outcome::Failed(failure)];
            };
            let mut outcomes = Vec::with_capacity(items.len());
            for item in items {
                outcomes.push(match self.forward(item).await {
                    Ok(()) => Outcome::Done(Reply::Event(EventReply::default())),
                    Err(failure) => Outcome::Failed(failure),
                });
            }
            outcomes
        })
    }
}
