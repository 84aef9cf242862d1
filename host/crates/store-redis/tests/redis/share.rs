//! Several hosts on one server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wfh_store::{Append, Claim, Expect, Key, Kv, Leased, ManualClock, Op, Queue, QueueKey, Store};
use wfh_store_redis::{RedisOptions, RedisStore};

use crate::server::{Server, append, eventually, queue};

fn claim(entries_max: u32) -> Claim {
    Claim { entries_max, bytes_max: u64::MAX, visibility: Duration::from_secs(30) }
}

async fn consume(store: Arc<RedisStore>, queue: QueueKey, most: u32) -> Vec<String> {
    let mut mine = Vec::new();
    loop {
        let claimed = store.claim(queue.clone(), claim(most)).await.unwrap();
        if claimed.is_empty() {
            return mine;
        }
        for claimed in claimed {
            mine.push(claimed.entry.id);
            if claimed.entry.seq % 2 == 0 {
                store.commit(vec![Op::Ack(claimed.receipt)]).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_never_claim_the_same_entry() {
    let server = Server::start();
    let stores = [server.open("two").await, server.open("two").await];
    let q = queue("work");
    let ops = (0..1_000).map(|number| append(&q, &number.to_string())).collect();
    stores[0].commit(ops).await.unwrap();
    let consumers: Vec<_> = (0..8_u32)
        .map(|number| {
            let store = Arc::clone(&stores[number as usize % 2]);
            tokio::spawn(consume(store, q.clone(), 1 + number % 5))
        })
        .collect();
    let mut holders: BTreeMap<String, u32> = BTreeMap::new();
    for consumer in consumers {
        for id in consumer.await.unwrap() {
            *holders.entry(id).or_default() += 1;
        }
    }
    let twice: Vec<_> = holders.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty() && holders.len() == 1_000, "{} came; twice: {twice:?}", holders.len());
}

#[tokio::test]
async fn an_append_wakes_who_waits_at_another_host() {
    let server = Server::start();
    let (here, there, q) = (server.open("wake").await, server.open("wake").await, queue("q"));
    // Its subscription may take a moment, and until then a poll of a second stands in.
    let subscribed = async || {
        (server.run(&["PUBSUB", "NUMSUB", "{wfh:wake}:wake"]).contains("int(2)")).then_some(())
    };
    eventually("both hosts listen", subscribed).await;
    for round in 0..5 {
        let waiting = tokio::spawn({
            let (there, q) = (Arc::clone(&there), q.clone());
            async move { there.claimable(q).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let began = Instant::now();
        here.commit(vec![append(&q, "a")]).await.unwrap();
        waiting.await.unwrap().unwrap();
        let took = began.elapsed();
        assert!(took < Duration::from_millis(500), "round {round}: {took:?}, as long as a poll");
        let claimed = there.claim(q.clone(), claim(1)).await.unwrap();
        there.commit(vec![Op::Ack(claimed[0].receipt.clone())]).await.unwrap();
    }
}

#[tokio::test]
async fn a_lease_is_one_for_all_hosts() {
    let server = Server::start();
    let (here, there) = (server.open("lease").await, server.open("lease").await);
    let key = Key::new("k").unwrap();
    let ttl = Duration::from_millis(300);
    let Leased::Acquired(first) = here.lease(key.clone(), ttl).await.unwrap() else { panic!() };
    assert_eq!(there.lease(key.clone(), ttl).await.unwrap(), Leased::Held);
    let second = eventually("the lease ends by the server's clock", async || {
        match there.lease(key.clone(), ttl).await.unwrap() {
            Leased::Acquired(lease) => Some(lease),
            _ => None,
        }
    });
    assert!(second.await.token > first.token, "tokens fence");
    assert!(!here.renew(&first, ttl).await.unwrap(), "the holder before is told");
}

#[tokio::test]
async fn what_is_over_is_removed_in_steps() {
    let server = Server::start();
    let clock = Arc::new(ManualClock::new(1_800_000_000_000));
    let options = RedisOptions { clock: Some(clock.clone()), ..server.options("sweep") };
    let store = RedisStore::open(options).await.unwrap();
    let (q, ttl) = (queue("q"), Duration::from_secs(5));
    for batch in 0..4 {
        let put = |number: u32| Op::Put {
            key: Key::new(&format!("t/{batch}/{number}")).unwrap(),
            bytes: "x".into(),
            expect: Expect::Any,
            ttl: Some(ttl),
        };
        let once = |number: u32| {
            let id = format!("{batch}-{number}");
            Op::Append(Append { dedup: Some(ttl), ..Append::new(q.clone(), id, "x") })
        };
        store
            .commit((0..50).flat_map(|number| [put(number), once(number)]).collect())
            .await
            .unwrap();
    }
    store.lease(Key::new("l").unwrap(), ttl).await.unwrap();
    clock.advance(6_000);
    assert!(store.list("t/", None, 9).await.unwrap().is_empty(), "what is over is absent at once");
    let left = || {
        ["values", "versions", "seen", "leases"].map(|name| {
            server.run(&["HLEN", &format!("{{wfh:sweep}}:{name}")]).parse::<u32>().unwrap()
        })
    };
    assert!(left()[0] > 0, "nothing was there to remove");
    for _ in 0..8 {
        store.commit(vec![append(&q, "next")]).await.unwrap();
    }
    assert_eq!(left(), [0, 0, 0, 0], "values, versions, ids and leases that are over pile up");
}
