//! Describes the event it was given; some event types show the ways to fail.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use wfh::{Event, Reject, Result, RetryAfter};

#[wfh::event]
async fn describe(event: Event<Value>) -> Result<Value> {
    match event.event_type() {
        "reject" => Err(Reject::new("no").into()),
        "later" => Err(RetryAfter::new(Duration::from_millis(1500), "not now").into()),
        "fail" => Err(io::Error::other("disk 7 is full").into()),
        _ => Ok(described(&event)),
    }
}

fn described(event: &Event<Value>) -> Value {
    json!({
        "data": event.data,
        "id": event.id(),
        "shard": event.extension("shard"),
        "attempt": event.attempt(),
        "event-key": event.event_key(),
        "route": event.attribute("route"),
        "invocation-id": event.context().invocation_id(),
        "attempts-max": event.context().attempts_max(),
        "remaining-ms": event.context().remaining().as_millis() as u64,
    })
}
