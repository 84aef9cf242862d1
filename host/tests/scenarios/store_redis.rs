//! Hosts on a store on Redis.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use wfh_store::{Append, Expect, Key, Op, QueueKey, Store, SystemClock};
use wfh_store_embedded::{EmbeddedStore, OpenOptions};

use crate::support::{Host, Recorder, Redis, Setup, eventually, wfh};

/// A worker with an asynchronous route, and a queue that leads to it.
fn setup(recorder: &Recorder, redis: &Redis) -> Setup {
    let env = format!("env = {{ RECORD = \"{}\" }}", recorder.url(""));
    Setup::new()
        .unrouted("work", "worker", &format!("{}\n{env}", recorder.grant()))
        .route("/work", "work", "mode = \"async\"")
        .toml("[queue.jobs]\nvisibility = \"2s\"")
        .toml("[[trigger.http]]\nroute = \"/jobs\"\ntarget = \"queue:jobs\"\nmode = \"async\"")
        .toml("[[trigger.queue]]\nqueue = \"jobs\"\ntarget = \"function:work\"")
        .toml(&redis.store())
}

/// Sends, and gives the id under which it was accepted.
async fn post(host: &Host, path: &str, work: &serde_json::Value) -> String {
    let headers = [("content-type", "application/json")];
    let answer = host.send("POST", path, &headers, &work.to_string()).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_killed_host_loses_nothing_that_is_on_redis() {
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    let mut host = setup(&recorder, &redis).serve().await;
    let mut accepted = Vec::new();
    let later = json!({ "fail": "retry", "fail_until": 2, "after_ms": 1_000 });
    for _ in 0..10 {
        accepted.push(post(&host, "/work", &later).await);
        accepted.push(post(&host, "/jobs", &json!({ "sleep_ms": 100 })).await);
    }
    host.kill();
    let _host = setup(&recorder, &redis).serve().await;
    eventually("every accepted event runs, and the failing ones twice", async || {
        let effects = recorder.effects();
        accepted.iter().enumerate().all(|(index, id)| {
            let last = if index % 2 == 0 { 2 } else { 1 };
            effects.iter().any(|effect| effect.id == *id && effect.attempt >= last)
        })
    })
    .await;
}

#[tokio::test]
async fn a_schedule_fires_once_between_two_hosts() {
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    let beat =
        "[[trigger.schedule]]\nname = \"beat\"\nevery = \"200ms\"\ntarget = \"function:work\"";
    let start = || setup(&recorder, &redis).toml(beat).serve();
    let (first, second) = (start().await, start().await);
    for number in 0..20 {
        let host = if number % 2 == 0 { &first } else { &second };
        post(host, "/jobs", &json!({ "n": number })).await;
    }
    let ticks =
        || recorder.effects().iter().filter(|effect| effect.id.starts_with("beat/")).count();
    eventually("ticks and queued events", async || {
        ticks() >= 10 && recorder.effects().len() - ticks() >= 20
    })
    .await;
    let twice: Vec<_> = recorder.tries().into_iter().filter(|(_, tries)| *tries > 1).collect();
    assert!(twice.is_empty(), "two hosts ran the same event: {twice:?}");
}

#[tokio::test]
async fn a_server_that_may_lose_events_stops_the_start() {
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    redis.ask(&["CONFIG", "SET", "appendonly", "no"]);
    let ended = setup(&recorder, &redis).serve_refused().await;
    let told = ended.stderr.contains("WFH-1051") && ended.stderr.contains("CONFIG SET appendonly");
    assert!(ended.code == Some(1) && told, "{ended:?}");
}

async fn fill(directory: &Path) {
    let (directory, clock) = (directory.to_owned(), Arc::new(SystemClock));
    let store = EmbeddedStore::open(OpenOptions { directory, clock }).unwrap();
    let key = Key::new("k").unwrap();
    let put = Op::Put { key, bytes: "value".into(), expect: Expect::Any, ttl: None };
    let append = Append::new(QueueKey::new("q").unwrap(), "id", "body");
    store.commit(vec![put, Op::Append(append)]).await.unwrap();
}

#[tokio::test]
async fn an_embedded_store_moves_to_redis_and_back() {
    let (server, place) = (Redis::start(), tempfile::tempdir().unwrap());
    let path = |name: &str| place.path().join(name).display().to_string();
    let app = "[app]\nname = \"moved\"\n[function.f]\ncomponent = \"f.wasm\"\n";
    std::fs::write(path("redis.toml"), format!("{app}{}", server.store())).unwrap();
    for name in ["one", "two"] {
        let serve = format!("{app}[serve]\ndata_dir = \"{name}\"");
        std::fs::write(path(&format!("{name}.toml")), serve).unwrap();
    }
    let run = async |args: &[&str]| {
        let ended = wfh(args).await;
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended
    };
    fill(&place.path().join("one/store")).await;
    let (one, redis, two) = (path("one.toml"), path("redis.toml"), path("two.toml"));
    let there = ["store", "migrate", "--manifest", &one, "--to", &redis];
    run(&there).await;
    let again = wfh(&there).await;
    assert!(again.stderr.contains("WFH-1050"), "what is moved mixes with what is there");
    run(&["store", "migrate", "--manifest", &redis, "--to", &two]).await;
    let one = run(&["store", "export", "--manifest", &one]).await.stdout;
    let two = run(&["store", "export", "--manifest", &two]).await.stdout;
    // An entry is appended anew, so its times are those of the move.
    let body = |text: &str| {
        let records = text.lines().skip(1).map(|line| line.parse::<serde_json::Value>().unwrap());
        let timeless = records.map(|mut record| {
            for time in ["due_at_ms", "appended_at_ms"] {
                if let Some(entry) = record.get_mut("entry").and_then(|entry| entry.as_object_mut())
                {
                    entry.remove(time);
                }
            }
            record
        });
        timeless.collect::<Vec<_>>()
    };
    assert_eq!(body(&one).len(), 2, "{one}");
    assert_eq!(body(&one), body(&two), "what came back is something else");
}
