//! A batched event function that does what each delivery's data says: for scenarios of partial
//! failures, poison events and order.
//!
//! The data is a JSON object; every field may be left out:
//!
//! - `record`: a URL that is told of the try, with the event's id, the number of the try, the event
//!   key and the size of the batch in its query; without it, the variable `RECORD` names it
//! - `fail`: `trap` ends the whole batch; `range` fails an item that there is not; `retry` and
//!   `reject` fail this one
//! - `fail_until`: only tries below this number fail
//! - `after_ms`: when `retry` asks to be called again
//! - `emit`: targets that get an event each, with the same data less `emit`

use serde_json::{Map, Value};

use exports::wfh::function::batch_handler::{BatchReply, Context, Delivery, Failure, Guest};
use wfh::function::types::{Event, FailedItem, Outgoing, Retry};

wit_bindgen::generate!({
    path: "../../wit",
    generate_all,
    inline: "
        package example:worker-batch;
        world worker { export wfh:function/batch-handler@0.1.0; }
    ",
});

struct Worker;

export!(Worker);

impl Guest for Worker {
    fn handle(deliveries: Vec<Delivery>, _context: &Context) -> Result<BatchReply, Failure> {
        let size = deliveries.len();
        let mut reply = BatchReply { failed: Vec::new(), emit: Vec::new() };
        for (index, delivery) in (0_u32..).zip(&deliveries) {
            let data = delivery.event.data.as_deref().unwrap_or_default();
            let work: Map<String, Value> = serde_json::from_slice(data).unwrap_or_default();
            record(&work, delivery, size)?;
            match failure(&work, delivery.attempt) {
                Some(Fails::Item(failure)) => reply.failed.push(FailedItem { index, failure }),
                Some(Fails::OutOfRange) => {
                    let failure = Failure::Reject("told to name another".to_owned());
                    reply.failed.push(FailedItem { index: index + size as u32, failure });
                }
                None => reply.emit.extend(emits(&work).into_iter().map(|event| (index, event))),
            }
        }
        Ok(reply)
    }
}

/// How an item fails.
enum Fails {
    Item(Failure),
    OutOfRange,
}

fn failure(work: &Map<String, Value>, attempt: u32) -> Option<Fails> {
    let until = work.get("fail_until").and_then(Value::as_u64);
    if until.is_some_and(|until| u64::from(attempt) >= until) {
        return None;
    }
    Some(match work.get("fail").and_then(Value::as_str)? {
        "trap" => panic!("told to trap"),
        "range" => Fails::OutOfRange,
        "reject" => Fails::Item(Failure::Reject("told to reject".to_owned())),
        _ => {
            let after_ms = work.get("after_ms").and_then(Value::as_u64);
            Fails::Item(Failure::RetryLater(Retry { reason: "told to retry".to_owned(), after_ms }))
        }
    })
}

/// Tells somebody outside of the try; it counts as an effect.
fn record(work: &Map<String, Value>, delivery: &Delivery, size: usize) -> Result<(), Failure> {
    let told = work.get("record").and_then(Value::as_str).map(str::to_owned);
    let Some(url) = told.or_else(|| std::env::var("RECORD").ok()) else { return Ok(()) };
    let (id, attempt, key) = (&delivery.event.id, delivery.attempt, &delivery.event_key);
    let query = format!("id={id}&attempt={attempt}&key={key}&size={size}");
    let url = format!("{url}?{}", query.replace('#', "%23"));
    let failed =
        |error| Failure::RetryLater(Retry { reason: format!("{url}: {error:?}"), after_ms: None });
    let future = support::get(&url, &[]).map_err(failed)?;
    support::wait(&future).map_err(failed).map(drop)
}

fn emits(work: &Map<String, Value>) -> Vec<Outgoing> {
    let targets = work.get("emit").and_then(Value::as_array);
    let targets = targets.into_iter().flatten().filter_map(Value::as_str);
    let mut next = work.clone();
    next.remove("emit");
    let data = Value::Object(next).to_string().into_bytes();
    targets.map(|target| outgoing(target, data.clone())).collect()
}

fn outgoing(target: &str, data: Vec<u8>) -> Outgoing {
    let event = Event {
        id: String::new(),
        source: String::new(),
        type_: "worker.emitted".to_owned(),
        subject: None,
        time: None,
        datacontenttype: Some("application/json".to_owned()),
        dataschema: None,
        extensions: Vec::new(),
        data: Some(data),
    };
    let target = target.to_owned();
    Outgoing { target, event, key: None, headers: Vec::new(), delay_ms: None }
}
