//! How long connections live, and what ends them.

use std::time::{Duration, Instant};

use crate::support::{SLACK, Setup, eventually, within};

fn between(took: Duration, least_ms: u64, most_ms: u64, what: &str) {
    let (least, most) = (Duration::from_millis(least_ms), Duration::from_millis(most_ms) + SLACK);
    assert!(took >= least, "{what} was closed after {took:?}, before {least:?}");
    assert!(took <= most, "{what} was closed after {took:?}, not within {most:?}");
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let host = Setup::new().function("hello", "hello", "").serve().await;
    let mut client = host.client().await;
    for _ in 0..200 {
        assert_eq!(client.get("/hello").await.status, 200);
    }
    assert_eq!(client.get("/nowhere").await.status, 404);
    assert_eq!(client.get("/hello").await.status, 200, "a 404 ends the connection");
    let mut raw = host.raw().await;
    raw.send("GET /hello HTTP/1.1\r\nhost: h\r\n\r\nGET /hello HTTP/1.1\r\nhost: h\r\n\r\n").await;
    for _ in 0..2 {
        let (head, body) = raw.answer().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "pipelined requests are not both answered");
        assert_eq!(body, "hello, world\n");
    }
    let mut raw = host.raw().await;
    raw.send("GET /hello HTTP/1.0\r\nhost: h\r\n\r\n").await;
    let answer = raw.rest().await;
    assert!(answer.ends_with("\r\n\r\nhello, world\n"), "HTTP/1.0 gets {answer:?}");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let host = Setup::new()
        .toml("[http]\nidle_timeout = \"500ms\"\nheader_read_timeout = \"400ms\"")
        .function("hello", "hello", "")
        .function("sleep", "sleep", "")
        .alone()
        .serve()
        .await;
    let mut silent = host.raw().await;
    between(silent.closed_after().await, 400, 1_000, "a connection that never asks");

    let mut raw = host.raw().await;
    raw.send("GET /hello HTTP/1.1\r\nhost: h\r\n\r\n").await;
    raw.answer().await;
    between(raw.closed_after().await, 450, 1_000, "a connection after its answer");

    let mut busy = host.client().await;
    let answer = busy.get("/sleep?ms=1500").await;
    assert_eq!(answer.status, 200, "a connection that waits for its answer counts as idle");

    let stream = tokio::net::TcpStream::connect(host.address()).await.unwrap();
    let mut h2 = crate::support::Client::http2(stream, host.address()).await.unwrap();
    assert_eq!(h2.get("/sleep?ms=1000").await.status, 200, "a busy HTTP/2 connection is idle");
    eventually("an idle HTTP/2 connection is closed", async || !h2.is_open()).await;
}

#[tokio::test]
async fn a_head_that_drips_in_is_given_up() {
    let host = Setup::new()
        .toml("[http]\nheader_read_timeout = \"400ms\"")
        .function("hello", "hello", "")
        .alone()
        .serve()
        .await;
    for beginning in ["GET /hello HTTP/1.1\r\nhost: h\r\nx-slow: ", "G"] {
        let mut raw = host.raw().await;
        let began = Instant::now();
        raw.send(beginning).await;
        let dripping = async {
            while began.elapsed() < Duration::from_secs(5) && !raw.has_ended() {
                raw.send("x").await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within("a dripping head", dripping).await;
        between(began.elapsed(), 400, 900, beginning);
    }
    for half in ["PRI * HTT", "PRI * HTTP/2.0\r\n\r\nSM", "\r\n"] {
        let mut raw = host.raw().await;
        raw.send(half).await;
        between(raw.closed_after().await, 390, 900, half);
    }
    // The next head on the same connection has the same time.
    let mut raw = host.raw().await;
    raw.send("GET /hello HTTP/1.1\r\nhost: h\r\n\r\n").await;
    raw.answer().await;
    raw.send("GET /hel").await;
    between(raw.closed_after().await, 390, 900, "a second head");
}

#[tokio::test]
async fn a_client_that_never_reads_its_answer_is_cut_off() {
    let settings = "timeout = \"1s\"\nconcurrency = 1\nqueue_timeout = \"10s\"";
    let host = Setup::new().function("echo", "echo_stream", settings).alone().serve().await;
    let mut raw = host.raw().await;
    raw.send("POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let began = Instant::now();
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    let endless = async {
        use tokio::io::AsyncWriteExt;
        while raw.stream.write_all(&chunk).await.is_ok() {}
    };
    within("the end of a connection whose client does not read", endless).await;
    between(began.elapsed(), 900, 1_600, "a client that does not read");
    let next = host.send("POST", "/echo", &[], "next").await;
    assert_eq!((next.status, next.text()), (200, "next".into()), "the slot is not given back");
}

#[tokio::test]
async fn a_connection_ends_after_its_share_of_requests() {
    let host = Setup::new()
        .toml("[http]\nrequests_per_connection_max = 3")
        .function("hello", "hello", "")
        .serve()
        .await;
    let mut client = host.client().await;
    for request in 1..=3 {
        let answer = client.get("/hello").await;
        let closes = answer.header("connection") == "close";
        assert_eq!((answer.status, closes), (200, request == 3), "request {request}");
    }
    eventually("the connection closes after its last answer", async || !client.is_open()).await;
    let stream = tokio::net::TcpStream::connect(host.address()).await.unwrap();
    let mut h2 = crate::support::Client::http2(stream, host.address()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(h2.get("/hello").await.status, 200);
    }
    eventually("an HTTP/2 connection ends after its share", async || !h2.is_open()).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let host = Setup::new()
        .toml("[http]\nconnections_max = 2")
        .function("hello", "hello", "")
        .serve()
        .await;
    let (mut first, mut second) = (host.client().await, host.client().await);
    assert_eq!(first.get("/hello").await.status, 200);
    assert_eq!(second.get("/hello").await.status, 200);
    let mut third = host.raw().await;
    third.send("GET /hello HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let early = tokio::time::timeout(Duration::from_millis(200), third.status()).await;
    assert!(early.is_err(), "a third connection is served beside two");
    drop(first);
    assert_eq!(third.status().await, Some(200), "the place of a closed connection stays taken");
    assert_eq!(second.get("/hello").await.status, 200);
}

#[tokio::test]
async fn what_comes_with_a_refused_request_is_not_taken_for_another() {
    let host = Setup::new().function("hello", "hello", "").serve().await;
    let mut raw = host.raw().await;
    let smuggled = "GET /hello HTTP/1.1\r\nhost: h\r\nx-smuggled: 1\r\n\r\n";
    let length = smuggled.len();
    raw.send(format!(
        "POST /nowhere HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n{smuggled}"
    ))
    .await;
    assert_eq!(raw.status().await, Some(404));
    raw.send("GET /nowhere2 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await;
    let rest = raw.rest().await;
    assert!(!rest.contains("hello, world"), "a body is read as a request: {rest}");
}
