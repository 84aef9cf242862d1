//! The embedded store against a bare group-commit loop on the same disk, in interleaved rounds.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;
use wfh_store::{Append, Claim, Op, Queue, QueueKey, Store, SystemClock};
use wfh_store_embedded::{EmbeddedStore, OpenOptions};

use crate::report::{figure, figure_head, median};

const ROUNDS: usize = 5;
const ROUND_TIME: Duration = Duration::from_secs(2);
const BODY: &[u8] = &[7; 512];
const CALLERS: usize = 64;
const FEW: u64 = 1_000;
const MANY: u64 = 1_000_000;

/// Commits a second and the latencies of one round, in microseconds.
struct Round {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

/// Measures everything and prints it.
pub(crate) fn run() {
    commits();
    claims();
}

fn commits() {
    println!("| durable commits | per second | p50 us | p99 us |\n|---|---|---|---|");
    let names = [
        ("bare loop, 64 rows a commit".to_owned(), CALLERS, true),
        (format!("embedded store, {CALLERS} callers"), CALLERS, false),
        ("bare loop, one row a commit".to_owned(), 1, true),
        ("embedded store, one caller".to_owned(), 1, false),
    ];
    let mut rows: Vec<Vec<Round>> = names.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for ((_, callers, bare), row) in names.iter().zip(&mut rows) {
            row.push(if *bare { bare_loop(*callers) } else { store_loop(*callers) });
        }
    }
    let mut rates = Vec::new();
    for ((name, ..), row) in names.iter().zip(&rows) {
        let middle = |of: fn(&Round) -> f64| median(row.iter().map(of).collect());
        let rate = middle(|round| round.per_second);
        let (p50, p99) = (middle(|round| round.p50_us), middle(|round| round.p99_us));
        println!("| {name} | {rate:.0} | {p50:.0} | {p99:.0} |");
        rates.push(rate);
    }
    figure_head();
    figure("64 callers / bare group commit", rates[1] / rates[0], "x", "0.7", "0.9");
    figure("one caller / bare commit", rates[3] / rates[2], "x", "0.8", "0.9");
}

fn round(done: usize, elapsed: Duration, mut latencies: Vec<f64>) -> Round {
    latencies.sort_by(f64::total_cmp);
    let at = |part: f64| latencies[(latencies.len() as f64 * part) as usize];
    Round { per_second: done as f64 / elapsed.as_secs_f64(), p50_us: at(0.5), p99_us: at(0.99) }
}

/// What SQLite does when nothing stands between: the same bytes, so many rows a flush.
fn bare_loop(rows: usize) -> Round {
    let directory = TempDir::new().expect("a directory");
    let connection = Connection::open(directory.path().join("bare.db")).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4096;
             CREATE TABLE rows (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, body BLOB NOT NULL)",
        )
        .expect("a table");
    let (mut done, mut latencies, start) = (0, Vec::new(), Instant::now());
    while start.elapsed() < ROUND_TIME {
        let begun = Instant::now();
        connection
            .prepare_cached("BEGIN IMMEDIATE")
            .and_then(|mut s| s.execute([]))
            .expect("begin");
        for _ in 0..rows {
            let sql = "INSERT INTO rows (id, body) VALUES (?1, ?2)";
            let mut insert = connection.prepare_cached(sql).expect("a statement");
            insert.execute((format!("{done:020}"), BODY)).expect("an insert");
            done += 1;
        }
        connection.prepare_cached("COMMIT").and_then(|mut s| s.execute([])).expect("commit");
        latencies.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    round(done, start.elapsed(), latencies)
}

fn open(directory: &Path) -> Arc<EmbeddedStore> {
    let clock = Arc::new(SystemClock);
    let directory = directory.to_owned();
    EmbeddedStore::open(OpenOptions { directory, clock }).expect("the store")
}

fn queue() -> QueueKey {
    QueueKey::new("bench").expect("a name")
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime")
}

fn store_loop(callers: usize) -> Round {
    let directory = TempDir::new().expect("a directory");
    let store = open(directory.path());
    let (queue, start) = (queue(), Instant::now());
    let call = move |store: Arc<EmbeddedStore>, queue: QueueKey| async move {
        let mut latencies = Vec::new();
        while start.elapsed() < ROUND_TIME {
            let begun = Instant::now();
            let id = format!("{:020}", latencies.len());
            let append = Append::new(queue.clone(), id, BODY);
            store.commit(vec![Op::Append(append)]).await.expect("a commit");
            latencies.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        latencies
    };
    let latencies = runtime().block_on(async {
        let tasks: Vec<_> =
            (0..callers).map(|_| tokio::spawn(call(Arc::clone(&store), queue.clone()))).collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await.expect("a caller"));
        }
        latencies
    });
    round(latencies.len(), start.elapsed(), latencies)
}

fn claims() {
    let directory = TempDir::new().expect("a directory");
    let store = open(directory.path());
    let runtime = runtime();
    runtime.block_on(fill(&store, FEW));
    let few = runtime.block_on(settled_claim_us(&store));
    let before = rss_mib();
    runtime.block_on(fill(&store, MANY - FEW));
    let many = runtime.block_on(settled_claim_us(&store));
    let growth = rss_mib() - before;
    drop(store);
    let start = Instant::now();
    let store = open(directory.path());
    let depth = runtime.block_on(store.depth(queue())).expect("a depth");
    let opened = start.elapsed().as_secs_f64();
    assert_eq!(depth.entries, MANY, "all entries are counted");
    let again = runtime.block_on(settled_claim_us(&store));
    figure("claim of 10 of 1,000", few, "us", "", "");
    figure("claim of 10 of 1,000,000 / of 1,000", many / few, "x", "1.3", "1.1");
    figure("the same when opened again", again / few, "x", "1.3", "1.1");
    figure("RSS growth with 1,000,000 entries", growth, "MiB", "64", "32");
    figure("open with 1,000,000 entries", opened, "s", "2", "0.1");
}

async fn fill(store: &EmbeddedStore, entries: u64) {
    const PIECE: u64 = 1_000;
    for piece in 0..entries / PIECE {
        let append =
            |n: u64| Op::Append(Append::new(queue(), format!("{:020}", piece * PIECE + n), BODY));
        store.commit((0..PIECE).map(append).collect()).await.expect("a commit");
    }
}

/// The same once the disk has written what came before, which is not what is measured.
async fn settled_claim_us(store: &EmbeddedStore) -> f64 {
    let synced = Command::new("sync").status().expect("sync");
    assert!(synced.success(), "sync");
    claim_us(store).await;
    claim_us(store).await
}

/// The middle of many claims; what was claimed is given back in between.
async fn claim_us(store: &EmbeddedStore) -> f64 {
    let claim = Claim { entries_max: 10, bytes_max: u64::MAX, visibility: Duration::from_secs(60) };
    let mut times = Vec::new();
    for _ in 0..1_000 {
        let begun = Instant::now();
        let claimed = store.claim(queue(), claim).await.expect("a claim");
        times.push(begun.elapsed().as_secs_f64() * 1e6);
        assert_eq!(claimed.len(), 10, "a claim of 10");
        let release = |receipt| Op::Release { receipt, delay: Duration::ZERO, state: None };
        let ops = claimed.into_iter().map(|claimed| release(claimed.receipt)).collect();
        store.commit(ops).await.expect("a release");
    }
    median(times)
}

fn rss_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    let kib: f64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kib / 1024.0
}
