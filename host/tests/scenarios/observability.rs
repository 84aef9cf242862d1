//! The dashboard and the alerts of `configs/observability/`, asked of a Prometheus that reads a host
//! under load.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::{Host, Prometheus, Redis, Setup, eventually, eventually_within};

/// What two scrapes and two evaluations of each rule may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than the alert allows to be behind.
const ENTRIES: &str = "for _ = 1, 10100 do
    redis.call('XADD', KEYS[1], '*', 'ce-type', 'work', 'data', '{\"sleep_ms\":1200}')
end";

/// A function that works, one that fails, one whose events die and whose breaker opens, one that is
/// slow and full and has a stream before it, a queue that nobody empties, and a collector that takes
/// nothing.
async fn much_goes_wrong(redis: &Redis, collector: &TcpListener) -> Host {
    let stream = format!(
        "[[trigger.redis]]\nname = \"source\"\nurl = \"{}\"\nstream = \"jobs\"\ngroup = \"g\"\n\
         target = \"function:slow\"",
        redis.url()
    );
    let dying = "[function.dying.retry]\nattempts = 2\nbackoff = { initial = \"10ms\" }\n\
         [function.dying.breaker]\ncalls_min = 4\nwindow = \"60s\"\nopen_for = \"60s\"";
    let stalled = format!("http://{}/v1/traces", collector.local_addr().unwrap());
    Setup::new()
        .function("hello", "hello", "")
        .unrouted("slow", "worker", "concurrency = 1")
        .function("failing", "panic", "")
        .unrouted("dying", "panic", dying)
        .route("/dying", "dying", "mode = \"async\"")
        .toml("[queue.kept]\n[[trigger.http]]\nroute = \"/kept\"\nmode = \"async\"")
        .toml("target = \"queue:kept\"")
        .toml(&stream)
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &stalled)
        .env("OTEL_BSP_MAX_QUEUE_SIZE", "8")
        .env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
        .serve()
        .await
}

fn config(file: &str) -> String {
    let path = format!("{}/../configs/observability/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// What the panels ask for, over as long as this test has.
fn panels() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&config("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let asked = targets.map(|target| target["expr"].as_str().unwrap());
    asked.map(|expr| expr.replace("$__rate_interval", "30s")).collect()
}

/// What each alert compares, without its threshold.
fn compared(alerts: &BTreeMap<String, Value>) -> Vec<String> {
    let asked = alerts.values().map(|alert| alert["query"].as_str().unwrap());
    let left = asked.map(|query| query.rsplit_once([' ']).unwrap().0);
    left.map(|query| query.trim_end_matches(['>', '=', ' ']).to_owned()).collect()
}

async fn load(host: &Host) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        assert_eq!(host.get("/hello").await.status, 200);
        assert_eq!(host.get("/failing").await.status, 502);
    }
}

#[tokio::test]
async fn every_query_finds_data_and_alerts_come_up() {
    let (redis, collector) = (Redis::start(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    redis.ask(&["EVAL", ENTRIES, "1", "jobs"]);
    let host = much_goes_wrong(&redis, &collector).await;
    let prometheus = Prometheus::start(host.admin());
    eventually("the host is read", async || !prometheus.ask("up == 1").await.is_empty()).await;
    for _ in 0..3 {
        assert_eq!(host.send("POST", "/dying", &[], "{}").await.status, 202);
    }
    assert_eq!(host.send("POST", "/kept", &[], "{}").await.status, 202);

    let (panels, alerts) = (panels(), prometheus.alerts().await);
    let asked: Vec<String> = panels.into_iter().chain(compared(&alerts)).collect();
    assert!(asked.len() > 20, "{asked:?}");
    let mut silent = asked;
    eventually_within(PATIENCE, "every query finds data", async || {
        load(&host).await;
        let mut still = Vec::new();
        for query in std::mem::take(&mut silent) {
            if prometheus.ask(&query).await.is_empty() {
                still.push(query);
            }
        }
        silent = still;
        println!("no data for {silent:?}");
        silent.is_empty()
    })
    .await;

    // The others need an event that is ten minutes old, and a machine without memory.
    let not_here = ["WfhQueueOld", "WfhMemoryShort"];
    let expected = alerts.keys().filter(|name| !not_here.contains(&name.as_str())).cloned();
    let expected: BTreeSet<String> = expected.collect();
    eventually_within(PATIENCE, "every alert comes up that can", async || {
        load(&host).await;
        let alerts = prometheus.alerts().await;
        for (name, alert) in &alerts {
            assert_eq!(alert["health"], "ok", "{name}: {alert}");
        }
        let up = alerts.into_iter().filter(|(_, alert)| alert["state"] != "inactive");
        let up: BTreeSet<String> = up.map(|(name, _)| name).collect();
        println!("up: {up:?}");
        assert!(not_here.iter().all(|name| !up.contains(*name)), "what is well alerts");
        up == expected
    })
    .await;
}
