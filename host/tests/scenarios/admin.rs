//! The admin API: what it tells, what it refuses, and that its document is true.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::{Answer, Host, Raw, Setup, eventually, wfh_with};

async fn host() -> Host {
    Setup::new()
        .function("hello", "hello", "reuse = 4\nmemory = \"32MiB\"")
        .function("echo", "event_echo", "")
        .function("counter", "counter_init", "")
        .function("panic", "panic", "")
        .serve()
        .await
}

#[tokio::test]
async fn functions_tell_what_they_are_and_what_they_did() {
    let host = host().await;
    for _ in 0..3 {
        host.get("/hello").await;
    }
    host.get("/panic").await;
    let list = host.admin_get("/v1/functions").await.json();
    let names: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["counter", "echo", "hello", "panic"]);
    assert_eq!(list["next"], Value::Null);
    let hello = host.admin_get("/v1/functions/hello").await.json();
    for (pointer, expected) in [
        ("/state", json!("ready")),
        ("/kind", json!("http")),
        ("/limits/reuse", json!(4)),
        ("/limits/memory_bytes", json!(32 << 20)),
        ("/limits/timeout_ms", json!(30_000)),
        ("/calls", json!(3)),
        ("/in_flight", json!(0)),
        ("/failures", json!(0)),
    ] {
        assert_eq!(hello.pointer(pointer), Some(&expected), "{pointer} of {hello}");
    }
    let size = std::fs::metadata(crate::support::guest("hello")).unwrap().len();
    assert_eq!(hello["component_bytes"], size);
    assert!(hello["compiled_bytes"].as_u64().unwrap() > 0, "{hello}");
    let panic = host.admin_get("/v1/functions/panic").await.json();
    assert_eq!((&panic["failures"], &panic["failures_by_class"]), (&json!(1), &json!({"trap": 1})));
    assert_eq!(host.admin_get("/v1/functions/echo").await.json()["kind"], "event");
}

#[tokio::test]
async fn compile_and_init_times_are_known_when_they_were_spent() {
    let data = tempfile::tempdir().unwrap();
    let setup = || Setup::new().function("counter", "counter_init", "").data_dir(data.path());
    let cold = setup().serve().await.admin_get("/v1/functions/counter").await.json();
    for field in ["compile_ms", "init_ms", "snapshot_bytes"] {
        assert!(cold[field].as_f64().unwrap() > 0.0, "{field} of {cold}");
    }
    assert_eq!(cold["cached"], false);
    let warm = setup().serve().await.admin_get("/v1/functions/counter").await.json();
    assert_eq!((&warm["cached"], &warm["compile_ms"]), (&json!(true), &Value::Null), "{warm}");
}

#[tokio::test]
async fn a_refused_change_shows_until_it_is_mended() {
    let setup = Setup::new().function("hello", "hello", "").arg("--watch");
    let manifest = setup.path("wfh.toml");
    let host = setup.serve().await;
    let good = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, good.replace("[function.hello]", "[function.hello]\ntimout = 1"))
        .unwrap();
    let state = async || host.admin_get("/v1/functions/hello").await.json();
    eventually("the refused change shows", async || state().await["state"] == "stale").await;
    assert!(state().await["reason"].as_str().unwrap().contains("timout"), "{}", state().await);
    assert_eq!(host.get("/hello").await.status, 200);
    std::fs::write(&manifest, good).unwrap();
    eventually("the mended change shows", async || state().await["state"] == "ready").await;
}

#[tokio::test]
async fn the_token_opens_v1_and_nothing_else_does() {
    let token = "[admin]\ntoken = { env = \"ADMIN_TOKEN\" }\nhosts = [\"wfh.internal\"]";
    let setup = Setup::new().function("hello", "hello", "").toml(token);
    let host = setup.env("ADMIN_TOKEN", "correct horse").serve().await;
    let with = async |headers: &[(&str, &str)]| {
        host.admin_send("GET", "/v1/functions", headers, "").await.failure()
    };
    assert_eq!(with(&[]).await, (401, "WFH-4001".into()));
    assert_eq!(with(&[("authorization", "Bearer wrong horse")]).await, (401, "WFH-4001".into()));
    assert_eq!(with(&[("authorization", "Bearer correct horse")]).await.0, 200);
    let admin = format!("http://{}", host.admin());
    let args = ["functions", "--admin", &admin];
    let refused = wfh_with(&args, &[("WFH_ADMIN_TOKEN", "wrong")]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("WFH-4001"), "{refused:?}");
    let listed = wfh_with(&args, &[("WFH_ADMIN_TOKEN", "correct horse")]).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert_eq!(host.admin_get("/healthz").await.status, 200, "a probe needs a token");
    for said in [host.stderr(), refused.stderr, host.logs(&[]).await.stdout] {
        assert!(!said.contains("horse"), "a token is told: {said}");
    }
}

#[tokio::test]
async fn a_page_in_a_browser_reaches_nothing() {
    let host = host().await;
    let ask = async |lines: &str| {
        let mut raw = Raw::connect(host.admin()).await;
        raw.send(format!("GET /v1/functions HTTP/1.1\r\n{lines}\r\n\r\n")).await;
        raw.status().await
    };
    let own = host.admin();
    assert_eq!(ask("host: rebound.example").await, Some(403));
    assert_eq!(ask(&format!("host: {own}\r\norigin: http://evil.example")).await, Some(403));
    assert_eq!(ask(&format!("host: {own}\r\nsec-fetch-site: cross-site")).await, Some(403));
    assert_eq!(ask(&format!("host: {own}\r\nhost: rebound.example")).await, Some(403));
    assert_eq!(ask(&format!("host: {own}\r\norigin: http://{own}")).await, Some(200));
    assert_eq!(ask("host: localhost:1").await, Some(200));
    let mut absolute = Raw::connect(own).await;
    absolute
        .send(format!("GET http://rebound.example/v1/functions HTTP/1.1\r\nhost: {own}\r\n\r\n"))
        .await;
    assert_eq!(absolute.status().await, Some(403), "an absolute target passes");
}

#[tokio::test]
async fn bodies_names_and_paths_that_are_too_much() {
    let setup = Setup::new().function("echo", "event_echo", "");
    let host = setup.toml("[admin]\nbody_bytes_max = \"64KiB\"").serve().await;
    let big = "x".repeat((64 << 10) + 1);
    assert_eq!(host.invoke("echo", &[], &big).await.failure(), (413, "WFH-2007".into()));
    let fits = "x".repeat(64 << 10);
    assert_eq!(host.invoke("echo", &[], &fits).await.body.len(), 64 << 10);
    let mut endless = Raw::connect(host.admin()).await;
    endless
        .send("POST /v1/functions/echo/invocations HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    for _ in 0..20 {
        endless.send(format!("2000\r\n{}\r\n", "y".repeat(0x2000))).await;
    }
    assert_eq!(endless.status().await, Some(413), "a body without a length is not bounded");
    let mut head = Raw::connect(host.admin()).await;
    head.send(format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(100 << 10))).await;
    assert!(matches!(head.status().await, Some(414 | 431 | 400)), "a huge head is not bounded");
    for path in ["../../etc/passwd", "..%2F..%2Fetc%2Fpasswd", "%00", "-", "a%20b", "ECHO"] {
        let answer = host.admin_get(&format!("/v1/functions/{path}")).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
    }
    assert_eq!(host.admin_get("/readyz").await.status, 200);
}

/// Half-sent requests hold the places of the admin port; the host stays as it is, and whoever comes
/// after them is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_are_bounded() {
    let setup = Setup::new().function("hello", "hello", "").alone();
    let host = setup.toml("[admin]\nconnections_max = 64").serve().await;
    let before = (host.descriptors(), host.resident_bytes());
    let mut held = Vec::new();
    for _ in 0..10_000 {
        let Ok(stream) = TcpStream::connect(host.admin()).await else { continue };
        let _ = stream.try_write(b"POST /v1/functions/hello/invocations HTTP/1.1\r\nhost: lo");
        // Those that the host has closed are of no more use.
        if held.len() < 500 {
            held.push(stream);
        }
    }
    let (descriptors, bytes) = (host.descriptors(), host.resident_bytes());
    assert!(descriptors <= before.0 + 64 + 8, "{descriptors} descriptors, {} before", before.0);
    assert!(bytes < before.1 + (32 << 20), "{bytes} bytes, {} before", before.1);
    assert_eq!(host.get("/hello").await.status, 200, "the data plane suffers");
    drop(held);
    eventually("the admin port answers again", async || {
        let Ok(mut stream) = TcpStream::connect(host.admin()).await else { return false };
        let _ = stream
            .try_write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(1), stream.read_to_string(&mut answer));
        matches!(read.await, Ok(Ok(1..))) && answer.starts_with("HTTP/1.1 200")
    })
    .await;
}

#[tokio::test]
async fn too_many_requests_are_refused_for_a_moment() {
    let setup = Setup::new().function("hello", "hello", "");
    let host = setup.toml("[admin]\nrequests_per_second_max = 5").serve().await;
    let mut refused = None;
    for _ in 0..20 {
        let answer = host.admin_get("/v1/functions").await;
        if answer.status != 200 {
            refused = Some(answer);
        }
    }
    let refused = refused.expect("20 requests of 5 a second were answered");
    assert_eq!(refused.failure(), (429, "WFH-4005".into()));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(host.admin_get("/readyz").await.status, 200, "probes count");
    eventually("the rate recovers", async || host.admin_get("/v1/functions").await.status == 200)
        .await;
}

#[tokio::test]
async fn an_answer_in_flight_ends_before_the_host_does() {
    let mut host = Setup::new().function("sleep", "sleep", "").serve().await;
    let mut client = crate::support::Client::connect(host.admin()).await.unwrap();
    let path = "/v1/functions/sleep/invocations?path=/%3Fms=700";
    let calling = tokio::spawn(async move { client.send("POST", path, &[], "").await });
    eventually("the call runs", async || {
        host.admin_get("/v1/functions/sleep").await.json()["in_flight"] == 1
    })
    .await;
    host.signal(rustix::process::Signal::TERM);
    let answer = calling.await.unwrap().expect("the call was cut off");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(host.ends().await.success());
}

/// Every path and method of the document is asked, and what comes back is what it says.
#[tokio::test]
async fn the_server_answers_as_its_document_says() {
    let host = host().await;
    host.get("/hello").await;
    host.get("/panic").await;
    let document = host.admin_get("/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_uppercase();
            for name in ["hello", "nobody"] {
                let concrete = path.replace("{name}", name);
                let answer = host.admin_send(&method, &concrete, &[], "").await;
                check(&document, operation, &method, &concrete, &answer);
            }
            let unknown = path.replace("{name}", "hello") + "?unknown=1";
            let answer = host.admin_send(&method, &unknown, &[], "").await;
            assert_eq!(answer.failure(), (400, "WFH-4003".into()), "{method} {unknown}");
            let other = "PATCH";
            let answer = host.admin_send(other, &path.replace("{name}", "hello"), &[], "").await;
            assert_eq!(answer.failure(), (405, "WFH-3002".into()), "{other} {path}");
            assert!(answer.header("allow").contains(&method), "{path}: {}", answer.header("allow"));
            asked += 1;
        }
    }
    assert!(asked >= 7, "the document knows only {asked} operations");
    let failed = host.invoke("panic", &[], "").await;
    let invoke = &document["paths"]["/v1/functions/{name}/invocations"]["post"];
    check(&document, invoke, "POST", "/v1/functions/panic/invocations", &failed);
    assert_eq!(failed.failure(), (502, "WFH-2004".into()));
}

fn check(document: &Value, operation: &Value, method: &str, path: &str, answer: &Answer) {
    let responses = operation["responses"].as_object().unwrap();
    let (exact, class) = (answer.status.to_string(), format!("{}XX", answer.status / 100));
    let response = responses.get(&exact).or_else(|| responses.get(&class));
    let response = response.unwrap_or_else(|| {
        panic!("{method} {path} answers {exact}, which is not documented: {}", answer.text())
    });
    let media = answer.header("content-type");
    let content = response["content"].as_object().unwrap();
    let described = content.get(media).or_else(|| content.get("*/*"));
    let described = described
        .unwrap_or_else(|| panic!("{method} {path}: {exact} is not documented as {media}"));
    let Some(schema) = described.get("schema").filter(|_| media.ends_with("json")) else { return };
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).expect("the document's schema is one");
    let errors: Vec<String> =
        validator.iter_errors(&answer.json()).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{method} {path}: {errors:?}\n{}", answer.text());
}
