//! Kafka as a source and as a target, on a real broker.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::Message;
use serde_json::{Value, json};

use crate::support::{Host, Kafka, Recorder, Setup, eventually};

/// A worker that a trigger on `topic` leads to.
fn setup(kafka: &Kafka, recorder: &Recorder, topic: &str, trigger: &str) -> Setup {
    with_guest("worker", kafka, recorder, topic, trigger)
}

fn with_guest(
    guest: &str,
    kafka: &Kafka,
    recorder: &Recorder,
    topic: &str,
    trigger: &str,
) -> Setup {
    let env = format!("env = {{ RECORD = \"{}\" }}", recorder.url(""));
    let retry = "[function.work.retry]\nbackoff = { initial = \"20ms\" }";
    Setup::new()
        .function("work", guest, &format!("{}\n{env}\n{retry}", recorder.grant()))
        .toml(&kafka.toml())
        .toml(&format!(
            "[[trigger.kafka]]\nname = \"it\"\ntopics = [\"{topic}\"]\ngroup = \"{topic}\"\n\
             target = \"function:work\"\noptions = {{ \"session.timeout.ms\" = \"6000\" }}\n{trigger}"
        ))
}

async fn letters(host: &Host) -> Vec<Value> {
    let mut client = crate::support::Client::connect(host.admin()).await.unwrap();
    client.get("/v1/dead-letters").await.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn records_reach_their_function_and_are_committed() {
    let (kafka, recorder) = (Kafka::shared(), Recorder::start().await);
    kafka.topic("reach", 2).await;
    let host = setup(kafka, &recorder, "reach", "").serve().await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(kafka.work("reach", &format!("key-{n}"), &json!({ "n": n })).await);
    }
    eventually("every record runs", async || recorder.effects().len() == 20).await;
    let mut seen: Vec<String> = recorder.effects().into_iter().map(|effect| effect.id).collect();
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
    eventually("all is committed", async || kafka.committed("reach", "reach", 2) == 20).await;
    drop(host);
}
