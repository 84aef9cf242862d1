//! The first line is method and path of a request to the admin API, the rest its body: it is answered,
//! and never with the host's own failure.
#![no_main]

use std::sync::{Arc, LazyLock};

use http::Request;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use wfh_admin::{AdminConfig, Api, Sources};
use wfh_invoke::{Dispatcher, Durability, Operator, Router, Status, bytes_body};
use wfh_store::SystemClock;
use wfh_store::memory::MemoryStore;

static HOST: LazyLock<(Runtime, Api)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("one");
    let host = Durability {
        store: Arc::new(MemoryStore::new(Arc::new(SystemClock))),
        clock: Arc::new(SystemClock),
        targets: Arc::default(),
        tasks: Default::default(),
        schedules: Arc::default(),
        running: Arc::default(),
        invocations_ttl: std::time::Duration::from_secs(1),
        dead_letters_ttl: std::time::Duration::from_secs(1),
    };
    let sources = Sources {
        status: Arc::new(Status::default()),
        dispatcher: Dispatcher::new(Router::default()),
        operator: Some(Operator::new(host)),
        logs: None,
        workers: vec![runtime.handle().clone()],
    };
    let config = AdminConfig {
        listen: "127.0.0.1:3001".parse().expect("an address"),
        token: None,
        hosts: Vec::new(),
        body_bytes_max: 1 << 20,
        connections_max: 1,
        requests_per_second_max: 1_000_000,
    };
    let api = Api::new(config, sources, CancellationToken::new());
    (runtime, api)
});

fuzz_target!(|text: &str| {
    let (head, body) = text.split_once('\n').unwrap_or((text, ""));
    let (method, path) = head.split_once(' ').unwrap_or(("GET", head));
    // It would follow the log for ever.
    if path.contains("follow") {
        return;
    }
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/cloudevents+json")
        .body(bytes_body(body.as_bytes().to_vec().into()));
    let Ok(request) = request else { return };
    let (runtime, api) = &*HOST;
    let answer = runtime.block_on(api.call(request));
    assert_ne!(answer.status().as_u16(), 500, "{head:?}");
});
