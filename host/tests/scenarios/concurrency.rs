//! Limits of calls in flight: of a function, and of the host.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::support::{Host, Setup, eventually};

async fn occupied(host: &Host, path: &str, status: u16) {
    let invariant = format!("{path} is occupied and answers {status}");
    eventually(&invariant, async || host.get(path).await.status == status).await;
}

#[tokio::test]
async fn a_caller_beyond_the_limit_is_told_to_come_back() {
    let settings = "concurrency = 1\nqueue_timeout = \"100ms\"";
    let host = Setup::new().function("sleep", "sleep", settings).serve().await;
    let mut first = host.client().await;
    let sleeping = tokio::spawn(async move { first.get("/sleep?ms=2000").await });
    occupied(&host, "/sleep?ms=0", 429).await;
    let refused = host.get("/sleep?ms=0").await;
    assert_eq!(refused.failure(), (429, "WFH-2010".into()), "{}", refused.text());
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    assert!(refused.took >= Duration::from_millis(100), "refused before queue_timeout");
    assert_eq!(sleeping.await.unwrap().status, 200, "the first caller suffers");
    assert_eq!(host.get("/sleep?ms=0").await.status, 200, "the slot does not come free");
}

#[tokio::test]
async fn callers_wait_for_their_turn() {
    let settings = "concurrency = 1\nqueue_timeout = \"20s\"";
    let host = Setup::new().function("sleep", "sleep", settings).serve().await;
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..4 {
        let mut client = host.client().await;
        calls.spawn(async move { client.get("/sleep?ms=100").await.status });
    }
    assert_eq!(calls.join_all().await, [200; 4], "a waiting caller is not served");
    assert!(began.elapsed() >= Duration::from_millis(400), "more than one call in flight");
}

#[tokio::test]
async fn waiting_for_a_turn_does_not_count_against_the_timeout() {
    let settings = "concurrency = 1\nqueue_timeout = \"20s\"\ntimeout = \"900ms\"";
    let host = Setup::new().function("sleep", "sleep", settings).serve().await;
    let mut calls = JoinSet::new();
    for _ in 0..3 {
        let mut client = host.client().await;
        calls.spawn(async move { client.get("/sleep?ms=500").await.status });
    }
    assert_eq!(calls.join_all().await, [200; 3], "the deadline begins before the permit");
}

#[tokio::test]
async fn the_host_has_a_limit_of_its_own() {
    let setup = Setup::new().toml("[limits]\ninvocations_max = 1");
    let host = setup
        .function("sleep", "sleep", "queue_timeout = \"50ms\"")
        .function("hello", "hello", "queue_timeout = \"50ms\"")
        .serve()
        .await;
    let mut first = host.client().await;
    let sleeping = tokio::spawn(async move { first.get("/sleep?ms=2000").await });
    occupied(&host, "/hello", 503).await;
    let refused = host.get("/hello").await;
    assert_eq!(refused.failure(), (503, "WFH-2011".into()), "{}", refused.text());
    assert!(!refused.header("retry-after").is_empty(), "no Retry-After");
    assert_eq!(sleeping.await.unwrap().status, 200);
    assert_eq!(host.get("/hello").await.status, 200, "the slot does not come free");
}

#[tokio::test]
async fn a_streaming_answer_holds_its_permit_to_the_last_byte() {
    let settings = "concurrency = 1\nqueue_timeout = \"20ms\"";
    let host = Setup::new().function("drip", "slow_drip", settings).serve().await;
    let mut raw = host.raw().await;
    raw.send("GET /drip?n=4 HTTP/1.1\r\nhost: h\r\n\r\n").await;
    raw.head().await;
    raw.until(b".").await;
    let refused = host.get("/drip?n=0").await;
    assert_eq!(refused.status, 429, "the permit is given back before the answer is out");
    raw.until(b"0\r\n\r\n").await.expect("the answer ends");
    eventually("the slot comes free", async || host.get("/drip?n=0").await.status == 200).await;
}
