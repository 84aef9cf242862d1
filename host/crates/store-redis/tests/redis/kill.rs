//! A server that is killed and comes back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wfh_store::{Expect, Key, Kv, Op, Queue, QueueKey, Store, StoreError};
use wfh_store_redis::RedisStore;

use crate::server::{Server, append, eventually, queue};

/// Commits until it is told to stop; gives what was acknowledged.
async fn produce(
    store: Arc<RedisStore>,
    queue: QueueKey,
    name: String,
    stop: Arc<AtomicBool>,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("{name}-{number}");
        let key = Key::new(&format!("k/{id}")).unwrap();
        let put = Op::Put { key, bytes: "x".into(), expect: Expect::Absent, ttl: None };
        match store.commit(vec![append(&queue, &id), put]).await {
            Ok(_) => acknowledged.push(id),
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(other) => panic!("a killed server is unavailable, not {other}"),
        }
    }
    acknowledged
}

async fn ids(store: &RedisStore, queue: &QueueKey) -> Vec<String> {
    let entries = store.peek(queue.clone(), None, u32::MAX).await.unwrap();
    entries.into_iter().map(|entry| entry.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_is_there_after_kills_of_the_server() {
    let mut server = Server::start();
    let (store, q) = (server.open("kill").await, queue("q"));
    let stop = Arc::new(AtomicBool::new(false));
    let producers: Vec<_> = (0..8)
        .map(|number| {
            let name = format!("p{number}");
            tokio::spawn(produce(Arc::clone(&store), q.clone(), name, Arc::clone(&stop)))
        })
        .collect();
    for round in 0..5_u64 {
        tokio::time::sleep(Duration::from_millis(100 + 37 * round)).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(30)).await;
        server.start_again();
        eventually("the store comes back", async || store.depth(q.clone()).await.ok()).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for producer in producers {
        acknowledged.extend(producer.await.unwrap());
    }
    let kept = ids(&store, &q).await;
    let once: BTreeSet<&String> = kept.iter().collect();
    assert!(acknowledged.len() > 50, "only {} commits went through", acknowledged.len());
    assert_eq!(once.len(), kept.len(), "a commit was applied twice");
    let lost: Vec<_> = acknowledged.iter().filter(|id| !once.contains(id)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    // What was not acknowledged is there whole or not at all.
    let keys = store.list("k/", None, u32::MAX).await.unwrap();
    let keys: BTreeSet<String> = keys.iter().map(|(key, _)| key.as_str()[2..].to_owned()).collect();
    let halves: Vec<_> = keys.iter().filter(|id| !once.contains(id)).collect();
    assert!(halves.is_empty() && keys.len() == once.len(), "half a commit is there: {halves:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_unavailable_and_comes_back_by_itself() {
    let mut server = Server::start();
    let (store, q) = (server.open("away").await, queue("q"));
    let waiting = {
        let (store, q) = (Arc::clone(&store), q.clone());
        // Started before the server goes, and its subscription with it.
        tokio::spawn(async move {
            loop {
                match store.claimable(q.clone()).await {
                    Ok(()) => return,
                    Err(StoreError::Unavailable(_)) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        })
    };
    server.kill();
    for _ in 0..3 {
        let told = store.commit(vec![append(&q, "a")]).await;
        assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    }
    server.start_again();
    let appended = async || store.commit(vec![append(&q, "b")]).await.ok();
    eventually("the store comes back", appended).await;
    tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    server.run(&["SCRIPT", "FLUSH"]);
    assert_eq!(store.depth(q).await.unwrap().entries, 1, "scripts are given again");
}
