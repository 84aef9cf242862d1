//! Files that are not as they were written.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;

use tempfile::TempDir;
use wfh_store::{Expect, Kv, Op, Store};
use wfh_store_embedded::OpenError;

use crate::{commit, image, is_unavailable, key, open, try_open, whole};

/// The log of a process that was killed, after which `damage` happened to its end.
async fn after(damage: impl Fn(&File, u64)) -> Vec<u64> {
    let (directory, left) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(directory.path());
    for number in 0..50 {
        commit(&store, number).await.unwrap();
    }
    image(directory.path(), left.path());
    drop(store);
    let log = OpenOptions::new().read(true).write(true).open(left.path().join("store.db-wal"));
    let log = log.unwrap();
    let length = log.metadata().unwrap().len();
    assert!(length > 50 * 4_096, "the log holds the commits: {length}");
    damage(&log, length);
    let store = open(left.path());
    let there = whole(&store).await;
    commit(&store, 1_000).await.unwrap();
    let mut more = whole(&store).await;
    assert_eq!(more.pop(), Some(1_000), "a recovered store takes commits");
    assert_eq!(more, there);
    there
}

/// The last commit may be lost, as the disk lied about it; none before it is, and none in part.
fn is_all_but_the_last(there: &[u64]) {
    let wanted: Vec<u64> = (0..there.len() as u64).collect();
    assert_eq!(there, wanted, "what is left is a beginning of what was written");
    assert!(there.len() >= 49, "only the torn commit is gone: {} are left", there.len());
}

#[tokio::test]
async fn a_torn_end_of_the_log_loses_only_what_was_torn() {
    for cut in [1, 100, 4_095, 4_096, 4_120] {
        is_all_but_the_last(&after(|log, length| log.set_len(length - cut).unwrap()).await);
    }
    for from_end in [1, 2_000, 4_110] {
        let flip = |log: &File, length: u64| {
            let (mut byte, at) = ([0], length - from_end);
            log.read_exact_at(&mut byte, at).unwrap();
            log.write_all_at(&[!byte[0]], at).unwrap();
        };
        is_all_but_the_last(&after(flip).await);
    }
    let garbage = |log: &File, length: u64| log.write_all_at(&[0xAB; 9_000], length).unwrap();
    let there = after(garbage).await;
    assert_eq!(there.len(), 50, "garbage after the end of the log takes nothing along");
}

#[tokio::test]
async fn a_damaged_database_is_told_and_never_a_panic() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    for number in 0..200 {
        commit(&store, number).await.unwrap();
    }
    drop(store);
    let path = directory.path().join("store.db");
    let whole = fs::read(&path).unwrap();

    fs::write(&path, vec![0x55; whole.len()]).unwrap();
    let error = try_open(directory.path()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, OpenError::Database { .. }) && text.contains("damaged"), "{text}");

    // Pages behind the schema's are looked at only when they are needed.
    let mut torn = whole.clone();
    torn[8_192..].fill(0x55);
    fs::write(&path, &torn).unwrap();
    if let Ok(store) = try_open(directory.path()) {
        let told = store.get(key("n/00000000000000000007")).await;
        assert!(is_unavailable(&told), "a damaged page is an error: {told:?}");
        let told = commit(&store, 1_000).await;
        assert!(is_unavailable(&told), "a damaged page is an error: {told:?}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(crate::whole(&open(directory.path())).await.len(), 200, "nothing was made worse");
}

#[tokio::test]
async fn a_damaged_or_missing_large_value_is_told() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    let put = Op::Put {
        key: key("large"),
        bytes: vec![1; 100_000].into(),
        expect: Expect::Any,
        ttl: None,
    };
    store.commit(vec![put]).await.unwrap();
    let shelf = fs::read_dir(directory.path().join("files")).unwrap().next().unwrap().unwrap();
    let file = fs::read_dir(shelf.path()).unwrap().next().unwrap().unwrap().path();
    fs::write(&file, vec![2; 100_000]).unwrap();
    let told = store.get(key("large")).await;
    assert!(is_unavailable(&told), "a damaged file is an error: {told:?}");
    fs::remove_file(&file).unwrap();
    let told = store.get(key("large")).await;
    assert!(is_unavailable(&told), "a missing file is an error: {told:?}");
}

#[tokio::test]
async fn files_go_with_the_last_row_that_refers_to_them() {
    let directory = TempDir::new().unwrap();
    let count = || {
        let shelves = fs::read_dir(directory.path().join("files")).unwrap();
        shelves.map(|shelf| fs::read_dir(shelf.unwrap().path()).unwrap().count()).sum::<usize>()
    };
    let store = open(directory.path());
    let put = |name: &str| Op::Put {
        key: key(name),
        bytes: vec![1; 100_000].into(),
        expect: Expect::Any,
        ttl: None,
    };
    let delete = |name: &str| Op::Delete { key: key(name), expect: Expect::Any };
    store.commit(vec![put("a"), put("b")]).await.unwrap();
    assert_eq!(count(), 1, "equal values share a file");
    store.commit(vec![delete("a")]).await.unwrap();
    assert_eq!(count(), 1, "a file stays while a row refers to it");
    store.commit(vec![delete("b")]).await.unwrap();
    assert_eq!(count(), 0, "a file goes with its last row");
    store.commit(vec![put("c")]).await.unwrap();
    drop(store);
    // As a crash between the file and its commit leaves it.
    let shelf = directory.path().join("files/ab");
    fs::create_dir_all(&shelf).unwrap();
    fs::write(shelf.join("cdef"), "orphan").unwrap();
    fs::write(shelf.join("new-1"), "half").unwrap();
    let store = open(directory.path());
    assert_eq!(count(), 1, "orphans are swept at open");
    assert_eq!(store.get(key("c")).await.unwrap().unwrap().bytes.len(), 100_000);
}
