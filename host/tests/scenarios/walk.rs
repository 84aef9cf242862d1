//! One walk through everything: HTTP, Kafka, a function, Redis, a function, a destination.

use serde_json::{Value, json};

use crate::support::{
    Collector, Kafka, Recorder, Redis, Setup, eventually, eventually_within, hex,
};
use crate::telemetry::check;

#[tokio::test]
async fn one_event_goes_all_the_way_in_one_trace() {
    let (kafka, redis, recorder) = (Kafka::shared(), Redis::start(), Recorder::start().await);
    let collector = Collector::grpc().await;
    kafka.topic("walk", 1).await;
    let function = |name: &str, send: &str, on: &str| {
        format!(
            "{}\nenv = {{ RECORD = \"{}\" }}\nallow.send = [{send}]\n{on}",
            recorder.grant(),
            recorder.url(name),
        )
    };
    let destination = "[function.third.on]\nsuccess = \"queue:end\"";
    let host = Setup::new()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .unrouted("first", "worker", &function("first", "\"stream:kafka\"", ""))
        .unrouted("second", "worker", &function("second", "\"stream:redis\"", ""))
        .unrouted("third", "worker", &function("third", "", destination))
        .route("/", "first", "mode = \"async\"")
        .toml(&kafka.toml())
        .toml(&format!("[redis]\nurl = \"{}\"\n[queue.end]", redis.url()))
        .toml("[stream.kafka]\nkind = \"kafka\"\ntopic = \"walk\"")
        .toml("[stream.redis]\nkind = \"redis\"\nstream = \"walk\"")
        .toml("[[trigger.kafka]]\ntopics = [\"walk\"]\ntarget = \"function:second\"")
        .toml("[[trigger.redis]]\nname = \"r\"\nstream = \"walk\"\ntarget = \"function:third\"")
        .serve()
        .await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let work = json!({ "emit": ["stream:kafka"], "then": { "emit": ["stream:redis"] } });
    let headers = [("content-type", "application/json"), ("traceparent", parent.as_str())];
    assert_eq!(host.send("POST", "/", &headers, &work.to_string()).await.status, 202);
    eventually_within(std::time::Duration::from_secs(40), "it arrives", async || {
        host.queue_entries("end").await == 1
    })
    .await;
    let paths: Vec<String> = recorder.effects().into_iter().map(|effect| effect.path).collect();
    assert_eq!(paths, ["first", "second", "third"]);
    let end = host.admin_json("/v1/queues/queue:end/entries").await;
    let record: &Value = &end["items"][0];
    assert!(record.to_string().contains(trace), "another trace: {record}");
    eventually("all spans are exported", async || {
        collector.spans().iter().any(|span| span.name == "create queue:end")
    })
    .await;
    for row in ["kafka", "kafka producer", "redis", "redis producer"] {
        check(&collector, row);
    }
    let spans = collector.spans();
    assert!(spans.iter().all(|span| hex(&span.trace_id) == trace), "a span is in another trace");
    // Each span is below one that is known, up to the caller's.
    for span in &spans {
        let known = spans.iter().any(|one| one.span_id == span.parent_span_id);
        let first = hex(&span.parent_span_id) == "00f067aa0ba902b7";
        assert!(known || first, "{} is below nothing that is known", span.name);
    }
}
