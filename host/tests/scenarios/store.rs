//! `wfh store`: what one store holds, moved into another.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use wfh_store::{Append, Expect, Key, Kv, Op, Queue, QueueKey, Store, SystemClock};
use wfh_store_embedded::{EmbeddedStore, OpenOptions};

use crate::support::{Ended, wfh};

fn open(data_dir: &Path) -> Arc<EmbeddedStore> {
    let (directory, clock) = (data_dir.join("store"), Arc::new(SystemClock));
    EmbeddedStore::open(OpenOptions { directory, clock }).expect("the store")
}

async fn moves(verb: &str, file: &Path, data_dir: &Path) -> Ended {
    let (file, data_dir) = (file.display().to_string(), data_dir.display().to_string());
    wfh(&["store", verb, &file, "--data-dir", &data_dir]).await
}

#[tokio::test]
async fn an_export_fills_an_empty_store() {
    let place = TempDir::new().expect("a directory");
    let (from, to) = (place.path().join("from"), place.path().join("to"));
    let file = place.path().join("export.jsonl");
    let (key, queue) = (Key::new("k").expect("a key"), QueueKey::new("q").expect("a queue"));
    let store = open(&from);
    let large: Vec<u8> = (0..200_000).map(|at| at as u8).collect();
    let put =
        Op::Put { key: key.clone(), bytes: large.clone().into(), expect: Expect::Any, ttl: None };
    let append = Op::Append(Append::new(queue.clone(), "id", "body"));
    store.commit(vec![put, append]).await.expect("a commit");

    let locked = moves("export", &file, &from).await;
    assert_eq!(locked.code, Some(1), "a running host's store is not exported: {locked:?}");
    let told = locked.stderr.contains("WFH-1011") && locked.stderr.contains("in use");
    assert!(told, "{}", locked.stderr);
    drop(store);

    let exported = moves("export", &file, &from).await;
    assert_eq!(exported.code, Some(0), "{exported:?}");
    assert!(exported.stderr.contains("values: 1, entries: 1"), "{}", exported.stderr);
    let imported = moves("import", &file, &to).await;
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let again = moves("import", &file, &to).await;
    let told = again.stderr.contains("WFH-1050") && again.stderr.contains("not empty");
    assert!(again.code == Some(1) && told, "nothing is mixed: {again:?}");

    let store = open(&to);
    let value = store.get(key).await.expect("a read").expect("a value");
    assert_eq!(value.bytes, large);
    assert_eq!(store.peek(queue, None, 9).await.expect("a peek")[0].body, "body");
}

#[tokio::test]
async fn what_is_not_there_is_not_exported() {
    let place = TempDir::new().expect("a directory");
    let data_dir = place.path().display().to_string();
    let ended = wfh(&["store", "export", "--data-dir", &data_dir]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.stderr.contains("store.db"), "the error names the file: {}", ended.stderr);
}
