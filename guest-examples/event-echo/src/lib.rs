//! An event function: answers with the data of the event it was given.
//!
//! Some event types show the other ways to answer: `reject`, `retry`, `panic`, and `attributes`,
//! which describes the delivery instead of echoing it.

use serde_json::{Map, Value, json};

use exports::wfh::function::handler::{Context, Delivery, Failure, Guest, Reply};
use wfh::function::types::{Event, Retry};

wit_bindgen::generate!({
    path: "../../wit",
    generate_all,
    inline: "
        package example:event-echo;
        world event-echo { export wfh:function/handler@0.1.0; }
    ",
});

struct EventEcho;

export!(EventEcho);

impl Guest for EventEcho {
    fn handle(delivery: Delivery, context: &Context) -> Result<Reply, Failure> {
        match delivery.event.type_.as_str() {
            "reject" => Err(Failure::Reject("no".into())),
            "retry" => {
                Err(Failure::RetryLater(Retry { reason: "later".into(), after_ms: Some(1500) }))
            }
            "panic" => panic!("asked to panic"),
            "attributes" => Ok(described(&delivery, context)),
            _ => Ok(echoed(delivery.event)),
        }
    }
}

fn echoed(event: Event) -> Reply {
    reply(event.datacontenttype, event.data)
}

fn described(delivery: &Delivery, context: &Context) -> Reply {
    let event = &delivery.event;
    let description = json!({
        "id": event.id,
        "source": event.source,
        "type": event.type_,
        "subject": event.subject,
        "extensions": object(&event.extensions),
        "attempt": delivery.attempt,
        "event-key": delivery.event_key,
        "traceparent": delivery.traceparent,
        "attributes": object(&delivery.attributes),
        "invocation-id": context.invocation_id(),
        "attempts-max": context.attempts_max(),
        "remaining-ms": context.remaining_ms(),
    });
    reply(Some("application/json".into()), Some(description.to_string().into_bytes()))
}

fn reply(datacontenttype: Option<String>, data: Option<Vec<u8>>) -> Reply {
    Reply { datacontenttype, data, attributes: Vec::new(), emit: Vec::new() }
}

fn object(pairs: &[(String, String)]) -> Map<String, Value> {
    pairs.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect()
}
