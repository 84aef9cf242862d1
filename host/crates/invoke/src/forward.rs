//! A target that is no function: what is pulled for it goes to a sink, and is settled.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use wfh_event::{Failure, FailureClass, Target};
use wfh_store::{Op, StoreError};
use wfh_telemetry::TraceContext;

use crate::durable::{Condition, Ended, behind};
use crate::targets::Bound;
use crate::{
    Delivery, Durability, EventReply, Hold, Input, Invocation, Invoke, Item, Outcome, Place,
    Record, Reply, Targets, new_invocation_id,
};

/// How long an entry waits that its target cannot take now.
const PAUSE: Duration = Duration::from_secs(1);

/// Where pulled events are brought to.
pub trait Sink: Send + Sync {
    /// Brings events there. One answer per event, in order: the writes that are still missing, for
    /// the commit that acknowledges it; or why it cannot go there: under pressure
    /// ([`FailureClass::is_pressure`]) it is brought again, otherwise it is given up.
    fn bring<'a>(
        &'a self,
        events: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Vec<Result<Vec<Op>, Failure>>>;
}

/// Moves events from one place to another, in one commit each.
pub struct Forward {
    target: Target,
    hops_max: u8,
    host: Durability,
    sink: Arc<dyn Sink>,
}

/// An event on its way.
struct Going {
    delivery: Delivery,
    record: Arc<Record>,
}

impl Forward {
    /// Forwards to `sink`, which is `target`, what has not come through more than `hops_max`
    /// functions and queues.
    #[must_use]
    pub fn new(target: Target, hops_max: u8, host: Durability, sink: Arc<dyn Sink>) -> Self {
        Self { target, hops_max, host, sink }
    }

    /// All at once; in an ordered lane one after another, up to the first that has to wait.
    async fn forward(&self, events: Vec<Going>) -> Vec<Outcome> {
        if !events.iter().any(|one| one.delivery.lane().is_some()) {
            return self.together(events).await;
        }
        let mut outcomes = Vec::with_capacity(events.len());
        let mut stopped = false;
        for one in events {
            if stopped {
                outcomes.push(Outcome::Failed(behind()));
                continue;
            }
            let outcome = self.together(vec![one]).await;
            stopped = outcome.iter().any(|one| matches!(one, Outcome::Failed(_)));
            outcomes.extend(outcome);
        }
        outcomes
    }

    async fn together(&self, events: Vec<Going>) -> Vec<Outcome> {
        let goes: Vec<bool> = events.iter().map(|one| self.refused(one).is_none()).collect();
        let going = events.iter().zip(&goes).filter(|(_, goes)| **goes);
        let records: Vec<_> = going.map(|(one, _)| Arc::clone(&one.record)).collect();
        let mut brought = self.sink.bring(&records).await.into_iter();
        let ends = events.into_iter().zip(goes).map(|(one, goes)| {
            let brought = if goes { brought.next() } else { None };
            self.end(one, brought)
        });
        // Not lazily: each end takes its own answer.
        let ends: Vec<_> = ends.collect();
        join_all(ends).await
    }

    async fn end(&self, one: Going, brought: Option<Result<Vec<Op>, Failure>>) -> Outcome {
        let (ops, outcome) = match (self.refused(&one), brought) {
            (Some((failure, condition)), _) => {
                (self.letter(&one, &failure, condition), failed(failure))
            }
            (None, Some(Ok(ops))) => (ops, Outcome::Done(Reply::Event(EventReply::default()))),
            (None, Some(Err(failure))) if failure.class.is_pressure() => {
                return self.put_back(&one.delivery, failure).await;
            }
            (None, Some(Err(failure))) => {
                (self.letter(&one, &failure, Condition::Rejected), failed(failure))
            }
            (None, None) => {
                let failure = Failure::new(FailureClass::Unavailable, "its target gave no answer");
                return self.put_back(&one.delivery, failure).await;
            }
        };
        self.settle(&one.delivery, ops, outcome).await
    }

    async fn settle(&self, delivery: &Delivery, mut ops: Vec<Op>, outcome: Outcome) -> Outcome {
        delivery.acknowledge(&mut ops);
        let marked = !ops.is_empty();
        match self.host.store.commit(ops).await {
            Ok(_) => {
                if let Some(outside) = delivery.outside() {
                    outside.fate.settle(marked);
                }
                outcome
            }
            Err(StoreError::Conflict { .. }) => {
                failed(Failure::new(FailureClass::Conflict, "somebody else took the event"))
            }
            Err(error) => {
                let failure = Failure::new(FailureClass::Unavailable, error.to_string());
                self.put_back(delivery, failure).await
            }
        }
    }

    /// It stays where it is for a while.
    async fn put_back(&self, delivery: &Delivery, failure: Failure) -> Outcome {
        let delay = failure.retry_after.unwrap_or(PAUSE);
        if let Hold::Entry { receipt, .. } = &delivery.hold {
            let release = Op::Release { receipt: receipt.clone(), delay, state: None };
            // Its lease runs out if it cannot be given back.
            let _ = self.host.store.commit(vec![release]).await;
        }
        failed(failure.with_retry_after(delay))
    }

    /// Why an event goes no further. A circle of queues and topics ends like one of functions.
    fn refused(&self, one: &Going) -> Option<(Failure, Condition)> {
        if let Some(verdict) = one.delivery.verdict {
            return Some(verdict.failure());
        }
        (one.delivery.hops >= self.hops_max).then(|| {
            let detail = format!("the event came through more than {} functions", self.hops_max);
            (Failure::new(FailureClass::Invalid, detail), Condition::Rejected)
        })
    }

    fn letter(&self, one: &Going, failure: &Failure, condition: Condition) -> Vec<Op> {
        let name = self.target.to_string();
        let ended = Ended {
            function: &name,
            version: String::new(),
            record: &one.record,
            progress: &one.delivery.progress,
            now_ms: self.host.clock.now_ms(),
            result: Err((failure, condition)),
            claim: None,
        };
        let queue = one.delivery.queue(&self.target);
        let letter = ended.letter_op(&queue, self.host.dead_letters_ttl);
        letter.into_iter().map(|(_, op)| op).collect()
    }
}

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed(failure)
}

/// What is forwarded of an item.
fn going(mut item: Item, trace: &TraceContext) -> Result<Going, Failure> {
    let Some(delivery) = item.delivery.take() else {
        let detail = "only what was pulled is forwarded";
        return Err(Failure::new(FailureClass::Internal, detail));
    };
    let record = match delivery.stored() {
        Some(record) => Arc::clone(record),
        None => {
            let trace = item.trace.clone().unwrap_or_else(|| trace.clone());
            Arc::new(Record::new(delivery.invocation, item, delivery.hops, &trace))
        }
    };
    Ok(Going { delivery: *delivery, record })
}

impl Invoke for Forward {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(async move {
            let Input::Events(items) = invocation.input else {
                let failure = Failure::new(FailureClass::Internal, "only events are forwarded");
                return vec![failed(failure)];
            };
            let count = items.len();
            let events = items.into_iter().map(|item| going(item, &invocation.trace));
            match events.collect::<Result<Vec<_>, _>>() {
                Ok(events) => self.forward(events).await,
                Err(failure) => (0..count).map(|_| failed(failure.clone())).collect(),
            }
        })
    }
}

/// The queues behind a target of the store: what comes there is appended.
pub struct Appending {
    target: Target,
    targets: Arc<Targets>,
}

impl Appending {
    /// Appends to the queues behind `target`.
    #[must_use]
    pub fn new(target: Target, targets: Arc<Targets>) -> Self {
        Self { target, targets }
    }

    fn appends(&self, record: &Record) -> Result<Vec<Op>, Failure> {
        let places = self.targets.places(&self.target).map_err(|error| {
            Failure::new(FailureClass::Unavailable, error.to_string()).with_retry_after(PAUSE)
        })?;
        let hops = record.hops.saturating_add(1);
        let append = |place: &Place| {
            let record = Record { invocation: new_invocation_id(), hops, ..record.clone() };
            Op::Append(place.entry(&record, Duration::ZERO, Bound::Kept))
        };
        Ok(places.iter().map(append).collect())
    }
}

impl Sink for Appending {
    fn bring<'a>(
        &'a self,
        events: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Vec<Result<Vec<Op>, Failure>>> {
        let appends = events.iter().map(|record| self.appends(record)).collect();
        Box::pin(std::future::ready(appends))
    }
}
