//! Redis as a source and as a target, on real servers.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Host, Recorder, Redis, Setup, eventually, eventually_within, wfh};

/// A worker that a trigger leads to.
fn setup(redis: &Redis, recorder: &Recorder, guest: &str, trigger: &str) -> Setup {
    let env = format!("env = {{ RECORD = \"{}\" }}", recorder.url(""));
    let retry = "[function.work.retry]\nbackoff = { initial = \"20ms\", max = \"100ms\" }";
    let settings = format!("{}\n{env}\nallow.send = [\"queue:done\"]\n{retry}", recorder.grant());
    Setup::new().function("work", guest, &settings).toml("[queue.done]").toml(&format!(
        "[[trigger.redis]]\nname = \"it\"\nurl = \"{}\"\ngroup = \"workers\"\n\
             target = \"function:work\"\nvisibility = \"2s\"\n{trigger}",
        redis.url()
    ))
}

const STREAM: &str = "stream = \"jobs\"";
const LIST: &str = "list = \"jobs\"";
/// What two consumers and a reclaim may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

async fn is_settled(redis: &Redis) {
    eventually_within(PATIENCE, "everything is acknowledged", async || {
        redis.unsettled("jobs", "workers") == 0
    })
    .await;
}

fn ids(recorder: &Recorder) -> BTreeSet<String> {
    recorder.tries().into_keys().collect()
}

#[tokio::test]
async fn entries_reach_their_function_and_are_acknowledged() {
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    let early = redis.work("jobs", &json!({ "n": 0 }));
    let _host = setup(&redis, &recorder, "worker", STREAM).serve().await;
    let mut sent = BTreeSet::from([early]);
    for n in 1..20 {
        sent.insert(redis.work("jobs", &json!({ "n": n })));
    }
    sent.insert(redis.add("jobs", &[("plain", "field")]));
    is_settled(&redis).await;
    assert_eq!(ids(&recorder), sent);
}

#[tokio::test]
async fn failures_are_tried_again_and_poison_becomes_a_dead_letter() {
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    let host = setup(&redis, &recorder, "worker", STREAM).serve().await;
    let flaky = redis.work("jobs", &json!({ "fail": "trap", "fail_until": 3 }));
    let later = redis.work("jobs", &json!({ "fail": "retry", "fail_until": 2, "after_ms": 1500 }));
    let poison = redis.work("jobs", &json!({ "fail": "reject" }));
    // What waits longer than a second waits in the store, and is acknowledged.
    is_settled(&redis).await;
    eventually("the long wait is over", async || recorder.tries()[&later] == 2).await;
    assert_eq!(recorder.tries()[&flaky], 3);
    let letters = host.dead_letters().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0]["record"]["event"]["id"], poison.as_str());
}

#[tokio::test]
async fn batches_and_filters_work_as_on_kafka() {
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    let trigger = "stream = \"jobs\"\nbatch = { size = 4, window = \"2s\", bisect = true }\n\
                   filter = { value.n = [{ numeric = [\"<\", 4] }] }";
    let mut sent = Vec::new();
    for n in 0..6 {
        let work = if n == 2 { json!({ "n": n, "fail": "trap" }) } else { json!({ "n": n }) };
        sent.push(redis.work("jobs", &work));
    }
    let host = setup(&redis, &recorder, "worker_batch", trigger).serve().await;
    is_settled(&redis).await;
    assert_eq!(ids(&recorder), sent[..4].iter().cloned().collect());
    let letters = host.dead_letters().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0]["record"]["event"]["id"], sent[2].as_str());
}

/// Sends while hosts are killed, and counts.
async fn survives_kills(trigger: &str, send: impl Fn(&Redis, usize)) -> (TempDir, Host, Redis) {
    const KILLS: usize = 4;
    const SENT: usize = 60;
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    let data = tempfile::tempdir().unwrap();
    for kill in 0..KILLS {
        let setup = setup(&redis, &recorder, "worker", trigger).data_dir(data.path());
        let mut host = setup.serve().await;
        for n in 0..SENT {
            send(&redis, kill * SENT + n);
        }
        tokio::time::sleep(Duration::from_millis(u64::try_from(30 + kill * 61).unwrap())).await;
        host.kill();
    }
    let host = setup(&redis, &recorder, "worker", trigger).data_dir(data.path()).serve().await;
    eventually_within(PATIENCE, "every event ran", async || recorder.tries().len() >= KILLS * SENT)
        .await;
    eventually_within(PATIENCE, "each emitted once", async || {
        host.queue_entries("done").await >= (KILLS * SENT) as u64
    })
    .await;
    let repeated: usize = recorder.tries().values().map(|tries| tries - 1).sum();
    let emitted = host.queue_entries("done").await;
    println!(
        "{trigger}: kills {KILLS}, sent {}, repeated {repeated}, emitted {emitted}",
        KILLS * SENT
    );
    assert_eq!(emitted, (KILLS * SENT) as u64, "an event was emitted twice");
    // Calls at once: the function's share of 64.
    assert!(repeated <= KILLS * 64, "{repeated} repeats");
    // It acknowledges what it settled last.
    (data, host, redis)
}

fn emitting(n: usize) -> Value {
    json!({ "n": n, "emit": ["queue:done"], "sleep_ms": n % 4 })
}

#[tokio::test]
async fn kills_lose_no_entry_of_a_stream() {
    let (_data, _host, redis) = survives_kills(STREAM, |redis, n| {
        redis.work("jobs", &emitting(n));
    })
    .await;
    is_settled(&redis).await;
}

#[tokio::test]
async fn kills_lose_no_element_of_a_list() {
    let (_data, _host, redis) = survives_kills(LIST, |redis, n| {
        redis.ask(&["LPUSH", "jobs", &emitting(n).to_string()]);
    })
    .await;
    eventually("nothing is kept of it", async || {
        let taken = redis.ask(&["EVAL", "return #redis.call('KEYS', '*taken*')", "0"]);
        taken == redis::Value::Int(0)
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_consumer_left_goes_to_another_one() {
    for (trigger, of_list) in [(STREAM, false), (LIST, true)] {
        let (redis, recorder) = (Redis::start(), Recorder::start().await);
        let shared = redis.store();
        let serve = async || {
            let slow = "concurrency = 4";
            setup(&redis, &recorder, "worker", trigger)
                .toml(&shared)
                .toml(&format!("# {slow}"))
                .serve()
                .await
        };
        let mut first = serve().await;
        for n in 0..20 {
            let work = json!({ "n": n, "sleep_ms": 300 });
            match of_list {
                true => drop(redis.ask(&["LPUSH", "jobs", &work.to_string()])),
                false => drop(redis.work("jobs", &work)),
            }
        }
        eventually("some run", async || recorder.effects().len() > 2).await;
        let _second = serve().await;
        first.kill();
        eventually_within(PATIENCE, "all run", async || recorder.tries().len() == 20).await;
        if !of_list {
            is_settled(&redis).await;
        }
    }
}

#[tokio::test]
async fn an_ordered_stream_has_one_reader_and_keeps_its_order_over_two_hosts() {
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    let trigger = "stream = \"jobs\"\norder = \"stream\"";
    let shared = redis.store();
    let serve = async || setup(&redis, &recorder, "worker", trigger).toml(&shared).serve().await;
    let mut first = serve().await;
    let _second = serve().await;
    let mut sent = Vec::new();
    for n in 0..40 {
        let mut work = json!({ "n": n, "sleep_ms": 5 });
        if n == 10 {
            work["fail"] = "retry".into();
            work["fail_until"] = 2.into();
        }
        sent.push(redis.work("jobs", &work));
    }
    eventually("it goes", async || recorder.effects().len() > 15).await;
    first.kill();
    eventually_within(PATIENCE, "all run", async || recorder.tries().len() == 40).await;
    is_settled(&redis).await;
    let mut order: Vec<String> = recorder.effects().into_iter().map(|effect| effect.id).collect();
    order.dedup();
    assert_eq!(order, sent, "the order was not kept");
}

#[tokio::test]
async fn a_server_that_is_killed_under_load_costs_nothing() {
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    let host = setup(&redis, &recorder, "worker", STREAM).serve().await;
    let mut sent = BTreeSet::new();
    for n in 0..60 {
        sent.insert(redis.work("jobs", &emitting(n)));
    }
    redis.node("kill", 1);
    tokio::time::sleep(Duration::from_millis(700)).await;
    redis.node("start", 1);
    for n in 60..120 {
        sent.insert(redis.work("jobs", &emitting(n)));
    }
    is_settled(&redis).await;
    assert_eq!(ids(&recorder), sent);
    let tries = recorder.tries();
    assert!(tries.values().all(|tries| *tries == 1), "an entry ran twice: {tries:?}");
    assert_eq!(host.queue_entries("done").await, 120);
}

#[tokio::test]
async fn a_cluster_is_read_and_written() {
    let (cluster, recorder) = (Redis::cluster(), Recorder::start().await);
    let url = cluster.url().replacen("redis://", "redis+cluster://", 1).replace(",redis://", ",");
    let list = format!(
        "[[trigger.redis]]\nname = \"list\"\nurl = \"{url}\"\nlist = \"elements\"\n\
         target = \"function:work\""
    );
    let setup = Setup::new()
        .function(
            "work",
            "worker",
            &format!(
                "{}\nenv = {{ RECORD = \"{}\" }}\nallow.send = [\"stream:out\"]",
                recorder.grant(),
                recorder.url("")
            ),
        )
        .toml(&format!(
            "[redis]\nurl = \"{url}\"\n[stream.out]\nkind = \"redis\"\nstream = \"jobs\""
        ))
        .toml("[[trigger.redis]]\nname = \"it\"\nstream = \"jobs\"\ntarget = \"function:work\"")
        .toml(&list);
    let _host = setup.serve().await;
    let client = redis::cluster::ClusterClient::new(cluster.url().split(',')).unwrap();
    let work = json!({ "emit": ["stream:out", "stream:out"] }).to_string();
    let mut connection = client.get_connection().unwrap();
    redis::cmd("LPUSH").arg("elements").arg(work).exec(&mut connection).unwrap();
    eventually_within(PATIENCE, "the element and both of its events run", async || {
        recorder.tries().len() == 3
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_away_keeps_the_host_from_being_ready_and_no_longer() {
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    redis.node("kill", 1);
    let host: Host = setup(&redis, &recorder, "worker", STREAM).serve().await;
    eventually("readiness tells", async || {
        host.admin_json("/readyz").await.to_string().contains("trigger:it")
    })
    .await;
    redis.node("start", 1);
    redis.work("jobs", &json!({}));
    eventually_within(PATIENCE, "it runs", async || recorder.effects().len() == 1).await;
    assert_eq!(host.admin_json("/readyz").await["status"], "ready");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_its_password() {
    let directory = tempfile::tempdir().unwrap();
    let path: &Path = &directory.path().join("wfh.toml");
    let manifest = format!(
        "[app]\nname = \"a\"\n[function.f]\ncomponent = \"{}\"\n[[trigger.redis]]\n\
         url = \"http://:hunter2@x\"\nstream = \"s\"\ntarget = \"function:f\"\n",
        crate::support::guest("worker").display()
    );
    std::fs::write(path, manifest).unwrap();
    let ended = wfh(&["check", path.to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("not the url of a Redis server"), "{}", ended.stderr);
}
