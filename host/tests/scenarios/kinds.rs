//! Every kind of function answers; what is none is refused with what to do about it.

use crate::support::{Setup, guest};

#[tokio::test]
async fn bare_components_of_both_wasi_generations_answer() {
    for name in ["hello", "hello_p3"] {
        let host = Setup::new().bare(&guest(name)).serve().await;
        for path in ["/", "/any/path?and=query"] {
            let answer = host.get(path).await;
            assert_eq!(
                (answer.status, answer.text()),
                (200, "hello, world\n".into()),
                "{name} {path}"
            );
            assert_eq!(
                answer.header("content-type"),
                "text/plain",
                "{name} loses its content type"
            );
            assert_eq!(answer.header("wfh-invocation-id").len(), 26, "an answer without its id");
        }
    }
}

#[tokio::test]
async fn functions_of_one_manifest_answer_side_by_side() {
    let host = Setup::new()
        .function("old", "hello", "")
        .function("new", "hello_p3", "")
        .function("echo", "echo_stream", "")
        .serve()
        .await;
    for path in ["/old", "/new"] {
        let answer = host.get(path).await;
        assert_eq!((answer.status, answer.text()), (200, "hello, world\n".into()), "{path}");
    }
    let echo = host.send("POST", "/echo", &[("content-type", "text/x-own")], "the body").await;
    assert_eq!((echo.status, echo.text()), (200, "the body".into()));
    assert_eq!(echo.header("content-type"), "text/x-own");
}

#[tokio::test]
async fn a_picture_comes_back_smaller() {
    let picture = crate::support::picture();
    let host = Setup::new().function("thumbnail", "thumbnail", "timeout = \"20s\"").serve().await;
    let mut client = host.client().await;
    let answer = client.send_bytes("POST", "/thumbnail?size=64", picture.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.body.starts_with(&[0xff, 0xd8]), "the answer is no JPEG");
    assert!(answer.body.len() < picture.len() / 2, "the thumbnail is not smaller");
    let refused = client.send("POST", "/thumbnail", &[], "not a picture").await.unwrap();
    assert_eq!(refused.status, 422, "{}", refused.text());
}

#[tokio::test]
async fn an_event_function_answers_http() {
    let host = Setup::new().function("echo", "event_echo", "").serve().await;
    let send = async |headers: &[(&str, &str)], body: &str| {
        host.send("POST", "/echo", headers, body).await
    };

    let echoed = send(&[("content-type", "text/x-own")], "data").await;
    assert_eq!((echoed.status, echoed.text()), (200, "data".into()));
    assert_eq!(echoed.header("content-type"), "text/x-own", "a reply loses its content type");
    let empty = send(&[], "").await;
    assert_eq!((empty.status, empty.body.len()), (204, 0), "a reply without data is 204");

    let rejected = send(&event("reject"), "").await;
    assert_eq!(rejected.failure(), (422, "WFH-2002".into()), "{}", rejected.text());
    let later = send(&event("retry"), "").await;
    assert_eq!(later.failure(), (503, "WFH-2003".into()), "{}", later.text());
    assert_eq!(later.header("retry-after"), "2", "1500 ms rounds up to whole seconds");
    let panicked = send(&event("panic"), "").await;
    assert_eq!(panicked.failure(), (502, "WFH-2004".into()), "{}", panicked.text());
    assert!(!panicked.text().contains("asked to panic"), "the guest's panic leaks to its caller");
}

#[tokio::test]
async fn handlers_of_wasi_0_3_await_and_answer() {
    let host = Setup::new()
        .function("one", "async_event", "")
        .function("batch", "async_batch", "")
        .serve()
        .await;
    let echoed = host.send("POST", "/one", &[("content-type", "text/x-own")], "data").await;
    assert_eq!((echoed.status, echoed.text()), (200, "data".into()));
    assert_eq!(echoed.header("content-type"), "text/x-own", "a reply loses its content type");
    let rejected = host.send("POST", "/one", &event("reject"), "").await;
    assert_eq!(rejected.failure(), (422, "WFH-2002".into()), "{}", rejected.text());
    let panicked = host.send("POST", "/one", &event("panic"), "").await;
    assert_eq!(panicked.failure(), (502, "WFH-2004".into()), "{}", panicked.text());

    let taken = host.send("POST", "/batch", &event("quiet"), "good").await;
    assert_eq!((taken.status, taken.text()), (204, String::new()));
    let bad = host.send("POST", "/batch", &event("quiet"), "bad").await;
    assert_eq!(bad.failure(), (422, "WFH-2002".into()), "{}", bad.text());
    let ungranted = host.send("POST", "/batch", &event("loud"), "good").await;
    assert_eq!(ungranted.failure(), (422, "WFH-2002".into()), "an emit is lost in silence");
}

fn event(r#type: &str) -> [(&str, &str); 4] {
    [("ce-specversion", "1.0"), ("ce-id", "e-1"), ("ce-source", "/tests"), ("ce-type", r#type)]
}

#[tokio::test]
async fn a_cloud_event_keeps_its_attributes() {
    let host = Setup::new()
        .unrouted("echo", "event_echo", "timeout = \"9s\"")
        .route("/events/{kind}", "echo", "")
        .serve()
        .await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut headers = event("attributes").to_vec();
    headers.extend([("ce-subject", "s"), ("ce-shard", "7"), ("traceparent", trace)]);
    let answer = host.send("POST", "/events/x", &headers, "").await;
    let seen = answer.json();
    assert_eq!((&seen["id"], &seen["source"]), (&"e-1".into(), &"/tests".into()), "{seen}");
    assert_eq!(
        (&seen["subject"], &seen["extensions"]["shard"]),
        (&"s".into(), &"7".into()),
        "{seen}"
    );
    assert_eq!((&seen["attempt"], &seen["event-key"]), (&1.into(), &"/tests#e-1".into()), "{seen}");
    assert_eq!(seen["attributes"]["route"], "/events/{kind}", "{seen}");
    assert_eq!(seen["invocation-id"], answer.header("wfh-invocation-id"), "two ids for one call");
    let traceparent = seen["traceparent"].as_str().unwrap_or_default();
    assert!(
        traceparent.contains("0af7651916cd43dd8448eb211c80319c"),
        "the trace breaks off: {seen}"
    );
    let remaining = seen["remaining-ms"].as_u64().unwrap_or_default();
    assert!(
        (5_000..=9_000).contains(&remaining),
        "remaining-ms is not what is left of 9 s: {seen}"
    );

    let structured = r#"{"specversion":"1.0","id":"s-1","source":"/s","type":"attributes"}"#;
    let json = [("content-type", "application/cloudevents+json")];
    let answer = host.send("POST", "/events/x", &json, structured).await;
    assert_eq!(answer.json()["id"], "s-1", "structured mode is not read as an event");
    let broken = [("ce-specversion", "1.0"), ("ce-type", "t"), ("ce-source", "/s")];
    let answer = host.send("POST", "/events/x", &broken, "").await;
    assert_eq!(
        answer.failure(),
        (400, "WFH-2001".into()),
        "an event without its id is not invalid"
    );
}

#[tokio::test]
async fn what_is_no_function_is_refused_with_what_it_is() {
    let files = Setup::new()
        .file("module.wasm", wat::parse_str("(module)").unwrap())
        .file("text.wasm", "this is not WebAssembly");
    let no_export = guest("no_export");
    let (module, text) = (files.path("module.wasm"), files.path("text.wasm"));
    for (path, expected) in [
        (&no_export, &["WFH-1003", "example:other/api@1.0.0", "wasi:http/incoming-handler"][..]),
        (&module, &["WFH-1004", "wasm32-wasip2"]),
        (&text, &["WFH-1004", "wasm32-wasip2"]),
        (&files.path("absent.wasm"), &["WFH-1002", "absent.wasm"]),
    ] {
        let ended = Setup::new().bare(path).serve_refused().await;
        assert_eq!(ended.code, Some(1), "{} is not refused: {ended:?}", path.display());
        assert!(ended.stdout.is_empty(), "stdout is for results: {ended:?}");
        for part in expected {
            assert!(ended.stderr.contains(part), "no {part:?} in {:?}", ended.stderr);
        }
    }
}
