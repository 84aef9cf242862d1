//! The store cannot be written: the host stays up, sheds what it cannot keep, and goes on afterwards.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::support::{Host, Recorder, Redis, Setup, eventually_within};

const PATIENCE: Duration = Duration::from_secs(40);

fn setup(recorder: &Recorder) -> Setup {
    let settings = format!("{}\nenv = {{ RECORD = \"{}\" }}", recorder.grant(), recorder.url(""));
    Setup::new().function("work", "worker", &settings).function("hello", "hello", "").route(
        "/later",
        "work",
        "mode = \"async\"",
    )
}

async fn post(host: &Host, bytes: usize) -> (u16, bool) {
    let work = json!({ "filler": "x".repeat(bytes) }).to_string();
    let answer = host.send("POST", "/later", &[("content-type", "application/json")], &work).await;
    (answer.status, answer.has("retry-after"))
}

#[tokio::test]
async fn a_redis_that_is_away_costs_503_and_nothing_else() {
    let (redis, recorder) = (Redis::start(), Recorder::start().await);
    let host = setup(&recorder).toml(&redis.store()).serve().await;
    assert_eq!(post(&host, 1).await.0, 202);
    redis.node("kill", 1);
    assert_eq!(post(&host, 1).await, (503, true), "an accept that cannot be kept");
    assert_eq!(host.send("GET", "/hello", &[], "").await.status, 200, "plain calls go on");
    redis.node("start", 1);
    eventually_within(PATIENCE, "it takes calls again", async || post(&host, 1).await.0 == 202)
        .await;
    eventually_within(PATIENCE, "all of them run", async || recorder.tries().len() >= 2).await;
}

/// Eight MiB, while it lives.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(directory.path())
            .stderr(Stdio::null())
            .status();
        assert!(
            mount.is_ok_and(|status| status.success()),
            "this test mounts a small disk; run it as root"
        );
        Self(directory)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_costs_503_and_loses_nothing() {
    let (disk, recorder) = (SmallDisk::mount(), Recorder::start().await);
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![0; 2 << 20]).unwrap();
    let data = disk.0.path().join("data");
    let ring = "[telemetry]\nlog_ring_bytes_max = \"0B\"";
    // What is accepted waits, so that the disk fills.
    let slow = setup(&recorder)
        .toml(ring)
        .toml("[queue.jobs]")
        .toml("[[trigger.http]]\nroute = \"/jobs\"\ntarget = \"queue:jobs\"\nmode = \"async\"");
    let mut host = slow.data_dir(&data).serve().await;
    let send = async |host: &Host| {
        let work = json!({ "filler": "x".repeat(30_000) }).to_string();
        let headers = [("content-type", "application/json")];
        host.send("POST", "/jobs", &headers, &work).await
    };
    let mut accepted = 0_u64;
    let refused = loop {
        let answer = send(&host).await;
        if answer.status != 202 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 2_000, "the disk never filled");
    };
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.has("retry-after"), "no Retry-After");
    assert_eq!(host.send("GET", "/hello", &[], "").await.status, 200, "plain calls go on");
    assert_eq!(host.admin_json("/healthz").await["status"], "ok");
    std::fs::remove_file(&ballast).unwrap();
    eventually_within(PATIENCE, "it takes events again", async || send(&host).await.status == 202)
        .await;
    host.kill();
    let again = setup(&recorder).toml(ring).toml("[queue.jobs]").data_dir(&data).serve().await;
    let kept = again.queue_entries("jobs").await;
    println!("a full disk: accepted {}, kept {kept}", accepted + 1);
    assert!(kept > accepted, "accepted {}, kept {kept}", accepted + 1);
}

/// A kill leaves the end of the write-ahead log half written.
#[tokio::test]
async fn a_torn_end_of_the_log_loses_nothing_that_was_accepted() {
    let recorder = Recorder::start().await;
    let data = tempfile::tempdir().unwrap();
    let serve = async || {
        let route =
            "[[trigger.http]]\nroute = \"/jobs\"\ntarget = \"queue:jobs\"\nmode = \"async\"";
        setup(&recorder).toml("[queue.jobs]").toml(route).data_dir(data.path()).serve().await
    };
    let mut host = serve().await;
    let mut accepted = 0;
    for _ in 0..50 {
        accepted += u64::from(host.send("POST", "/jobs", &[], "{}").await.status == 202);
    }
    host.kill();
    // A page that was begun and never finished: its frame is there in part, with a wrong checksum.
    let log = data.path().join("store/store.db-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes.extend((0..3_000_u32).map(|n| (n * 31 % 251) as u8));
    std::fs::write(&log, bytes).unwrap();
    let host = serve().await;
    assert_eq!(host.queue_entries("jobs").await, accepted);
}
