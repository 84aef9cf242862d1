//! Kafka as a source and as a target, on a real broker.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rdkafka::Message;
use serde_json::{Value, json};

use crate::support::{Kafka, Recorder, Sending, Setup, eventually, eventually_within, header};

/// What every trigger here is called.
const TRIGGER: &str = "it";

/// A worker that a trigger on `topic` leads to; the topic is the group's name, too.
struct Case<'c> {
    kafka: &'c Kafka,
    recorder: Recorder,
    topic: &'c str,
    guest: &'c str,
    function: String,
    trigger: String,
    more: String,
}

impl<'c> Case<'c> {
    async fn new(topic: &'c str, partitions: i32) -> Self {
        let kafka = Kafka::shared();
        kafka.topic(topic, partitions).await;
        Self::on(kafka, topic).await
    }

    async fn on(kafka: &'c Kafka, topic: &'c str) -> Self {
        let recorder = Recorder::start().await;
        let (function, trigger, more) = (String::new(), String::new(), String::new());
        Self { kafka, recorder, topic, guest: "worker", function, trigger, more }
    }

    fn batched(mut self, batch: &str) -> Self {
        self.guest = "worker_batch";
        self.trigger += &format!("batch = {{ {batch} }}\n");
        self
    }

    fn trigger(mut self, text: &str) -> Self {
        self.trigger += text;
        self.trigger.push('\n');
        self
    }

    fn function(mut self, text: &str) -> Self {
        self.function += text;
        self.function.push('\n');
        self
    }

    fn more(mut self, text: &str) -> Self {
        self.more += text;
        self.more.push('\n');
        self
    }

    fn setup(&self) -> Setup {
        let env = format!("env = {{ RECORD = \"{}\" }}", self.recorder.url(""));
        let retry = "[function.work.retry]\nbackoff = { initial = \"20ms\", max = \"100ms\" }";
        let settings = format!("{}\n{env}\n{}\n{retry}", self.recorder.grant(), self.function);
        let Self { topic, trigger, .. } = self;
        Setup::new()
            .function("work", self.guest, &settings)
            .toml(&self.kafka.toml())
            .toml(&format!(
                "[[trigger.kafka]]\nname = \"{TRIGGER}\"\ntopics = [\"{topic}\"]\n\
                 group = \"{topic}\"\ntarget = \"function:work\"\n\
                 options = {{ \"session.timeout.ms\" = \"6000\" }}\n{trigger}"
            ))
            .toml(&self.more)
    }

    /// Sends work under a key; gives the id of its event.
    async fn work(&self, key: &str, work: Value) -> String {
        self.kafka.work(self.topic, key, &work).await
    }

    async fn committed(&self, partitions: i32, expected: i64) {
        eventually("what is settled is committed", async || {
            self.kafka.committed(self.topic, self.topic, partitions) == expected
        })
        .await;
    }

    /// The ids of events in the order of their tries.
    fn order(&self) -> Vec<String> {
        self.recorder.effects().into_iter().map(|effect| effect.id).collect()
    }

    async fn effects(&self, count: usize) {
        eventually("every try is there", async || self.recorder.effects().len() >= count).await;
    }
}

#[tokio::test]
async fn records_reach_their_function_and_are_committed() {
    let case = Case::new("reach", 2).await;
    let host = case.setup().serve().await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(case.work(&format!("key-{n}"), json!({ "n": n })).await);
    }
    case.effects(20).await;
    let mut seen = case.order();
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
    case.committed(2, 20).await;
    assert_eq!(host.admin_json("/readyz").await["status"], "ready");
}

#[tokio::test]
async fn a_poison_record_becomes_a_dead_letter_and_its_lane_goes_on() {
    let case = Case::new("poison", 1).await;
    let host = case.setup().serve().await;
    let rejected = case.work("a", json!({ "fail": "reject" })).await;
    let trapping = case.work("a", json!({ "fail": "trap" })).await;
    case.work("a", json!({})).await;
    case.committed(1, 3).await;
    let mut dead: Vec<String> = host
        .dead_letters()
        .await
        .iter()
        .map(|letter| letter["record"]["event"]["id"].as_str().unwrap_or_default().to_owned())
        .collect();
    dead.sort();
    assert_eq!(dead, [rejected, trapping.clone()]);
    let tries = case.recorder.tries();
    assert_eq!(tries[&trapping], 3, "a trap is tried as often as the policy says");
}

#[tokio::test]
async fn an_ordered_lane_waits_and_counts_its_tries_over_a_kill() {
    let case = Case::new("lane", 2).await;
    let data = tempfile::tempdir().unwrap();
    let mut host = case.setup().data_dir(data.path()).serve().await;
    let (p0, p1) = (Some(0), Some(1));
    let send = async |partition, work: Value| {
        let value = Some(work.to_string().into_bytes());
        let sending = Sending { value, partition, ..Sending::default() };
        let (partition, offset) = case.kafka.send("lane", sending).await;
        format!("kafka://lane/{partition}/{offset}")
    };
    let slow = send(p0, json!({ "fail": "retry", "fail_until": 3, "after_ms": 1_500 })).await;
    let behind = send(p0, json!({})).await;
    case.effects(1).await;
    let other = send(p1, json!({})).await;
    case.effects(2).await;
    assert_eq!(case.order(), [slow.clone(), other.clone()], "one lane held up another");
    host.kill();
    let _host = case.setup().data_dir(data.path()).serve().await;
    eventually_within(Duration::from_secs(40), "the lane goes on", async || {
        case.order().contains(&behind)
    })
    .await;
    let of_slow = case.recorder.effects();
    let attempts: Vec<u32> =
        of_slow.iter().filter(|effect| effect.id == slow).map(|effect| effect.attempt).collect();
    assert_eq!(attempts.last(), Some(&3), "{attempts:?}");
    assert!(attempts.len() <= 4, "the count of tries did not survive: {attempts:?}");
    assert_eq!(case.order().last(), Some(&behind), "a record overtook the one before it");
    case.committed(2, 3).await;
}

#[tokio::test]
async fn without_order_a_long_wait_is_acknowledged_and_kept_in_the_store() {
    let case = Case::new("parked", 1).await.trigger("order = \"none\"");
    let _host = case.setup().serve().await;
    let later = json!({ "fail": "retry", "fail_until": 2, "after_ms": 1_500 });
    let waits = case.work("a", later).await;
    let goes = case.work("a", json!({})).await;
    case.committed(1, 2).await;
    assert_eq!(case.recorder.tries().len(), 2, "both were tried: {waits} {goes}");
    eventually("the second try", async || case.recorder.tries()[&waits] == 2).await;
    let last = case.recorder.effects().pop().unwrap();
    assert_eq!((last.id, last.attempt), (waits, 2));
}

#[tokio::test]
async fn after_a_partial_failure_a_lane_runs_again_from_the_lowest_and_emits_once() {
    let case = Case::new("partial", 1)
        .await
        .batched("size = 4, window = \"2s\"")
        .function("allow.send = [\"queue:done\"]")
        .more("[queue.done]");
    let mut ids = Vec::new();
    for n in 0..4 {
        let mut work = json!({ "emit": ["queue:done"] });
        if n == 1 {
            work["fail"] = "retry".into();
            work["fail_until"] = 2.into();
        }
        ids.push(case.work("a", work).await);
    }
    let host = case.setup().serve().await;
    case.committed(1, 4).await;
    let tries: Vec<usize> = ids.iter().map(|id| case.recorder.tries()[id]).collect();
    assert_eq!(tries, [1, 2, 2, 2]);
    let attempts: BTreeSet<(String, u32)> =
        case.recorder.effects().into_iter().map(|effect| (effect.id, effect.attempt)).collect();
    assert!(!attempts.contains(&(ids[3].clone(), 2)), "what only ran again lost a try");
    assert_eq!(host.queue_entries("done").await, 4, "each emits once");
}

#[tokio::test]
async fn without_order_only_what_failed_runs_again() {
    let case = Case::new("unordered", 1)
        .await
        .batched("size = 4, window = \"2s\"")
        .trigger("order = \"none\"");
    let mut ids = Vec::new();
    for n in 0..4 {
        let work = if n == 1 { json!({ "fail": "retry", "fail_until": 2 }) } else { json!({}) };
        ids.push(case.work("a", work).await);
    }
    let _host = case.setup().serve().await;
    case.committed(1, 4).await;
    let tries: Vec<usize> = ids.iter().map(|id| case.recorder.tries()[id]).collect();
    assert_eq!(tries, [1, 2, 1, 1]);
}

#[tokio::test]
async fn bisecting_finds_the_record_that_breaks_its_batch() {
    for (topic, how) in [("bisect-trap", "trap"), ("bisect-range", "range")] {
        let case = Case::new(topic, 1).await.batched("size = 8, window = \"2s\", bisect = true");
        let mut ids = Vec::new();
        for n in 0..8 {
            let work = if n == 5 { json!({ "fail": how }) } else { json!({}) };
            ids.push(case.work("a", work).await);
        }
        let host = case.setup().serve().await;
        case.committed(1, 8).await;
        let dead = host.dead_letters().await;
        assert_eq!(dead.len(), 1, "{how}: {dead:?}");
        assert_eq!(dead[0]["record"]["event"]["id"], ids[5].as_str());
        let alone = case.recorder.effects();
        let alone = alone.iter().filter(|effect| effect.id == ids[5] && effect.size == 1);
        assert_eq!(alone.count(), 3, "{how}: halving counts as no try");
    }
}

#[tokio::test]
async fn filters_tombstones_and_bytes_that_are_no_text() {
    let filter = "filter = [{ key = [{ prefix = \"eu-\" }], headers.kind = [\"order\"] }, \
                  { value.total = [{ numeric = [\">\", 10] }] }]";
    let case = Case::new("filtered", 1).await.trigger(filter);
    let _host = case.setup().serve().await;
    let order = ("kind", b"order".to_vec());
    let raw = ("raw", vec![0xff, 0xfe]);
    let sendings = [
        (Some("eu-1"), None, vec![order.clone(), raw.clone()], true),
        (Some("us-1"), None, vec![order.clone()], false),
        (Some("eu-2"), Some(vec![0xff]), vec![order], true),
        (Some("x"), Some(br#"{"total":11}"#.to_vec()), vec![raw], true),
        (Some("x"), Some(br#"{"total":10}"#.to_vec()), vec![], false),
        (Some("x"), Some(b"no json".to_vec()), vec![], false),
        (None, None, vec![], false),
    ];
    let mut expected = Vec::new();
    for (key, value, headers, passes) in sendings.clone() {
        let sending = Sending { key, value, headers, partition: None };
        let (partition, offset) = case.kafka.send("filtered", sending).await;
        if passes {
            expected.push(format!("kafka://filtered/{partition}/{offset}"));
        }
    }
    case.committed(1, 7).await;
    assert_eq!(case.order(), expected);
}

#[tokio::test]
async fn a_group_begins_where_it_is_told_and_later_partitions_at_their_first_record() {
    let case = Case::new("start", 1).await.trigger("start = \"latest\"");
    case.work("a", json!({ "n": 1 })).await;
    let data = tempfile::tempdir().unwrap();
    let mut host = case.setup().data_dir(data.path()).serve().await;
    eventually("the start is committed", async || case.kafka.committed("start", "start", 1) == 1)
        .await;
    host.kill();
    // It comes while nobody is there, before the group fetched anything.
    let second = case.work("a", json!({ "n": 2 })).await;
    let _host = case.setup().data_dir(data.path()).serve().await;
    eventually_within(Duration::from_secs(40), "the record is not skipped", async || {
        case.order() == [second.clone()]
    })
    .await;
}

#[tokio::test]
async fn a_kill_between_the_stores_commit_and_the_brokers_repeats_nothing() {
    let case =
        Case::new("marked", 1).await.function("allow.send = [\"queue:done\"]").more("[queue.done]");
    let data = tempfile::tempdir().unwrap();
    for round in 1..=4 {
        let mut host = case.setup().data_dir(data.path()).serve().await;
        let id = case.work("a", json!({ "emit": ["queue:done"] })).await;
        eventually_within(Duration::from_secs(40), "the store has it", async || {
            host.queue_entries("done").await == round
        })
        .await;
        // Offsets are committed half a second later.
        host.kill();
        assert_eq!(case.recorder.tries()[&id], 1);
    }
    let host = case.setup().data_dir(data.path()).serve().await;
    let last = case.work("a", json!({})).await;
    eventually_within(Duration::from_secs(40), "it goes on", async || {
        case.recorder.tries().contains_key(&last)
    })
    .await;
    case.committed(1, 5).await;
    let tries = case.recorder.tries();
    assert!(tries.values().all(|tries| *tries == 1), "a settled record ran again: {tries:?}");
    assert_eq!(host.queue_entries("done").await, 4, "an event was emitted twice");
}

#[tokio::test]
async fn killed_again_and_again_it_loses_nothing_and_keeps_the_order() {
    const KILLS: u64 = 6;
    const PARTITIONS: i32 = 3;
    let case = Case::new("killed", PARTITIONS)
        .await
        .trigger("in_flight_max = 50")
        .function("allow.send = [\"queue:done\"]")
        .more("[queue.done]");
    let data = tempfile::tempdir().unwrap();
    let mut sent: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for kill in 0..KILLS {
        let mut host = case.setup().data_dir(data.path()).serve().await;
        eventually_within(Duration::from_secs(40), "it has partitions", async || {
            host.admin_json("/readyz").await["status"] == "ready"
        })
        .await;
        for n in 0..60 {
            let work = json!({ "emit": ["queue:done"], "sleep_ms": n % 3 });
            let id = case.work(&format!("key-{n}"), work).await;
            let partition = id.split('/').nth(3).unwrap().parse().unwrap();
            sent.entry(partition).or_default().push(id);
        }
        tokio::time::sleep(Duration::from_millis(40 + kill * 37 % 200)).await;
        host.kill();
    }
    let total = i64::try_from(sent.values().map(Vec::len).sum::<usize>()).unwrap();
    let host = case.setup().data_dir(data.path()).serve().await;
    eventually_within(Duration::from_secs(60), "everything is committed", async || {
        case.kafka.committed("killed", "killed", PARTITIONS) == total
    })
    .await;
    let (order, tries) = (case.order(), case.recorder.tries());
    let lost = sent.values().flatten().filter(|id| !tries.contains_key(*id)).count();
    let repeated: usize = tries.values().map(|tries| tries - 1).sum();
    println!(
        "kills {KILLS}, sent {total}, effects {}, lost {lost}, repeated {repeated}",
        order.len()
    );
    assert_eq!(lost, 0, "records were lost");
    // One call of a partition is under way at a time.
    assert!(repeated as u64 <= KILLS * 3, "{repeated} repeats");
    for (partition, expected) in &sent {
        let prefix = format!("kafka://killed/{partition}/");
        let mut seen: Vec<&String> = order.iter().filter(|id| id.starts_with(&prefix)).collect();
        seen.dedup();
        assert_eq!(seen, expected.iter().collect::<Vec<_>>(), "partition {partition}");
    }
    assert_eq!(
        host.queue_entries("done").await,
        u64::try_from(total).unwrap(),
        "emits happen once"
    );
}

#[tokio::test]
async fn an_emitted_event_and_a_failed_record_reach_their_topics() {
    let case = Case::new("source", 1)
        .await
        .function("allow.send = [\"stream:out\"]\n[function.work.on]\nfailure = \"stream:failed\"")
        .more("[stream.out]\nkind = \"kafka\"\ntopic = \"sink-out\"")
        .more("[stream.failed]\nkind = \"kafka\"\ntopic = \"sink-failed\"");
    case.kafka.topic("sink-out", 1).await;
    case.kafka.topic("sink-failed", 1).await;
    let _host = case.setup().serve().await;
    let id = case.work("a", json!({ "emit": ["stream:out"], "n": 7 })).await;
    let failing = case.work("user-7", json!({ "fail": "reject", "n": 8 })).await;
    let out = case.kafka.records("sink-out", 1).await;
    let emitted: Value = serde_json::from_slice(out[0].payload().unwrap()).unwrap();
    assert_eq!(emitted["n"], 7);
    assert_eq!(header(&out[0], "ce_type"), Some("worker.emitted"));
    assert_eq!(header(&out[0], "content-type"), Some("application/json"));
    assert!(header(&out[0], "traceparent").is_some_and(|text| text.starts_with("00-")));
    let failed = case.kafka.records("sink-failed", 1).await;
    assert_eq!(failed[0].key(), Some(&b"user-7"[..]));
    let value: Value = serde_json::from_slice(failed[0].payload().unwrap()).unwrap();
    assert_eq!(value["n"], 8, "the value is the original one");
    assert_eq!(header(&failed[0], "ce_id"), Some(failing.as_str()));
    assert_eq!(header(&failed[0], "wfh-error-class"), Some("rejected"));
    assert_eq!(header(&failed[0], "wfh-error-condition"), Some("Rejected"));
    assert_ne!(id, failing);
    case.committed(1, 2).await;
}

#[tokio::test]
async fn a_broker_that_is_killed_under_load_costs_nothing() {
    let kafka = Kafka::start(1);
    kafka.topic("restarted", 2).await;
    let case = Case::on(&kafka, "restarted").await.function("allow.send = [\"queue:done\"]");
    let case = case.more("[queue.done]");
    let host = case.setup().serve().await;
    let mut ids = BTreeSet::new();
    for n in 0..40 {
        ids.insert(case.work(&format!("k{n}"), json!({ "emit": ["queue:done"] })).await);
    }
    case.effects(10).await;
    kafka.node("kill", 1);
    tokio::time::sleep(Duration::from_millis(500)).await;
    kafka.node("start", 1);
    for n in 0..40 {
        ids.insert(case.work(&format!("k{n}"), json!({ "emit": ["queue:done"] })).await);
    }
    eventually_within(Duration::from_secs(60), "everything runs", async || {
        case.recorder.tries().len() == ids.len()
    })
    .await;
    eventually_within(Duration::from_secs(60), "and is committed", async || {
        kafka.committed("restarted", "restarted", 2) == 80
    })
    .await;
    let tries = case.recorder.tries();
    assert!(ids.iter().all(|id| tries[id] == 1), "a record ran twice: {tries:?}");
    assert_eq!(host.queue_entries("done").await, 80);
}

#[tokio::test]
async fn what_no_client_takes_is_refused_where_it_stands() {
    let manifest = |options: &str| {
        format!(
            "[app]\nname = \"a\"\n[function.f]\ncomponent = \"{}\"\n[[trigger.kafka]]\n\
             topics = [\"t\"]\ntarget = \"function:f\"\noptions = {{ {options} }}\n",
            crate::support::guest("worker").display()
        )
    };
    for (options, part) in [
        ("\"sesion.timeout.ms\" = \"1\"", "No such configuration property"),
        ("\"group.id\" = \"g\"", "`group` says it"),
        ("\"session.timeout.ms\" = \"hunter2\"", "session.timeout.ms"),
        ("\"sasl.password\" = { env = \"NOT_SET_ANYWHERE\" }", "NOT_SET_ANYWHERE is not set"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path: &Path = &directory.path().join("wfh.toml");
        std::fs::write(path, manifest(options)).unwrap();
        let ended = crate::support::wfh(&["check", path.to_str().unwrap()]).await;
        assert_eq!(ended.code, Some(1), "{options} was taken");
        assert!(ended.stderr.contains(part), "{options}: {}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2\" is"), "a value was told: {}", ended.stderr);
    }
}
