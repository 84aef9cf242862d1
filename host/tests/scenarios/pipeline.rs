//! Events on their way: accepted, queued, tried again, settled; on real components and the embedded
//! store.

use serde_json::json;

use crate::support::{Host, Recorder, Setup, eventually, wfh};

/// A worker with a route, and a queue that leads to it.
fn setup(recorder: &Recorder, settings: &str) -> Setup {
    let grant = recorder.grant();
    Setup::new()
        .unrouted("work", "worker", &format!("{grant}\n{settings}"))
        .route("/work", "work", "mode = \"either\"")
        .toml("[queue.jobs]\n[[trigger.http]]\nroute = \"/jobs\"\ntarget = \"queue:jobs\"\nmode = \"async\"")
        .toml("[[trigger.queue]]\nqueue = \"jobs\"\ntarget = \"function:work\"")
}

async fn post(host: &Host, path: &str, work: serde_json::Value) -> (u16, String) {
    let headers = [("content-type", "application/json"), ("prefer", "respond-async")];
    let answer = host.send("POST", path, &headers, &work.to_string()).await;
    let id = answer.json()["id"].as_str().unwrap_or_default().to_owned();
    if answer.status == 202 {
        assert_eq!(answer.header("wfh-invocation-id"), id, "two ids for one call");
    }
    (answer.status, id)
}

#[tokio::test]
async fn an_accepted_call_runs_and_a_queued_event_too() {
    let recorder = Recorder::start().await;
    let host = setup(&recorder, "").serve().await;
    let (status, id) = post(&host, "/work", json!({ "record": recorder.url("direct") })).await;
    assert_eq!((status, id.len()), (202, 26));
    assert_eq!(post(&host, "/jobs", json!({ "record": recorder.url("queued") })).await.0, 202);
    eventually("both events run", async || recorder.effects().len() == 2).await;
    let effects = recorder.effects();
    let direct = effects.iter().find(|effect| effect.path == "direct").unwrap();
    assert_eq!((direct.id.as_str(), direct.attempt), (id.as_str(), 1));
    assert_eq!(direct.key, direct.event_key, "outgoing calls carry another key than the event's");
}

#[tokio::test]
async fn a_failing_event_is_tried_again_with_the_same_key_and_then_settles() {
    let recorder = Recorder::start().await;
    let retry = "[function.work.retry]\nbackoff = { initial = \"20ms\" }";
    let host = setup(&recorder, retry).serve().await;
    let work = json!({ "record": recorder.url(""), "fail": "trap", "fail_until": 3 });
    post(&host, "/work", work).await;
    eventually("three tries", async || recorder.effects().len() == 3).await;
    let effects = recorder.effects();
    let attempts: Vec<u32> = effects.iter().map(|effect| effect.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert!(effects.iter().all(|effect| effect.event_key == effects[0].event_key));
}

#[tokio::test]
async fn a_restart_loses_no_waiting_event() {
    let recorder = Recorder::start().await;
    let setup_of = |data: &std::path::Path| setup(&recorder, "").data_dir(data);
    let data = tempfile::tempdir().unwrap();
    let mut host = setup_of(data.path()).serve().await;
    let later = json!({
        "record": recorder.url(""), "fail": "retry", "fail_until": 2, "after_ms": 1_500
    });
    post(&host, "/work", later).await;
    eventually("the first try", async || recorder.effects().len() == 1).await;
    host.kill();
    let _host = setup_of(data.path()).serve().await;
    eventually("the second try", async || recorder.effects().len() >= 2).await;
    let last = recorder.effects().pop().unwrap();
    assert!(last.attempt <= 2, "a recorded try was counted twice: {last:?}");
}

#[tokio::test]
async fn emits_happen_with_success_and_a_chain_goes_on() {
    let recorder = Recorder::start().await;
    let host = setup(&recorder, "allow.send = [\"queue:jobs\"]").serve().await;
    let work = json!({
        "record": recorder.url("first"), "emit": ["queue:jobs", "queue:jobs"],
        "then": { "record": recorder.url("second") },
    });
    // A caller that waits for its answer gets it after the emits are durable.
    let answer = host.send("POST", "/work", &[], &work.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    eventually("what was emitted runs", async || recorder.effects().len() == 3).await;
    let ids: Vec<String> = recorder.effects().into_iter().map(|effect| effect.id).collect();
    assert_ne!(ids[1], ids[2], "two emits share an id");
}

#[tokio::test]
async fn a_schedule_fires_and_goes_on_after_a_restart() {
    let recorder = Recorder::start().await;
    let data = tempfile::tempdir().unwrap();
    let setup_of = || {
        let env = format!("env = {{ RECORD = \"{}\" }}", recorder.url(""));
        setup(&recorder, &env)
            .toml("[[trigger.schedule]]\nname = \"beat\"\nevery = \"200ms\"\ntarget = \"function:work\"")
            .data_dir(data.path())
    };
    let mut host = setup_of().serve().await;
    eventually("three ticks", async || recorder.effects().len() >= 3).await;
    host.kill();
    let before = recorder.effects().len();
    let _host = setup_of().serve().await;
    eventually("ticks after a restart", async || recorder.effects().len() > before + 2).await;
    let twice: Vec<_> = recorder.tries().into_iter().filter(|(_, tries)| *tries > 1).collect();
    assert!(twice.len() <= 1, "ticks fired twice, not only the one that a kill cut off: {twice:?}");
    let id = &recorder.effects()[0].id;
    assert!(id.starts_with("beat/20"), "a tick is not named by its time: {id}");
}

#[tokio::test]
async fn a_repeated_request_with_a_key_is_answered_once() {
    let recorder = Recorder::start().await;
    let key = "[function.work.idempotency]\nkey = \"header:Idempotency-Key\"";
    let host = setup(&recorder, key).serve().await;
    let work = json!({ "record": recorder.url(""), "n": 1 }).to_string();
    let send = async |key: &str, body: &str| {
        host.send("POST", "/work", &[("idempotency-key", key)], body).await
    };
    let first = send("k1", &work).await;
    let again = send("k1", &work).await;
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(first.body, again.body);
    assert_eq!(
        (first.header("idempotency-replayed"), again.header("idempotency-replayed")),
        ("", "true")
    );
    assert_eq!(send("k1", "{}").await.failure(), (422, "WFH-2009".into()));
    assert_eq!(recorder.effects().len(), 1, "a repeated request ran again");

    let asynchronous = [("idempotency-key", "k2"), ("prefer", "respond-async")];
    let accepted = host.send("POST", "/work", &asynchronous, &work).await;
    let repeated = host.send("POST", "/work", &asynchronous, &work).await;
    assert_eq!((accepted.status, repeated.status), (202, 202));
    assert_eq!(accepted.json()["id"], repeated.json()["id"], "a repeat was accepted anew");
    eventually("it runs", async || recorder.effects().len() == 2).await;
}

#[tokio::test]
async fn an_open_breaker_answers_503_and_keeps_queued_events() {
    let recorder = Recorder::start().await;
    let breaker = "[function.work.breaker]\ncalls_min = 3\nopen_for = \"1s\"\n\
                   [function.work.retry]\nattempts = 50\nbackoff = { initial = \"10ms\", max = \"20ms\" }";
    let host = setup(&recorder, breaker).serve().await;
    let failing = json!({ "fail": "trap" }).to_string();
    for _ in 0..3 {
        assert_eq!(host.send("POST", "/work", &[], &failing).await.status, 502);
    }
    let open = host.send("POST", "/work", &[], "{}").await;
    assert_eq!(open.failure(), (503, "WFH-2011".into()));
    assert!(!open.header("retry-after").is_empty(), "an open breaker does not say when");
    post(&host, "/jobs", json!({ "record": recorder.url("") })).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(recorder.effects().is_empty(), "an open breaker let a queued event through");
    eventually("the event runs once it closes", async || recorder.effects().len() == 1).await;
    assert_eq!(recorder.effects()[0].attempt, 1, "an open breaker cost a try");
    let metrics = host.admin_get("/metrics").await.text();
    let waited =
        "faas_errors_total{error_type=\"unavailable\",faas_name=\"work\",faas_trigger=\"pubsub\"}";
    assert!(!metrics.contains(waited), "an event that waits counts as a failure");
}

#[tokio::test]
async fn entries_of_one_group_run_in_order() {
    let recorder = Recorder::start().await;
    let host = Setup::new()
        .unrouted("work", "worker", &format!("{}\nconcurrency = 8", recorder.grant()))
        .toml("[queue.orders]\norder = \"json:$.order\"")
        .toml("[[trigger.http]]\nroute = \"/orders\"\ntarget = \"queue:orders\"\nmode = \"async\"")
        .toml("[[trigger.queue]]\nqueue = \"orders\"\ntarget = \"function:work\"")
        .serve()
        .await;
    let mut sent = vec![Vec::new(); 3];
    for n in 0..15_usize {
        let order = n % 3;
        // The first of each group fails once: those behind it wait all the same.
        let fail_until = if n < 3 { 2 } else { 1 };
        let work = json!({
            "record": recorder.url(&format!("{order}")), "order": order,
            "fail": "trap", "fail_until": fail_until,
        });
        sent[order].push(post(&host, "/orders", work).await.1);
    }
    eventually("all run", async || recorder.effects().len() == 18).await;
    for (order, expected) in sent.into_iter().enumerate() {
        let effects = recorder.effects();
        let mut ids: Vec<String> = effects
            .iter()
            .filter(|effect| effect.path == order.to_string())
            .map(|effect| effect.id.clone())
            .collect();
        ids.dedup();
        assert_eq!(ids, expected, "group {order} is out of order");
    }
}

/// The items of a listing as JSON.
fn items(text: &str) -> Vec<serde_json::Value> {
    let mut listing: serde_json::Value = serde_json::from_str(text).unwrap();
    serde_json::from_value(listing["items"].take()).unwrap()
}

#[tokio::test]
async fn a_dead_letter_is_seen_sent_again_and_tells_its_story() {
    let recorder = Recorder::start().await;
    let retry = "[function.work.retry]\nattempts = 2\nbackoff = { initial = \"10ms\" }";
    let host = setup(&recorder, retry).serve().await;
    let admin = format!("http://{}", host.admin());
    let work = json!({ "record": recorder.url(""), "fail": "trap", "fail_until": 9 });
    let (_, id) = post(&host, "/work", work).await;
    let letters = async || {
        let listed = wfh(&["dlq", "list", "--output", "json", "--admin", &admin]).await;
        assert_eq!(listed.code, Some(0), "{}", listed.stderr);
        items(&listed.stdout)
    };
    eventually("a dead letter", async || !letters().await.is_empty()).await;
    let letter = letters().await.remove(0);
    assert_eq!(
        (&letter["condition"], &letter["class"]),
        (&"RetriesExhausted".into(), &"trap".into())
    );
    assert_eq!((&letter["attempts"], &letter["invocation"]), (&2.into(), &id.as_str().into()));
    let letter_id = letter["id"].as_str().unwrap();

    let sent = wfh(&["dlq", "redrive", letter_id, "--admin", &admin]).await;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    eventually("it runs again, its tries counted anew", async || recorder.effects().len() == 4)
        .await;
    let attempts: Vec<u32> = recorder.effects().iter().map(|effect| effect.attempt).collect();
    assert_eq!(attempts, [1, 2, 1, 2]);
    eventually("it is dead again", async || !letters().await.is_empty()).await;
    let again = letters().await.remove(0);
    assert_ne!(again["id"], letter["id"], "a second death overwrote the first");
    let gone = wfh(&["dlq", "purge", "--all", "--admin", &admin]).await;
    assert_eq!((gone.code, letters().await.len()), (Some(0), 0), "{}", gone.stderr);
    let absent = wfh(&["dlq", "show", letter_id, "--admin", &admin]).await;
    assert_eq!(absent.code, Some(1));
    assert!(absent.stderr.contains("there is no dead letter"), "{}", absent.stderr);
}

#[tokio::test]
async fn queues_are_seen_sent_to_and_emptied_from_the_command_line() {
    let host = Setup::new().function("hello", "hello", "").toml("[queue.parked]\n").serve().await;
    let admin = format!("http://{}", host.admin());
    for n in 0..3 {
        let data = format!("{{\"n\":{n}}}");
        let sent = wfh(&["queue", "send", "parked", "--data", &data, "--admin", &admin]).await;
        assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    }
    let listed = wfh(&["queue", "list", "--admin", &admin]).await;
    let line = listed.stdout.lines().find(|line| line.contains("queue:parked")).unwrap_or_default();
    assert!(line.contains('3'), "three entries wait: {}", listed.stdout);
    let seen = wfh(&["queue", "peek", "parked", "--output", "json", "--admin", &admin]).await;
    let seen = items(&seen.stdout);
    assert_eq!(seen[0]["event"]["data"], "{\"n\":0}");
    let purged = wfh(&["queue", "purge", "parked", "--admin", &admin]).await;
    assert_eq!((purged.code, purged.stdout.as_str()), (Some(0), "3\n"), "{}", purged.stderr);
    let unknown = wfh(&["queue", "peek", "absent", "--admin", &admin]).await;
    assert!(unknown.code == Some(1) && unknown.stderr.contains("queue:absent"), "{unknown:?}");
}

#[tokio::test]
async fn an_asynchronous_call_can_be_followed() {
    let recorder = Recorder::start().await;
    let host = setup(&recorder, "").serve().await;
    let admin = format!("http://{}", host.admin());
    let data = json!({ "record": recorder.url(""), "sleep_ms": 300 }).to_string();
    let called = wfh(&["invoke", "work", "--async", "--data", &data, "--admin", &admin]).await;
    assert_eq!(called.code, Some(0), "{}", called.stderr);
    let id = called.stdout.trim().to_owned();
    let state = async || {
        let mut client = crate::support::Client::connect(host.admin()).await.unwrap();
        let answer = client.get(&format!("/v1/invocations/{id}")).await;
        answer.json()["state"].as_str().unwrap_or_default().to_owned()
    };
    eventually("it runs", async || state().await == "running").await;
    eventually("it ends", async || state().await == "succeeded").await;
}

#[tokio::test]
async fn a_queue_leads_to_a_topic_and_a_circle_ends_in_the_dead_letters() {
    let recorder = Recorder::start().await;
    let host = setup(&recorder, "")
        .toml("[queue.in]\n[topic.fan]\nsubscribers = [\"queue:jobs\", \"function:work\"]")
        .toml("[[trigger.queue]]\nqueue = \"in\"\ntarget = \"topic:fan\"")
        .toml("[queue.round]\n[[trigger.queue]]\nqueue = \"round\"\ntarget = \"queue:round\"")
        .serve()
        .await;
    let admin = format!("http://{}", host.admin());
    let work = json!({ "record": recorder.url("") }).to_string();
    for queue in ["in", "round"] {
        let sent = wfh(&["queue", "send", queue, "--data", &work, "--admin", &admin]).await;
        assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    }
    eventually("both subscribers run it", async || recorder.effects().len() == 2).await;
    eventually("the circle ends", async || {
        let listed = wfh(&["dlq", "list", "--output", "json", "--admin", &admin]).await;
        items(&listed.stdout).len() == 1
    })
    .await;
}

#[tokio::test]
async fn a_drain_is_bounded_however_long_a_queued_call_takes() {
    let recorder = Recorder::start().await;
    let mut host = setup(&recorder, "timeout = \"5m\"")
        .toml("[serve]\nshutdown_timeout = \"1s\"")
        .serve()
        .await;
    let work = json!({ "record": recorder.url(""), "sleep_ms": 120_000 });
    post(&host, "/jobs", work).await;
    eventually("the call runs", async || recorder.effects().len() == 1).await;
    let began = std::time::Instant::now();
    host.signal(rustix::process::Signal::TERM);
    assert!(host.ends().await.success(), "a drain that was cut short is no failure");
    assert!(began.elapsed().as_secs() < 10, "the drain waited for the call");
}
