//! A server at its `maxmemory`.

use std::time::Duration;

use wfh_store::{Claim, Expect, Key, Kv, Op, Queue, Store, StoreError};

use crate::server::{Server, append, queue};

fn put(name: &str, bytes: usize) -> Op {
    let (key, bytes) = (Key::new(name).unwrap(), vec![7; bytes].into());
    Op::Put { key, bytes, expect: Expect::Any, ttl: None }
}

#[tokio::test]
async fn a_full_server_takes_nothing_in_gives_everything_out_and_recovers() {
    let server = Server::start();
    let (store, q) = (server.open("full").await, queue("q"));
    store.commit(vec![append(&q, "a"), put("kept", 100)]).await.unwrap();
    let limit = server.run(&["INFO", "memory"]);
    let used = limit.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    let limit = used.trim().parse::<u64>().unwrap() + (4 << 20);
    server.run(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
    let mut taken = 0;
    let told = loop {
        let half = vec![put(&format!("fill/{taken}"), 512 << 10), append(&q, "half")];
        match store.commit(half).await {
            Ok(_) => taken += 1,
            Err(told) => break told,
        }
        assert!(taken < 100, "the server is never full");
    };
    let StoreError::Unavailable(told) = told else { panic!("{told}") };
    assert!(told.contains("maxmemory"), "{told}");
    let depth = store.depth(q.clone()).await.unwrap();
    assert_eq!(depth.entries, 1 + taken, "a refused commit left a part");
    assert!(store.get(Key::new("kept").unwrap()).await.unwrap().is_some(), "reads go on");

    let claim = Claim { entries_max: 1, bytes_max: 1, visibility: Duration::from_secs(9) };
    let claimed = store.claim(q.clone(), claim).await.expect("a full server is drained");
    store
        .commit(vec![Op::Ack(claimed[0].receipt.clone())])
        .await
        .expect("a full server is drained");
    for number in 0..taken {
        let key = Key::new(&format!("fill/{number}")).unwrap();
        store.commit(vec![Op::Delete { key, expect: Expect::Any }]).await.unwrap();
    }
    store.commit(vec![put("again", 512 << 10)]).await.expect("with room it takes again");
}
