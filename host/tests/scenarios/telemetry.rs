//! Spans, metrics and log records, as a collector gets them and as the host shows them itself.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::{
    Client, Collector, Host, Setup, Upstream, attributes, eventually, eventually_within, hex,
};

/// What each kind of span is called and says: data, with the version of the conventions.
pub(crate) fn table() -> Value {
    serde_json::from_str(include_str!("spans.json")).unwrap()
}

/// Checks a span of a collector against the table.
pub(crate) fn check(collector: &Collector, row: &str) {
    let expected = &table()[row];
    let name = expected["name"].as_str().unwrap();
    let kind = expected["kind"].as_i64().unwrap();
    let wanted = expected["attributes"].as_object().unwrap();
    let spans = collector.spans();
    let called: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let lacks = |span: &&opentelemetry_proto::tonic::trace::v1::Span| {
        let found = attributes(&span.attributes);
        let differs = |(name, value): (&String, &Value)| match (found.get(name), value.as_str()) {
            (Some(_), Some("*")) => None,
            (Some(found), Some(value)) if found == value => None,
            (found, value) => Some(format!("{name}: {found:?} instead of {value:?}")),
        };
        wanted.iter().filter_map(differs).collect::<Vec<_>>()
    };
    let fits = called.iter().any(|span| i64::from(span.kind) == kind && lacks(span).is_empty());
    let told: Vec<_> = called.iter().map(|span| (span.kind, lacks(span))).collect();
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert!(fits, "{row}: no span {name:?} of kind {kind} fits: {told:?} of {names:?}");
}

fn exporting(setup: Setup, collector: &Collector, protocol: &str) -> Setup {
    setup
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "100")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "300")
}

fn jobs(setup: Setup) -> Setup {
    setup
        .function("hello", "hello", "")
        .toml("[queue.jobs]")
        .toml("[[trigger.http]]\nroute = \"/jobs\"\nmode = \"async\"\ntarget = \"queue:jobs\"")
        .toml("[[trigger.queue]]\nqueue = \"jobs\"\ntarget = \"function:hello\"")
}

async fn metrics(host: &Host) -> String {
    Client::connect(host.admin()).await.unwrap().get("/metrics").await.text()
}

/// The value of a series; the test fails where there is none.
pub(crate) fn series(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let fits = |line: &&str| {
        line.split(['{', ' ']).next() == Some(name) && labels.iter().all(|one| line.contains(one))
    };
    let found = metrics.lines().find(fits);
    let line = found.unwrap_or_else(|| panic!("no series {name} {labels:?} in\n{metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

async fn spans_say_what_the_table_says(collector: Collector, protocol: &str) {
    let setup = exporting(jobs(Setup::new()), &collector, protocol)
        .toml("[[trigger.schedule]]\nname = \"tick\"\nevery = \"1s\"\ntarget = \"function:hello\"");
    let mut host = setup.serve().await;
    assert_eq!(host.get("/hello?a=1").await.status, 200);
    assert_eq!(host.send("POST", "/jobs", &[], "{\"a\":1}").await.status, 202);
    eventually("the timer's span is exported", async || {
        collector.spans().iter().any(|span| span.kind == 1)
    })
    .await;
    eventually("the queue's span is exported", async || {
        collector.spans().iter().any(|span| span.kind == 5)
    })
    .await;
    for row in ["http", "accept", "queue", "tick", "timer"] {
        check(&collector, row);
    }
    let (accepted, ran) = (collector.span("POST /jobs"), collector.span("process queue:jobs"));
    assert_eq!(ran.trace_id, accepted.trace_id, "the event is in another trace");
    assert_eq!(ran.parent_span_id, accepted.span_id, "the event is not below its request");
    eventually("metrics are exported", async || {
        collector.metrics().iter().any(|name| name == "faas.invoke_duration")
    })
    .await;
    assert_eq!(collector.services(), ["scenario"], "the service is called something else");
    host.signal(Signal::TERM);
    assert_eq!(host.ends().await.code(), Some(0));
}

#[tokio::test]
async fn spans_reach_a_collector_over_grpc() {
    spans_say_what_the_table_says(Collector::grpc().await, "grpc").await;
}

#[tokio::test]
async fn spans_reach_a_collector_over_http() {
    spans_say_what_the_table_says(Collector::http().await, "http/protobuf").await;
}

#[tokio::test]
async fn what_is_recorded_is_sent_before_the_host_ends() {
    let collector = Collector::http().await;
    let setup = Setup::new()
        .function("hello", "hello", "")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .env("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    let mut host = setup.serve().await;
    for _ in 0..20 {
        assert_eq!(host.get("/hello").await.status, 200);
    }
    host.signal(Signal::TERM);
    assert_eq!(host.ends().await.code(), Some(0));
    assert_eq!(collector.spans().len(), 20, "spans were lost at the drain");
}

#[tokio::test]
async fn failures_retries_and_outgoing_calls_have_spans_of_their_own() {
    let (collector, upstream) = (Collector::http().await, Upstream::start().await);
    let record = upstream.url("127.0.0.1");
    let grant = format!("allow.http = [\"{}\"]", record.trim_end_matches('/'));
    let retry = "[function.work.retry]\nattempts = 2\nbackoff = { initial = \"10ms\" }";
    let host = exporting(Setup::new(), &collector, "http/protobuf")
        .function("panic", "panic", "")
        .unrouted("work", "worker", &format!("{grant}\n{retry}"))
        .route("/work", "work", "mode = \"async\"")
        .serve()
        .await;
    assert_eq!(host.get("/panic").await.status, 502);
    let work = format!("{{\"record\":\"{record}\",\"fail\":\"trap\"}}");
    assert_eq!(host.send("POST", "/work", &[], &work).await.status, 202);
    eventually("the second try is exported", async || {
        collector.spans().iter().any(|span| span.name == "process function:work")
    })
    .await;
    let failed = collector.span("GET /panic");
    assert_eq!(attributes(&failed.attributes)["error.type"], "trap");
    assert_eq!(failed.status.unwrap().code, 2, "a trap is no error of the span");
    check(&collector, "client");
    let (call, again) = (collector.span("process function:work"), collector.span("attempt"));
    assert_eq!(again.parent_span_id, call.span_id, "the second try is not below the event");
    assert_eq!(attributes(&again.attributes)["wfh.attempt"], "2");
    let above: BTreeSet<String> = collector
        .spans()
        .iter()
        .filter(|span| span.name == "GET")
        .map(|span| hex(&span.parent_span_id))
        .collect();
    let expected = BTreeSet::from([hex(&call.span_id), hex(&again.span_id)]);
    assert_eq!(above, expected, "outgoing calls are not below their tries");
    let metrics = metrics(&host).await;
    let work = ["faas_name=\"work\""];
    assert_eq!(series(&metrics, "wfh_retries_total", &work), 1.0);
    assert_eq!(series(&metrics, "wfh_dead_letters_total", &work), 1.0);
    let trap = ["faas_name=\"work\"", "error_type=\"trap\""];
    assert_eq!(series(&metrics, "faas_errors_total", &trap), 1.0);
}

/// With `tracing` alone: a span of the function's own, what is sent in it below it, and no more than is
/// good for those who look.
async fn functions_add_spans(guest: &str) {
    let (collector, upstream) = (Collector::http().await, Upstream::start().await);
    let url = upstream.url("127.0.0.1");
    let grant =
        format!("allow.http = [\"{}\"]\nenv = {{ greeting = \"hi\" }}", url.trim_end_matches('/'));
    let host = exporting(Setup::new(), &collector, "http/protobuf")
        .unrouted("tour", guest, &grant)
        .route("/{*rest}", "tour", "")
        .serve()
        .await;
    assert_eq!(host.send("GET", "/spans", &[("x-url", &url)], "").await.status, 200);
    eventually("the call's span is exported", async || {
        collector.spans().iter().any(|span| span.kind == 2)
    })
    .await;
    let span = |name: &str| collector.span(name);
    let (call, charge, sent) = (span("GET /{*rest}"), span("charge"), span("GET"));
    assert_eq!(charge.parent_span_id, call.span_id, "the function's span is not below its call");
    assert_eq!(sent.parent_span_id, charge.span_id, "the request is not below the span");
    assert_eq!(attributes(&charge.attributes)["cents"], "700");
    assert_eq!(charge.status.as_ref().unwrap().message, "the bank refused");
    let event = &charge.events[0];
    assert_eq!(event.name, "the bank refused");
    assert_eq!(attributes(&event.attributes)["status"], "200");
    let shown = host.admin_json(&format!("/v1/traces/{}", hex(&call.trace_id))).await;
    assert_eq!(shown["tree"][1]["events"][0]["name"], "the bank refused", "{shown:#}");

    assert_eq!(host.get("/flood").await.text(), "flooded");
    eventually("the flood is over", async || {
        let calls = collector.spans();
        calls.iter().filter(|span| span.kind == 2).count() == 2
    })
    .await;
    let spans = collector.spans();
    let flood: Vec<_> = spans.iter().filter(|span| span.name == "flood").collect();
    assert_eq!(flood.len(), 128, "a call's spans are not bounded");
    let texts = flood.iter().map(|span| {
        span.attributes
            .iter()
            .map(|pair| pair.value.as_ref().map_or(0, prost::Message::encoded_len))
            .sum::<usize>()
    });
    assert!(texts.max().unwrap() < 10_000, "a span's texts are not bounded");
}

#[tokio::test]
async fn functions_add_spans_of_their_own() {
    functions_add_spans("sdk_tour").await;
}

#[tokio::test]
async fn functions_of_wasi_0_3_add_spans_of_their_own() {
    functions_add_spans("sdk_tour_p3").await;
}

/// What a caller sends, whether its trace goes on, and what goes on beside it.
type Case<'c> = (&'c str, Vec<(&'c str, &'c str)>, bool, Option<&'c str>);

/// The behaviour that W3C asks of whoever takes part in a trace, through a guest that forwards.
#[tokio::test]
async fn trace_context_goes_on_as_w3c_says() {
    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let good = format!("00-{ID}-00f067aa0ba902b7-01");
    let upstream = Upstream::start().await;
    let url = upstream.url("127.0.0.1");
    let next = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let grant = format!("allow.http = [\"http://{next}\"]");
    let host = Setup::new().function("proxy", "proxy_chain", &grant).serve().await;
    let long = format!("a={}", "x".repeat(9_000));
    let many: String = (0..32).map(|n| format!("k{n}=v,")).collect();
    let cases: Vec<Case<'_>> = vec![
        ("nothing", vec![], false, None),
        ("a good one", vec![("traceparent", &good)], true, None),
        ("a state", vec![("traceparent", &good), ("tracestate", "a=1,b=2")], true, Some("a=1,b=2")),
        (
            "two states",
            vec![("traceparent", &good), ("tracestate", "a=1"), ("tracestate", "b=2")],
            true,
            Some("a=1,b=2"),
        ),
        ("a long list", vec![("traceparent", &good), ("tracestate", &many)], true, Some(&many)),
        ("a state too long", vec![("traceparent", &good), ("tracestate", &long)], true, None),
        ("a state alone", vec![("tracestate", "a=1")], false, None),
        ("two", vec![("traceparent", &good), ("traceparent", &good)], false, None),
        (
            "a later version",
            vec![("traceparent", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x")],
            true,
            None,
        ),
        (
            "no version",
            vec![("traceparent", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
            false,
            None,
        ),
        (
            "upper case",
            vec![("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")],
            false,
            None,
        ),
        (
            "zeros",
            vec![("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01")],
            false,
            None,
        ),
        ("too short", vec![("traceparent", "00-4bf92f35-00f067aa0ba902b7-01")], false, None),
        ("mixed case of its name", vec![("TraceParent", &good)], true, None),
    ];
    for (case, sent, goes_on, state) in cases {
        let mut headers = vec![("x-next", next.as_str()), ("baggage", "tenant=acme")];
        headers.extend(sent);
        assert_eq!(host.send("GET", "/proxy", &headers, "").await.status, 200, "{case}");
        let seen = upstream.seen().pop().unwrap();
        let parent = seen["traceparent"].to_str().unwrap();
        assert_eq!(seen.get_all("traceparent").iter().count(), 1, "{case}");
        assert_eq!(parent.split('-').nth(1) == Some(ID), goes_on, "{case}: {parent}");
        assert_ne!(parent.split('-').nth(2), Some("00f067aa0ba902b7"), "{case}: the same position");
        assert!(parent.starts_with("00-"), "{case}: {parent}");
        let passed = seen.get("tracestate").map(|value| value.to_str().unwrap());
        assert_eq!(passed, state, "{case}");
        assert_eq!(seen["baggage"], "tenant=acme", "{case}: baggage is lost");
    }
}

#[tokio::test]
async fn callers_decide_what_is_sampled_unless_the_operator_does() {
    let collector = Collector::http().await;
    let host = exporting(Setup::new(), &collector, "http/protobuf")
        .function("hello", "hello", "")
        .env("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
        .env("OTEL_TRACES_SAMPLER_ARG", "0")
        .serve()
        .await;
    for _ in 0..50 {
        host.get("/hello").await;
    }
    let wanted = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    host.send("GET", "/hello", &[("traceparent", wanted)], "").await;
    let unwanted = "00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-00";
    host.send("GET", "/hello", &[("traceparent", unwanted)], "").await;
    eventually("the sampled one is exported", async || !collector.spans().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let traces: Vec<String> = collector.spans().iter().map(|span| hex(&span.trace_id)).collect();
    assert_eq!(traces, ["4bf92f3577b34da6a3ce929d0e0e4736"]);
}

#[tokio::test]
async fn guests_output_is_exported_with_its_trace() {
    let collector = Collector::grpc().await;
    let host = exporting(Setup::new(), &collector, "grpc").function("panic", "panic", "").serve();
    let host = host.await;
    host.get("/panic").await;
    let panicked = |record: &&opentelemetry_proto::tonic::logs::v1::LogRecord| {
        attributes(&record.attributes).get("line").is_some_and(|line| line.contains("panicked"))
    };
    eventually("the guest's line is exported", async || {
        collector.logs().iter().any(|record| panicked(&record))
    })
    .await;
    let logs = collector.logs();
    let record = logs.iter().find(panicked).unwrap();
    eventually("its span is exported", async || !collector.spans().is_empty()).await;
    let span = collector.span("GET /panic");
    assert_eq!(
        (hex(&record.trace_id), hex(&record.span_id)),
        (hex(&span.trace_id), hex(&span.span_id))
    );
}

/// A collector that takes connections and never answers must hold up nobody.
#[tokio::test]
async fn a_collector_that_stalls_costs_spans_and_nothing_else() {
    let stalled = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", stalled.local_addr().unwrap());
    let mut host = Setup::new()
        .function("hello", "hello", "")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &url)
        .env("OTEL_BSP_MAX_QUEUE_SIZE", "64")
        .env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16")
        .serve()
        .await;
    for _ in 0..500 {
        assert_eq!(host.get("/hello").await.status, 200);
    }
    let text = metrics(&host).await;
    let dropped = series(&text, "otel_sdk_processor_span_processed_total", &["\"wfh.backlog\""]);
    assert!(dropped >= 300.0, "only {dropped} of 500 spans are counted as dropped");
    let began = std::time::Instant::now();
    host.signal(Signal::TERM);
    assert_eq!(host.ends().await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(15), "the drain waits for the collector");
}

#[tokio::test]
async fn metrics_say_what_happened_and_stay_bounded() {
    let host = jobs(Setup::new())
        .function("panic", "panic", "")
        .function("keyed", "hello", "")
        .toml("[function.keyed.idempotency]\nkey = [\"header:Idempotency-Key\"]")
        .serve()
        .await;
    for n in 0..300 {
        // What a client makes up must not become series.
        host.send(&format!("M{n}"), &format!("/nowhere/{n}"), &[], "").await;
    }
    host.get("/hello").await;
    host.get("/panic").await;
    for _ in 0..3 {
        host.send("POST", "/keyed", &[("idempotency-key", "k")], "x").await;
    }
    host.send("POST", "/jobs", &[], "{}").await;
    eventually("the job ran", async || {
        let text = metrics(&host).await;
        text.contains("faas_invocations_total{faas_name=\"hello\",faas_trigger=\"pubsub\"} 1")
    })
    .await;
    let text = metrics(&host).await;
    let http = ["faas_name=\"hello\"", "faas_trigger=\"http\""];
    assert_eq!(series(&text, "faas_invocations_total", &http), 1.0);
    assert_eq!(series(&text, "faas_invoke_duration_seconds_count", &http), 1.0);
    let hits = ["faas_name=\"keyed\""];
    assert_eq!(series(&text, "wfh_idempotency_hits_total", &hits), 2.0);
    let route = ["http_route=\"/hello\"", "http_response_status_code=\"200\""];
    assert_eq!(series(&text, "http_server_request_duration_seconds_count", &route), 1.0);
    assert_eq!(series(&text, "wfh_queue_depth", &["wfh_target=\"queue:jobs\""]), 0.0);
    assert!(series(&text, "process_memory_usage_bytes", &[]) > 1e6);
    let commits = ["wfh_store_operation=\"commit\""];
    assert!(series(&text, "wfh_store_duration_seconds_count", &commits) >= 1.0);
    assert!(series(&text, "wfh_engine_sandboxes_limit", &[]) > 0.0);
    assert!(series(&text, "wfh_engine_memory_limit_bytes", &[]) > 0.0);
    assert!(series(&text, "wfh_engine_component_loads_total", &[]) >= 1.0);
    let requests = text.lines().filter(|line| line.starts_with("http_server_request_duration"));
    let requests = requests.filter(|line| line.contains("_count{")).count();
    assert!(requests < 10, "{requests} series of requests: clients make them up");
}

#[tokio::test]
async fn wfh_traces_shows_where_an_event_went() {
    let host = jobs(Setup::new()).serve().await;
    host.send("POST", "/jobs", &[], "{}").await;
    let mut id = String::new();
    eventually_within(Duration::from_secs(20), "both spans are there", async || {
        let listed = host.verb(&["traces", "--output", "json"]).await;
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        let found = listed["items"].as_array().unwrap().iter().find(|one| one["spans"] == 2);
        id = found.map(|one| one["id"].as_str().unwrap().to_owned()).unwrap_or_default();
        !id.is_empty()
    })
    .await;
    let shown = host.verb(&["traces", &id]).await.stdout;
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with(&format!("trace {id}")), "{shown}");
    assert!(lines[1].ends_with("POST /jobs (server)"), "{shown}");
    assert!(lines[2].ends_with("  process queue:jobs (consumer)"), "{shown}");
    let unknown = host.verb(&["traces", "00000000000000000000000000000001"]).await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.stderr.contains("WFH-4"), "{unknown:?}");
}

#[tokio::test]
async fn telemetry_that_cannot_be_is_refused_at_the_start() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url"),
    ] {
        let setup = Setup::new().function("hello", "hello", "").env(name, value);
        let ended = setup.serve_refused().await;
        assert_eq!(ended.code, Some(1), "{name}={value}: {ended:?}");
        assert!(ended.stderr.contains("WFH-10"), "{name}={value}: {ended:?}");
    }
}

#[tokio::test]
async fn a_collector_that_is_no_url_is_found_by_check() {
    for endpoint in ["localhost:4318", "ftp://x", "", "http://localhost:4318/v1/traces"] {
        let telemetry = format!("[telemetry]\notlp_endpoint = \"{endpoint}\"");
        let ended = Setup::new().function("hello", "hello", "").toml(&telemetry).check().await;
        assert_eq!(ended.code, Some(1), "{endpoint:?} is taken: {ended:?}");
        assert!(ended.stderr.contains("otlp_endpoint"), "{endpoint:?}: {ended:?}");
    }
}

/// A queue that tries again later shows each try that failed as what it is.
#[tokio::test]
async fn a_try_that_is_put_off_shows_why() {
    let collector = Collector::http().await;
    let retry = "[function.work.retry]\nattempts = 2\nbackoff = { initial = \"1500ms\", jitter = \"none\" }";
    let host = exporting(Setup::new(), &collector, "http/protobuf")
        .unrouted("work", "worker", retry)
        .route("/work", "work", "mode = \"async\"")
        .serve()
        .await;
    let work = "{\"fail\":\"trap\",\"fail_until\":2}";
    assert_eq!(host.send("POST", "/work", &[], work).await.status, 202);
    let tries = || {
        let spans = collector.spans();
        spans.into_iter().filter(|span| span.name == "process function:work").collect::<Vec<_>>()
    };
    eventually("both tries are exported", async || tries().len() == 2).await;
    let codes: Vec<_> =
        tries().iter().map(|span| span.status.as_ref().map_or(0, |s| s.code)).collect();
    assert_eq!(codes, [2, 0], "the first try must be an error, and the second none");
    assert_eq!(attributes(&tries()[0].attributes)["error.type"], "trap");
}

#[tokio::test]
async fn a_second_signal_ends_the_wait_for_a_collector() {
    let stalled = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", stalled.local_addr().unwrap());
    let mut host = Setup::new()
        .function("hello", "hello", "")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &url)
        .serve()
        .await;
    host.get("/hello").await;
    host.signal(Signal::TERM);
    host.says("draining").await;
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    let began = std::time::Instant::now();
    host.signal(Signal::TERM);
    assert_eq!(host.ends().await.code(), Some(1), "the second signal is not heard");
    assert!(began.elapsed() < Duration::from_secs(1), "it took {:?}", began.elapsed());
}
