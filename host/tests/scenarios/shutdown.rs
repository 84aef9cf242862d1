//! SIGTERM: nothing that was taken is lost, and the end comes within its bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Client, Host, Raw, SLACK, Setup, eventually};

/// What one client of the load met.
#[derive(Debug, Default)]
struct Met {
    answered: usize,
    failed: Vec<String>,
}

/// Asks again and again on a kept connection; a new one only after the host said that it closes.
/// Ends when the host takes no more connections.
async fn load(address: std::net::SocketAddr, path: &'static str, stopping: Arc<AtomicBool>) -> Met {
    let mut met = Met::default();
    while let Ok(stream) = TcpStream::connect(address).await {
        let mut raw = Raw::over(stream);
        let mut first = true;
        loop {
            // Closed between two requests: nothing was asked, nothing is lost.
            if !first && raw.has_ended() {
                break;
            }
            raw.send(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n")).await;
            let Some(head) = raw.until(b"\r\n\r\n").await else {
                // A connection that the kernel took and the host never saw is a refused one.
                if !(first && stopping.load(Ordering::SeqCst)) {
                    met.failed.push(format!("no answer after {} others", met.answered));
                }
                break;
            };
            let whole = raw.body(&head).await.is_some();
            if !whole || !head.starts_with("HTTP/1.1 200 ") {
                met.failed.push(head);
                break;
            }
            (met.answered, first) = (met.answered + 1, false);
            if head.contains("connection: close") {
                break;
            }
        }
    }
    met
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_when_the_host_stops_under_load() {
    for round in 0..3 {
        let mut host = Setup::new()
            .function("hello", "hello", "")
            .function("sleep", "sleep", "")
            .alone()
            .serve()
            .await;
        let stopping = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for client in 0..16 {
            let path = if client % 4 == 0 { "/sleep?ms=30" } else { "/hello" };
            clients.spawn(load(host.address(), path, Arc::clone(&stopping)));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        stopping.store(true, Ordering::SeqCst);
        host.signal(Signal::TERM);
        let met = clients.join_all().await;
        let answered: usize = met.iter().map(|met| met.answered).sum();
        let failed: Vec<_> = met.iter().flat_map(|met| &met.failed).collect();
        assert!(answered > 100, "only {answered} requests: no load");
        let count = failed.len();
        assert!(
            failed.is_empty(),
            "round {round}: {count} of {answered} requests failed: {failed:?}"
        );
        assert_eq!(host.ends().await.code(), Some(0), "a drained host ends with 0");
    }
}

#[tokio::test]
async fn calls_in_flight_finish_and_are_told_that_the_connection_closes() {
    let mut host = Setup::new().function("sleep", "sleep", "").serve().await;
    let mut raw = host.raw().await;
    raw.send("GET /sleep?ms=900 HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let stream = TcpStream::connect(host.address()).await.unwrap();
    let mut h2 = Client::http2(stream, host.address()).await.unwrap();
    let streaming = tokio::spawn(async move { h2.get("/sleep?ms=900").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    host.signal(Signal::TERM);
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "a call in flight is lost: {head}");
    assert!(head.contains("connection: close"), "the client is not told: {head}");
    assert!(raw.body(&head).await.is_some(), "the answer is cut");
    assert_eq!(raw.rest().await, "", "the connection goes on after its last answer");
    assert_eq!(streaming.await.unwrap().status, 200, "an HTTP/2 call in flight is lost");
    assert_eq!(host.ends().await.code(), Some(0));
}

#[tokio::test]
async fn an_idle_host_ends_at_once_also_with_open_connections() {
    let mut host = Setup::new().function("hello", "hello", "").alone().serve().await;
    let mut kept = host.client().await;
    assert_eq!(kept.get("/hello").await.status, 200);
    let _silent = host.raw().await;
    let signalled = Instant::now();
    host.signal(Signal::INT);
    assert_eq!(host.ends().await.code(), Some(0));
    let took = signalled.elapsed();
    assert!(took < Duration::from_secs(2), "an idle host takes {took:?} to end");
}

#[tokio::test]
async fn work_is_still_taken_during_the_drain_delay() {
    let mut host = Setup::new()
        .toml("[serve]\ndrain_delay = \"1500ms\"")
        .function("hello", "hello", "")
        .serve()
        .await;
    assert_eq!(host.admin_get("/readyz").await.status, 200);
    let signalled = Instant::now();
    host.signal(Signal::TERM);
    let not_ready = async || host.admin_get("/readyz").await.status == 503;
    eventually("readiness goes false first", not_ready).await;
    assert_eq!(host.admin_get("/healthz").await.status, 200, "a draining host is healthy");
    while signalled.elapsed() < Duration::from_secs(1) {
        assert_eq!(host.get("/hello").await.status, 200, "work is refused during drain_delay");
    }
    assert_eq!(host.ends().await.code(), Some(0));
    assert!(signalled.elapsed() >= Duration::from_millis(1500), "drain_delay is not waited for");
}

async fn stuck(settings: &str) -> (Host, Raw) {
    let host = Setup::new()
        .toml(settings)
        .function("spin", "spin", "timeout = \"1m\"\nconcurrency = 1\nqueue_timeout = \"1ms\"")
        .alone()
        .serve()
        .await;
    let mut raw = host.raw().await;
    raw.send("GET /spin HTTP/1.1\r\nhost: h\r\n\r\n").await;
    // A call of ours might have its place: then it would be the one that is refused.
    let taken = async || host.admin_json("/v1/functions/spin").await["in_flight"] == 1;
    eventually("the call begins", taken).await;
    (host, raw)
}

#[tokio::test]
async fn what_does_not_finish_is_cancelled_at_shutdown_timeout() {
    let (mut host, mut raw) = stuck("[serve]\nshutdown_timeout = \"700ms\"").await;
    let signalled = Instant::now();
    host.signal(Signal::TERM);
    assert_eq!(host.ends().await.code(), Some(0), "a host that cancelled the rest ends with 0");
    let took = signalled.elapsed();
    assert!(took >= Duration::from_millis(700), "cancelled early, after {took:?}");
    assert!(took < Duration::from_millis(1_500) + SLACK, "shutdown_timeout = 700ms took {took:?}");
    raw.rest().await;
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let (mut host, _raw) = stuck("").await;
    host.signal(Signal::TERM);
    host.says("draining").await;
    assert!(host.runs(), "the first signal does not wait for calls in flight");
    let signalled = Instant::now();
    host.signal(Signal::TERM);
    host.ends().await;
    let took = signalled.elapsed();
    assert!(took < Duration::from_secs(1), "the second signal takes {took:?}");
}
