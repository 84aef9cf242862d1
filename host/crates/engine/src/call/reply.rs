//! What an event function answers, as outcomes: its emits checked, its failures classified.

use std::time::Duration;

use wfh_event::{Failure, FailureClass};
use wfh_invoke::{EventReply, Outcome, Outgoing, Reply};

use crate::capability::event::wit;
use crate::capability::send::{Refused, Sender, emit_id};

/// The source and the id of an event.
type Cause = (String, String);

/// The outcome of the item that was `cause`.
pub(super) fn outcome(
    reply: Result<wit::Reply, wit::Failure>,
    cause: &Cause,
    sender: Sender<'_>,
) -> Outcome {
    let reply = match reply {
        Ok(reply) => reply,
        Err(failure) => return Outcome::Failed(guest_failure(failure)),
    };
    match emits(reply.emit, cause, sender) {
        Ok(emit) => Outcome::Done(Reply::Event(EventReply {
            datacontenttype: reply.datacontenttype,
            data: reply.data.map(Into::into),
            attributes: reply.attributes,
            emit,
        })),
        Err(failure) => Outcome::Failed(failure),
    }
}

/// An emit that nobody takes must not be lost in silence: it fails its item.
fn emits(
    emit: Vec<wit::Outgoing>,
    (source, id): &Cause,
    sender: Sender<'_>,
) -> Result<Vec<Outgoing>, Failure> {
    let (mut outgoing, mut denied) = (Vec::with_capacity(emit.len()), Vec::new());
    for (index, raw) in emit.into_iter().enumerate() {
        let emit_id = emit_id((source, id), sender.function.name.as_str(), index);
        match sender.outgoing(raw, emit_id) {
            Ok(event) => outgoing.push(event),
            Err(Refused::Denied(target)) => denied.push(target),
            Err(Refused::Invalid(detail)) => {
                let detail = format!("emit[{index}]: {detail}");
                return Err(Failure::new(FailureClass::Rejected, detail));
            }
        }
    }
    if denied.is_empty() {
        return Ok(outgoing);
    }
    let detail = format!("allow.send does not grant the emit to {}", denied.join(", "));
    Err(Failure::new(FailureClass::Rejected, detail))
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

/// One outcome for each of `causes`.
pub(super) fn batch_outcomes(
    reply: Result<wit::BatchReply, wit::Failure>,
    causes: &[Cause],
    sender: Sender<'_>,
) -> Vec<Outcome> {
    let all = |failure: &Failure| -> Vec<Outcome> {
        causes.iter().map(|_| Outcome::Failed(failure.clone())).collect()
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(failure) => return all(&guest_failure(failure)),
    };
    match by_item(reply, causes.len()) {
        Err(failure) => all(&failure),
        Ok(items) => items
            .into_iter()
            .zip(causes)
            .map(|(item, cause)| {
                let reply = item.map(|emit| wit::Reply { emit, ..nothing() });
                outcome(reply, cause, sender)
            })
            .collect(),
    }
}

fn nothing() -> wit::Reply {
    wit::Reply { datacontenttype: None, data: None, attributes: Vec::new(), emit: Vec::new() }
}

/// What each item emits, or how it failed. Emits of failed items are dropped.
type ByItem = Vec<Result<Vec<wit::Outgoing>, wit::Failure>>;

fn by_item(reply: wit::BatchReply, count: usize) -> Result<ByItem, Failure> {
    let mut items: ByItem = (0..count).map(|_| Ok(Vec::new())).collect();
    for failed in reply.failed {
        match items.get_mut(failed.index as usize) {
            Some(item) => *item = Err(failed.failure),
            None => return Err(out_of_range("failed", failed.index, count)),
        }
    }
    for (index, outgoing) in reply.emit {
        match items.get_mut(index as usize) {
            Some(Ok(emit)) => emit.push(outgoing),
            Some(Err(_)) => {}
            None => return Err(out_of_range("emitted for", index, count)),
        }
    }
    Ok(items)
}

fn out_of_range(did: &str, index: u32, count: usize) -> Failure {
    let detail = format!("the guest {did} item {index} of a batch of {count}");
    Failure::new(FailureClass::Trap, detail)
}

#[cfg(test)]
mod tests;
