//! An event function that does what its data says: for scenarios of retries, queues and crashes.
//!
//! The data is a JSON object; every field may be left out:
//!
//! - `record`: a URL that is told of the try before anything else happens, with the event's id, the
//!   number of the try and the event key in its query; without it, the variable `RECORD` names it
//! - `sleep_ms`: how long the work takes
//! - `fail`: `trap`, `retry`, `reject` or `exit`, and `fail_until`: only tries below this number fail
//! - `after_ms`: when `retry` asks to be called again
//! - `emit`: targets that get an event each, with the same data less `emit`, `fail` and what
//!   `then` holds on top of it

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Map, Value};

use exports::wfh::function::handler::{Context, Delivery, Failure, Guest, Reply};
use wfh::function::types::{Event, Outgoing, Retry};

wit_bindgen::generate!({
    path: "../../wit",
    generate_all,
    inline: "
        package example:worker;
        world worker { export wfh:function/handler@0.1.0; }
    ",
});

struct Worker;

export!(Worker);

impl Guest for Worker {
    fn handle(delivery: Delivery, _context: &Context) -> Result<Reply, Failure> {
        let data = delivery.event.data.clone().unwrap_or_default();
        let work: Map<String, Value> = serde_json::from_slice(&data).unwrap_or_default();
        let told = work.get("record").and_then(Value::as_str).map(str::to_owned);
        if let Some(url) = told.or_else(|| std::env::var("RECORD").ok()) {
            record(&url, &delivery)?;
        }
        sleep(Duration::from_millis(number(&work, "sleep_ms").unwrap_or(0)));
        let fails = number(&work, "fail_until").is_none_or(|until| delivery.attempt < until as u32);
        match work.get("fail").and_then(Value::as_str) {
            Some(how) if fails => fail(how, &work)?,
            _ => {}
        }
        Ok(Reply {
            datacontenttype: delivery.event.datacontenttype.clone(),
            data: delivery.event.data.clone(),
            attributes: Vec::new(),
            emit: emits(&work),
        })
    }
}

fn number(work: &Map<String, Value>, name: &str) -> Option<u64> {
    work.get(name)?.as_u64()
}

/// Tells somebody outside of the try; it counts as an effect.
fn record(url: &str, delivery: &Delivery) -> Result<(), Failure> {
    let event = &delivery.event;
    let query = format!("id={}&attempt={}&key={}", event.id, delivery.attempt, delivery.event_key);
    let url = format!("{url}?{}", query.replace('#', "%23"));
    let failed =
        |error| Failure::RetryLater(Retry { reason: format!("{url}: {error:?}"), after_ms: None });
    let future = support::get(&url, &[]).map_err(failed)?;
    support::wait(&future).map_err(failed).map(drop)
}

fn fail(how: &str, work: &Map<String, Value>) -> Result<(), Failure> {
    match how {
        "trap" => panic!("told to trap"),
        "exit" => std::process::exit(7),
        "reject" => Err(Failure::Reject("told to reject".to_owned())),
        _ => {
            let (reason, after_ms) = ("told to retry".to_owned(), number(work, "after_ms"));
            Err(Failure::RetryLater(Retry { reason, after_ms }))
        }
    }
}

fn emits(work: &Map<String, Value>) -> Vec<Outgoing> {
    let targets = work.get("emit").and_then(Value::as_array);
    let targets = targets.into_iter().flatten().filter_map(Value::as_str);
    let mut next = work.clone();
    for name in ["emit", "fail", "fail_until", "then"] {
        next.remove(name);
    }
    if let Some(Value::Object(then)) = work.get("then") {
        next.extend(then.clone());
    }
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
