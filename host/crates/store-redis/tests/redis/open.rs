//! Which servers are taken.

use wfh_store::{Claim, Queue, Store};
use wfh_store_redis::{OpenError, RedisOptions, RedisStore};

use crate::server::{DURABLE, Server, append, queue};

async fn refused(server: &Server) -> String {
    server.try_open("refused").await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_server_without_a_file_is_refused_unless_losses_are_accepted() {
    let server = Server::with(&["--appendonly", "no"]);
    let told = refused(&server).await;
    assert!(told.contains("CONFIG SET appendonly yes"), "{told}");
    let relaxed = RedisOptions { relaxed: true, ..server.options("relaxed") };
    RedisStore::open(relaxed).await.expect("relaxed durability takes it");
    // The command that the message names mends it.
    server.run(&["CONFIG", "SET", "appendonly", "yes"]);
    server.open("mended").await;
}

#[tokio::test]
async fn a_server_that_evicts_is_refused() {
    let arguments = [DURABLE, &["--maxmemory-policy", "allkeys-lru"]].concat();
    let server = Server::with(&arguments);
    let told = refused(&server).await;
    assert!(told.contains("CONFIG SET maxmemory-policy noeviction"), "{told}");
    server.run(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.open("mended").await;
}

#[tokio::test]
async fn what_cannot_work_is_told() {
    let mut server = Server::start();
    for app in ["", "a}b"] {
        let told = server.try_open(app).await.unwrap_err();
        assert!(matches!(told, OpenError::App { .. }), "{told}");
    }
    let url = "redis://nobody:secret-word@127.0.0.1:".to_owned() + &server.port.to_string();
    let told = RedisStore::open(RedisOptions { url, ..server.options("x") }).await.unwrap_err();
    let told = told.to_string();
    assert!(told.contains("127.0.0.1") && !told.contains("secret-word"), "{told}");
    server.kill();
    let told = refused(&server).await;
    assert!(told.contains("cannot use the Redis server 127.0.0.1"), "{told}");
}

/// The user that docs/store.md names. It can neither list all keys nor flush.
#[tokio::test]
async fn a_user_of_few_permissions_is_enough() {
    let server = Server::start();
    let rules = "on >word resetkeys ~{wfh:shop}:* resetchannels &{wfh:shop}:* +@all -@admin \
                 -@dangerous +info";
    let rules: Vec<&str> = rules.split_whitespace().collect();
    server.run(&[&["ACL", "SETUSER", "wfh"], &rules[..]].concat());
    let url = format!("redis://wfh:word@127.0.0.1:{}", server.port);
    let store = RedisStore::open(RedisOptions { url, ..server.options("shop") }).await.unwrap();
    let q = queue("q");
    store.commit(vec![append(&q, "a")]).await.unwrap();
    let claim =
        Claim { entries_max: 9, bytes_max: 9, visibility: std::time::Duration::from_secs(9) };
    assert_eq!(store.claim(q.clone(), claim).await.unwrap().len(), 1);
    assert_eq!(store.queues().await.unwrap(), [q]);
    let url = format!("redis://wfh:word@127.0.0.1:{}", server.port);
    let other = RedisStore::open(RedisOptions { url, ..server.options("other") }).await;
    let told = other.unwrap_err().to_string();
    assert!(told.contains("permission"), "another app's keys are out of reach: {told}");
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_left_alone() {
    let server = Server::start();
    server.open("format").await.commit(vec![append(&queue("q"), "a")]).await.unwrap();
    assert_eq!(server.run(&["HGET", "{wfh:format}:time", "format"]), "1");
    server.run(&["HSET", "{wfh:format}:time", "format", "2"]);
    let told = server.try_open("format").await.unwrap_err();
    assert!(matches!(told, OpenError::Newer { .. }), "{told}");
}
