//! HTTP as clients and guests see it: routes, headers, bodies, versions, errors.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Answer, Client, Setup};

/// The values of a header that `inspect` saw.
fn seen(report: &Value, name: &str) -> Vec<String> {
    let headers = report["headers"].as_array().unwrap_or_else(|| panic!("no headers: {report}"));
    let matching = headers.iter().filter(|pair| pair[0] == name);
    matching.map(|pair| pair[1].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_most_specific_route_wins_and_its_parameters_reach_the_guest() {
    let host = Setup::new()
        .unrouted("inspect", "inspect", "")
        .unrouted("hello", "hello", "")
        .route("/users/{id}", "inspect", "")
        .route("/users/me", "hello", "")
        .route("/users/{id}/files/{*rest}", "inspect", "")
        .route("/orders", "inspect", "methods = [\"POST\", \"PUT\"]")
        .route("/orders", "hello", "methods = [\"GET\"]\nname = \"orders-get\"")
        .serve()
        .await;
    assert_eq!(host.get("/users/me").await.text(), "hello, world\n", "a parameter beats a literal");
    let user = host.get("/users/42?q=1").await.json();
    assert_eq!(seen(&user, "wfh-path-id"), ["42"], "{user}");
    assert_eq!(user["path-with-query"], "/users/42?q=1", "{user}");
    let file = host.get("/users/42/files/a/b.txt").await.json();
    assert_eq!(seen(&file, "wfh-path-id"), ["42"], "{file}");
    assert_eq!(seen(&file, "wfh-path-rest"), ["a/b.txt"], "{file}");
    assert_eq!(
        host.get("/orders").await.text(),
        "hello, world\n",
        "methods do not tell routes apart"
    );
    assert_eq!(host.send("POST", "/orders", &[], "").await.json()["method"], "POST");

    let refused = host.send("DELETE", "/orders", &[], "").await;
    assert_eq!(refused.failure(), (405, "WFH-3002".into()), "{}", refused.text());
    let mut allowed: Vec<_> = refused.header("allow").split(", ").collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST", "PUT"], "Allow is not what the route takes");
    let head = host.send("HEAD", "/orders", &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0), "GET serves HEAD, without a body");

    for path in ["/", "/nowhere", "/users", "/users/1/2", "//users/42"] {
        let absent = host.get(path).await;
        assert_eq!(absent.failure(), (404, "WFH-3001".into()), "{path}: {}", absent.text());
        is_a_problem(&absent);
    }
}

fn is_a_problem(answer: &Answer) {
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let document = answer.json();
    assert_eq!(document["status"], answer.status, "{document}");
    assert_eq!(document["instance"], answer.header("wfh-invocation-id"), "{document}");
    for key in ["type", "title", "code"] {
        assert!(document[key].is_string(), "a problem without {key}: {document}");
    }
}

#[tokio::test]
async fn a_parameter_never_gets_lost() {
    let host = Setup::new()
        .unrouted("inspect", "inspect", "")
        .route("/files/{name}", "inspect", "")
        .serve()
        .await;
    for (path, expected) in [
        ("/files/a%20b", ["a b", "a%20b"]),
        ("/files/caf%C3%A9", ["café", "caf%C3%A9"]),
        ("/files/%2e%2e", ["..", "%2e%2e"]),
    ] {
        let report = host.get(path).await.json();
        let got = seen(&report, "wfh-path-name");
        assert!(got.len() == 1 && expected.contains(&got[0].as_str()), "{path} gives {got:?}");
    }
    let split = host.get("/files/a%0d%0ab").await;
    let whole = split.status == 400 || split.status == 404 || {
        let got = seen(&split.json(), "wfh-path-name");
        got.len() == 1 && !got[0].contains('\n')
    };
    assert!(whole, "a line break in a parameter loses it: {} {}", split.status, split.text());
}

#[tokio::test]
async fn clients_cannot_speak_in_the_hosts_name() {
    let host = Setup::new()
        .unrouted("inspect", "inspect", "")
        .route("/{name}", "inspect", "")
        .serve()
        .await;
    let forged = [
        ("wfh-path-name", "forged"),
        ("Wfh-Invocation-Id", "forged"),
        ("wfh-attempt", "9"),
        ("wfh-event-key", "key-1"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "forged"),
        ("forwarded", "for=6.6.6.6"),
        ("connection", "x-hop"),
        ("x-hop", "by hop"),
        ("te", "trailers"),
        ("keep-alive", "timeout=5"),
        ("proxy-authorization", "secret"),
        ("x-own", "kept"),
    ];
    let report = host.send("GET", "/real", &forged, "").await.json();
    assert_eq!(seen(&report, "wfh-path-name"), ["real"], "{report}");
    assert_eq!(seen(&report, "wfh-event-key"), ["key-1"], "an idempotency key is the client's");
    assert_eq!(seen(&report, "x-own"), ["kept"]);
    assert_eq!(seen(&report, "x-forwarded-for"), ["127.0.0.1"], "{report}");
    assert_eq!(seen(&report, "x-forwarded-proto"), ["http"], "{report}");
    for name in [
        "wfh-invocation-id",
        "wfh-attempt",
        "x-forwarded-host",
        "forwarded",
        "x-hop",
        "keep-alive",
        "proxy-authorization",
        "te",
        "connection",
    ] {
        assert!(seen(&report, name).is_empty(), "{name} reaches the guest: {report}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let host = Setup::new()
        .toml("[http]\ntrusted_proxies = [\"127.0.0.0/8\"]")
        .function("inspect", "inspect", "")
        .serve()
        .await;
    let claims = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=6.6.6.6"),
    ];
    let report = host.send("GET", "/inspect", &claims, "").await.json();
    assert_eq!(seen(&report, "x-forwarded-for").join(", "), "6.6.6.6, 127.0.0.1", "{report}");
    assert_eq!(seen(&report, "x-forwarded-proto"), ["https"], "{report}");
    assert_eq!(seen(&report, "forwarded").len(), 1, "{report}");
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let host = Setup::new()
        .toml("[http]\nbody_bytes_max = \"1KiB\"")
        .function("echo", "event_echo", "")
        .serve()
        .await;
    let mut raw = host.raw().await;
    raw.send("POST /echo HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        .await;
    assert!(raw.head().await.starts_with("HTTP/1.1 100 "), "no 100 for a body that is wanted");
    raw.send("body").await;
    assert_eq!(raw.status().await, Some(200));
    raw.until(b"body").await.expect("the echo");

    let mut raw = host.raw().await;
    raw.send(
        "POST /echo HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 4000\r\n\r\n",
    )
    .await;
    assert_eq!(raw.status().await, Some(413), "a body that is too large is asked for");
}

#[tokio::test]
async fn bodies_over_the_limit_are_413_however_they_are_framed() {
    let host = Setup::new()
        .toml("[http]\nbody_bytes_max = \"1KiB\"")
        .function("echo", "event_echo", "")
        .function("large", "event_echo", "body_bytes_max = \"8KiB\"")
        .function("thumbnail", "thumbnail", "")
        .function("stream", "echo_stream", "")
        .serve()
        .await;
    let over = "x".repeat(1025);
    for path in ["/echo", "/thumbnail", "/stream"] {
        let refused = host.send("POST", path, &[], &over).await;
        assert_eq!(refused.failure(), (413, "WFH-2007".into()), "{path}: {}", refused.text());
        is_a_problem(&refused);
    }
    assert_eq!(host.send("POST", "/echo", &[], &over[..1024]).await.status, 200, "1 KiB is 1 KiB");
    assert_eq!(host.send("POST", "/large", &[], &over).await.status, 200, "a function's own limit");

    for path in ["/echo", "/thumbnail"] {
        let mut raw = host.raw().await;
        raw.send(format!("POST {path} HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"))
            .await;
        raw.send(format!("401\r\n{over}\r\n0\r\n\r\n")).await;
        assert_eq!(raw.status().await, Some(413), "{path}: a chunked body goes over the limit");
    }
    let mut raw = host.raw().await;
    raw.send("POST /stream HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n").await;
    raw.send(format!("401\r\n{over}\r\n0\r\n\r\n")).await;
    let answer = raw.rest().await;
    let cut = !answer.contains(&over) && !answer.ends_with("0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 413 ") || cut, "all of it streams through: {answer}");
}

#[tokio::test]
async fn heads_over_the_limits_are_431() {
    let host = Setup::new()
        .toml("[http]\nheader_bytes_max = \"16KiB\"\nheaders_max = 20")
        .function("hello", "hello", "")
        .serve()
        .await;
    let large = format!("x-large: {}\r\n", "x".repeat(20 * 1024));
    let many = "x-many: 1\r\n".repeat(30);
    for (headers, what) in [(large, "20 KiB of headers"), (many, "30 headers")] {
        let mut raw = host.raw().await;
        raw.send(format!("GET /hello HTTP/1.1\r\nhost: h\r\n{headers}\r\n")).await;
        assert_eq!(raw.status().await, Some(431), "{what}");
    }
    let fits = format!("x-fits: {}\r\n", "x".repeat(8 * 1024));
    let mut raw = host.raw().await;
    raw.send(format!("GET /hello HTTP/1.1\r\nhost: h\r\n{fits}\r\n")).await;
    assert_eq!(raw.status().await, Some(200), "8 KiB of headers fit into 16");
}

#[tokio::test]
async fn http2_without_tls_serves_streams_side_by_side() {
    let host = Setup::new()
        .function("hello", "hello", "")
        .function("sleep", "sleep", "")
        .function("inspect", "inspect", "")
        .serve()
        .await;
    let stream = TcpStream::connect(host.address()).await.unwrap();
    let mut client = Client::http2(stream, host.address()).await.unwrap();
    let mut streams = JoinSet::new();
    let Client::Http2(sender, address) = &client else { unreachable!() };
    for index in 0..20 {
        let mut other = Client::Http2(sender.clone(), *address);
        let path = if index % 2 == 0 { "/hello" } else { "/sleep?ms=300" };
        streams.spawn(async move { other.get(path).await });
    }
    let began = std::time::Instant::now();
    for answer in streams.join_all().await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert!(began.elapsed().as_millis() < 2_000, "streams wait for each other");
    let report = client.get("/inspect").await.json();
    assert_eq!(seen(&report, "x-forwarded-proto"), ["http"], "{report}");
    assert_eq!(client.get("/nowhere").await.failure(), (404, "WFH-3001".into()));
}

#[tokio::test]
async fn trailers_do_not_hurt() {
    let host = Setup::new().function("echo", "echo_stream", "").serve().await;
    let mut raw = host.raw().await;
    raw.send(
        "POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n",
    )
    .await;
    raw.send("4\r\ndata\r\n0\r\nx-sum: 1\r\n\r\n").await;
    assert_eq!(raw.status().await, Some(200));
    raw.until(b"data").await.expect("the echo");
    raw.until(b"\r\n\r\n").await.expect("the end of the echo");
    raw.send("GET /echo HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(raw.status().await, Some(200), "the connection is out of step after trailers");
}

#[tokio::test]
async fn every_answer_carries_an_id_of_its_own() {
    let host = Setup::new().function("hello", "hello", "").serve().await;
    let mut client = host.client().await;
    let mut ids = std::collections::HashSet::new();
    for path in ["/hello", "/hello", "/nowhere"] {
        let body = Full::new(Bytes::new()).boxed();
        let request = client.request("GET", path, &[]).body(body).unwrap();
        let answer = client.whole(request).await.unwrap();
        assert!(
            ids.insert(answer.header("wfh-invocation-id").to_owned()),
            "two answers share an id"
        );
    }
}
