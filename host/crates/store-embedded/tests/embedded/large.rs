//! Many entries, many values that end, many callers that leave.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use wfh_store::{Append, Expect, Kv, ManualClock, Op, Queue, Store};
use wfh_store_embedded::{EmbeddedStore, OpenOptions};

use crate::{claim, key, numbered, open, queue, whole};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_whose_time_is_over_leave_the_disk() {
    let directory = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::new(1_000));
    let store = EmbeddedStore::open(OpenOptions {
        directory: directory.path().to_owned(),
        clock: clock.clone(),
    })
    .unwrap();
    let timed = |name: String, bytes: usize| Op::Put {
        key: key(&name),
        bytes: vec![1; bytes].into(),
        expect: Expect::Any,
        ttl: Some(Duration::from_secs(5)),
    };
    let mut ops: Vec<Op> = (0..2_000).map(|number| timed(format!("small/{number}"), 10)).collect();
    ops.push(timed("large".into(), 100_000));
    let dedup = Some(Duration::from_secs(5));
    ops.push(Op::Append(Append { dedup, ..Append::new(queue("q"), "id", "body") }));
    store.commit(ops).await.unwrap();
    clock.advance(5_000);
    let rows = || {
        let reader = rusqlite::Connection::open(directory.path().join("store.db")).unwrap();
        let sql = "SELECT (SELECT count(*) FROM kv) + (SELECT count(*) FROM seen)
             + (SELECT count(*) FROM files)";
        reader.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    for _ in 0..100 {
        if rows() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(rows(), 0, "what is over is removed, a piece at a time");
    assert!(store.get(key("large")).await.unwrap().is_none());
}

/// Callers that give up leave the store as if they had finished or never begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_commits_happen_whole_or_not_at_all() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    let tasks: Vec<_> = (0..300_u64)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let patience = Duration::from_micros(number * 20);
                let bytes = if number % 10 == 0 { 70_000 } else { 100 };
                let done = tokio::time::timeout(patience, store.commit(numbered(number, bytes)));
                done.await.is_ok().then_some(number)
            })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for task in tasks {
        acknowledged.extend(task.await.unwrap());
    }
    // Closing waits for what was sent by those who left.
    drop(store);
    let there = whole(&open(directory.path())).await;
    let lost = acknowledged.iter().any(|number| there.binary_search(number).is_err());
    assert!(!lost, "acknowledged commits are there");
}

/// Its cost is a bench's matter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_queue_is_claimed_in_order_and_counted() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    for part in 0..5_u64 {
        let append = |n: u64| {
            Op::Append(Append::new(queue("long"), (part * 10_000 + n).to_string(), "body"))
        };
        store.commit((0..10_000).map(append).collect()).await.unwrap();
    }
    drop(store);
    let store = open(directory.path());
    assert_eq!(store.depth(queue("long")).await.unwrap().entries, 50_000);
    let mut next = 0_u64;
    for _ in 0..20 {
        let claimed =
            store.claim(queue("long"), claim(100, Duration::from_secs(60))).await.unwrap();
        for claimed in &claimed {
            assert_eq!(claimed.entry.id, next.to_string(), "in order");
            next += 1;
        }
        let acks = claimed.into_iter().map(|claimed| Op::Ack(claimed.receipt)).collect();
        store.commit(acks).await.unwrap();
    }
    let depth = store.depth(queue("long")).await.unwrap();
    assert_eq!((depth.entries, depth.claimed), (48_000, 0), "depth follows");
}
