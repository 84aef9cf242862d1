//! The host dies at each named point, in turn at its first, second and third pass: nothing accepted is
//! lost, nothing recorded runs again, and each event emits once.
//!
//! The points are there in builds with debug assertions only, as this test is.
#![cfg(debug_assertions)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use wfh_store::crash::POINTS;

use crate::support::{Client, Recorder, Setup, eventually_within};

const EVENTS: usize = 12;
const PATIENCE: Duration = Duration::from_secs(40);

fn setup(recorder: &Recorder) -> Setup {
    let work = format!(
        "{}\nenv = {{ RECORD = \"{}\" }}\nallow.send = [\"queue:done\"]\nconcurrency = 4\n\
         [function.work.retry]\nbackoff = {{ initial = \"10ms\" }}",
        recorder.grant(),
        recorder.url("")
    );
    let beat = format!("{}\nenv = {{ RECORD = \"{}\" }}", recorder.grant(), recorder.url("beat"));
    Setup::new()
        .function("work", "worker", &work)
        .unrouted("beat", "worker", &beat)
        .route("/later", "work", "mode = \"async\"")
        .toml("[queue.jobs]\n[queue.done]")
        .toml("[[trigger.http]]\nroute = \"/jobs\"\ntarget = \"queue:jobs\"\nmode = \"async\"")
        .toml("[[trigger.queue]]\nqueue = \"jobs\"\ntarget = \"function:work\"")
        .toml("[[trigger.schedule]]\nname = \"beat\"\nevery = \"300ms\"\nmissed = \"all\"\ntarget = \"function:beat\"")
}

/// Sends until the host is gone; gives what it accepted.
async fn send(address: std::net::SocketAddr) -> usize {
    let mut accepted = 0;
    let Ok(mut client) = Client::connect(address).await else { return accepted };
    for n in 0..EVENTS {
        let path = if n % 2 == 0 { "/later" } else { "/jobs" };
        let work = json!({ "n": n, "emit": ["queue:done"] }).to_string();
        let headers = [("content-type", "application/json")];
        match client.send("POST", path, &headers, &work).await {
            Ok(answer) if answer.status == 202 => accepted += 1,
            Ok(_) => {}
            Err(_) => break,
        }
    }
    accepted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_point_it_dies_at_the_host_goes_on_where_it_was() {
    for point in POINTS {
        let recorder = Recorder::start().await;
        let data = tempfile::tempdir().unwrap();
        let mut accepted = 0;
        // The writer commits for the host's own start as well.
        let first = if *point == "writer-committed" { 12 } else { 1 };
        for times in first..first + 3 {
            let dying = setup(&recorder).data_dir(data.path());
            let mut host = dying.env("WFH_CRASH_POINT", &format!("{point}:{times}")).serve().await;
            accepted += send(host.address()).await;
            eventually_within(PATIENCE, "it passes its point and dies", async || !host.runs())
                .await;
        }
        let host = setup(&recorder).data_dir(data.path()).serve().await;
        eventually_within(PATIENCE, "everything accepted has run", async || {
            let queues = host.admin_json("/v1/queues").await;
            let waits = queues["items"].as_array().unwrap().iter();
            waits.filter(|one| one["name"] != "queue:done").all(|one| one["entries"] == 0)
        })
        .await;
        let effects = recorder.effects();
        let mut tries: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for effect in effects.iter().filter(|effect| effect.path.is_empty()) {
            tries.entry(&effect.id).or_default().insert(&effect.event_key);
        }
        let (ran, emitted) = (tries.len(), host.queue_entries("done").await);
        println!("{point}: accepted {accepted}, ran {ran}, emitted {emitted}");
        // What was durable when its 202 was lost runs as well.
        assert!(ran >= accepted, "{point}: accepted {accepted}, and only {ran} ran");
        assert_eq!(emitted, ran as u64, "{point}: each event emits once");
        assert!(tries.values().all(|keys| keys.len() == 1), "{point}: a repeat has another key");
        // A try that a crash cut off is repeated as the same try, at most once for each crash.
        let mut of_try: BTreeMap<(&str, u32), usize> = BTreeMap::new();
        for effect in effects.iter().filter(|effect| effect.path.is_empty()) {
            *of_try.entry((&effect.id, effect.attempt)).or_default() += 1;
        }
        assert!(of_try.values().all(|times| *times <= 4), "{point}: {of_try:?}");
    }
}
