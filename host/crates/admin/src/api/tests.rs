use std::time::Duration;

use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use serde_json::Value;
use wfh_event::{Failure, FailureClass, FunctionName, Target};
use wfh_invoke::{
    Bounds, ComponentFacts, Dispatcher, DurablePolicy, Figures, FunctionKind, FunctionPolicy,
    FunctionState, FunctionStatus, Input, Invocation, Invoke, Outcome, RecordBudget, Reply, Router,
    Stacked, Status, Tail, Takes, bytes_body,
};

use super::*;
use crate::Token;

/// Answers with what it was given, or fails with its path.
struct Echo;

impl Invoke for Echo {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        let Input::Http(input) = invocation.input else { panic!("not a request") };
        Box::pin(async move {
            if input.request.uri().path() == "/trap" {
                let failure = Failure::new(FailureClass::Trap, "unreachable at main.rs:7");
                return vec![Outcome::Failed(failure)];
            }
            let response = http::Response::new(input.request.into_body());
            vec![Outcome::Done(Reply::Http(response, Tail::default()))]
        })
    }
}

fn status(name: &str) -> FunctionStatus {
    let name: FunctionName = name.parse().unwrap();
    FunctionStatus {
        name: name.clone(),
        state: FunctionState::Ready,
        component: ComponentFacts {
            kind: FunctionKind::Event,
            component_bytes: 1,
            compiled_bytes: 2,
            is_cached: true,
            load_time: Duration::ZERO,
            compile_time: None,
            init_time: None,
            snapshot_bytes: None,
        },
        policy: FunctionPolicy {
            name,
            timeout: Duration::from_secs(1),
            concurrency: 1,
            queue_timeout: Duration::ZERO,
            bounds: Bounds { body_bytes_max: 1, hops_max: 1 },
            takes: Takes::Requests,
            breaker: None,
            durable: DurablePolicy::default(),
        },
        memory_bytes_max: 1,
        reuse: 1,
        figures: Arc::new(Figures::new(Arc::new(RecordBudget::new(0)))),
        breaker: None,
    }
}

fn config() -> AdminConfig {
    AdminConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        token: Some(Token::new("secret")),
        hosts: vec!["wfh.internal".to_owned()],
        body_bytes_max: 16,
        connections_max: 8,
        requests_per_second_max: 1_000,
    }
}

fn api(config: AdminConfig) -> Api {
    let host = Arc::new(Status::default());
    host.set_functions(["b", "c", "a"].map(status).into());
    let mut router = Router::default();
    router.insert(Target::Function("a".parse().unwrap()), Stacked::of(Arc::new(Echo)));
    let dispatcher = Dispatcher::new(router);
    let sources = Sources::new(host, dispatcher);
    Api::new(config, sources, CancellationToken::new())
}

async fn send(
    api: &Api,
    request: http::request::Builder,
    body: &str,
) -> (u16, Value, Response<Body>) {
    let response = api.call(request.body(bytes_body(body.to_owned())).unwrap()).await;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let document = serde_json::from_slice(&bytes).unwrap_or_default();
    (parts.status.as_u16(), document, Response::from_parts(parts, bytes_body(bytes)))
}

fn get(path: &str) -> http::request::Builder {
    Request::get(path).header("host", "127.0.0.1:3001").header("authorization", "Bearer secret")
}

#[tokio::test]
async fn a_wrong_token_is_401_and_probes_need_none() {
    let api = api(config());
    for value in ["", "Bearer ", "Bearer secre", "Bearer secrett", "Basic secret", "secret"] {
        let request = Request::get("/v1/functions").header("host", "localhost");
        let (status, problem, answer) =
            send(&api, request.header("authorization", value), "").await;
        assert_eq!((status, &problem["code"]), (401, &"WFH-4001".into()), "{value:?} was let in");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    let twice = get("/v1/functions").header("authorization", "Bearer other");
    assert_eq!(send(&api, twice, "").await.0, 401, "two tokens were let in");
    assert_eq!(send(&api, get("/v1/functions"), "").await.0, 200);
    for path in ["/healthz", "/readyz"] {
        let probe = Request::get(path).header("host", "10.0.0.7:3001");
        assert_eq!(send(&api, probe, "").await.0, 200, "{path}");
    }
    let elsewhere = Request::get("//v1/functions").header("host", "localhost");
    assert_eq!(send(&api, elsewhere, "").await.0, 401, "another spelling passes the guard");
}

#[tokio::test]
async fn a_foreign_host_and_another_sites_page_are_refused() {
    let open = api(AdminConfig { token: None, ..config() });
    let with = |name: &str, value: &str| {
        let request = Request::get("/v1/functions");
        let request = match name {
            "host" => request,
            _ => request.header("host", "localhost:3001"),
        };
        request.header(name, value)
    };
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "localhost.evil.example"),
        ("host", "127.0.0.1.evil.example"),
        ("host", "wfh.internal.evil.example"),
        ("host", "a b"),
        ("origin", "http://evil.example"),
        ("origin", "http://localhost:3000"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let (status, problem, _) = send(&open, with(name, value), "").await;
        assert_eq!((status, &problem["code"]), (403, &"WFH-4002".into()), "{name}: {value}");
    }
    for (name, value) in [
        ("host", "127.0.0.1:9"),
        ("host", "[::1]:3001"),
        ("host", "LOCALHOST"),
        ("host", "wfh.internal:3001"),
        ("origin", "http://localhost:3001"),
        ("sec-fetch-site", "same-origin"),
    ] {
        assert_eq!(send(&open, with(name, value), "").await.0, 200, "{name}: {value}");
    }
    assert_eq!(send(&open, Request::get("/v1/functions"), "").await.0, 403, "no Host");
}

#[tokio::test]
async fn a_listing_pages_in_order_and_refuses_what_it_does_not_know() {
    let api = api(config());
    let mut names = Vec::new();
    let mut path = "/v1/functions?limit=2".to_owned();
    loop {
        let (status, page, _) = send(&api, get(&path), "").await;
        assert_eq!(status, 200);
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/functions?limit=2&cursor={next}");
    }
    assert_eq!(names, ["a", "b", "c"]);
    for query in ["limit=0", "limit=1001", "limit=x", "cursor=%2F", "lmit=1", "limit=1&limit=2"] {
        let (status, problem, _) = send(&api, get(&format!("/v1/functions?{query}")), "").await;
        assert_eq!((status, &problem["code"]), (400, &"WFH-4003".into()), "{query}");
    }
    for path in ["/healthz?x=1", "/v1/functions/a?x=1", "/v1/logs?x=1", "/v1/openapi.json?x=1"] {
        assert_eq!(send(&api, get(path), "").await.0, 400, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let api = api(config());
    for (path, code) in [
        ("/v1/functions/nobody", "WFH-4004"),
        ("/v1/functions/..%2F..%2Fetc%2Fpasswd", "WFH-4004"),
        ("/v1/functions/%ff", "WFH-4004"),
        ("/v1/functions/a/b/c", "WFH-3001"),
        ("/v1/../v1/functions", "WFH-3001"),
        ("/nowhere", "WFH-3001"),
    ] {
        let (status, problem, _) = send(&api, get(path), "").await;
        assert_eq!((status, &problem["code"]), (404, &code.into()), "{path}");
        assert_eq!(problem["status"], 404);
    }
    let delete = get("/v1/functions").method("DELETE");
    let (status, problem, answer) = send(&api, delete, "").await;
    assert_eq!((status, &problem["code"]), (405, &"WFH-3002".into()));
    assert_eq!(answer.headers()["allow"], "GET,HEAD");
    let (status, problem, _) = send(&api, get("/v1/logs"), "").await;
    assert_eq!((status, &problem["code"]), (501, &"WFH-4006".into()));
}

#[tokio::test]
async fn an_invocation_answers_as_the_function_does_or_with_a_problem() {
    let api = api(config());
    let post = |path: &str| get(path).method("POST");
    let path = "/v1/functions/a/invocations";
    let (status, _, answer) = send(&api, post(path), "ping").await;
    assert_eq!((status, &answer.headers()["wfh-outcome"]), (200, &"done".parse().unwrap()));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ping");
    let (status, problem, answer) = send(&api, post(&format!("{path}?path=/trap")), "").await;
    assert_eq!((status, &problem["code"]), (502, &"WFH-2004".into()));
    assert_eq!(problem["class"], "trap");
    assert_eq!(problem["detail"], "unreachable at main.rs:7", "operators see why");
    assert_eq!(problem["instance"], answer.headers()["wfh-invocation-id"].to_str().unwrap());
    assert_eq!(answer.headers()["wfh-outcome"], "failed");
    for (request, code) in [
        (post("/v1/functions/b/invocations"), 404),
        (post(path).header("prefer", "wait=1, Respond-Async"), 501),
        (post(&format!("{path}?paht=/")), 400),
        (post(path).header("wfh-invoke-path", "no-slash"), 400),
    ] {
        assert_eq!(send(&api, request, "").await.0, code);
    }
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused_however_it_is_framed() {
    let api = api(config());
    let path = "/v1/functions/a/invocations";
    let big = "x".repeat(17);
    let sized = get(path).method("POST").header("content-length", "17");
    for request in [sized, get(path).method("POST")] {
        let (status, problem, answer) = send(&api, request, &big).await;
        assert_eq!((status, &problem["code"]), (413, &"WFH-2007".into()));
        assert_eq!(answer.headers()["connection"], "close");
    }
    let elsewhere = get("/v1/functions").header("content-length", "99999999999");
    assert_eq!(send(&api, elsewhere, "").await.0, 413);
}

#[tokio::test]
async fn strangers_cannot_use_up_the_operators_rate() {
    let api = api(AdminConfig { requests_per_second_max: 20, ..config() });
    let stranger = || Request::get("/v1/functions").header("host", "localhost");
    let mut refused = Vec::new();
    for _ in 0..50 {
        refused.push(send(&api, stranger(), "").await.0);
    }
    assert!(refused.contains(&429), "guesses are not bounded: {refused:?}");
    assert!(!refused.contains(&200));
    assert_eq!(send(&api, get("/v1/functions"), "").await.0, 200, "the operator is shut out");
    let mut known = Vec::new();
    for _ in 0..50 {
        known.push(send(&api, get("/v1/functions"), "").await.0);
    }
    assert!(known.contains(&429), "requests are not bounded: {known:?}");
}
