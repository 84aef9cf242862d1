//! `kill -9` at random instants.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use wfh_store::{Append, Op, Queue, Store};

use crate::{claim, numbered, open, queue, whole};

/// Tells the test binary that it is the one to be killed: directory and first number.
const CHILD: &str = "WFH_TEST_KILL_CHILD";
const NAME: &str = "kill::what_was_acknowledged_outlives_every_kill";
const KILLS: u64 = 20;
const CLAIMED: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_every_kill() {
    if let Ok(told) = std::env::var(CHILD) {
        let (directory, first) = told.rsplit_once(':').unwrap();
        return serve(Path::new(directory), first.parse().unwrap()).await;
    }
    let directory = TempDir::new().unwrap();
    seed(directory.path()).await;
    let mut acknowledged = Vec::new();
    let mut receives: BTreeMap<u64, u64> = BTreeMap::new();
    for round in 0..KILLS {
        let lines = run_and_kill(directory.path(), round * 1_000_000);
        for line in &lines {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["ack", number] => acknowledged.push(number.parse::<u64>().unwrap()),
                ["claim", seq, count] => {
                    receives.insert(seq.parse().unwrap(), count.parse().unwrap());
                }
                _ => {}
            }
        }
        check(directory.path(), &acknowledged, &receives, round).await;
    }
    assert!(acknowledged.len() > 100, "the child did work: {}", acknowledged.len());
    assert_eq!(receives.len() as u64, CLAIMED, "the child claimed");
}

async fn seed(directory: &Path) {
    let store = open(directory);
    let append = |n: u64| Op::Append(Append::new(queue("claims"), n.to_string(), "x"));
    store.commit((0..CLAIMED).map(append).collect()).await.unwrap();
}

async fn check(directory: &Path, acknowledged: &[u64], receives: &BTreeMap<u64, u64>, round: u64) {
    let store = open(directory);
    let there = whole(&store).await;
    let lost: Vec<_> = acknowledged.iter().filter(|n| there.binary_search(n).is_err()).collect();
    assert!(lost.is_empty(), "round {round}: acknowledged commits are lost: {lost:?}");
    for entry in store.peek(queue("claims"), None, 10).await.unwrap() {
        let told = receives.get(&entry.seq).copied().unwrap_or(0);
        let counted = u64::from(entry.receives);
        // One may have been claimed without its claimer living to tell, in each round.
        assert!(
            (told..=told + 1).contains(&counted),
            "round {round}: the claims of {} are counted: {told} told, {counted} counted",
            entry.seq
        );
    }
    let claimed = store.claim(queue("claims"), claim(10, Duration::from_millis(1))).await.unwrap();
    assert_eq!(claimed.len() as u64, CLAIMED, "round {round}: claimed entries come again");
    // Given back, so that the count stays what the child told.
    let release = |receipt| Op::Release { receipt, delay: Duration::ZERO, state: None };
    store.commit(claimed.into_iter().map(|c| release(c.receipt)).collect()).await.unwrap();
}

fn run_and_kill(directory: &Path, first: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(CHILD, format!("{}:{first}", directory.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reading = std::thread::spawn(move || {
        // A line that the kill cut off does not count.
        output.lines().map_while(Result::ok).collect::<Vec<_>>()
    });
    let random = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
    std::thread::sleep(Duration::from_millis(60 + u64::from(random / 1_000) % 250));
    child.kill().unwrap();
    child.wait().unwrap();
    let mut lines = reading.join().unwrap();
    // The last may be cut off inside its number.
    lines.pop();
    lines
}

/// What the child does until it is killed.
async fn serve(directory: &Path, first: u64) {
    let store = open(directory);
    let next = Arc::new(AtomicU64::new(first));
    for _ in 0..8 {
        let (store, next) = (Arc::clone(&store), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let bytes = if n % 25 == 0 { 70_000 } else { 300 };
                store.commit(numbered(n, bytes)).await.unwrap();
                println!("ack {n}");
            }
        });
    }
    loop {
        let claimed = store.claim(queue("claims"), claim(1, Duration::from_millis(1)));
        for claimed in claimed.await.unwrap() {
            println!("claim {} {}", claimed.entry.seq, claimed.entry.receives);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
