//! The console: pages of the admin port.

use std::time::Duration;

use http_body_util::BodyExt;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Client, Host, Setup, eventually, eventually_within};

async fn page(host: &Host, path: &str, headers: &[(&str, &str)]) -> crate::support::Answer {
    Client::connect(host.admin()).await.unwrap().send("GET", path, headers, "").await.unwrap()
}

/// A function that works and one whose events die.
pub(crate) fn failing(setup: Setup) -> Setup {
    setup
        .function("hello", "hello", "")
        .unrouted("panic", "panic", "[function.panic.retry]\nattempts = 1")
        .route("/panic", "panic", "mode = \"async\"")
}

#[tokio::test]
async fn it_shows_what_runs_and_what_died_and_sends_it_again() {
    let host = failing(Setup::new()).serve().await;
    host.get("/hello").await;
    host.send("POST", "/panic", &[], "{}").await;
    eventually("the event dies", async || host.dead_letters().await.len() == 1).await;
    let overview = page(&host, "/", &[]).await;
    let text = overview.text();
    for part in ["<th scope=\"row\">hello</th>", "GET /hello", "Redrive", "function:panic", "trap"]
    {
        assert!(text.contains(part), "the overview lacks {part}:\n{text}");
    }
    let letter = host.dead_letters().await.remove(0);
    let trace = format!("/console/traces/{}", letter["trace_id"].as_str().unwrap());
    assert!(text.contains(&trace), "the letter does not lead to its trace");
    let shown = page(&host, &trace, &[]).await.text();
    for part in ["POST /panic", "process function:panic", "class=\"failed\"", "faas.invocation_id"]
    {
        assert!(shown.contains(part), "the trace lacks {part}:\n{shown}");
    }
    let id = letter["id"].as_str().unwrap();
    let redrive = format!("/console/dead-letters/{id}/redrive");
    let mut client = Client::connect(host.admin()).await.unwrap();
    let sent = client.send("POST", &redrive, &[], "").await.unwrap();
    assert_eq!((sent.status, sent.header("location")), (303, "/"));
    eventually("it died again", async || {
        let letters = host.dead_letters().await;
        letters.len() == 1 && letters[0]["dead_at"] != letter["dead_at"]
    })
    .await;
    let audit = host.admin_json("/v1/audit").await;
    assert!(audit.to_string().contains("redrive"), "the redrive is not in the audit log: {audit}");
}

/// Nothing from elsewhere, nothing inline, nothing on behalf of another site.
#[tokio::test]
async fn pages_are_closed_to_other_sites() {
    let host = failing(Setup::new()).serve().await;
    let overview = page(&host, "/", &[]).await;
    let policy = overview.header("content-security-policy").to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
    let text = overview.text();
    for forbidden in ["style=", "onclick", "http://", "https://", "<script>"] {
        assert!(!text.contains(forbidden), "a page has {forbidden:?}");
    }
    for name in ["console.css", "htmx.min.js", "sse.min.js"] {
        let asset = page(&host, &format!("/console/assets/{name}"), &[]).await;
        assert_eq!(asset.status, 200, "{name}");
        assert!(text.contains(&format!("/console/assets/{name}")), "{name} is not used");
    }
    assert_eq!(page(&host, "/console/assets/../Cargo.toml", &[]).await.status, 404);
    let mut client = Client::connect(host.admin()).await.unwrap();
    let elsewhere = [("origin", "http://elsewhere.example")];
    let refused =
        client.send("POST", "/console/dead-letters/x/redrive", &elsewhere, "").await.unwrap();
    assert_eq!(refused.status, 403, "another site may redrive");
    let foreign = page(&host, "/", &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(foreign.status, 403, "another site may show the console");
}

#[tokio::test]
async fn where_a_token_is_set_the_console_asks_for_it() {
    let host = failing(Setup::new())
        .toml("[admin]\ntoken = { env = \"WFH_TOKEN\" }")
        .env("WFH_TOKEN", "sesame")
        .serve()
        .await;
    for path in ["/", "/console/events", "/console/traces/0"] {
        let answer = page(&host, path, &[]).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/console/login"), "{path}");
    }
    assert!(page(&host, "/console/login", &[]).await.text().contains("type=\"password\""));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let login = async |token: &str| {
        let mut client = Client::connect(host.admin()).await.unwrap();
        client.send("POST", "/console/login", &form, &format!("token={token}")).await.unwrap()
    };
    let wrong = login("guess").await;
    assert!(wrong.text().contains("not the token") && !wrong.has("set-cookie"));
    assert_eq!(wrong.status, 401);
    let right = login("sesame").await;
    let cookie = right.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains("sesame"), "{cookie}");
    let session = cookie.split(';').next().unwrap();
    assert_eq!(page(&host, "/", &[("cookie", session)]).await.status, 200);
    let out = Client::connect(host.admin()).await.unwrap();
    let out = { out }.send("POST", "/console/logout", &[("cookie", session)], "").await.unwrap();
    assert!(out.header("set-cookie").contains("Max-Age=0"), "signing out keeps the cookie");
    let api = page(&host, "/v1/functions", &[("cookie", session)]).await;
    assert_eq!(api.status, 401, "a browser's cookie opens the API");
    let wrong = format!("{}=0", session.split_once('=').unwrap().0);
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(page(&host, "/", &[("cookie", &wrong)]).await.status);
    }
    assert!(statuses.contains(&429), "cookies can be guessed without end: {statuses:?}");
    for _ in 0..300 {
        page(&host, "/console/login", &[]).await;
        login("guess").await;
    }
    let right = [("authorization", "Bearer sesame")];
    let known = page(&host, "/v1/functions", &right).await.status;
    assert_eq!(
        (known, login("sesame").await.status),
        (200, 303),
        "strangers keep the operator out"
    );
}

#[tokio::test]
async fn an_open_page_follows_and_ends_with_the_host() {
    let mut host = failing(Setup::new()).serve().await;
    let mut client = Client::connect(host.admin()).await.unwrap();
    let nothing = http_body_util::Empty::new().boxed();
    let request = client.request("GET", "/console/events", &[]).body(nothing).unwrap();
    let (head, mut body) = client.start(request).await.unwrap().into_parts();
    assert_eq!(head.headers["content-type"], "text/event-stream");
    let mut seen = String::new();
    eventually_within(Duration::from_secs(10), "the function's row comes", async || {
        let frame = body.frame().await.unwrap().unwrap();
        seen += &String::from_utf8_lossy(frame.data_ref().unwrap());
        seen.contains("event: live") && seen.contains("hello")
    })
    .await;
    host.signal(Signal::TERM);
    assert_eq!(host.ends().await.code(), Some(0), "an open page keeps the host from ending");
}

#[tokio::test]
async fn a_hangup_reads_the_manifest_again() {
    let mut host = Setup::new()
        .toml("[telemetry]\nlog_level = \"warn\"")
        .function("hello", "hello", "")
        .serve()
        .await;
    let path = host.path("wfh.toml");
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, before.replace("route = \"/hello\"", "route = \"/hi\"")).unwrap();
    host.signal(Signal::HUP);
    eventually("the new route answers", async || host.get("/hi").await.status == 200).await;
    std::fs::write(&path, before.replace("target = ", "traget = ")).unwrap();
    host.signal(Signal::HUP);
    host.says("change refused").await;
    assert!(host.runs(), "a manifest with errors ended the host");
    assert_eq!(host.get("/hi").await.status, 200);
    let functions: Value = host.admin_json("/v1/functions").await;
    assert_eq!(functions["items"][0]["state"], "stale", "{functions}");
}

#[tokio::test]
async fn bench_measures_a_function_in_this_process() {
    let setup = Setup::new().function("hello", "hello", "");
    let run = |more: &'static [&'static str]| {
        let args = [&["bench", "hello", "--time", "300ms", "--output", "json"], more].concat();
        let setup = &setup;
        async move { setup.run_here(&args).await }
    };
    for more in [&["--callers", "2"][..], &["--rate", "50"]] {
        let ended = run(more).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let measured: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert!(measured["calls"].as_u64().unwrap() >= 5, "{measured}");
        assert!(measured["percentiles_us"]["p99"].as_u64().unwrap() > 0, "{measured}");
    }
    let unknown = setup.run_here(&["bench", "nothing"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("there are: hello"), "{unknown:?}");
}
