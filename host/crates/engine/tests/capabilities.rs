//! Real guests on the engine alone, with state and a publisher in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test that fails by a panic fails as it should"
)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use wfh_engine::InitMode;
use wfh_event::FailureClass;
use wfh_invoke::Item;

use support::{Host, event, events, everything, get, item, probe};

#[tokio::test]
async fn state_outlives_its_sandbox_and_keeps_its_rules() {
    let host = Host::new();
    let function = host.load("event_probe", everything);
    let ask = async |operation: &str, arguments: Value| {
        probe(&function, item(operation, &arguments.to_string())).await
    };
    assert_eq!(ask("get", json!({"key": "a"})).await, Value::Null);
    assert_eq!(ask("set", json!({"key": "a", "value": "x", "ttl-ms": 5000})).await, 1);
    assert_eq!(host.memory.ttl("a"), Some(Duration::from_secs(5)), "the time to live is lost");
    assert_eq!(ask("get", json!({"key": "a"})).await, json!(["x", 1]));
    let swap = |expected| json!({"key": "a", "value": "y", "expected": expected});
    assert_eq!(ask("compare-and-set", swap(7)).await, Value::Null, "a stale version wins");
    assert_eq!(ask("compare-and-set", swap(1)).await, 2);
    assert_eq!(ask("increment", json!({"key": "n", "delta": 5})).await, 5);
    assert_eq!(ask("increment", json!({"key": "n", "delta": -7})).await, -2);
    let first = ask("list", json!({"limit": 1})).await;
    assert_eq!(first, json!([["a"], "a"]));
    assert_eq!(ask("list", json!({"limit": 1, "cursor": "a"})).await, json!([["n"], null]));
    assert_eq!(ask("delete", json!({"key": "a"})).await, true);
    assert_eq!(ask("delete", json!({"key": "a"})).await, false);
}

#[tokio::test]
async fn state_refuses_what_is_out_of_bounds() {
    let host = Host::new();
    let function = host.load("event_probe", everything);
    for (operation, arguments) in [
        ("get", json!({"key": ""})),
        ("get", json!({"key": "k".repeat(1025)})),
        ("set", json!({"key": "k", "value": "v".repeat((1 << 20) + 1)})),
        ("set", json!({"key": "k", "ttl-ms": 0})),
        ("list", json!({"limit": 0})),
        ("list", json!({"limit": 1001})),
    ] {
        let answer = probe(&function, item(operation, &arguments.to_string())).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains("Invalid"), "{operation} is not refused: {answer}");
    }
    let longest = json!({"key": "k".repeat(1024), "value": "v".repeat(1 << 20)}).to_string();
    assert_eq!(probe(&function, item("set", &longest)).await, 1, "the bound itself is refused");
}

fn to(target: &str, r#type: &str, data: &str) -> Item {
    let mut item = item(r#type, data);
    item.event.subject = Some(target.to_owned());
    item
}

#[tokio::test]
async fn a_sent_event_is_stored_when_the_call_returns() {
    let host = Host::new();
    let function = host.load("event_probe", everything);
    let ids = [
        probe(&function, to("queue:done", "send", r#"{"value": "x"}"#)).await,
        probe(&function, to("topic:paid", "send", r#"{"value": "x", "id": "own"}"#)).await,
    ];
    let sent = host.memory.sent.lock().unwrap().clone();
    let seen: Vec<_> = sent.iter().map(|sent| json!(sent.event.id.as_str())).collect();
    assert_eq!(seen, ids, "the ids that are told are not those that were stored");
    assert_eq!(ids[1], "own", "an id of the guest's is not kept");
    assert_eq!(ids[0].as_str().unwrap().len(), 26, "an empty id is not filled in");
    let first = &sent[0];
    assert_eq!((first.event.source.as_str(), first.hops), ("function:f", 1));
    assert_eq!(first.event.data.as_deref(), Some(&b"x"[..]));
    assert!(first.event.extensions.contains_key("traceparent"), "the trace breaks off");
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_and_not_stored() {
    let host = Host::new();
    let function = host.load("event_probe", everything);
    for (target, expected) in [
        ("queue:other", "Denied(\"allow.send does not name queue:other\")"),
        ("queue:full", "Full("),
        ("nowhere", "Invalid("),
    ] {
        let answer = probe(&function, to(target, "send", "{}")).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains(expected), "{target}: {answer}");
    }
    assert!(host.memory.sent.lock().unwrap().is_empty(), "a refused event is stored");
}

#[tokio::test]
async fn emits_come_up_with_the_success_and_are_not_sent_by_the_engine() {
    let host = Host::new();
    let function = host.load("event_probe", everything);
    let emit = async || {
        let reply = event(&function, to("queue:done", "emit", "{}")).await.unwrap();
        (reply.emit[0].target.to_string(), reply.emit[0].event.id.clone())
    };
    let (first, again) = (emit().await, emit().await);
    assert_eq!(first.0, "queue:done");
    assert_eq!(first, again, "another attempt emits another event");
    assert!(host.memory.sent.lock().unwrap().is_empty(), "an emit is sent before its commit");
    let denied = event(&function, to("queue:other", "emit", "{}")).await.unwrap_err();
    assert_eq!(denied.class, FailureClass::Rejected, "{denied}");
}

fn captured() -> (Arc<Mutex<Vec<u8>>>, tracing::subscriber::DefaultGuard) {
    let written = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&written);
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || Writer(Arc::clone(&into)))
        .finish();
    (written, tracing::subscriber::set_default(subscriber))
}

struct Writer(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn guest_records(written: &Mutex<Vec<u8>>) -> Vec<Value> {
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.filter(|record| record["target"] == "wfh::guest").collect()
}

#[tokio::test]
async fn a_log_record_has_its_level_its_fields_and_its_invocation() {
    let (written, _guard) = captured();
    let function = Host::new().load("event_probe", everything);
    let log = item("log", r#"{"message": "one\nline"}"#);
    assert_eq!(probe(&function, log).await, "logged");
    let records = guest_records(&written);
    let [record] = records.as_slice() else { panic!("not one record: {records:?}") };
    assert_eq!((&record["level"], &record["function"]), (&json!("WARN"), &json!("f")));
    assert_eq!(
        (&record["message"], &record["guest_target"], &record["fields"]),
        (&json!("one\nline"), &json!("probe::orders"), &json!(r#"{"order":"7"}"#))
    );
    assert_eq!(record["invocation"].as_str().unwrap().len(), 26);
}

#[tokio::test]
async fn records_count_against_the_budget_of_what_is_printed() {
    let (written, _guard) = captured();
    let function = Host::new().load("event_probe", |function| {
        everything(function);
        function.log_bytes_max = 100;
    });
    let message = json!({ "message": "m".repeat(101) }).to_string();
    assert_eq!(probe(&function, item("log", &message)).await, "logged", "the guest is not told");
    let records = guest_records(&written);
    let [record] = records.as_slice() else { panic!("not one record: {records:?}") };
    assert_eq!(record["message"], "guest output truncated");
}

#[tokio::test]
async fn a_component_of_another_host_counts_in_wasi_keyvalue() {
    let host = Host::new();
    let function = host.load("keyvalue_counter", |function| function.state = true);
    for (path, expected) in
        [("/a", "1\n"), ("/a", "2\n"), ("/b", "1\n"), ("/a?peek=1", "2\n"), ("/c?peek=1", "0\n")]
    {
        assert_eq!(get(&function, path).await, (200, expected.to_owned()), "{path}");
    }
    assert_eq!(get(&function, "/?all=1").await, (200, "a 2\nb 1\n".to_owned()));
    let probe_state = host.load("event_probe", everything);
    let seen = probe(&probe_state, item("list", r#"{"key": "counters/"}"#)).await;
    assert_eq!(seen, json!([["counters/a", "counters/b"], null]), "state and keyvalue are two");
}

#[tokio::test]
async fn a_listing_in_wasi_keyvalue_goes_on_where_its_page_ends() {
    let host = Host::new();
    let function = host.load("keyvalue_counter", |function| function.state = true);
    for number in 0..1001 {
        let key = format!("counters/{number:04}");
        wfh_invoke::StateStore::set(&*host.memory, &key, "1".into(), None).await.unwrap();
    }
    let (status, text) = get(&function, "/?all=1").await;
    assert_eq!((status, text.lines().count()), (200, 1001));
}

#[tokio::test]
async fn async_handlers_await_and_answer() {
    let host = Host::new();
    let one = host.load("async_event", |_| {});
    let reply = event(&one, item("t", "data")).await.unwrap();
    assert_eq!(reply.data.as_deref(), Some(&b"data"[..]));
    let rejected = event(&one, item("reject", "")).await.unwrap_err();
    assert_eq!((rejected.class, rejected.detail.as_str()), (FailureClass::Rejected, "no"));
    let trapped = event(&one, item("panic", "")).await.unwrap_err();
    assert_eq!(trapped.class, FailureClass::Trap, "{trapped}");

    let batch = host.load("async_batch", everything);
    let items = ["a", "bad", "b"].map(|data| item("t", data)).into();
    let replies = events(&batch, items).await;
    let emitted: Vec<Option<usize>> =
        replies.iter().map(|reply| reply.as_ref().ok().map(|reply| reply.emit.len())).collect();
    assert_eq!(emitted, [Some(1), None, Some(1)]);
}

#[tokio::test]
async fn an_http_function_takes_events_of_both_wasi_generations() {
    let host = Host::new();
    for guest in ["hello", "hello_p3"] {
        let function = host.load(guest, |_| {});
        let reply = event(&function, item("t", "")).await.unwrap();
        assert_eq!(reply.data.as_deref(), Some(&b"hello, world\n"[..]), "{guest}");
        assert_eq!(reply.datacontenttype.as_deref(), Some("text/plain"), "{guest}");
    }
    let echo = host.load("echo_stream", |_| {});
    let replies = events(&echo, vec![item("t", "one"), item("t", "two")]).await;
    let data: Vec<_> = replies.iter().map(|reply| reply.as_ref().unwrap().data.clone()).collect();
    assert_eq!(data, [Some("one".into()), Some("two".into())]);
}

#[tokio::test]
async fn an_http_function_sees_the_event_in_binary_mode() {
    let function = Host::new().load("inspect", |_| {});
    let posted = Item { attempt: 3, path: Some("/in?x=1".into()), ..item("paid", "{}") };
    let reply = event(&function, posted).await.unwrap();
    let seen: Value = serde_json::from_slice(&reply.data.unwrap()).unwrap();
    assert_eq!((&seen["method"], &seen["path-with-query"]), (&json!("POST"), &json!("/in?x=1")));
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", "e-1"),
        ("ce-source", "/tests"),
        ("ce-type", "paid"),
        ("wfh-attempt", "3"),
        ("wfh-event-key", "/tests#e-1"),
    ] {
        let header = json!([name, value]);
        let headers = seen["headers"].as_array().unwrap();
        assert!(headers.contains(&header), "{header} is not in {headers:?}");
    }
}

#[tokio::test]
async fn an_event_that_an_http_function_does_not_answer_failed() {
    let host = Host::new();
    for guest in ["no_response", "panic"] {
        let function = host.load(guest, |_| {});
        let failure = event(&function, item("t", "")).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Trap, "{guest}: {failure}");
    }
}

#[tokio::test]
async fn a_handler_learns_how_many_attempts_there_are() {
    let function = Host::new().load("event_echo", |_| {});
    let seen = probe(&function, item("attributes", "")).await;
    assert_eq!(seen["attempts-max"], 4);
}

#[tokio::test]
async fn an_init_has_a_log_and_none_of_the_functions_grants() {
    let (written, _guard) = captured();
    let host = Host::new();
    let function = host.load("init_asks", |function| {
        everything(function);
        function.env = vec![("LEVEL".to_owned(), "info".to_owned())];
        function.files = vec![wfh_engine::FileGrant {
            host: std::env::temp_dir(),
            guest: "/data".to_owned(),
            write: false,
        }];
    });
    let records = guest_records(&written);
    let [record] = records.as_slice() else { panic!("not one record: {records:?}") };
    assert_eq!(
        (&record["message"], &record["invocation"]),
        (&json!("init says hello"), &json!("init"))
    );
    let seen = probe(&function, item("t", "")).await;
    let said = |name: &str| seen[name].as_str().unwrap_or_default().to_owned();
    assert!(said("state").contains("init has no state"), "{seen}");
    assert!(said("publish").contains("init sends nothing"), "{seen}");
    assert_eq!((&seen["environment"], &seen["preopens"]), (&json!([]), &json!(0)), "{seen}");
    assert!(host.memory.sent.lock().unwrap().is_empty());
    let again = probe(&host.load("init_asks", everything), item("t", "")).await;
    assert_eq!(seen["insecure-seed"], again["insecure-seed"], "the seed is not constant");
}

#[tokio::test]
async fn what_an_init_prints_is_logged_and_its_open_stream_refused() {
    let (written, _guard) = captured();
    let error = Host::new().try_load("init_prints", |_| {}).err().unwrap().to_string();
    assert!(error.contains("wfh:function/log"), "no way out is named: {error}");
    let records = guest_records(&written);
    assert!(
        records.iter().any(|record| record["line"] == "init printed this"),
        "what it printed is lost: {records:?}"
    );
}

#[tokio::test]
async fn without_its_init_a_component_is_served_as_it_is() {
    let host = Host::new();
    let function = host.load("init_asks", |function| {
        everything(function);
        function.init = InitMode::Off;
    });
    assert_eq!(probe(&function, item("t", "")).await, Value::Null);
    let router = host.load("regex_router", |_| {});
    for function in [&router, &host.load("regex_router", |function| function.init = InitMode::Off)]
    {
        let answer = get(function, "/tenants/acme/orders-17/42").await;
        assert_eq!(answer, (200, "orders-17 acme 42\n".to_owned()));
        assert_eq!(get(function, "/tenants/acme/orders-50/42").await.0, 404);
    }
}
