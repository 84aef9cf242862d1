//! No request to the admin API may panic or be answered as a fault of the host: neither its path,
//! its cursor and parameters, nor its body.
#![no_main]

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arbitrary::Arbitrary;
use http::Request;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use wfh_admin::{AdminConfig, Api, Sources};
use wfh_event::Target;
use wfh_invoke::{
    Dispatcher, Durability, Operator, Place, Router, Status, Targets, bytes_body, queue_key,
};
use wfh_store::SystemClock;
use wfh_store::memory::MemoryStore;

/// A request, near enough to a real one that it gets beyond the first check.
#[derive(Arbitrary, Debug)]
struct Asked<'a> {
    resource: u8,
    name: &'a str,
    query: &'a str,
    content_type: u8,
    body: &'a [u8],
}

const RESOURCES: &[(&str, &str)] = &[
    ("GET", "/v1/functions"),
    ("POST", "/v1/functions/{}/invocations"),
    ("GET", "/v1/invocations"),
    ("GET", "/v1/invocations/{}"),
    ("GET", "/v1/dead-letters"),
    ("GET", "/v1/dead-letters/{}"),
    ("POST", "/v1/dead-letters/{}/redrive"),
    ("DELETE", "/v1/dead-letters/{}"),
    ("GET", "/v1/queues/queue:jobs/entries"),
    ("GET", "/v1/queues/{}/entries"),
    ("POST", "/v1/queues/queue:jobs/entries"),
    ("GET", "/v1/schedules"),
    ("POST", "/v1/schedules/{}/pause"),
    ("GET", "/v1/audit"),
];

const CONTENT_TYPES: &[&str] = &[
    "application/json",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "text/plain",
];

static WORLD: LazyLock<(Runtime, Api)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let targets = Arc::new(Targets::default());
    let jobs: Target = "queue:jobs".parse().unwrap();
    let queue = queue_key(&jobs).unwrap();
    let place = Place { queue, group: None, depth_max: 1_000, dedup: None };
    targets.replace(HashMap::from([(jobs, vec![place])]));
    let clock = Arc::new(SystemClock);
    let durability = Durability {
        store: Arc::new(MemoryStore::new(clock.clone())),
        clock,
        targets,
        tasks: tokio_util::task::TaskTracker::new(),
        schedules: Arc::default(),
        running: Arc::default(),
        invocations_ttl: Duration::from_secs(60),
        dead_letters_ttl: Duration::from_secs(60),
    };
    let operator = Some(Operator::new(durability));
    let (status, dispatcher) = (Arc::new(Status::default()), Dispatcher::new(Router::default()));
    let sources = Sources { operator, ..Sources::new(status, dispatcher) };
    let config = AdminConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        token: None,
        hosts: Vec::new(),
        body_bytes_max: 4_096,
        connections_max: 8,
        requests_per_second_max: u32::MAX,
    };
    (runtime, Api::new(config, sources, CancellationToken::new()))
});

fn at<T: Copy>(all: &[T], index: u8) -> T {
    all[usize::from(index) % all.len()]
}

fuzz_target!(|asked: Asked<'_>| {
    let (runtime, api) = &*WORLD;
    let (method, path) = at(RESOURCES, asked.resource);
    let path = path.replace("{}", asked.name);
    let request = Request::builder()
        .method(method)
        .uri(format!("{path}?{}", asked.query))
        .header("host", "localhost")
        .header("content-type", at(CONTENT_TYPES, asked.content_type))
        .body(bytes_body(asked.body.to_vec()));
    // What is no URI never comes this far.
    let Ok(request) = request else { return };
    let status = runtime.block_on(api.call(request)).status();
    // 503: a queue that is full.
    assert!(!status.is_server_error() || status == 503, "{asked:?} was answered with {status}");
});
