//! The log a host keeps: readable while it runs, after it was killed, and over the API.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Ended, Host, Raw, Setup, eventually};

fn records(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

async fn of(host: &Host, args: &[&str]) -> Vec<Value> {
    records(&host.logs(&[args, &["--output", "json"]].concat()).await)
}

#[tokio::test]
async fn guest_output_and_the_end_of_every_invocation_are_kept() {
    let setup = Setup::new().function("hello", "hello", "").function("panic", "panic", "");
    let mut host = setup.serve().await;
    let id = host.get("/hello").await.header("wfh-invocation-id").to_owned();
    let failed = host.get("/panic").await.header("wfh-invocation-id").to_owned();
    eventually("both ends are kept", async || {
        of(&host, &[]).await.iter().filter(|record| record["duration_ms"].is_number()).count() == 2
    })
    .await;
    let done = of(&host, &["--invocation", &id]).await;
    assert_eq!(done.len(), 1, "{done:?}");
    for (field, expected) in
        [("function", "hello"), ("outcome", "done"), ("level", "DEBUG"), ("invocation", &id)]
    {
        assert_eq!(done[0][field], expected, "{field} of {}", done[0]);
    }
    assert_eq!((&done[0]["status"], &done[0]["attempt"]), (&200.into(), &1.into()));
    assert_eq!(done[0]["trace_id"].as_str().unwrap().len(), 32);
    let panic = of(&host, &["panic"]).await;
    assert!(panic.iter().all(|record| record["invocation"] == failed.as_str()), "{panic:?}");
    assert!(panic.iter().any(|record| record["line"].to_string().contains("panicked at")));
    let end = panic.iter().find(|record| record["class"] == "trap").expect("how it ended");
    assert_eq!((&end["level"], &end["code"]), (&"WARN".into(), &"WFH-2004".into()));
    assert_eq!(of(&host, &["--level", "warn"]).await.len(), 1);
    assert_eq!(of(&host, &["--since", "0s"]).await.len(), 0);
    assert!(!of(&host, &["--since", "1h"]).await.is_empty());
    host.kill();
    assert_eq!(of(&host, &["panic"]).await, panic, "a crash changed what was kept");
    let table = host.logs(&["panic"]).await.stdout;
    assert!(table.contains("| ") && table.contains("class=trap"), "{table}");
}

#[tokio::test]
async fn a_follower_sees_what_comes_over_rotations_and_ends_with_its_reader() {
    let setup = Setup::new().function("hello", "hello", "");
    let host = setup.toml("[telemetry]\nlog_ring_bytes_max = \"8KiB\"").serve().await;
    let data = host.path("data");
    let mut follower = Command::new(env!("CARGO_BIN_EXE_wfh"))
        .args(["logs", "hello", "--follow", "--output", "json", "--data-dir"])
        .arg(&data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    for round in 0..60 {
        let id = host.get("/hello").await.header("wfh-invocation-id").to_owned();
        let line = lines.next().expect("the follower goes on").unwrap();
        assert!(line.contains(&id), "round {round}: {line} is not about {id}");
    }
    let kept: u64 = data
        .join("logs")
        .read_dir()
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(kept <= 8 << 10, "the ring holds {kept} bytes of 8 KiB");
    drop(lines);
    let mut status = None;
    eventually("a follower ends when nobody reads", async || {
        status = follower.try_wait().unwrap();
        status.is_some()
    })
    .await;
    assert!(status.unwrap().success(), "a terminated pipe is an error");
}

#[tokio::test]
async fn the_api_pages_and_follows() {
    let host = Setup::new().function("hello", "hello", "").serve().await;
    for _ in 0..5 {
        host.get("/hello").await;
    }
    eventually("five ends are kept", async || of(&host, &["hello"]).await.len() == 5).await;
    let (mut path, mut ids) = ("/v1/logs?function=hello&limit=2".to_owned(), Vec::new());
    loop {
        let page = host.admin_get(&path).await.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        ids.extend(items.iter().map(|item| item["invocation"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/logs?function=hello&limit=2&cursor={next}");
    }
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), distinct.len()), (5, 5), "{ids:?}");
    let mut follower = Raw::connect(host.admin()).await;
    follower
        .send("GET /v1/logs?function=hello&follow=true HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert!(follower.head().await.contains("application/x-ndjson"));
    assert!(follower.until(ids[4].as_bytes()).await.is_some());
    let id = host.get("/hello").await.header("wfh-invocation-id").to_owned();
    assert!(follower.until(id.as_bytes()).await.is_some(), "a follower misses what comes");
    for query in ["level=loud", "since=yesterday", "cursor=x", "function=A", "follow=true&limit=1"]
    {
        let answer = host.admin_get(&format!("/v1/logs?{query}")).await;
        assert_eq!(answer.failure(), (400, "WFH-4003".into()), "{query}");
    }
}

#[tokio::test]
async fn a_host_without_a_log_says_so() {
    let setup = Setup::new().function("hello", "hello", "");
    let host = setup.toml("[telemetry]\nlog_ring_bytes_max = \"0B\"").serve().await;
    host.get("/hello").await;
    assert_eq!(host.admin_get("/v1/logs").await.failure(), (501, "WFH-4006".into()));
    let ended = host.logs(&[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("WFH-1002") && ended.stderr.contains("--data-dir"), "{ended:?}");
}

#[tokio::test]
async fn a_flood_leaves_records_out_and_counts_them() {
    let setup = Setup::new().function("hello", "hello", "");
    let telemetry = "[telemetry]\ninvocation_records_per_second_max = 2";
    let host = setup.toml(telemetry).serve().await;
    let mut client = host.client().await;
    let flood = async |client: &mut crate::support::Client| {
        for _ in 0..50 {
            client.get("/hello").await;
        }
    };
    eventually("what was left out is counted", async || {
        flood(&mut client).await;
        let kept = of(&host, &[]).await;
        kept.iter().any(|record| record["records"].as_u64().is_some_and(|left_out| left_out > 10))
    })
    .await;
    let calls = host.admin_get("/v1/functions/hello").await.json()["calls"].as_u64().unwrap();
    let kept = of(&host, &["hello"]).await.len() as u64;
    assert!(kept * 4 < calls, "{kept} records of {calls} calls");
}
