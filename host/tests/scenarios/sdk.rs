//! Functions written with the Rust SDK, and what their components import.

use std::collections::BTreeSet;
use std::time::Duration;

use wasmparser::{Parser, Payload};

use crate::support::{Setup, Upstream, guest};

/// The interfaces on the outside of a guest's component, without their versions.
fn outside(name: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let wasm = std::fs::read(guest(name)).unwrap();
    let (mut imports, mut exports, mut depth) = (BTreeSet::new(), BTreeSet::new(), 0_u32);
    let bare = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
    for payload in Parser::new(0).parse_all(&wasm) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(section.into_iter().map(|import| bare(import.unwrap().name.name)));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                exports.extend(section.into_iter().map(|export| bare(export.unwrap().name.name)));
            }
            _ => {}
        }
    }
    (imports, exports)
}

#[test]
fn a_component_imports_only_what_its_code_uses() {
    let capabilities = [
        "wasi:config/store",
        "wasi:http/outgoing-handler",
        "wfh:function/log",
        "wfh:function/publish",
        "wfh:function/state",
    ];
    let (http, event) = ("wasi:http/incoming-handler", "wfh:function/handler");
    let (http_p3, event_p3) = ("wasi:http/handler", "wfh:function/async-handler");
    for (name, handler, used) in [
        ("sdk_hello", http, &[2][..]),
        ("sdk_tour", http, &[0, 1, 2]),
        ("sdk_event", event, &[2]),
        ("checkout", event, &[0, 2, 3, 4]),
        ("image_pipeline", "wfh:function/batch-handler", &[0, 2]),
        ("webhook", http, &[0, 2, 3]),
        ("sdk_tour_p3", http_p3, &[0, 2]),
        ("sdk_event_p3", event_p3, &[2]),
    ] {
        let (imports, exports) = outside(name);
        assert!(exports.contains(handler), "{name} exports {exports:?}");
        assert_eq!(exports.contains("wfh:function/init"), name.starts_with("sdk_tour"), "{name}");
        for (index, capability) in capabilities.into_iter().enumerate() {
            let expected = used.contains(&index);
            assert_eq!(imports.contains(capability), expected, "{name} and {capability}");
        }
    }
}

/// What the host has to compile and a registry to carry for the smallest function.
#[test]
fn the_smallest_function_stays_small() {
    let bytes = std::fs::metadata(guest("sdk_hello")).unwrap().len();
    println!("sdk-hello has {bytes} bytes");
    assert!(bytes < SDK_HELLO_BYTES_MAX, "sdk-hello has grown to {bytes} bytes");
}

const SDK_HELLO_BYTES_MAX: u64 = 180_000;

#[tokio::test]
async fn http_functions_stream_wait_and_fail() {
    stream_wait_and_fail("sdk_tour").await;
}

#[tokio::test]
async fn http_functions_of_wasi_0_3_stream_wait_and_fail() {
    stream_wait_and_fail("sdk_tour_p3").await;
}

async fn stream_wait_and_fail(tour: &str) {
    let host = Setup::new()
        .unrouted("tour", tour, "config = { greeting = \"hi\" }")
        .route("/{*rest}", "tour", "")
        .function("hello", "sdk_hello", "")
        .serve()
        .await;
    let hello = host.get("/hello").await;
    assert_eq!((hello.status, hello.text()), (200, "hello, world\n".into()));
    assert_eq!(hello.header("content-type"), "text/plain");

    let body = "0123456789".repeat(50_000);
    let echo = host.send("POST", "/echo", &[], &body).await;
    assert_eq!(echo.status, 200);
    assert!(echo.text() == body, "{} bytes came back of {}", echo.body.len(), body.len());

    let slept = host.get("/sleep").await.text();
    let ms: u64 = slept.parse().unwrap();
    assert!((200..400).contains(&ms), "two waits of 200 ms at once took {ms} ms");
    let ticks = host.get("/ticks").await;
    assert_eq!(ticks.text(), "1\n2\n3\n");
    assert!(ticks.took >= Duration::from_millis(300), "the ticks came after {:?}", ticks.took);

    assert_eq!(host.get("/init").await.text(), "Some(1000)", "init did not run");
    assert_eq!(host.get("/config").await.text(), "hi");
    let failed = host.get("/fail").await;
    assert_eq!((failed.status, failed.text()), (500, "the function failed\n".into()));
    host.says("disk 7 is full").await;
    assert_eq!(host.get("/absent").await.text(), "no such path\n");
}

#[tokio::test]
async fn records_reach_the_log_with_their_level_and_fields() {
    for (env, debug) in [("", false), ("env = { LOG_LEVEL = \"debug\" }", true)] {
        let host = Setup::new()
            .unrouted("tour", "sdk_tour", env)
            .route("/{*rest}", "tour", "")
            .env("WFH_LOG", "debug")
            .serve()
            .await;
        assert_eq!(host.get("/log").await.text(), "logged");
        if debug {
            host.says("only with LOG_LEVEL").await;
        }
        host.says("seen 7").await;
        let said = host.stderr();
        let line = said.lines().find(|line| line.contains("seen 7")).unwrap();
        for part in ["WARN", "tour", "share", "0.1", "method", "GET"] {
            assert!(line.contains(part), "no {part:?} in {line}");
        }
        assert_eq!(said.contains("only with LOG_LEVEL"), debug, "{env}: {said}");
    }
}

#[tokio::test]
async fn calls_go_out_with_their_bodies() {
    call_out("sdk_tour").await;
}

#[tokio::test]
async fn calls_of_wasi_0_3_go_out_with_their_bodies() {
    call_out("sdk_tour_p3").await;
}

async fn call_out(tour: &str) {
    let upstream = Upstream::start().await;
    let setup = Setup::new()
        .unrouted("tour", tour, "allow.http = [\"http://127.0.0.1:*\"]")
        .route("/{*rest}", "tour", "")
        .function("echo", "echo_stream", "");
    let host = setup.serve().await;
    let url = upstream.url("127.0.0.1");
    let answer = host.send("GET", "/pass-on", &[("x-url", &url)], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.seen().len(), 1);

    // The host calls itself, through the network.
    let url = format!("http://{}/echo", host.address());
    let body = "0123456789".repeat(20_000);
    let answer = host.send("POST", "/pass-on", &[("x-url", &url)], &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text() == body, "{} bytes came back of {}", answer.body.len(), body.len());

    let denied = host.send("GET", "/pass-on", &[("x-url", "http://example.com/")], "").await;
    assert_eq!((denied.status, denied.text()), (500, "the function failed\n".into()));
    host.says("the call failed: ").await;
}

fn event(r#type: &str) -> [(&str, &str); 5] {
    let json = ("content-type", "application/json");
    let (id, source) = (("ce-id", "e-1"), ("ce-source", "/tests"));
    [("ce-specversion", "1.0"), id, source, ("ce-type", r#type), json]
}

#[tokio::test]
async fn event_functions_reply_and_fail_as_they_say() {
    reply_and_fail("sdk_event").await;
}

#[tokio::test]
async fn event_functions_of_wasi_0_3_reply_and_fail_as_they_say() {
    reply_and_fail("sdk_event_p3").await;
}

async fn reply_and_fail(guest: &str) {
    let host = Setup::new().function("event", guest, "timeout = \"9s\"").serve().await;
    let send = async |r#type: &str, body: &str| {
        let mut headers = event(r#type).to_vec();
        headers.push(("ce-shard", "7"));
        host.send("POST", "/event", &headers, body).await
    };
    let answer = send("any", r#"{"total": 7}"#).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let seen = answer.json();
    assert_eq!((&seen["data"]["total"], &seen["id"]), (&7.into(), &"e-1".into()), "{seen}");
    assert_eq!((&seen["shard"], &seen["route"]), (&"7".into(), &"/event".into()), "{seen}");
    assert_eq!(seen["invocation-id"], answer.header("wfh-invocation-id"), "{seen}");
    let remaining = seen["remaining-ms"].as_u64().unwrap();
    assert!((5_000..=9_000).contains(&remaining), "{remaining} ms are left of 9 s");

    let unreadable = send("any", "{").await;
    assert_eq!(unreadable.failure(), (422, "WFH-2002".into()), "{}", unreadable.text());
    assert!(unreadable.text().contains("EOF while parsing"), "{}", unreadable.text());
    assert_eq!(send("reject", "1").await.failure(), (422, "WFH-2002".into()));
    let later = send("later", "1").await;
    assert_eq!((later.failure(), later.header("retry-after")), ((503, "WFH-2003".into()), "2"));
    assert_eq!(send("fail", "1").await.failure(), (503, "WFH-2003".into()));
}

#[tokio::test]
async fn a_batch_function_rejects_what_it_cannot_read() {
    let host = Setup::new().function("shrink", "image_pipeline", "").serve().await;
    let refused = host.send("POST", "/shrink", &[], "no picture").await;
    assert_eq!(refused.failure(), (422, "WFH-2002".into()), "{}", refused.text());
}

#[tokio::test]
async fn an_order_takes_from_the_stock_once() {
    let grants = "allow.state = true\nallow.send = [\"queue:warehouse\", \"queue:emails\"]";
    let settings = format!("config = {{ stock = \"3\" }}\n{grants}");
    let host = Setup::new()
        .function("checkout", "checkout", &settings)
        .toml("[queue.warehouse]\n[queue.emails]")
        .serve()
        .await;
    let order = async |id: &str, body: &str| {
        let mut headers = event("shop.order");
        headers[1] = ("ce-id", id);
        host.send("POST", "/checkout", &headers, body).await
    };
    let two = r#"{"item": "tea", "quantity": 2}"#;
    for _ in 0..2 {
        let taken = order("a", two).await;
        assert_eq!(taken.status, 200, "the same order again takes nothing: {}", taken.text());
    }
    let later = order("b", two).await;
    assert_eq!((later.failure(), later.header("retry-after")), ((503, "WFH-2003".into()), "30"));
    assert_eq!(order("c", r#"{"item": "tea", "quantity": 1}"#).await.status, 200);
    let nothing = order("d", r#"{"item": "tea", "quantity": 0}"#).await;
    assert_eq!(nothing.failure(), (422, "WFH-2002".into()), "{}", nothing.text());
}

#[tokio::test]
async fn a_signed_webhook_goes_into_its_queue() {
    let secret = "secret.WEBHOOK_SECRET = { env = \"HOOK_KEY\" }\nallow.send = [\"queue:hooks\"]";
    let host = Setup::new()
        .env("HOOK_KEY", "hunter2")
        .function("webhook", "webhook", secret)
        .toml("[queue.hooks]")
        .serve()
        .await;
    // `printf %s '{"n":7}' | openssl dgst -sha256 -hmac hunter2`
    let good = "sha256=f409dc4e31fa380ec2e3fc32fca8557e17792657bbb3a7b4a3036eef011ee7b3";
    for (signature, status) in [(good, 202), ("sha256=00", 401), ("", 401)] {
        let headers = [("x-signature-256", signature), ("content-type", "application/json")];
        let answer = host.send("POST", "/webhook", &headers, r#"{"n":7}"#).await;
        assert_eq!(answer.status, status, "{signature:?}: {}", answer.text());
    }
}
