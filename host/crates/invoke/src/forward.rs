//! A target that is no function: what a queue gives it is appended there.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use wfh_event::{Failure, FailureClass, Target};
use wfh_store::{Op, StoreError};

use crate::targets::Bound;
use crate::{Durability, EventReply, Input, Invocation, Invoke, Item, Outcome, Outgoing, Reply};

/// Moves entries from one queue to another, or to the subscribers of a topic, in one commit each.
pub struct Forward {
    target: Target,
    host: Durability,
}

impl Forward {
    /// Forwards to `target`.
    #[must_use]
    pub fn new(target: Target, host: Durability) -> Self {
        Self { target, host }
    }

    async fn forward(&self, item: Item, hops: u8) -> Result<(), Failure> {
        let (target, event) = (self.target.clone(), item.event);
        let (key, headers, hops) = (item.key, item.headers, hops.saturating_add(1));
        let outgoing = Outgoing { target, event, key, headers, delay: None, hops };
        let appends = self.host.targets.appends(outgoing, Bound::Kept);
        let unknown =
            |error: crate::PublishError| Failure::new(FailureClass::Unavailable, error.to_string());
        let mut ops = appends.map_err(unknown)?;
        ops.extend(item.delivery.map(|delivery| Op::Ack(delivery.receipt)));
        match self.host.store.commit(ops).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict { .. }) => {
                Err(Failure::new(FailureClass::Conflict, "somebody else took the entry"))
            }
            Err(error) => Err(Failure::new(FailureClass::Unavailable, error.to_string())),
        }
    }
}

impl Invoke for Arc<Forward> {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(async move {
            let Input::Events(items) = invocation.input else {
                let failure = Failure::new(FailureClass::Internal, "only events are forwarded");
                return vec![Outcome::Failed(failure)];
            };
            let mut outcomes = Vec::with_capacity(items.len());
            for item in items {
                outcomes.push(match self.forward(item, invocation.hops).await {
                    Ok(()) => Outcome::Done(Reply::Event(EventReply::default())),
                    Err(failure) => Outcome::Failed(failure),
                });
            }
            outcomes
        })
    }
}
