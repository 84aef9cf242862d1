//! Replicas, and one that takes over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use wfh_store::{Claim, Op, Queue, Store, StoreError};
use wfh_store_redis::{RedisOptions, RedisStore};

use crate::server::{DURABLE, Server, append, eventually, queue};

async fn follower(primary: &Server) -> Server {
    let port = primary.port.to_string();
    let address = ["127.0.0.1", port.as_str()].join(" ");
    let server = Server::with(&[DURABLE, &["--replicaof", &address]].concat());
    let linked = async || {
        server.run(&["INFO", "replication"]).contains("master_link_status:up").then_some(())
    };
    eventually("the replica follows", linked).await;
    server
}

/// An address that stays while servers behind it change, as of a service or a proxy.
async fn address(port: Arc<AtomicU16>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let port = port.load(Ordering::SeqCst);
            tokio::spawn(async move {
                let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    own
}

#[tokio::test]
async fn a_write_counts_when_a_replica_has_it() {
    let primary = Server::start();
    let replica = follower(&primary).await;
    let options = RedisOptions { wait_replicas: 1, ..primary.options("replicas") };
    let store = RedisStore::open(options).await.unwrap();
    let q = queue("q");
    store.commit(vec![append(&q, "a")]).await.unwrap();
    let entries = replica.run(&["ZCARD", "{wfh:replicas}:queue:numbers:q"]);
    assert_eq!(entries, "1", "an acknowledged commit is on the replica");
    let told = replica.try_open("replicas").await.unwrap_err().to_string();
    assert!(told.contains("is a replica"), "{told}");
    drop(replica);
    let told = store.commit(vec![append(&q, "b")]).await;
    let Err(StoreError::Unavailable(told)) = told else { panic!("{told:?}") };
    assert!(told.contains("0 of 1 replicas"), "{told}");
    let _replica = follower(&primary).await;
    store.commit(vec![append(&q, "c")]).await.expect("with a replica it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_takes_over_has_every_acknowledged_write_and_fences() {
    let primary = Server::start();
    let replica = follower(&primary).await;
    let behind = Arc::new(AtomicU16::new(primary.port));
    let url = format!("redis://127.0.0.1:{}", address(Arc::clone(&behind)).await);
    let options = RedisOptions { url, wait_replicas: 1, ..primary.options("failover") };
    let store = RedisStore::open(options).await.unwrap();
    let q = queue("q");
    let ops = (0..100).map(|number| append(&q, &number.to_string())).collect();
    store.commit(ops).await.unwrap();
    let claim = Claim { entries_max: 1, bytes_max: 9, visibility: Duration::from_millis(200) };
    let before = store.claim(q.clone(), claim).await.unwrap().remove(0);

    replica.run(&["REPLICAOF", "NO", "ONE"]);
    primary.run(&["REPLICAOF", "127.0.0.1", &replica.port.to_string()]);
    behind.store(replica.port, Ordering::SeqCst);
    // The connection to the demoted one still stands: it must be given up.
    let depth = eventually("the store goes over", async || {
        store.commit(vec![append(&q, "after")]).await.ok()?;
        store.depth(q.clone()).await.ok()
    });
    // One whose answer was lost may be there as well.
    assert!(depth.await.entries > 100, "an acknowledged write is gone");
    let all = Claim { entries_max: 200, bytes_max: 9_000, ..claim };
    let again = eventually("the lease ends", async || {
        let claimed = store.claim(q.clone(), all).await.unwrap();
        claimed.into_iter().find(|claimed| claimed.entry.seq == before.entry.seq)
    });
    let again = again.await;
    assert!(again.receipt.token > before.receipt.token, "tokens grow over a failover");
    let zombie = store.commit(vec![Op::Ack(before.receipt)]).await;
    assert_eq!(zombie, Err(StoreError::Conflict { op: 0 }), "the holder before is fenced off");
}
