//! Streams while hosts come and go, brokers die and networks stall: what was sent, what took effect,
//! what was lost, doubled or out of order. `make chaos` does it for longer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Host, Kafka, Recorder, Redis, Setup, eventually_within};

const PARTITIONS: i32 = 6;
const ROUNDS_BRIEF: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(120);

fn rounds() -> u64 {
    let kills = std::env::var("WFH_CHAOS_KILLS").ok().and_then(|text| text.parse::<u64>().ok());
    kills.map_or(ROUNDS_BRIEF, |kills| kills / 10)
}

/// What every replica serves: one group, one store.
fn setup(kafka: &Kafka, redis: &Redis, recorder: &Recorder) -> Setup {
    let settings = format!(
        "{}\nenv = {{ RECORD = \"{}\" }}\nallow.send = [\"queue:done\"]\nconcurrency = 16",
        recorder.grant(),
        recorder.url("")
    );
    Setup::new()
        .function("work", "worker", &settings)
        .toml(&kafka.toml())
        .toml(&redis.store())
        .toml("[queue.done]")
        .toml(
            "[[trigger.kafka]]\nname = \"it\"\ntopics = [\"chaos\"]\ngroup = \"chaos\"\n\
             target = \"function:work\"\nin_flight_max = 40\n\
             options = { \"session.timeout.ms\" = \"6000\", \"heartbeat.interval.ms\" = \"500\" }",
        )
}

/// Sends until told to stop; gives the ids of each partition in order.
fn produce(kafka: Arc<Kafka>, stop: CancellationToken) -> JoinHandle<BTreeMap<i32, Vec<String>>> {
    tokio::spawn(async move {
        let mut sent: BTreeMap<i32, Vec<String>> = BTreeMap::new();
        for n in 0_u64.. {
            if stop.is_cancelled() {
                break;
            }
            let work = json!({ "n": n, "emit": ["queue:done"], "sleep_ms": n % 5 });
            let id = kafka.work("chaos", &format!("key-{}", n % 50), &work).await;
            let partition = id.split('/').nth(3).unwrap().parse().unwrap();
            sent.entry(partition).or_default().push(id);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        sent
    })
}

/// Waits until everything is committed, then counts. `cut` calls were cut off at most.
async fn judge(
    what: &str,
    kafka: &Kafka,
    recorder: &Recorder,
    host: &Host,
    sent: BTreeMap<i32, Vec<String>>,
    cut: usize,
) {
    let total: usize = sent.values().map(Vec::len).sum();
    eventually_within(PATIENCE, "everything is committed", async || {
        kafka.committed("chaos", "chaos", PARTITIONS) == i64::try_from(total).unwrap()
    })
    .await;
    let (effects, tries) = (recorder.effects(), recorder.tries());
    let lost = sent.values().flatten().filter(|id| !tries.contains_key(*id)).count();
    let repeated: usize = tries.values().map(|tries| tries - 1).sum();
    let emitted = host.queue_entries("done").await;
    // The first time that each record ran: a redelivery repeats a prefix that ran before.
    let mut disordered = 0;
    for (partition, expected) in &sent {
        let prefix = format!("kafka://chaos/{partition}/");
        let mut first: Vec<&String> = Vec::new();
        let mut known = std::collections::BTreeSet::new();
        for effect in effects.iter().filter(|effect| effect.id.starts_with(&prefix)) {
            if known.insert(&effect.id) {
                first.push(&effect.id);
            }
        }
        disordered += first.iter().zip(expected).filter(|(seen, sent)| ***seen != **sent).count();
    }
    println!(
        "{what}: sent {total}, effects {}, lost {lost}, repeated {repeated} (bound {cut}), emitted \
         {emitted}, out of order {disordered}",
        effects.len(),
    );
    assert_eq!(lost, 0, "records were lost");
    assert!(repeated <= cut, "more repeats than calls that were cut off");
    assert_eq!(emitted, total as u64, "each record emits once");
    assert_eq!(disordered, 0, "a partition ran out of order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_are_killed_and_join_lose_nothing() {
    let kafka = Arc::new(Kafka::start(1));
    kafka.topic("chaos", PARTITIONS).await;
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    let beside = async |host: &Host| setup(&kafka, &redis, &recorder).beside(host).serve().await;
    let first = setup(&kafka, &redis, &recorder).serve().await;
    let second = beside(&first).await;
    let mut hosts = vec![first, second];
    let stop = CancellationToken::new();
    let producing = produce(Arc::clone(&kafka), stop.clone());
    for round in 0..rounds() {
        tokio::time::sleep(Duration::from_millis(1_200 + round * 311 % 900)).await;
        let mut gone = hosts.remove(0);
        // Every other one leaves as it should.
        if round % 2 == 0 {
            gone.kill();
        } else {
            drop(gone);
        }
        let next = beside(&hosts[0]).await;
        hosts.push(next);
    }
    stop.cancel();
    let sent = producing.await.unwrap();
    // Of each partition one call is under way at a time.
    let cut = usize::try_from(rounds()).unwrap() * usize::try_from(PARTITIONS).unwrap() * 2;
    judge("replicas killed and joining", &kafka, &recorder, &hosts[0], sent, cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_die_and_stall_lose_nothing() {
    let kafka = Arc::new(Kafka::start(3));
    kafka.topic("chaos", PARTITIONS).await;
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    let host = setup(&kafka, &redis, &recorder).serve().await;
    let stop = CancellationToken::new();
    let producing = produce(Arc::clone(&kafka), stop.clone());
    for (verbs, node) in [(["kill", "start"], 1), (["pause", "resume"], 2), (["kill", "start"], 3)]
    {
        tokio::time::sleep(Duration::from_secs(2)).await;
        kafka.node(verbs[0], node);
        tokio::time::sleep(Duration::from_secs(4)).await;
        kafka.node(verbs[1], node);
    }
    // The store's server as well.
    tokio::time::sleep(Duration::from_secs(2)).await;
    redis.node("kill", 1);
    tokio::time::sleep(Duration::from_millis(500)).await;
    redis.node("start", 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.cancel();
    let sent = producing.await.unwrap();
    // A session that timed out cuts a call of each partition off; so does a store that is away.
    let cut = 4 * usize::try_from(PARTITIONS).unwrap();
    judge("brokers killed and stalled", &kafka, &recorder, &host, sent, cut).await;
}
