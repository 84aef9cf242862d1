//! `kill -9` at random instants: nothing accepted is lost, nothing recorded runs again.
//!
//! `make chaos` does it a thousand times; `WFH_CHAOS_KILLS` says how often.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::support::{Client, Host, Recorder, Setup, eventually_within};

const KILLS_BRIEF: usize = 20;
const PRODUCERS: usize = 4;
/// Calls of a function at once, and so the most that one kill cuts off.
const CONCURRENCY: usize = 8;

/// What was sent, and what the host took.
#[derive(Debug, Default)]
struct Sent {
    sent: usize,
    accepted: BTreeSet<String>,
    /// Ids of each group in the order of their acceptance.
    groups: BTreeMap<usize, Vec<String>>,
}

fn setup(recorder: &Recorder, data: &Path) -> Setup {
    let work = format!(
        "{}\nallow.send = [\"queue:second\"]\nconcurrency = {CONCURRENCY}\n\
         [function.work.retry]\nbackoff = {{ initial = \"20ms\", max = \"100ms\" }}",
        recorder.grant()
    );
    Setup::new()
        .unrouted("work", "worker", &work)
        .route("/work", "work", "mode = \"async\"")
        .toml("[queue.second]\n[queue.groups]\norder = \"json:$.group\"")
        .toml("[[trigger.http]]\nroute = \"/groups\"\ntarget = \"queue:groups\"\nmode = \"async\"")
        .toml("[[trigger.queue]]\nqueue = \"second\"\ntarget = \"function:work\"")
        .toml("[[trigger.queue]]\nqueue = \"groups\"\ntarget = \"function:work\"")
        .data_dir(data)
}

/// Sends until the host is gone. A group has one producer, so that its order is known.
async fn produce(
    producer: usize,
    address: SocketAddr,
    recorder: Arc<Recorder>,
    sent: Arc<Mutex<Sent>>,
) {
    let Ok(mut client) = Client::connect(address).await else { return };
    for n in 0.. {
        let grouped = n % 3 == 0;
        let work = match grouped {
            true => json!({ "record": recorder.url("group"), "group": producer }),
            false => json!({
                "record": recorder.url("first"), "emit": ["queue:second"],
                "fail": "trap", "fail_until": 1 + n % 2 + 1,
                "then": { "record": recorder.url("second") },
            }),
        };
        let path = if grouped { "/groups" } else { "/work" };
        sent.lock().unwrap().sent += 1;
        let Ok(answer) = client.send("POST", path, &[], &work.to_string()).await else { return };
        if answer.status != 202 {
            continue;
        }
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        let mut sent = sent.lock().unwrap();
        match grouped {
            true => sent.groups.entry(producer).or_default().push(id),
            false => drop(sent.accepted.insert(id)),
        }
    }
}

async fn round(
    host: &mut Host,
    recorder: &Arc<Recorder>,
    sent: &Arc<Mutex<Sent>>,
    alive: Duration,
) {
    let mut producers = tokio::task::JoinSet::new();
    for producer in 0..PRODUCERS {
        let (recorder, sent) = (Arc::clone(recorder), Arc::clone(sent));
        producers.spawn(produce(producer, host.address(), recorder, sent));
    }
    tokio::time::sleep(alive).await;
    host.kill();
    producers.join_all().await;
}

/// Something between 30 and 400 ms that differs from round to round.
fn alive(round: usize) -> Duration {
    let mixed = (round as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    Duration::from_millis(30 + mixed % 370)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_however_often_the_host_is_killed() {
    let kills = std::env::var("WFH_CHAOS_KILLS").ok().and_then(|text| text.parse().ok());
    let kills = kills.unwrap_or(KILLS_BRIEF);
    let recorder = Arc::new(Recorder::start().await);
    let data = tempfile::tempdir().unwrap();
    let sent = Arc::new(Mutex::new(Sent::default()));
    for kill in 0..kills {
        let mut host = setup(&recorder, data.path()).serve().await;
        round(&mut host, &recorder, &sent, alive(kill)).await;
    }
    let host = setup(&recorder, data.path()).serve().await;
    let admin = host.admin();
    let patience =
        Duration::from_secs(60) + Duration::from_millis(20) * u32::try_from(kills).unwrap();
    eventually_within(patience, "every queue runs empty", async || {
        let mut client = Client::connect(admin).await.unwrap();
        let queues = client.get("/v1/queues").await.json();
        let queues = queues["items"].as_array().unwrap().clone();
        queues.iter().all(|queue| queue["entries"] == 0)
    })
    .await;
    judge(&recorder, &sent.lock().unwrap(), kills);
}

fn judge(recorder: &Recorder, sent: &Sent, kills: usize) {
    let effects = recorder.effects();
    let of = |path: &'static str| effects.iter().filter(move |effect| effect.path == path);
    let done: BTreeSet<&String> = of("first").map(|effect| &effect.id).collect();
    let lost: Vec<_> = sent.accepted.iter().filter(|id| !done.contains(id)).collect();

    // Each event emits once, when it succeeds: as many events as succeeded, each by one id.
    let emitted: BTreeSet<&String> = of("second").map(|effect| &effect.id).collect();
    let mut tries: BTreeMap<(&str, u32), usize> = BTreeMap::new();
    let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for effect in &effects {
        *tries.entry((&effect.id, effect.attempt)).or_default() += 1;
        keys.entry(&effect.id).or_default().insert(&effect.event_key);
    }
    // The same try twice: the kill came between its effect and its record.
    let repeated: usize = tries.values().map(|times| times - 1).sum();
    let grouped: usize = sent.groups.values().map(Vec::len).sum();
    println!(
        "kills {kills}, sent {}, accepted {}, effects {}, lost {}, emitted {}, repeated {repeated}",
        sent.sent,
        sent.accepted.len() + grouped,
        effects.len(),
        lost.len(),
        emitted.len(),
    );
    assert!(sent.accepted.len() > kills, "too little was accepted to say anything");
    assert!(lost.is_empty(), "accepted and never run: {lost:?}");
    assert_eq!(emitted.len(), done.len(), "an event emitted twice, or its emit was lost");
    assert!(repeated <= kills * CONCURRENCY, "more repeats than calls that kills cut off");
    assert!(keys.values().all(|keys| keys.len() == 1), "a repeated try has another key");
    let attempts = effects.iter().map(|effect| effect.attempt).max().unwrap_or_default();
    assert!(attempts <= 3, "more tries than allowed: {attempts}");
    for (group, expected) in &sent.groups {
        let mut seen: Vec<&String> =
            of("group").map(|effect| &effect.id).filter(|id| expected.contains(id)).collect();
        seen.dedup();
        let order: Vec<&String> = expected.iter().collect();
        assert_eq!(seen, order, "group {group} ran out of order");
    }
}
