//! A client that goes away takes its guest with it.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::support::{Client, Host, SLACK, Setup, eventually};

const SETTINGS: &str = "concurrency = 1\nqueue_timeout = \"1ms\"\ntimeout = \"60s\"";

async fn occupied(host: &Host, path: &str) {
    let free = async || host.get(path).await.status == 429;
    eventually("the call begins", free).await;
}

async fn freed_soon(host: &Host, path: &str, who: &str) {
    let left = Instant::now();
    eventually(who, async || host.get(path).await.status == 200).await;
    let took = left.elapsed();
    let limit = Duration::from_millis(50) + SLACK;
    assert!(took <= limit, "{who}: the slot came free after {took:?}, not within {limit:?}");
}

#[tokio::test]
async fn a_client_that_leaves_frees_the_slot_of_its_guest() {
    let host = Setup::new()
        .function("sleep", "sleep", SETTINGS)
        .function("spin", "spin", SETTINGS)
        .function("drip", "slow_drip", SETTINGS)
        .alone()
        .serve()
        .await;
    for (path, probe) in
        [("/sleep?ms=60000", "/sleep?ms=0"), ("/spin", "/spin?ms=0"), ("/drip", "/drip?n=0")]
    {
        let mut raw = host.raw().await;
        raw.send(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n")).await;
        occupied(&host, probe).await;
        drop(raw);
        freed_soon(&host, probe, path).await;
    }
}

#[tokio::test]
async fn an_http2_stream_that_is_reset_frees_the_slot_of_its_guest() {
    let host = Setup::new().function("sleep", "sleep", SETTINGS).alone().serve().await;
    let stream = TcpStream::connect(host.address()).await.unwrap();
    let mut client = Client::http2(stream, host.address()).await.unwrap();
    let request = client.request("GET", "/sleep?ms=60000", &[]).body(Default::default()).unwrap();
    let Client::Http2(sender, _) = &client else { unreachable!() };
    let mut sender = sender.clone();
    let call = tokio::spawn(async move { sender.send_request(request).await });
    occupied(&host, "/sleep?ms=0").await;
    call.abort();
    freed_soon(&host, "/sleep?ms=0", "a reset stream").await;
    assert_eq!(client.get("/sleep?ms=0").await.status, 200, "the connection suffers from a reset");
}

#[tokio::test]
async fn a_storm_of_resets_leaves_nothing_behind() {
    let settings = "concurrency = 16\nqueue_timeout = \"10s\"\ntimeout = \"60s\"";
    let host = Setup::new()
        .function("sleep", "sleep", settings)
        .function("hello", "hello", "")
        .serve()
        .await;
    assert_eq!(host.get("/hello").await.status, 200);
    let before = host.descriptors();
    for _ in 0..5 {
        let stream = TcpStream::connect(host.address()).await.unwrap();
        let client = Client::http2(stream, host.address()).await.unwrap();
        let Client::Http2(sender, _) = &client else { unreachable!() };
        for _ in 0..400 {
            let request = client.request("GET", "/sleep?ms=60000", &[]);
            let mut sender = sender.clone();
            if sender.ready().await.is_err() {
                // The host has had enough of this connection, as it may.
                break;
            }
            let call = sender.send_request(request.body(Default::default()).unwrap());
            // Sent, and given up before it can be answered.
            let _ = tokio::time::timeout(Duration::from_micros(100), call).await;
        }
        assert_eq!(host.get("/hello").await.status, 200, "hello suffers from a storm of resets");
    }
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let mut client = host.client().await;
        calls.spawn(async move { client.get("/sleep?ms=200").await.status });
    }
    assert_eq!(calls.join_all().await, [200; 16], "a reset keeps a slot");
    eventually("all descriptors come back", async || host.descriptors() <= before).await;
}
