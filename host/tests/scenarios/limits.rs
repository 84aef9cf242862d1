//! Hostile guests end at their limits, their callers are told in time, and nobody else notices.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::support::{Answer, Host, SLACK, Setup, eventually};
use crate::telemetry::series;

/// What 1.3 of the plan grants beyond a deadline.
const GRACE: Duration = Duration::from_millis(50);

const ONE: &str = "concurrency = 1\nqueue_timeout = \"1s\"";

fn in_time(took: Duration, deadline_ms: u64, who: &str) {
    let deadline = Duration::from_millis(deadline_ms);
    assert!(took >= deadline, "{who} was cut off at {took:?}, before its deadline of {deadline:?}");
    let late = deadline + GRACE + SLACK;
    assert!(took <= late, "{who} was answered after {took:?}, not within {late:?}");
}

/// Sends `count` requests at once, each on a connection of its own.
async fn at_once(host: &Host, path: &str, count: usize) -> JoinSet<Answer> {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let (mut client, path) = (host.client().await, path.to_owned());
        calls.spawn(async move { client.get(&path).await });
    }
    calls
}

/// Asks for hello until `calls` have all ended; gives how long each answer took.
async fn hello_beside(host: &Host, calls: &mut JoinSet<Answer>) -> (Vec<Answer>, Vec<Duration>) {
    let mut client = host.client().await;
    let (mut ended, mut latencies) = (Vec::new(), Vec::new());
    while !calls.is_empty() {
        let answer = client.get("/hello").await;
        assert_eq!(answer.status, 200, "hello suffers from its neighbours: {}", answer.text());
        latencies.push(answer.took);
        while let Some(call) = calls.try_join_next() {
            ended.push(call.unwrap());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    latencies.sort();
    (ended, latencies)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_spinners_and_sixteen_bombs_end_in_time_beside_hello() {
    let host = Setup::new()
        .function("hello", "hello", "")
        .function("spin", "spin", "timeout = \"500ms\"")
        .function("alloc", "alloc", "memory = \"16MiB\"\ntimeout = \"10s\"")
        .alone()
        .serve()
        .await;
    host.get("/hello").await;
    let mut calls = at_once(&host, "/spin", 64).await;
    let mut bombs = at_once(&host, "/alloc", 16).await;
    let (spun, latencies) = hello_beside(&host, &mut calls).await;
    assert_eq!(spun.len(), 64);
    for answer in &spun {
        assert_eq!(answer.failure(), (504, "WFH-2005".into()), "{}", answer.text());
        in_time(answer.took, 500, "a caller of a spinning guest");
    }
    let p99 = latencies[latencies.len() * 99 / 100];
    assert!(latencies.len() > 50, "hello was called only {} times", latencies.len());
    assert!(p99 < Duration::from_secs(1), "hello's p99 beside spinners is {p99:?}");
    while let Some(bomb) = bombs.join_next().await {
        let bomb = bomb.unwrap();
        assert_eq!(bomb.failure(), (502, "WFH-2006".into()), "{}", bomb.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_bomb_meets_its_limit_and_nothing_else_does() {
    let host = Setup::new()
        .function("hello", "hello", "")
        .function("alloc", "alloc", "memory = \"32MiB\"")
        .serve()
        .await;
    let mut calls = at_once(&host, "/alloc", 4).await;
    let (bombs, _) = hello_beside(&host, &mut calls).await;
    for bomb in bombs {
        assert_eq!(bomb.failure(), (502, "WFH-2006".into()), "{}", bomb.text());
    }
    let within = host.get("/alloc?mib=8").await;
    assert_eq!((within.status, within.text()), (200, "allocated 8 MiB\n".into()));
}

/// Sandboxes of about a megabyte, more of them than fit.
#[tokio::test]
async fn a_host_without_memory_refuses_calls_and_those_that_run_end_well() {
    let host = Setup::new()
        .toml("[limits]\nmemory = \"16MiB\"")
        .function("sleep", "sleep", "reuse = 4")
        .function("alloc", "alloc", "")
        .serve()
        .await;
    let calls = at_once(&host, "/sleep?ms=1000", 40).await.join_all().await;
    let with = |status: u16| calls.iter().filter(move |call| call.status == status);
    let (well, refused) = (with(200).count(), with(503).count());
    assert_eq!(well + refused, 40, "calls ended in another way");
    assert!(well >= 4 && refused >= 4, "{well} calls went well, {refused} were refused");
    for call in with(503) {
        assert_eq!(call.failure(), (503, "WFH-2011".to_owned()));
        assert!(!call.header("retry-after").is_empty(), "a refused call is not told when to come");
    }
    // What a call needs is known by now: calls that begin are not denied what they need.
    assert_eq!(host.get("/alloc?mib=6").await.status, 200);
    let calls = at_once(&host, "/alloc?mib=6", 20).await.join_all().await;
    let statuses: Vec<u16> = calls.iter().map(|call| call.status).collect();
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200), "{statuses:?}");
    // Sandboxes that wait for their next call take no place of others.
    let again = at_once(&host, "/sleep?ms=1", 4).await.join_all().await;
    assert!(again.iter().all(|call| call.status == 200), "the host does not recover");
    let metrics = host.admin_get("/metrics").await.text();
    let used = series(&metrics, "wfh_engine_memory_bytes", &[]);
    let limit = series(&metrics, "wfh_engine_memory_limit_bytes", &[]);
    assert!(used > 0.0 && used <= limit, "{metrics}");
}

#[tokio::test]
async fn failing_guests_are_told_apart_by_code_and_leak_nothing() {
    let host = Setup::new()
        .function("recurse", "deep_recursion", "timeout = \"20s\"")
        .function("panic", "panic", ONE)
        .function("exit", "exit", ONE)
        .function("silent", "no_response", ONE)
        .function("sleep", "sleep", "timeout = \"200ms\"")
        .serve()
        .await;
    // Twice each: a slot that a failure keeps would show at the second call.
    for path in ["/recurse", "/panic", "/panic", "/exit", "/exit", "/silent", "/silent"] {
        let answer = host.get(path).await;
        assert_eq!(answer.failure(), (502, "WFH-2004".into()), "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert_eq!(answer.json()["instance"], answer.header("wfh-invocation-id"), "{path}");
        for leak in ["wasm", "panicked", "src/", "stack", "backtrace", "guest"] {
            assert!(!answer.text().contains(leak), "{path} leaks {leak:?}: {}", answer.text());
        }
    }
    host.says("this guest panics on every request").await;
    host.says("wasm backtrace").await;
    assert_eq!(host.get("/recurse?depth=100").await.status, 200, "a shallow recursion fails");

    let slept = host.get("/sleep?ms=60000").await;
    assert_eq!(slept.failure(), (504, "WFH-2005".into()), "{}", slept.text());
    assert!(slept.took >= Duration::from_millis(200), "cut off early, after {:?}", slept.took);
    assert_eq!(host.get("/sleep?ms=1").await.status, 200);
}

#[tokio::test]
async fn a_guest_that_traps_after_its_headers_breaks_its_answer_off() {
    let host = Setup::new().function("trap", "headers_then_trap", "").serve().await;
    let mut raw = host.raw().await;
    raw.send("GET /trap HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    let body = raw.rest().await;
    assert!(!body.contains("\r\n0\r\n\r\n"), "a broken answer looks complete: {body:?}");

    let mut client = host.client().await;
    let request = client.request("GET", "/trap", &[]).body(Default::default()).unwrap();
    assert!(
        client.whole(request).await.is_err(),
        "a client takes the broken answer for a whole one"
    );
}

#[tokio::test]
async fn answers_that_do_not_end_are_cut_off_at_the_deadline() {
    let host = Setup::new()
        .function("spin", "headers_then_spin", "timeout = \"300ms\"")
        .function("drip", "slow_drip", "timeout = \"700ms\"")
        .alone()
        .serve()
        .await;
    for (path, deadline_ms, expected) in [("/spin", 300, "the first chunk"), ("/drip", 700, ".")] {
        let mut raw = host.raw().await;
        let began = Instant::now();
        raw.send(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n")).await;
        assert!(raw.head().await.starts_with("HTTP/1.1 200 "), "{path}");
        let body = raw.rest().await;
        in_time(began.elapsed(), deadline_ms, path);
        assert!(
            body.contains(expected),
            "{path}: what was sent before the deadline is lost: {body:?}"
        );
        assert!(!body.ends_with("0\r\n\r\n"), "{path}: a cut-off answer looks complete: {body:?}");
    }
}

#[tokio::test]
async fn a_guest_that_spins_after_its_answer_frees_its_slot() {
    let settings = "timeout = \"300ms\"\nconcurrency = 1\nqueue_timeout = \"5s\"";
    let host = Setup::new().function("drop", "spin_in_drop", settings).serve().await;
    for call in 0..3 {
        let answer = host.get("/drop").await;
        let got = (answer.status, answer.text());
        assert_eq!(got, (200, "answered; now spinning\n".into()), "call {call}");
    }
}

#[tokio::test]
async fn a_guest_may_answer_without_reading_its_body() {
    let host = Setup::new().function("never", "never_read_body", "").serve().await;
    let mut raw = host.raw().await;
    raw.send("POST /never HTTP/1.1\r\nhost: h\r\ncontent-length: 16777216\r\n\r\n").await;
    raw.send(vec![b'x'; 64 * 1024]).await;
    assert_eq!(raw.status().await, Some(200), "the answer waits for a body that nobody reads");
    let small = host.send("POST", "/never", &[], "small").await;
    assert_eq!((small.status, small.text()), (200, "the body was not read\n".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_output_is_cut_with_one_record_and_bothers_nobody() {
    let host = Setup::new()
        .function("flood", "log_flood", "log_bytes_max = \"64KiB\"")
        .function("hello", "hello", "")
        .serve()
        .await;
    for _ in 0..2 {
        let mut calls = at_once(&host, "/flood", 1).await;
        let (flooded, _) = hello_beside(&host, &mut calls).await;
        assert_eq!(flooded[0].status, 200, "{}", flooded[0].text());
    }
    let truncated = || host.stderr().matches("guest output truncated").count();
    eventually("each flood leaves its record", async || truncated() >= 2).await;
    assert_eq!(truncated(), 2, "more than one record an invocation");
    let said = host.stderr();
    assert!(said.len() < 2 * 64 * 1024 * 5, "{} bytes of log for 2 x 64 KiB", said.len());
    assert!(said.contains("\"stream\":\"stdout\""), "records do not name their stream");
    assert!(said.contains("\"function\":\"flood\""), "records do not name their function");
}

#[tokio::test]
async fn a_flood_at_the_default_limit_still_says_that_it_was_cut() {
    let host = Setup::new().function("flood", "log_flood", "").serve().await;
    assert_eq!(host.get("/flood").await.status, 200);
    host.says("guest output truncated").await;
    let said = host.stderr();
    assert!(said.len() < 8 << 20, "{} bytes of log for a limit of 1 MiB", said.len());
}

#[tokio::test]
async fn a_guest_that_hoards_handles_is_denied_more_and_gives_them_back() {
    let hog = "allow.files = [{ host = \"assets\", guest = \"/assets\" }]\ntimeout = \"20s\"";
    let host = Setup::new()
        .file("assets/file", "")
        .function("hog", "fd_hog", hog)
        .function("hello", "hello", "")
        .serve()
        .await;
    host.get("/hello").await;
    let before = host.descriptors();
    assert_eq!(host.get("/hog?max=100").await.text(), "100 files, never denied\n");
    let mut calls = at_once(&host, "/hog", 8).await;
    calls.spawn({
        let mut client = host.client().await;
        async move { client.get("/hog?kind=pollables").await }
    });
    for hog in hello_beside(&host, &mut calls).await.0 {
        let denied = hog.failure() == (502, "WFH-2004".into()) || hog.text().contains("then:");
        assert!(denied, "handles without end: {} {}", hog.status, hog.text());
    }
    assert_eq!(host.get("/hello").await.status, 200, "hello suffers");
    eventually("all descriptors come back", async || host.descriptors() <= before + 2).await;
}
