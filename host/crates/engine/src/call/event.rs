//! `wfh:function/handler@0.1` and `wfh:function/batch-handler@0.1`.

use std::time::Duration;

use wasmtime::component::Resource;
use wasmtime::{AsContextMut, Store};
use wfh_event::{Failure, FailureClass};
use wfh_invoke::{EventReply, Item, Outcome, Reply};

use crate::capability::event::{Context, delivery, wit};
use crate::instance::{Exports, Instance, trapped};
use crate::sandbox::Sandbox;

/// Calls the handler with `items` and gives one outcome each.
pub(crate) async fn run(
    instance: &mut Instance,
    items: Vec<Item>,
) -> Result<Vec<Outcome>, Failure> {
    let store = &mut instance.store;
    let called = match &instance.exports {
        Exports::Event(function) => {
            let mut outcomes = Vec::with_capacity(items.len());
            for item in items {
                let (delivery, context) = prepare(store, item)?;
                let handler = function.wfh_function_handler();
                let reply = handler.call_handle(store.as_context_mut(), &delivery, context).await;
                match reply {
                    Ok(reply) => outcomes.push(outcome(reply)),
                    Err(error) => return Err(trapped(store, &error)),
                }
            }
            return Ok(outcomes);
        }
        Exports::Batch(function) => {
            let count = items.len();
            let mut deliveries = Vec::with_capacity(count);
            for item in items {
                deliveries.push(delivery(item, store.data()));
            }
            let context = context(store)?;
            let handler = function.wfh_function_batch_handler();
            let reply = handler.call_handle(store.as_context_mut(), &deliveries, context).await;
            reply.map(|reply| batch_outcomes(reply, count))
        }
        Exports::HttpP2(_) | Exports::HttpP3(_) => {
            return Err(Failure::new(FailureClass::Internal, "not an event function"));
        }
    };
    called.map_err(|error| trapped(store, &error))
}

type Prepared = (wit::Delivery, Resource<Context>);

fn prepare(store: &mut Store<Sandbox>, item: Item) -> Result<Prepared, Failure> {
    let delivery = delivery(item, store.data());
    Ok((delivery, context(store)?))
}

fn context(store: &mut Store<Sandbox>) -> Result<Resource<Context>, Failure> {
    let pushed = store.data_mut().table().push(Context);
    pushed.map_err(|error| Failure::new(FailureClass::Internal, error.to_string()))
}

fn outcome(reply: Result<wit::Reply, wit::Failure>) -> Outcome {
    match reply {
        Ok(reply) if !reply.emit.is_empty() => Outcome::Failed(not_granted(&reply.emit)),
        Ok(reply) => Outcome::Done(Reply::Event(EventReply {
            datacontenttype: reply.datacontenttype,
            data: reply.data.map(Into::into),
            attributes: reply.attributes,
        })),
        Err(failure) => Outcome::Failed(guest_failure(failure)),
    }
}

/// An emit that nobody takes must not be lost in silence.
fn not_granted(emit: &[wit::Outgoing]) -> Failure {
    let targets: Vec<&str> = emit.iter().map(|outgoing| outgoing.target.as_str()).collect();
    let detail = format!("allow.send does not grant the emit to {}", targets.join(", "));
    Failure::new(FailureClass::Rejected, detail)
}

fn guest_failure(failure: wit::Failure) -> Failure {
    match failure {
        wit::Failure::Reject(reason) => Failure::new(FailureClass::Rejected, reason),
        wit::Failure::RetryLater(retry) => {
            let failure = Failure::new(FailureClass::Guest, retry.reason);
            match retry.after_ms {
                Some(after_ms) => failure.with_retry_after(Duration::from_millis(after_ms)),
                None => failure,
            }
        }
    }
}

fn batch_outcomes(reply: Result<wit::BatchReply, wit::Failure>, count: usize) -> Vec<Outcome> {
    let reply = match reply {
        Ok(reply) => reply,
        Err(failure) => {
            let failure = guest_failure(failure);
            return (0..count).map(|_| Outcome::Failed(failure.clone())).collect();
        }
    };
    if !reply.emit.is_empty() {
        let emit: Vec<wit::Outgoing> =
            reply.emit.into_iter().map(|(_, outgoing)| outgoing).collect();
        let failure = not_granted(&emit);
        return (0..count).map(|_| Outcome::Failed(failure.clone())).collect();
    }
    let mut outcomes: Vec<Outcome> =
        (0..count).map(|_| Outcome::Done(Reply::Event(EventReply::default()))).collect();
    for failed in reply.failed {
        match outcomes.get_mut(failed.index as usize) {
            Some(outcome) => *outcome = Outcome::Failed(guest_failure(failed.failure)),
            None => return out_of_range(failed.index, count),
        }
    }
    outcomes
}

fn out_of_range(index: u32, count: usize) -> Vec<Outcome> {
    let detail = format!("the guest failed item {index} of a batch of {count}");
    let failure = Failure::new(FailureClass::Trap, detail);
    (0..count).map(|_| Outcome::Failed(failure.clone())).collect()
}
