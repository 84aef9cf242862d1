//! An event function that does what the type of its event says, with plain `wit-bindgen`.
//!
//! `get`, `set`, `compare-and-set`, `delete`, `increment` and `list` work on `wfh:function/state`,
//! `send` and `emit` send an event to the target that is the subject, `log` writes a record. Their
//! arguments are the data, as JSON; the reply is what came of it, as JSON.

use serde_json::{Value, json};

use exports::wfh::function::handler::{Context, Delivery, Failure, Guest, Reply};
use wfh::function::log::{self, Level};
use wfh::function::types::{Event, Outgoing};
use wfh::function::{publish, state};

wit_bindgen::generate!({
    path: "../../wit",
    generate_all,
    inline: "
        package example:event-probe;
        world event-probe {
            include wfh:function/capabilities@0.1.0;
            export wfh:function/handler@0.1.0;
        }
    ",
});

struct EventProbe;

export!(EventProbe);

impl Guest for EventProbe {
    fn handle(delivery: Delivery, _context: &Context) -> Result<Reply, Failure> {
        let event = delivery.event;
        let arguments = serde_json::from_slice(event.data.as_deref().unwrap_or(b"{}"));
        let arguments: Value = arguments.map_err(|error| Failure::Reject(error.to_string()))?;
        let target = event.subject.unwrap_or_default();
        let done = match event.type_.as_str() {
            "log" => {
                let fields = [("order".to_owned(), "7".to_owned())];
                log::log(Level::Warn, "probe::orders", &text(&arguments, "message"), &fields);
                json!("logged")
            }
            "send" => sent(publish::send(&target, &outgoing_event(&arguments))),
            "emit" => return Ok(reply(json!("emitted"), vec![outgoing(target, &arguments)])),
            operation => on_state(operation, &arguments),
        };
        Ok(reply(done, Vec::new()))
    }
}

fn text(arguments: &Value, name: &str) -> String {
    arguments[name].as_str().unwrap_or_default().to_owned()
}

fn on_state(operation: &str, arguments: &Value) -> Value {
    let key = text(arguments, "key");
    let value = text(arguments, "value").into_bytes();
    let number = |name: &str| arguments[name].as_u64();
    let done = match operation {
        "get" => state::get(&key).map(|found| {
            found.map_or(Value::Null, |entry| {
                json!([String::from_utf8_lossy(&entry.value), entry.version])
            })
        }),
        "set" => state::set(&key, &value, number("ttl-ms")).map(Value::from),
        "compare-and-set" => {
            state::compare_and_set(&key, number("expected"), &value, None).map(Value::from)
        }
        "delete" => state::delete(&key).map(Value::from),
        "increment" => {
            state::increment(&key, arguments["delta"].as_i64().unwrap_or(1)).map(Value::from)
        }
        "list" => {
            let limit = u32::try_from(number("limit").unwrap_or(10)).unwrap_or(u32::MAX);
            let page = state::list_keys(&key, arguments["cursor"].as_str(), limit);
            page.map(|page| json!([page.keys, page.next]))
        }
        other => return json!({ "unknown": other }),
    };
    done.unwrap_or_else(|error| json!({ "error": format!("{error:?}") }))
}

fn sent(sent: Result<String, publish::Error>) -> Value {
    sent.map_or_else(|error| json!({ "error": format!("{error:?}") }), Value::from)
}

/// An event whose id, source and payload are in the arguments; what is not there, the host fills.
fn outgoing_event(arguments: &Value) -> Event {
    Event {
        id: text(arguments, "id"),
        source: String::new(),
        type_: "probed".to_owned(),
        subject: None,
        time: None,
        datacontenttype: None,
        dataschema: None,
        extensions: Vec::new(),
        data: Some(text(arguments, "value").into_bytes()),
    }
}

fn outgoing(target: String, arguments: &Value) -> Outgoing {
    let event = outgoing_event(arguments);
    Outgoing { target, event, key: None, headers: Vec::new(), delay_ms: None }
}

fn reply(done: Value, emit: Vec<Outgoing>) -> Reply {
    Reply {
        datacontenttype: Some("application/json".to_owned()),
        data: Some(done.to_string().into_bytes()),
        attributes: Vec::new(),
        emit,
    }
}
