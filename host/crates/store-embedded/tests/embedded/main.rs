//! What the suite of all backends cannot see: kills, damaged files, full disks, large queues.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod damage;
mod disk;
mod kill;
mod large;
mod open;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wfh_store::{Append, Claim, Expect, Key, Op, QueueKey, Store, StoreError, SystemClock};
use wfh_store_embedded::{EmbeddedStore, OpenError, OpenOptions};

fn open(directory: &Path) -> Arc<EmbeddedStore> {
    try_open(directory).unwrap()
}

fn try_open(directory: &Path) -> Result<Arc<EmbeddedStore>, OpenError> {
    let clock = Arc::new(SystemClock);
    EmbeddedStore::open(OpenOptions { directory: directory.to_owned(), clock })
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn queue(text: &str) -> QueueKey {
    QueueKey::new(text).unwrap()
}

/// A commit of which each part tells its number.
fn numbered(number: u64, bytes: usize) -> Vec<Op> {
    let mut body = number.to_string().into_bytes();
    body.resize(body.len().max(bytes), b'.');
    let name = format!("n/{number:020}");
    let put =
        Op::Put { key: key(&name), bytes: body.clone().into(), expect: Expect::Absent, ttl: None };
    let append = Op::Append(Append::new(queue("numbers"), number.to_string(), body));
    vec![put, append, Op::Increment { key: key("count"), delta: 1 }]
}

/// The numbers of all commits that are there, each of them whole.
async fn whole(store: &EmbeddedStore) -> Vec<u64> {
    use wfh_store::{Kv, Queue};
    let (mut values, mut after) = (Vec::new(), None);
    loop {
        let page = store.list("n/", after, 500).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        values.extend(page.into_iter().map(|(key, value)| (number(key.as_str()), value.bytes)));
    }
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let page = store.peek(queue("numbers"), after, 500).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.seq);
        entries.extend(page.into_iter().map(|entry| (number(&entry.id), entry.body)));
    }
    entries.sort_unstable();
    assert!(values == entries, "no commit is there in part: values and entries are the same");
    let count = store.get(key("count")).await.unwrap();
    let count = count.map_or_else(|| "0".into(), |value| value.bytes);
    assert_eq!(count, values.len().to_string(), "no commit is there in part: the count");
    let depth = store.depth(queue("numbers")).await.unwrap();
    assert_eq!(depth.entries, entries.len() as u64, "the depth is the number of entries");
    values.into_iter().map(|(number, _)| number).collect()
}

fn number(text: &str) -> u64 {
    text.trim_start_matches("n/").parse().unwrap()
}

fn claim(entries_max: u32, visibility: Duration) -> Claim {
    Claim { entries_max, bytes_max: u64::MAX, visibility }
}

/// What a kill at this instant leaves.
fn image(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

fn is_unavailable<T>(told: &Result<T, StoreError>) -> bool {
    matches!(told, Err(StoreError::Unavailable(_)))
}

async fn commit(store: &EmbeddedStore, number: u64) -> Result<(), StoreError> {
    store.commit(numbered(number, 100)).await.map(drop)
}
