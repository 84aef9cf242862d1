//! Replicas that are restarted one after another while they are called.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Client, Host, Kafka, Recorder, Redis, Setup, eventually_within};

const REPLICAS: usize = 3;
const PARTITIONS: i32 = 6;
const CALLERS: usize = 6;
/// How often a proxy asks whether a replica is ready.
const PROBE_EVERY: Duration = Duration::from_millis(50);

/// Each replica once, unless somebody asks for more.
fn restarts() -> usize {
    let asked = std::env::var("WFH_ROLLS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(REPLICAS)
}

/// What balances load in front of replicas: calls those that are ready, and tries another one when a
/// connection cannot be made or breaks before its answer.
#[derive(Clone, Default)]
struct Proxy {
    replicas: Arc<Mutex<Vec<(SocketAddr, SocketAddr, bool)>>>,
    next: Arc<AtomicUsize>,
}

impl Proxy {
    fn replace(&self, index: usize, host: &Host) {
        let replica = (host.address(), host.admin(), false);
        let mut replicas = self.replicas.lock().unwrap();
        match replicas.get_mut(index) {
            Some(place) => *place = replica,
            None => replicas.push(replica),
        }
    }

    async fn probe(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let all = self.replicas.lock().unwrap().clone();
            for (index, (address, admin, _)) in all.into_iter().enumerate() {
                let ready = match Client::connect(admin).await {
                    Ok(mut client) => {
                        let answer = client.send("GET", "/readyz", &[], "").await;
                        answer.is_ok_and(|answer| answer.status == 200)
                    }
                    Err(_) => false,
                };
                let mut replicas = self.replicas.lock().unwrap();
                if let Some(place) = replicas.get_mut(index).filter(|place| place.0 == address) {
                    place.2 = ready;
                }
            }
            tokio::time::sleep(PROBE_EVERY).await;
        }
    }

    /// The status of an answer, and its body.
    async fn send(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        for _ in 0..200 {
            let ready: Vec<SocketAddr> = {
                let replicas = self.replicas.lock().unwrap();
                replicas.iter().filter(|one| one.2).map(|one| one.0).collect()
            };
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            if let Some(address) = ready.get(turn % ready.len().max(1))
                && let Ok(mut client) = Client::connect(*address).await
                && let Ok(answer) = client.send(method, path, &[], body).await
                && answer.status != 503
            {
                return (answer.status, answer.text());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        (0, "no replica answers".to_owned())
    }
}

fn setup(kafka: &Kafka, redis: &Redis, recorder: &Recorder) -> Setup {
    let record = format!("{}\nenv = {{ RECORD = \"{}\" }}", recorder.grant(), recorder.url(""));
    Setup::new()
        .function("hello", "hello", "")
        .unrouted("work", "worker", &record)
        .route("/work", "work", "mode = \"async\"")
        .toml("[serve]\ndrain_delay = \"300ms\"\nshutdown_timeout = \"10s\"")
        .toml(&kafka.toml())
        .toml(&redis.store())
        .toml(
            "[[trigger.kafka]]\nname = \"it\"\ntopics = [\"rolling\"]\ngroup = \"rolling\"\n\
             target = \"function:work\"\noptions = { \"session.timeout.ms\" = \"6000\" }",
        )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_request_and_loses_no_event() {
    let kafka = Kafka::start(1);
    kafka.topic("rolling", PARTITIONS).await;
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    let (proxy, stop) = (Proxy::default(), CancellationToken::new());
    let mut hosts = Vec::new();
    for index in 0..REPLICAS {
        let setup = setup(&kafka, &redis, &recorder);
        let host = match hosts.first() {
            Some(first) => setup.beside(first).serve().await,
            None => setup.serve().await,
        };
        proxy.replace(index, &host);
        hosts.push(host);
    }
    let probing = tokio::spawn(proxy.clone().probe(stop.clone()));
    let failed: Arc<Mutex<Vec<(u16, String)>>> = Arc::default();
    let accepted: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let answered = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (proxy, stop) = (proxy.clone(), stop.clone());
            let (failed, accepted) = (Arc::clone(&failed), Arc::clone(&accepted));
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                while !stop.is_cancelled() {
                    let is_event = caller % 2 == 0;
                    let (status, text) = match is_event {
                        true => proxy.send("POST", "/work", "{}").await,
                        false => proxy.send("GET", "/hello", "").await,
                    };
                    answered.fetch_add(1, Ordering::Relaxed);
                    match (is_event, status) {
                        (true, 202) => {
                            let id: serde_json::Value = serde_json::from_str(&text).unwrap();
                            let id = id["id"].as_str().unwrap().to_owned();
                            accepted.lock().unwrap().insert(id);
                        }
                        (false, 200) => {}
                        _ => failed.lock().unwrap().push((status, text)),
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
        })
        .collect();
    let mut records = BTreeSet::new();
    for round in 0..restarts() {
        for n in 0..20 {
            let work = json!({ "n": n });
            records.insert(kafka.work("rolling", &format!("key-{n}"), &work).await);
        }
        let index = round % REPLICAS;
        hosts[index].signal(Signal::TERM);
        assert_eq!(hosts[index].ends().await.code(), Some(0), "a replica did not drain");
        let next = setup(&kafka, &redis, &recorder).beside(&hosts[index]).serve().await;
        proxy.replace(index, &next);
        hosts[index] = next;
    }
    stop.cancel();
    for caller in callers {
        caller.await.unwrap();
    }
    probing.await.unwrap();
    let accepted = accepted.lock().unwrap().clone();
    let expected = accepted.len() + records.len();
    eventually_within(Duration::from_secs(60), "every event took effect", async || {
        recorder.tries().len() >= expected
    })
    .await;
    let tries = recorder.tries();
    let lost = records.iter().filter(|id| !tries.contains_key(*id)).count();
    let repeated: usize = tries.values().map(|tries| tries - 1).sum();
    let failed = failed.lock().unwrap().clone();
    println!(
        "{} restarts: {} requests, failed {}, accepted events {}, records {}, lost {lost}, repeated \
         {repeated}",
        restarts(),
        answered.load(Ordering::Relaxed),
        failed.len(),
        accepted.len(),
        records.len(),
    );
    assert!(failed.is_empty(), "requests failed: {failed:?}");
    assert_eq!((lost, tries.len()), (0, expected), "events were lost");
    assert_eq!(repeated, 0, "a drain cut a call off");
}
