//! What operators do and see: schedules, breakers, purges, deployments, draining.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Host, Recorder, Setup, eventually, eventually_within, wfh};

fn worker(recorder: &Recorder, more: &str) -> Setup {
    let env = format!("env = {{ RECORD = \"{}\" }}", recorder.url(""));
    Setup::new().function("work", "worker", &format!("{}\n{env}\n{more}", recorder.grant()))
}

async fn change(host: &Host, method: &str, path: &str) -> (u16, Value) {
    let mut client = Client::connect(host.admin()).await.unwrap();
    let answer = client.send(method, path, &[], "").await.unwrap();
    let body = if answer.text().is_empty() { Value::Null } else { answer.json() };
    (answer.status, body)
}

async fn audit(host: &Host) -> Vec<(String, String)> {
    let log = host.admin_json("/v1/audit").await;
    let entry = |one: &Value| {
        let text = |key: &str| one[key].as_str().unwrap().to_owned();
        (text("action"), text("subject"))
    };
    log["items"].as_array().unwrap().iter().map(entry).collect()
}

#[tokio::test]
async fn a_schedule_is_paused_over_a_restart_resumed_and_run_by_hand() {
    let recorder = Recorder::start().await;
    let data = tempfile::tempdir().unwrap();
    let serve = async || {
        worker(&recorder, "")
            .toml("[[trigger.schedule]]\nname = \"beat\"\nevery = \"200ms\"\nmissed = \"all\"\ntarget = \"function:work\"")
            .data_dir(data.path())
            .serve()
            .await
    };
    let mut host = serve().await;
    eventually("it beats", async || recorder.effects().len() >= 2).await;
    assert_eq!(change(&host, "POST", "/v1/schedules/beat/pause").await.0, 204);
    let schedules = host.admin_json("/v1/schedules").await;
    assert_eq!(schedules["items"][0]["paused"], true);
    assert_eq!(schedules["items"][0]["target"], "function:work");
    host.kill();
    let host = serve().await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let still = recorder.effects().len();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(recorder.effects().len(), still, "it fired while it stood still");
    let (status, body) = change(&host, "POST", "/v1/schedules/beat/run").await;
    assert_eq!(status, 202);
    let id = body["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("beat/manual/"), "{id}");
    eventually("it ran by hand", async || recorder.tries().contains_key(&id)).await;
    assert_eq!(recorder.effects().len(), still + 1);
    assert_eq!(change(&host, "POST", "/v1/schedules/beat/resume").await.0, 204);
    eventually("it goes on", async || recorder.effects().len() > still + 1).await;
    // Three seconds and more of beats were missed, and stay so.
    let burst = recorder.effects().len() - still - 1;
    assert!(burst < 8, "{burst} beats at once: what was missed fired later");
    assert_eq!(change(&host, "POST", "/v1/schedules/nothing/run").await.0, 404);
    let actions: Vec<String> = audit(&host).await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, ["deploy", "pause", "run", "resume"]);
}

#[tokio::test]
async fn a_breaker_and_a_deployment_are_seen() {
    let recorder = Recorder::start().await;
    let breaker = "[function.work.breaker]\ncalls_min = 2\nopen_for = \"60s\"";
    let host = worker(&recorder, breaker).serve().await;
    let state = async || host.admin_json("/v1/functions/work").await["breaker"].clone();
    assert_eq!(state().await, "closed");
    for _ in 0..4 {
        let work = json!({ "fail": "trap" }).to_string();
        host.send("POST", "/work", &[("content-type", "application/json")], &work).await;
    }
    assert_eq!(state().await, "open");
    let function = host.admin_json("/v1/functions/work").await;
    let tries_in_ms = function["breaker_tries_in_ms"].as_u64().unwrap();
    assert!((1..=60_000).contains(&tries_in_ms), "{function}");
    assert_eq!(audit(&host).await, [("deploy".to_owned(), "function:work".to_owned())]);
}

#[tokio::test]
async fn a_purge_settles_what_it_throws_away() {
    let recorder = Recorder::start().await;
    let key = "concurrency = 1\nqueue_timeout = \"0s\"\n[function.work.idempotency]\nkey = [\"header:Idempotency-Key\"]";
    let host = worker(&recorder, key).route("/later", "work", "mode = \"async\"").serve().await;
    let post = async |key: &str, work: Value| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        host.send("POST", "/later", &headers, &work.to_string()).await
    };
    post("first", json!({ "sleep_ms": 60_000 })).await;
    eventually("it runs", async || recorder.effects().len() == 1).await;
    let waits = post("second", json!({ "n": 1 })).await;
    assert_eq!(waits.status, 202);
    let id = waits.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(change(&host, "DELETE", "/v1/queues/function:work/entries").await.0, 200);
    let status = host.admin_json(&format!("/v1/invocations/{id}")).await;
    assert_eq!(status["state"], "failed", "{status}");
    assert!(status.to_string().contains("purged"), "{status}");
    // Its key is free: another payload is no mismatch, and a new call.
    let again = post("second", json!({ "n": 2 })).await;
    assert_eq!(again.status, 202, "{}", again.text());
    assert_ne!(again.json()["id"], id.as_str());
}

#[tokio::test]
async fn cursors_of_other_listings_are_refused() {
    let recorder = Recorder::start().await;
    let host = worker(&recorder, "").serve().await;
    for path in ["dead-letters", "invocations", "audit", "queues/function:work/entries"] {
        let path = format!("/v1/{path}?cursor=no-cursor");
        let (status, body) = change(&host, "GET", &path).await;
        assert_eq!((status, body["code"].as_str()), (400, Some("WFH-4003")), "{path}: {body}");
    }
}

#[tokio::test]
async fn what_nothing_reads_is_given_up_when_it_is_too_old() {
    let recorder = Recorder::start().await;
    let host = worker(&recorder, "").toml("[queue.unread]\nretention = \"1s\"").serve().await;
    change(&host, "POST", "/v1/queues/queue:unread/entries").await;
    assert_eq!(host.queue_entries("unread").await, 1);
    eventually("it is too old", async || host.queue_entries("unread").await == 0).await;
    let letters = host.dead_letters().await;
    assert_eq!(letters[0]["condition"], "EventAgeExceeded");
}

#[tokio::test]
async fn a_draining_host_takes_no_changes_and_an_idle_one_is_gone_at_once() {
    let recorder = Recorder::start().await;
    let queue = "[queue.jobs]\n[[trigger.queue]]\nqueue = \"jobs\"\ntarget = \"function:work\"";
    let setup = worker(&recorder, "").route("/later", "work", "mode = \"async\"").toml(queue);
    let mut host = setup.serve().await;
    let work = json!({ "sleep_ms": 3_000 }).to_string();
    host.send("POST", "/later", &[("content-type", "application/json")], &work).await;
    eventually("it runs", async || recorder.effects().len() == 1).await;
    host.signal(rustix::process::Signal::TERM);
    eventually("it takes no changes", async || {
        change(&host, "POST", "/v1/queues/queue:jobs/entries").await.0 == 503
    })
    .await;
    assert_eq!(change(&host, "GET", "/v1/queues").await.0, 200, "it can be looked at");
    eventually("it ends", async || !host.runs()).await;

    let mut idle = worker(&recorder, "").toml(queue).serve().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    idle.signal(rustix::process::Signal::TERM);
    eventually("it ends", async || !idle.runs()).await;
    let took = began.elapsed();
    println!("an idle host with queue triggers ended within {took:?}");
    assert!(took < Duration::from_millis(600), "{took:?}");
}

#[tokio::test]
async fn a_traps_detail_has_the_guests_frames_only() {
    let recorder = Recorder::start().await;
    let setup = worker(&recorder, "[function.work.retry]\nattempts = 1").env("RUST_BACKTRACE", "1");
    let host = setup.route("/later", "work", "mode = \"async\"").serve().await;
    let work = json!({ "fail": "trap" }).to_string();
    host.send("POST", "/later", &[("content-type", "application/json")], &work).await;
    eventually_within(Duration::from_secs(20), "it is dead", async || {
        host.dead_letters().await.len() == 1
    })
    .await;
    let letter = host.dead_letters().await.remove(0);
    let detail = letter["detail"].as_str().unwrap();
    assert!(detail.contains("wasm backtrace") && detail.contains("unreachable"), "{detail}");
    assert!(!detail.contains("wfh_engine") && !detail.contains("tokio"), "{detail}");
}

#[tokio::test]
async fn check_warns_of_queues_that_feed_themselves() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wfh.toml");
    let component = crate::support::guest("worker");
    let manifest = format!(
        "[app]\nname = \"a\"\n[function.f]\ncomponent = \"{}\"\n[function.f.on]\n\
         failure = \"topic:again\"\n[queue.jobs]\n[topic.again]\nsubscribers = [\"queue:jobs\"]\n\
         [[trigger.queue]]\nqueue = \"jobs\"\ntarget = \"function:f\"\n",
        component.display()
    );
    std::fs::write(&path, manifest).unwrap();
    let ended = wfh(&["check", path.to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("queue:jobs feeds itself"), "{}", ended.stderr);
}
